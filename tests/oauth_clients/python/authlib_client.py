"""authlib: code with PKCE, refresh, introspection, revocation, with the secret in the header."""

import requests
from authlib.integrations.requests_client import OAuth2Session

from person import Person

CALLBACK = "http://127.0.0.1:4711/callback"


def run(url, token, client_id, secret):
    server = requests.get(url + "/.well-known/oauth-authorization-server").json()
    client = OAuth2Session(
        client_id,
        secret,
        scope="messages tasks",
        redirect_uri=CALLBACK,
        code_challenge_method="S256",
        token_endpoint_auth_method="client_secret_basic",
        revocation_endpoint_auth_method="client_secret_basic",
    )
    verifier = "a-verifier-of-the-right-length-0123456789-abcdef"
    link, state = client.create_authorization_url(server["authorization_endpoint"], code_verifier=verifier)
    back = Person(url, token).allow(link, {"new_agent": "authlib"}, ["messages"])
    tokens = client.fetch_token(
        server["token_endpoint"], authorization_response=back, state=state, code_verifier=verifier
    )
    assert tokens["scope"] == "messages", tokens
    assert client.get(url + "/api/auth/whoami").json()["agent_name"] == "authlib"
    before = tokens["refresh_token"]
    tokens = client.refresh_token(server["token_endpoint"], refresh_token=before)
    assert tokens["refresh_token"] != before
    about = client.introspect_token(server["introspection_endpoint"], token=tokens["access_token"]).json()
    assert about["active"] and about["client_id"] == client_id and about["agent_name"] == "authlib", about
    assert client.revoke_token(server["revocation_endpoint"], token=tokens["refresh_token"]).status_code == 200
    about = client.introspect_token(server["introspection_endpoint"], token=tokens["access_token"]).json()
    assert about == {"active": False}, about
