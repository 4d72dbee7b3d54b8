"""Runs a verifier from docs/verifiers.md over tokens: `verify.py SNIPPET`, the tokens by name as JSON on standard input.

Says as JSON which were accepted, and the name of each refusal. Decides nothing itself.
"""

import asyncio
import json
import runpy
import sys


def outcome(snippet: dict, token: str) -> str:
    if "auth" in snippet:
        return "accepted" if asyncio.run(snippet["auth"].verify_token(token)) else "refused"
    try:
        snippet["verify"](token)
    except Exception as refusal:
        return type(refusal).__name__
    return "accepted"


snippet = runpy.run_path(sys.argv[1])
tokens = json.load(sys.stdin)
json.dump({name: outcome(snippet, token) for name, token in tokens.items()}, sys.stdout)
