"""An agent in a container: the official MCP client, unchanged, with nothing but what the container's environment holds.

Asks each argument as a question and prints a line for each step.
"""

import asyncio
import os
import sys

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

HEADERS = {"Authorization": "Bearer " + os.environ["TAOS_TOKEN"]}


async def main() -> None:
    async with httpx2.AsyncClient(headers=HEADERS, timeout=60) as http:
        async with Client(streamable_http_client(os.environ["TAOS_URL"] + "/mcp", http_client=http)) as box:
            print("tools", *sorted(tool.name for tool in (await box.list_tools()).tools), flush=True)
            sent = await box.call_tool("messages_send", {"content": "hello from inside"})
            assert not sent.is_error, sent
            print("sent", sent.structured_content["message"]["id"], flush=True)
            for question in sys.argv[1:]:
                asked = (await box.call_tool("user_ask", {"question": question})).structured_content
                print("asked", asked["question_id"], asked["status"], flush=True)
                told = asked
                while told["status"] == "waiting":
                    wanted = {"question_id": asked["question_id"], "wait": 25}
                    told = (await box.call_tool("user_answer", wanted)).structured_content
                print("answer", told["answered_by"], told["answer"], flush=True)
            print("done", flush=True)


asyncio.run(main())
