"""The package mcp, first generation, unchanged: a handshake, then the same."""

import asyncio
import sys

from mcp import ClientSession
from mcp.client.streamable_http import streamablehttp_client

URL, TOKEN = sys.argv[1:3]


async def main() -> None:
    async with streamablehttp_client(URL, headers={"Authorization": f"Bearer {TOKEN}"}) as (read, write, _):
        async with ClientSession(read, write) as box:
            hello = await box.initialize()
            assert hello.serverInfo.name == "taosd" and hello.instructions, hello
            tools = [tool.name for tool in (await box.list_tools()).tools]
            assert "messages_send" in tools, tools
            sent = await box.call_tool("messages_send", {"content": "from python 1"})
            assert not sent.isError and sent.structuredContent["message"]["content"] == "from python 1", sent
            listed = await box.call_tool("messages_list", {"limit": 5})
            assert listed.structuredContent["count"] >= 1, listed
            refused = await box.call_tool("messages_send", {"content": 7})
            assert refused.isError and "validation_error" in refused.content[0].text, refused
            page = await box.read_resource("taos://docs/agents/README")
            assert page.contents[0].text.startswith("# "), page
            assert (await box.get_prompt("agent-manual")).messages
            await box.send_ping()
            print("python 1:", len(tools), "tools")


asyncio.run(main())
