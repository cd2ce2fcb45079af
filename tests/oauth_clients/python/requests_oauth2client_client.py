"""requests-oauth2client: device grant, token exchange, client credentials, introspection, revocation."""

import time

import requests
from requests_oauth2client import AuthorizationPending, OAuth2Client

from person import Person


def run(url, token, client_id, secret, agent_token, key):
    server = requests.get(url + "/.well-known/oauth-authorization-server").json()
    places = {
        name: server[name]
        for name in (
            "token_endpoint",
            "device_authorization_endpoint",
            "introspection_endpoint",
            "revocation_endpoint",
        )
    }
    client = OAuth2Client(**places, auth=(client_id, secret), testing=True)

    begun = client.authorize_device(scope="tasks")
    try:
        client.device_code(begun)
        raise AssertionError("nobody has decided")
    except AuthorizationPending:
        pass
    Person(url, token).type_code(begun.user_code, {"new_agent": "device"}, ["tasks"])
    time.sleep(begun.interval + 0.2)
    tokens = client.device_code(begun)
    me = requests.get(url + "/api/auth/whoami", headers={"Authorization": f"Bearer {tokens.access_token}"}).json()
    assert me["agent_name"] == "device", me
    assert client.introspect_token(tokens.access_token)["active"]
    assert client.revoke_refresh_token(tokens.refresh_token)
    assert client.introspect_token(tokens.access_token) == {"active": False}

    short = client.token_exchange(
        subject_token=agent_token,
        subject_token_type="urn:ietf:params:oauth:token-type:access_token",
        audience="ax-mcp",
        scope="tasks",
    )
    about = client.introspect_token(short.access_token)
    assert (about["aud"], about["scope"], about["agent_name"]) == ("ax-mcp", "tasks", "atlas"), about
    assert client.introspect_token(agent_token)["token_class"] == "agent_token"

    own = OAuth2Client(token_endpoint=places["token_endpoint"], auth=(key.split(".")[0], key), testing=True)
    short = own.client_credentials(scope="tasks")
    assert client.introspect_token(short.access_token)["token_class"] == "agent_access"
