// oauth4webapi: a program that registers itself, code with PKCE, refresh, and its use of the API; client credentials.
import assert from "node:assert";
import * as oauth from "oauth4webapi";
import { person } from "./person.mjs";

const [url, token, key] = process.argv.slice(2);
const plain = { [oauth.allowInsecureRequests]: true };
const issuer = new URL(url);
const server = await oauth.processDiscoveryResponse(
  issuer,
  await oauth.discoveryRequest(issuer, { algorithm: "oauth2", ...plain }),
);
const redirect = "http://127.0.0.1:4711/callback";
const client = await oauth.processDynamicClientRegistrationResponse(
  await oauth.dynamicClientRegistrationRequest(
    server,
    { client_name: "oauth4webapi", redirect_uris: [redirect], token_endpoint_auth_method: "none" },
    plain,
  ),
);
const verifier = oauth.generateRandomCodeVerifier();
const link = new URL(server.authorization_endpoint);
link.search = new URLSearchParams({
  client_id: client.client_id,
  redirect_uri: redirect,
  response_type: "code",
  scope: "tasks",
  code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
  code_challenge_method: "S256",
});
const browser = await person(url, token);
const back = await browser.allow(link, { new_agent: "oauth4webapi" }, ["tasks"]);
const answer = oauth.validateAuthResponse(server, client, back, oauth.expectNoState);
let tokens = await oauth.processAuthorizationCodeResponse(
  server,
  client,
  await oauth.authorizationCodeGrantRequest(server, client, oauth.None(), answer, redirect, verifier, plain),
);
tokens = await oauth.processRefreshTokenResponse(
  server,
  client,
  await oauth.refreshTokenGrantRequest(server, client, oauth.None(), tokens.refresh_token, plain),
);
const me = await oauth.protectedResourceRequest(
  tokens.access_token,
  "GET",
  new URL(`${url}/api/auth/whoami`),
  undefined,
  undefined,
  plain,
);
assert.equal((await me.json()).agent_name, "oauth4webapi");

const own = { client_id: key.split(".")[0] };
const short = await oauth.processClientCredentialsResponse(
  server,
  own,
  await oauth.clientCredentialsGrantRequest(server, own, oauth.ClientSecretBasic(key), { scope: "tasks" }, plain),
);
assert.equal(short.scope, "tasks");
console.log("oauth4webapi done");
