"""The package mcp, second generation, unchanged: its OAuth provider finds the box, registers, logs in and refreshes."""

import asyncio
import re
import sys
from urllib.parse import parse_qs, urlsplit

import httpx2
from mcp import Client
from mcp.client.auth import OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientMetadata

URL, TOKEN = sys.argv[1:3]
SCOPE = ["messages", "tasks"]


class Storage:
    """What a program keeps between two runs."""

    tokens = client = None

    async def get_tokens(self):
        return self.tokens

    async def set_tokens(self, tokens):
        self.tokens = tokens

    async def get_client_info(self):
        return self.client

    async def set_client_info(self, client):
        self.client = client


class Person:
    """The person's browser: follows the program's link and lets it in."""

    def __init__(self):
        self.logins = 0

    async def follow(self, link):
        self.logins += 1
        headers = {"Sec-Fetch-Site": "same-origin"}
        async with httpx2.AsyncClient(base_url=URL, headers=headers) as browser:
            (await browser.post("/api/sessions", json={"token": TOKEN})).raise_for_status()
            page = (await browser.get(link)).text
            path = re.search(r"/oauth/consent/[\w-]{43}", page)[0]
            (await browser.get(path)).raise_for_status()
            body = {"decision": "allow", "act_as": {"new_agent": "python"}, "scope": SCOPE}
            answer = await browser.post(path, json=body)
            answer.raise_for_status()
            self.led = parse_qs(urlsplit(answer.json()["redirect_to"]).query)

    async def back(self):
        said = {name: values[0] for name, values in self.led.items()}
        return AuthorizationCodeResult(code=said["code"], state=said["state"], iss=said["iss"])


def provider(storage, person):
    metadata = OAuthClientMetadata(client_name="python", redirect_uris=["http://127.0.0.1:4711/callback"])
    return OAuthClientProvider(URL + "/mcp", metadata, storage, person.follow, person.back)


async def whoami(auth):
    async with httpx2.AsyncClient(auth=auth, timeout=60) as http:
        async with Client(streamable_http_client(URL + "/mcp", http_client=http)) as box:
            tools = [tool.name for tool in (await box.list_tools()).tools]
            assert "messages_send" in tools, tools
            return (await box.call_tool("auth_whoami", {})).structured_content["agent_name"]


async def main() -> None:
    storage, person = Storage(), Person()
    first = provider(storage, person)
    assert await whoami(first) == "python"
    assert set(storage.tokens.scope.split()) == set(SCOPE), storage.tokens
    # Another run of the program finds its token and needs no person.
    assert await whoami(provider(storage, person)) == "python"
    before = storage.tokens.refresh_token
    # The token has ended: the provider gets the next one by itself.
    await asyncio.sleep(62)
    assert await whoami(first) == "python"
    assert (person.logins, storage.tokens.refresh_token == before) == (1, False), person.logins
    print("python 2: logged in once")


asyncio.run(main())
