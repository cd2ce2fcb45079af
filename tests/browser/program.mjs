// A program logs in by a person's click, in a browser: from the program's own page by way of the login to the consent and
// back, to a program on this computer and to one with a scheme of its own; and without scripts.
import { strict as assert } from "node:assert";
import crypto from "node:crypto";
import http from "node:http";

const verifier = "a-verifier-of-the-right-length-0123456789-abcdef";

// The program: its page has a link to the box, and what comes back to it is noted.
const listen = () => new Promise((done) => {
  const came = [];
  const server = http.createServer((asked, reply) => {
    if (asked.url.startsWith("/callback")) came.push(asked.url);
    reply.setHeader("content-type", "text/html");
    reply.end(asked.url.startsWith("/callback") ? "<h1>Back</h1>" : `<a href="${decodeURIComponent(asked.url.slice(2))}">Log in</a>`);
  }).listen(0, "127.0.0.1", () => done({ server, came, url: `http://127.0.0.1:${server.address().port}` }));
});

export const program = async (browser, box, examine, troubles, name) => {
  const { url, api } = box;
  const own = await listen();
  const register = (client_name, redirect) => api("POST", "/oauth/register", { client_name, redirect_uris: [redirect] });
  const ask = ({ client_id }, redirect_uri, scope = "tasks messages") => `${url}/oauth/authorize?${new URLSearchParams({
    response_type: "code", client_id, redirect_uri, scope, code_challenge_method: "S256",
    code_challenge: crypto.createHash("sha256").update(verifier).digest("base64url"),
  })}`;
  const link = async (path) => (await api("POST", "/api/sessions/links", { path })).url;
  const token = async ({ client_id }, redirect_uri, code) => {
    const body = new URLSearchParams({ grant_type: "authorization_code", client_id, redirect_uri, code, code_verifier: verifier });
    const told = await fetch(`${url}/oauth/token`, { method: "POST", body });
    assert.equal(told.status, 200, await told.clone().text());
    return told.json();
  };
  const open = async (options) => {
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
    const page = await context.newPage();
    page.on("console", (message) => { if (message.type() === "error" && !page.quiet) troubles.push(`${page.url()}: ${message.text()}`); });
    page.on("pageerror", (error) => troubles.push(`${page.url()}: ${error.message}`));
    await page.addInitScript(() => document.addEventListener("securitypolicyviolation", (event) => console.error(`policy: ${event.violatedDirective}`)));
    return page;
  };
  const callback = `${own.url}/callback`;
  const editor = await register("An <i>editor</i>", callback);

  // As on every page: no violation of accessibility, nothing that scrolls sideways.
  for (const [viewport, colorScheme] of [[{ width: 360, height: 740 }, "light"], [{ width: 1280, height: 800 }, "dark"], [{ width: 320, height: 640 }, "light"]]) {
    const page = await open({ viewport, colorScheme });
    const see = async (path) => { await page.goto(path); await examine(page, `${path} (${name}, ${viewport.width}, ${colorScheme})`); };
    await see(await link("/ui/box"));
    // A browser notes the status of a refusal.
    page.quiet = true;
    await see(`${url}/login/${"A".repeat(43)}`);
    await see(`${url}/oauth/authorize?client_id=nobody`);
    page.quiet = false;
    await page.goto(await link("/ui/box"));
    await page.click("button:has-text('Log in as operator')");
    await page.waitForURL(`${url}/ui/box`);
    await see(`${url}/oauth/device?user_code=BCDF-GHJK`);
    await see(`${url}/oauth/device?done=allowed`);
    await page.goto(ask(editor, callback));
    await page.waitForURL(`${url}/oauth/consent/*`);
    await examine(page, `the consent (${name}, ${viewport.width}, ${colorScheme})`);
    // It stands in the frame of the console.
    assert.equal(await page.locator("nav.side a.brand, header.top a.brand").count(), 2);
    assert.equal(await page.locator("h1").textContent(), "Let An <i>editor</i> in?");
    await page.context().close();
  }

  // From the program's page, without a session: to the login, and back to what it asks for.
  const page = await open();
  await page.goto(`${own.url}/?${encodeURIComponent(ask(editor, callback))}`);
  await page.click("a");
  await page.waitForURL(`${url}/ui/login?next=*`);
  await page.fill("#token", box.token);
  await page.click("button");
  await page.waitForURL(`${url}/oauth/consent/*`);
  await page.uncheck("input[value=tasks]");
  await page.fill("#new_agent", "scribe");
  await page.click("button:has-text('Allow')");
  await page.waitForSelector("h1:has-text('Back')");
  const back = new URL(own.url + own.came.pop()).searchParams;
  assert.equal(back.get("iss"), url);
  const told = await token(editor, callback, back.get("code"));
  assert.equal(told.scope, "messages");
  assert.equal((await api("GET", "/api/auth/whoami", null, told.access_token)).agent_name, "scribe");

  // With a session, from another site: the agent of the last time is chosen. It is refused.
  await page.goto(`${own.url.replace("127.0.0.1", "localhost")}/?${encodeURIComponent(ask(editor, callback))}`);
  await page.click("a");
  await page.waitForURL(`${url}/oauth/consent/*`);
  assert.match(await page.locator("label:has(input[name=act_as]:checked)").textContent(), /the agent scribe/);
  await page.click("button:has-text('Deny')");
  await page.waitForSelector("h1:has-text('Back')");
  assert.equal(new URL(own.url + own.came.pop()).searchParams.get("error"), "access_denied");

  // A program with a scheme of its own: the browser is sent there, and the page keeps a link.
  const scheme = await register("Code", "vscode://pub.ext/cb");
  await page.goto(ask(scheme, "vscode://pub.ext/cb"));
  await page.waitForURL(`${url}/oauth/consent/*`);
  // Nobody here takes such an address, which the browser notes.
  page.quiet = true;
  let blocked = false;
  await page.exposeFunction("policyBroken", () => { blocked = true; });
  await page.evaluate(() => document.addEventListener("securitypolicyviolation", () => window.policyBroken()));
  // A click would wait for a page that never comes.
  await page.dispatchEvent("button[value=allow]", "click");
  // Firefox now and then believes that it is still on its way there, and a locator would wait for its arrival.
  const kept = await page.waitForFunction(() => {
    const link = document.querySelector("a[data-continue]");
    return link.checkVisibility() && link.href;
  });
  const to = new URL(await kept.jsonValue());
  assert.equal(to.protocol, "vscode:");
  assert.equal(blocked, false);
  assert.match((await token(scheme, "vscode://pub.ext/cb", to.searchParams.get("code"))).scope, /tasks/);
  await page.context().close();

  // Without scripts: the same pages by links and forms. Firefox, as it is driven here, always runs them.
  if (name === "chromium") {
    const plain = await open({ javaScriptEnabled: false });
    await plain.goto(await link("/oauth/device"));
    await plain.click("button:has-text('Log in as operator')");
    await plain.waitForURL(`${url}/oauth/device`);
    await plain.goto(ask(editor, callback));
    await plain.click("text=See what it asks for");
    await plain.uncheck("input[value=messages]");
    await plain.click("button:has-text('Allow')");
    await plain.waitForSelector("h1:has-text('Back')");
    const code = new URL(own.url + own.came.pop()).searchParams.get("code");
    assert.equal((await token(editor, callback, code)).scope, "tasks");
    await plain.context().close();
  }
  own.server.close();
  console.log(`ok: ${name}: programs log in by a click`);
};
