// openid-client: discovery, code with PKCE, refresh, introspection, device grant, revocation, with the secret.
import assert from "node:assert";
import * as client from "openid-client";
import { person } from "./person.mjs";

const [url, token, id, secret] = process.argv.slice(2);
const config = await client.discovery(new URL(url), id, secret, client.ClientSecretBasic(secret), {
  algorithm: "oauth2",
  execute: [client.allowInsecureRequests],
});
const pkceCodeVerifier = client.randomPKCECodeVerifier();
const link = client.buildAuthorizationUrl(config, {
  redirect_uri: "http://127.0.0.1:4711/callback",
  scope: "messages tasks",
  code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
  code_challenge_method: "S256",
  state: "s",
});
const browser = await person(url, token);
const back = await browser.allow(link, { new_agent: "openid-client" }, ["tasks"]);
let tokens = await client.authorizationCodeGrant(config, back, { pkceCodeVerifier, expectedState: "s" });
assert.equal(tokens.scope, "tasks");
tokens = await client.refreshTokenGrant(config, tokens.refresh_token);
const about = await client.tokenIntrospection(config, tokens.access_token);
assert.equal(about.agent_name, "openid-client");
await client.tokenRevocation(config, tokens.refresh_token);
assert.deepEqual(await client.tokenIntrospection(config, tokens.access_token), { active: false });

const begun = await client.initiateDeviceAuthorization(config, { scope: "tasks" });
await browser.type(begun.user_code, { new_agent: "openid-device" }, ["tasks"]);
tokens = await client.pollDeviceAuthorizationGrant(config, begun);
assert.equal((await client.tokenIntrospection(config, tokens.access_token)).agent_name, "openid-device");
console.log("openid-client done");
