// The ways in: the login by a link, the code of a device, the consent to a program, and addresses that lead nowhere.
import { strict as assert } from "node:assert";
import crypto from "node:crypto";
import { phone } from "./pages.mjs";
import { walk } from "./keyboard.mjs";

const CALLBACK = "http://127.0.0.1:4711/callback";

// The address at which a program asks to be let in.
const authorize = async (url) => {
  const reply = await fetch(`${url}/oauth/register`, {
    method: "POST", headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ client_name: "A program <b>of somebody</b>", redirect_uris: [CALLBACK], token_endpoint_auth_method: "none", application_type: "native", grant_types: ["authorization_code"] }),
  });
  assert.equal(reply.status, 201, "a program registers");
  const { client_id } = await reply.json();
  const code_challenge = crypto.createHash("sha256").update("a-verifier-of-the-right-length-0123456789-abcdef").digest("base64url");
  const asked = { response_type: "code", client_id, redirect_uri: CALLBACK, code_challenge, code_challenge_method: "S256", state: "s", scope: "tasks messages" };
  return `${url}/oauth/authorize?${new URLSearchParams(asked)}`;
};

export const gates = async ({ enter, open }, { url, api }, { looks, examine }, browser) => {
  const at = await authorize(url);
  const link = (await api("POST", "/api/sessions/links", { path: "/ui/box" })).url;
  for (const [viewport, colorScheme] of looks) {
    const page = await enter({ viewport, colorScheme });
    const where = `(${browser}, ${viewport.width}, ${colorScheme})`;
    for (const path of [`${url}/oauth/device`, link]) {
      await page.goto(path);
      await examine(page, `${path} ${where}`);
    }
    // A refusal is a page as well; that it is one is no trouble.
    page.quiet = true;
    for (const path of ["/ui/nothing", "/ui/agents/nobody", `/login/${"x".repeat(43)}`, "/docs/nothing"]) {
      await page.goto(url + path);
      await examine(page, `${path} ${where}`);
    }
    page.quiet = false;
    await page.goto(at);
    await page.waitForURL("**/oauth/consent/*");
    await examine(page, `consent ${where}`);
    if (viewport === phone && colorScheme === "light") {
      await walk(page, `consent ${where}`);
      assert((await page.textContent("main")).includes("A program <b>of somebody</b>"), "what a program calls itself is text");
    }
    await page.context().close();
  }
  // The link leads in once, to its page; a dead one says so and how to get another.
  const page = await open({ viewport: phone });
  await page.goto(link);
  await page.click("main button:has-text('Log in as operator')");
  await page.waitForURL("**/ui/box");
  page.quiet = true;
  await page.goto(link);
  assert.match(await page.textContent("main"), /taosctl open/);
  await page.context().close();
  console.log(`ok: ${browser}: the ways in, and addresses that lead nowhere`);
};
