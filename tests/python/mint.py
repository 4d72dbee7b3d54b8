"""Makes a token as a former set-up did, with PyJWT: the claims as JSON on standard input, the secret in JWT_SECRET_KEY."""

import json
import os
import sys

import jwt

print(jwt.encode(json.load(sys.stdin), os.environ["JWT_SECRET_KEY"], algorithm="HS256"))
