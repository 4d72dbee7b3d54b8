"""A daemon of the hello dialect, as a former set-up ran it: `hello_daemon.py [PORT]`.

Settings come from the environment, as they did there: JWT_SECRET_KEY, JWT_ALGORITHM, JWT_ISSUER, JWT_AUDIENCE,
JWT_GRACE_PERIOD_DAYS, EXAI_WS_TOKEN, EXAI_WS_MAX_BYTES. HELLO_TIMEOUT_SECONDS shortens the wait for the first frame.
HELLO_CERTIFICATE names a folder with `certificate.pem` and `key.pem`: then it speaks TLS.

Says on standard output where it listens, then one JSON object a line for whatever it hears: a test can see there what
reached it. Prints its log lines on standard error.
"""

import asyncio
import json
import os
import re
import secrets
import ssl
import sys
import time

import jwt
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

SECRET = os.environ.get("JWT_SECRET_KEY", "")
ALGORITHM = os.environ.get("JWT_ALGORITHM", "HS256")
ISSUER = os.environ.get("JWT_ISSUER", "exai-mcp-server")
AUDIENCE = os.environ.get("JWT_AUDIENCE", "exai-mcp-client")
GRACE_DAYS = int(os.environ.get("JWT_GRACE_PERIOD_DAYS", "14"))
SHARED_TOKEN = os.environ.get("EXAI_WS_TOKEN", "")
MAX_BYTES = int(os.environ.get("EXAI_WS_MAX_BYTES", str(32 * 1024 * 1024)))
HELLO_TIMEOUT = float(os.environ.get("HELLO_TIMEOUT_SECONDS", "15"))
CERTIFICATE = os.environ.get("HELLO_CERTIFICATE")
STARTED = time.time()

TOOLS = [
    {"name": "echo", "description": "says it again"},
    {"name": "add", "description": "adds two numbers"},
    {"name": "delete", "description": "deletes everything"},
]


def heard(what: str, **more) -> None:
    print(json.dumps({"heard": what, **more}), flush=True)


def log(line: str) -> None:
    print(f"[JWT_AUTH] {line}", file=sys.stderr, flush=True)


def in_grace() -> bool:
    return time.time() < STARTED + GRACE_DAYS * 86_400


def user_of(token) -> str | None:
    if not token or not SECRET:
        return None
    try:
        # The key is the text itself, not the bytes that it spells.
        claims = jwt.decode(token, SECRET, algorithms=[ALGORITHM], issuer=ISSUER, audience=AUDIENCE)
    except jwt.InvalidTokenError:
        return None
    return claims["sub"]


def refusal(hello: dict) -> str | None:
    """Why a `hello` is refused, in the dialect's word."""
    user = user_of(hello.get("jwt"))
    if in_grace():
        if user:
            log(f"Valid JWT token (grace period active) - user: {user}")
        else:
            log("No valid JWT token (grace period active) - allowing legacy auth")
    elif user:
        log(f"Valid JWT token - user: {user}")
    else:
        log("No valid JWT token and grace period ended - rejecting connection")
        return "jwt_required"
    if SHARED_TOKEN and hello.get("token") != SHARED_TOKEN:
        return "unauthorized"
    return None


async def say(socket, **message) -> None:
    await socket.send(json.dumps(message))


async def connection(socket) -> None:
    try:
        first = await asyncio.wait_for(socket.recv(), HELLO_TIMEOUT)
    except (TimeoutError, asyncio.TimeoutError):
        await socket.close(4002)
        return
    heard("first", frame=first if isinstance(first, str) else None, headers=dict(socket.request.headers.raw_items()))
    try:
        frame = json.loads(first)
    except ValueError:
        await socket.close(4000)
        return
    if isinstance(frame, dict) and frame.get("op") == "hello":
        await hello_dialect(socket, frame)
    elif isinstance(frame, dict) and frame.get("method") == "initialize" and "jsonrpc" in frame:
        await mcp_dialect(socket, frame)
    elif isinstance(frame, dict) and "jsonrpc" in frame:
        error = {"code": -32000, "message": "say hello first"}
        await say(socket, jsonrpc="2.0", id=frame.get("id"), error=error)
        await socket.close(4001)
    else:
        await say(socket, op="hello_ack", ok=False, error="missing_hello")
        await socket.close(4001)


async def hello_dialect(socket, hello: dict) -> None:
    error = refusal(hello)
    if error:
        await say(socket, op="hello_ack", ok=False, error=error)
        await socket.close(4003)
        return
    session = hello.get("session_id")
    if not isinstance(session, str) or not re.fullmatch(r"[A-Za-z0-9_-]{3,64}", session):
        session = secrets.token_hex(8)
    await say(socket, op="hello_ack", ok=True, session_id=session)
    async for text in socket:
        heard("message", frame=text)
        await answer(socket, json.loads(text))


async def answer(socket, request: dict) -> None:
    op, id = request.get("op"), request.get("request_id")
    if op == "list_tools":
        await say(socket, op="list_tools_res", request_id=id, tools=TOOLS)
    elif op == "call_tool":
        await say(socket, op="call_tool_ack", request_id=id)
        await say(socket, op="progress", request_id=id, progress=0.5)
        outcome, value = call(request.get("name"), request.get("arguments") or {})
        await say(socket, op="call_tool_res", request_id=id, **{outcome: value})
    else:
        await say(socket, op="error", request_id=id, error={"code": "unknown_op", "message": str(op)})


def call(name, arguments: dict):
    if name == "echo":
        return "outputs", [{"type": "text", "text": arguments.get("text", "")}]
    if name == "add":
        return "outputs", [{"type": "text", "text": str(arguments["a"] + arguments["b"])}]
    return "error", {"code": "unknown_tool", "message": str(name)}


async def mcp_dialect(socket, first: dict) -> None:
    await mcp_answer(socket, first)
    async for text in socket:
        heard("message", frame=text)
        await mcp_answer(socket, json.loads(text))


async def mcp_answer(socket, request: dict) -> None:
    if "id" not in request or "method" not in request:
        return
    method, params = request["method"], request.get("params") or {}
    if method == "initialize":
        result = {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}, "serverInfo": {"name": "daemon"}}
    elif method == "tools/list":
        result = {"tools": [{**tool, "inputSchema": {"type": "object"}} for tool in TOOLS]}
    elif method == "tools/call":
        outcome, value = call(params.get("name"), params.get("arguments") or {})
        result = {"content": value} if outcome == "outputs" else {"isError": True, "content": []}
    else:
        error = {"code": -32601, "message": "no such method"}
        await say(socket, jsonrpc="2.0", id=request["id"], error=error)
        return
    await say(socket, jsonrpc="2.0", id=request["id"], result=result)


async def until_gone(socket) -> None:
    try:
        await connection(socket)
    except ConnectionClosed:
        pass
    heard("end", code=socket.close_code)


def tls():
    if not CERTIFICATE:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{CERTIFICATE}/certificate.pem", f"{CERTIFICATE}/key.pem")
    return context


async def main() -> None:
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    pings = {"ping_interval": 20, "ping_timeout": 20}
    async with serve(until_gone, "127.0.0.1", port, max_size=MAX_BYTES, ssl=tls(), **pings) as server:
        scheme, host = ("wss", "localhost") if CERTIFICATE else ("ws", "127.0.0.1")
        print(f"{scheme}://{host}:{server.sockets[0].getsockname()[1]}", flush=True)
        await server.serve_forever()


asyncio.run(main())
