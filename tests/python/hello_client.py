"""A client of the hello dialect, as the shim of a former set-up was one, by another implementation than ours.

As a module: `HelloClient`, with the shim's own environment (EXAI_WS_HOST, EXAI_WS_PORT, EXAI_WS_TOKEN, EXAI_JWT_TOKEN,
EXAI_SESSION_ID, EXAI_WS_MAX_BYTES, EXAI_WS_PING_INTERVAL, EXAI_WS_PING_TIMEOUT).

As a program: plays scenes. On standard input a JSON list of `{"name": .., "url": .., "headers": {..}, "frames": [..],
"until": N}`: opens a connection, sends the frames (texts; `null` sends nothing), and listens until N texts came or the
other side closed. On standard output, by name, what was heard and how it ended. Judges nothing.

As a program with an address (`hello_client.py URL`): talks. Each line of standard input is a frame to send; each text that
comes is a line of standard output, and the last line is `{"closed": CODE, "reason": TEXT}`.
"""

import asyncio
import json
import os
import sys

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

PATIENCE = 20


class Refused(Exception):
    """The daemon said no: its word, and the code with which it closed."""

    def __init__(self, error, code):
        super().__init__(f"{error} ({code})")
        self.error, self.code = error, code


class HelloClient:
    def __init__(self, environment=os.environ, url: str | None = None):
        host, port = environment.get("EXAI_WS_HOST", "127.0.0.1"), environment.get("EXAI_WS_PORT", "8079")
        self.url = url or f"ws://{host}:{port}/"
        self.token, self.jwt = environment.get("EXAI_WS_TOKEN", ""), environment.get("EXAI_JWT_TOKEN")
        self.session = environment.get("EXAI_SESSION_ID", "vscode-instance-1")
        self.options = {
            "max_size": int(environment.get("EXAI_WS_MAX_BYTES", str(32 * 1024 * 1024))),
            "ping_interval": float(environment.get("EXAI_WS_PING_INTERVAL", "45")),
            "ping_timeout": float(environment.get("EXAI_WS_PING_TIMEOUT", "240")),
        }
        self.requests = 0

    def hello(self) -> dict:
        hello = {"op": "hello", "session_id": self.session, "token": self.token}
        if self.jwt:
            hello["jwt"] = self.jwt
        return hello

    async def __aenter__(self):
        self.socket = await connect(self.url, **self.options)
        await self.socket.send(json.dumps(self.hello()))
        ack = json.loads(await self.socket.recv())
        if not ack.get("ok"):
            await self.socket.wait_closed()
            raise Refused(ack.get("error"), self.socket.close_code)
        self.session = ack["session_id"]
        return self

    async def __aexit__(self, *_):
        await self.socket.close()

    async def ask(self, op: str, **fields) -> dict:
        """Sends a request, and waits for its last answer."""
        self.requests += 1
        request_id = f"r-{self.requests}"
        await self.socket.send(json.dumps({"op": op, "request_id": request_id, **fields}))
        while True:
            answer = json.loads(await self.socket.recv())
            is_last = answer["op"] in (f"{op}_res", "error")
            if answer.get("request_id") == request_id and is_last:
                return answer

    async def list_tools(self) -> list:
        return (await self.ask("list_tools"))["tools"]

    async def call_tool(self, name: str, arguments: dict) -> dict:
        return await self.ask("call_tool", name=name, arguments=arguments)


async def play(scene: dict) -> dict:
    heard = []
    try:
        async with connect(scene["url"], additional_headers=scene.get("headers"), max_size=None) as socket:
            try:
                for frame in scene.get("frames", []):
                    if frame is not None:
                        await socket.send(frame)
                while len(heard) < scene["until"]:
                    heard.append(await asyncio.wait_for(socket.recv(), PATIENCE))
                return {"heard": heard, "code": None, "reason": None}
            except ConnectionClosed:
                return {"heard": heard, "code": socket.close_code, "reason": socket.close_reason}
    except InvalidStatus as refusal:
        return {"heard": [], "status": refusal.response.status_code}


async def talk(url: str) -> None:
    async with connect(url, max_size=None) as socket:
        async def send_lines():
            reader = asyncio.StreamReader()
            pipe = lambda: asyncio.StreamReaderProtocol(reader)
            await asyncio.get_running_loop().connect_read_pipe(pipe, sys.stdin)
            while line := await reader.readline():
                await socket.send(line.decode().rstrip("\n"))

        sending = asyncio.ensure_future(send_lines())
        async for text in socket:
            print(text, flush=True)
        sending.cancel()
        print(json.dumps({"closed": socket.close_code, "reason": socket.close_reason}), flush=True)


async def talk_to_the_end(url: str) -> None:
    try:
        await talk(url)
    except ConnectionClosed as end:
        code = end.rcvd.code if end.rcvd else None
        print(json.dumps({"closed": code, "reason": end.rcvd and end.rcvd.reason}), flush=True)


async def play_all() -> None:
    scenes = json.load(sys.stdin)
    outcomes = await asyncio.gather(*(play(scene) for scene in scenes))
    json.dump({scene["name"]: outcome for scene, outcome in zip(scenes, outcomes)}, sys.stdout)


if __name__ == "__main__":
    asyncio.run(talk_to_the_end(sys.argv[1]) if len(sys.argv) > 1 else play_all())
