"""A client program with a configuration file, by the official SDK: `shim_client.py CONFIG ENTRY MODE NOTES`.

Starts what the entry of the file says, with its arguments and variables, as client programs do, and speaks MCP with it. MODE is
the SDK's own word: `legacy`, `auto`, or a revision. What the started program says on standard error goes to the file NOTES.

First line on standard output: `{"revision": .., "tools": [..]}`. Then each line of standard input, `{"tool": .., "arguments": ..}`,
is a call, and its outcome a line: `{"text": .., "failed": .., "progress": N}`, or `{"error": [CODE, MESSAGE]}`. `null` lists
the tools again.
"""

import asyncio
import json
import sys

from mcp import Client, MCPError
from mcp.client.stdio import StdioServerParameters, stdio_client


async def outcome(client: Client, line: str) -> dict:
    request = json.loads(line)
    news = []

    async def progress(done, total, message):
        news.append(done)

    try:
        if request is None:
            return {"tools": [tool.name for tool in (await client.list_tools(cache_mode="bypass")).tools]}
        result = await client.call_tool(request["tool"], request["arguments"], progress_callback=progress)
    except MCPError as error:
        return {"error": [error.error.code, error.error.message]}
    text = "".join(block.text for block in result.content if block.type == "text")
    return {"text": text, "failed": bool(result.is_error), "progress": len(news)}


async def main(config: str, entry: str, mode: str, notes: str) -> None:
    with open(config) as file:
        described = json.load(file)["mcpServers"][entry]
    parameters = StdioServerParameters(command=described["command"], args=described["args"], env=described["env"])
    with open(notes, "w") as errlog:
        async with Client(stdio_client(parameters, errlog=errlog), mode=mode) as client:
            names = [tool.name for tool in (await client.list_tools()).tools]
            print(json.dumps({"revision": client.protocol_version, "tools": names}), flush=True)
            while line := await asyncio.to_thread(sys.stdin.readline):
                print(json.dumps(await outcome(client, line)), flush=True)


asyncio.run(main(*sys.argv[1:]))
