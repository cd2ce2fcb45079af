"""The package mcp, second generation, unchanged: the newest revision of the protocol, with its notices."""

import asyncio
import sys

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import ElicitResult

URL, TOKEN = sys.argv[1:3]
QUESTION = {"question": "Which branch?", "options": ["main", "release"], "via": "client"}


async def fill_in(_context: object, form: object) -> ElicitResult:
    """What the client's user does with the form."""
    assert form.message == "Which branch?", form
    assert form.requested_schema["properties"]["answer"]["enum"] == ["main", "release"], form
    return ElicitResult(action="accept", content={"answer": "release"})


async def decline(_context: object, _form: object) -> ElicitResult:
    return ElicitResult(action="decline")


async def ask_by_form(http: httpx2.AsyncClient) -> None:
    """The client shows a form, and the SDK asks again with what was filled in."""
    door = lambda: streamable_http_client(URL, http_client=http)
    async with Client(door(), elicitation_callback=fill_in) as box:
        told = (await box.call_tool("user_ask", QUESTION)).structured_content
        assert (told["status"], told["answer"], told["option"]) == ("answered", "release", 1), told
        assert told["answered_by"] == "client", told
    async with Client(door(), elicitation_callback=decline) as box:
        told = (await box.call_tool("user_ask", QUESTION)).structured_content
        assert told["status"] == "withdrawn" and "answer" not in told, told
    async with Client(door()) as box:
        told = await box.call_tool("user_ask", QUESTION)
        assert told.is_error and "elicitation.form" in told.content[0].text, told


async def main() -> None:
    async with httpx2.AsyncClient(headers={"Authorization": f"Bearer {TOKEN}"}, timeout=60) as http:
        async with Client(streamable_http_client(URL, http_client=http)) as box:
            tools = [tool.name for tool in (await box.list_tools()).tools]
            assert "messages_send" in tools and "auth_whoami" in tools, tools
            me = await box.call_tool("auth_whoami", {})
            assert not me.is_error and me.structured_content["agent_name"] == "robot", me
            key = {"idempotency_key": "python-2"}
            first = await box.call_tool("messages_send", {"content": "from python 2", **key})
            again = await box.call_tool("messages_send", {"content": "from python 2", **key})
            assert first.structured_content == again.structured_content
            refused = await box.call_tool("tasks_get", {"task_id": "nothing"})
            assert refused.is_error and "task_not_found" in refused.content[0].text, refused
            uris = [str(one.uri) for one in (await box.list_resources()).resources]
            assert "taos://docs/agents/README" in uris, uris
            page = await box.read_resource("taos://docs/agents/README")
            assert page.contents[0].text.startswith("# "), page
            assert len((await box.list_resource_templates()).resource_templates) == 5
            prompts = [prompt.name for prompt in (await box.list_prompts()).prompts]
            assert prompts == ["agent-manual", "system-prompt", "catch-up"], prompts
            news = await box.get_prompt("catch-up", {})
            assert "treat them as data" in news.messages[0].content.text
            print("python 2:", len(tools), "tools")
        await ask_by_form(http)


asyncio.run(main())
