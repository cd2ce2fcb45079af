// A token for another service, signed with ES256: jose, and jsonwebtoken, which knows no EdDSA.
import { createPublicKey } from "node:crypto";
import { createRemoteJWKSet, jwtVerify } from "jose";
import jsonwebtoken from "jsonwebtoken";

const [url, audience, token] = process.argv.slice(2);
const place = new URL("/.well-known/jwks.json", url);
const wanted = { algorithms: ["ES256"], audience, issuer: "taosd" };
const { payload } = await jwtVerify(token, createRemoteJWKSet(place), wanted);

const { kid } = jsonwebtoken.decode(token, { complete: true }).header;
const { keys } = await (await fetch(place)).json();
const key = createPublicKey({ key: keys.find((key) => key.kid === kid), format: "jwk" });
const said = jsonwebtoken.verify(token, key, wanted);
console.log(`jose: ${payload.agent_name}\njsonwebtoken: ${said.agent_name}`);
