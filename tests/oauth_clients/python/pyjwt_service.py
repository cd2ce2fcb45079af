"""PyJWT: a token for another service, signed with ES256, verified through the published keys."""

import jwt


def run(url, service, token):
    keys = jwt.PyJWKClient(url + "/.well-known/jwks.json")

    def read(token, audience, algorithms):
        key = keys.get_signing_key_from_jwt(token)
        return jwt.decode(token, key, algorithms=algorithms, audience=audience, issuer="taosd")

    assert read(token, service, ["ES256"])["agent_name"] == "atlas"
    for audience, algorithms, shown in (
        ("ax-api", ["ES256"], token),
        (service, ["EdDSA"], token),
        (service, ["ES256"], token[:-6] + "AAAAAA"),
    ):
        try:
            read(shown, audience, algorithms)
        except jwt.InvalidTokenError:
            continue
        raise AssertionError(f"taken for {audience}, {algorithms}")
