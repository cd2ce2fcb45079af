// What people do in the console, step by step.
import { strict as assert } from "node:assert";

export const until = async (what, check) => {
  for (let left = 100; left > 0; left -= 1) {
    if (await check()) return;
    await new Promise((done) => setTimeout(done, 100));
  }
  assert.fail(`${what}: not within 10 s`);
};

// A day of an agent: created, given a token, paused, frozen, thawed, archived, restored, deleted; then all are frozen.
export const day = async ({ enter }, { url, api }, browser) => {
  const page = await enter();
  await page.goto(`${url}/ui/agents?tab=new`);
  await page.fill("[name=name]", "Courier");
  await page.click("button:has-text('Create agent')");
  await page.waitForURL("**/ui/agents/courier*");
  await page.click("summary:has-text('Issue token')");
  await page.click("details[open] button:has-text('Issue token')");
  await page.waitForSelector("#secret");
  const secret = await page.inputValue("#secret");
  assert.match(secret, /^taos_agent_[\w-]{43}$/);
  assert.equal((await api("GET", "/api/auth/whoami", null, secret)).agent_name, "courier");
  await page.goto(`${url}/ui/agents/courier?tab=access`);
  assert(!(await page.content()).includes(secret), "the secret is there on the next page");
  await page.goto(`${url}/ui/agents/courier`);
  await page.click("button:has-text('Pause')");
  await page.waitForSelector(".pill:has-text('paused')");
  await page.click("button:has-text('Resume')");
  await page.waitForSelector(".pill:has-text('registered')");
  // Frozen, its token is refused; thawed, the same token works.
  await page.click("summary:has-text('Freeze')");
  await page.fill("#why", "It sends mail to strangers");
  await page.click("button:has-text('Freeze Courier')");
  await page.waitForSelector(".note.frozen :text('It sends mail to strangers')");
  await assert.rejects(api("GET", "/api/auth/whoami", null, secret), /agent_frozen/);
  await page.goto(`${url}/ui/`);
  await page.waitForSelector("#needs :text('Courier is frozen')");
  await page.click("li:has-text('Courier is frozen') button:has-text('Thaw')");
  await page.waitForSelector(".note.good:has-text('Thawed')");
  assert.equal((await api("GET", "/api/auth/whoami", null, secret)).agent_name, "courier");
  // Everything is frozen with one button, and one takes back exactly that: what was frozen before stays so.
  await page.click("summary:has-text('Freeze everything')");
  await page.click("button:has-text('Freeze all agents now')");
  await page.waitForSelector(".note.good:has-text('All your agents are frozen')");
  await page.waitForSelector("#needs :text('agents are frozen')");
  await assert.rejects(api("GET", "/api/auth/whoami", null, secret), /agent_frozen/);
  await page.click(".note button:has-text('Undo')");
  await page.waitForSelector(".note.good:has-text('thawed')");
  assert.equal((await api("GET", "/api/auth/whoami", null, secret)).agent_name, "courier");
  assert.equal((await api("GET", "/api/agents/nightwatch")).frozen, true);
  await page.goto(`${url}/ui/agents/courier`);
  await page.click("summary:has-text('Archive')");
  await page.click("button:has-text('Archive Courier')");
  await page.waitForURL("**/ui/agents?tab=archive*");
  await page.click("li:has-text('Courier') button:has-text('Restore')");
  await page.waitForSelector("text=Restored.");
  await page.goto(`${url}/ui/agents/courier`);
  await page.click("summary:has-text('Archive')");
  await page.click("button:has-text('Archive Courier')");
  await page.waitForURL("**/ui/agents?tab=archive*");
  await page.click("li:has-text('Courier') summary:has-text('Delete for good')");
  await page.fill("details[open] [name=_typed]", "couri");
  await page.click("button:has-text('Delete courier for good')");
  assert(page.url().includes("tab=archive") && (await page.isVisible("details[open] [name=_typed]")), "a wrong name deletes nothing");
  await page.fill("details[open] [name=_typed]", "courier");
  await page.click("button:has-text('Delete courier for good')");
  await page.waitForSelector("text=Deleted for good.");
  // The palette, by keyboard alone.
  await page.goto(`${url}/ui/`);
  await page.keyboard.press("Control+k");
  await page.keyboard.type("nightw", { delay: 30 });
  await page.waitForSelector("#found a[href='/ui/agents/nightwatch']");
  await page.keyboard.press("Enter");
  await page.waitForURL("**/ui/agents/nightwatch");
  // A backup is made, and its file is a database.
  await page.goto(`${url}/ui/box`);
  // News that come while the button is held down do not take the click away.
  await page.hover("button:has-text('Back up now')");
  await page.mouse.down();
  await page.evaluate(() => new Promise((come) => {
    document.addEventListener("htmx:afterRequest", () => setTimeout(come, 300), { once: true });
    document.body.dispatchEvent(new CustomEvent("news-back"));
  }));
  await page.mouse.up();
  await page.waitForSelector(".note.good:has-text('backup')");
  const file = await page.getAttribute("#backups a.name", "href");
  const begins = await page.evaluate(async (href) => new TextDecoder().decode((await (await fetch(href)).arrayBuffer()).slice(0, 15)), file);
  assert.equal(begins, "SQLite format 3");
  await page.context().close();
  console.log(`ok: ${browser}: created, issued, paused, frozen, thawed, archived, restored and deleted; backed up`);
};

// A conversation: said, read, edited, answered, deleted; a file is sent and shown.
export const talk = async ({ enter }, { url, api }, tokens, browser) => {
  const page = await enter();
  const text = `Are you there, ${browser}?`;
  await page.goto(`${url}/ui/spaces/operator`);
  await page.click("[data-insert]:has-text('@atlas')");
  await page.locator("#content").pressSequentially(text);
  await page.click("button:has-text('Send')");
  const mine = `.said:has-text('${text}')`;
  await page.waitForSelector(`${mine} :text('not read yet by atlas')`);
  await page.click(`${mine} a:has-text('Reply and more')`);
  await page.waitForSelector("#receipts li:has-text('atlas')");
  const id = page.url().split("/").at(-1).split("?")[0];
  await api("POST", `/api/v1/messages/${id}/read`, {}, tokens.atlas);
  await page.waitForSelector("#receipts .pill:has-text('read')", { timeout: 20000 });
  await page.click("summary:has-text('Edit the text')");
  await page.fill("#edited", `@atlas ${text} Please answer.`);
  await page.click("button:has-text('Save message')");
  await page.waitForSelector(".said:has-text('Please answer.')");
  await api("POST", "/api/v1/messages", { content: "Yes.", parent_id: id }, tokens.atlas);
  await page.waitForSelector("#talk .said:nth-of-type(2):has-text('Yes.')", { timeout: 20000 });
  // What somebody types is not taken away by what arrives.
  await page.fill("#content", "half a sentence");
  await page.click("button:has-text('React')");
  await page.waitForSelector(".note.good:has-text('Reaction added')");
  await page.click("summary:has-text('Delete')");
  await page.click("button:has-text('Delete the message')");
  await page.waitForURL("**/ui/spaces/operator*");
  await page.waitForSelector(".note.good:has-text('Message deleted')");
  assert.equal(await page.locator(mine).count(), 0);
  await page.click(".strip a:has-text('Files')");
  await page.setInputFiles("#file", { name: `plan-${browser}.txt`, mimeType: "text/plain", buffer: Buffer.from("1. Begin.\n") });
  await page.click("button:has-text('Upload')");
  await page.waitForSelector(".note.good:has-text('File uploaded')");
  const row = `li:has-text('plan-${browser}.txt')`;
  const got = await page.evaluate((href) => fetch(href).then((reply) => reply.text()), await page.getAttribute(`${row} a.name`, "href"));
  assert.equal(got, "1. Begin.\n");
  await page.click(`${row} button:has-text('Show to all')`);
  await page.waitForSelector(`.said a:has-text('plan-${browser}.txt')`);
  // What is no file of these types is refused on the page of the form.
  await page.goto(`${url}/ui/spaces/operator?tab=files`);
  await page.setInputFiles("#file", { name: "x.html", mimeType: "text/html", buffer: Buffer.from("<p>x") });
  page.quiet = true;
  await page.click("button:has-text('Upload')");
  await page.waitForSelector("[role=alert]");
  assert.equal(await page.locator("li:has-text('x.html')").count(), 0);
  await page.context().close();
  console.log(`ok: ${browser}: said, read, edited, answered and deleted; a file sent and shown`);
};

// News arrive by themselves, in both tabs; a request that arrives is answered; what is being typed stays.
export const live = async ({ enter }, { url, api }, tokens, browser) => {
  const page = await enter();
  const second = await page.context().newPage();
  const title = `It has just happened in ${browser}`;
  await page.goto(`${url}/ui/inbox`);
  await second.goto(`${url}/ui/`);
  await page.bringToFront();
  await api("POST", "/api/ui/notify", { title, body: "x" }, tokens.atlas);
  await page.waitForSelector(`#list :text('${title}')`);
  await second.bringToFront();
  await second.waitForSelector(`#news :text('${title}')`);
  await page.bringToFront();
  await page.goto(`${url}/ui/requests`);
  const ask = (question) => api("POST", "/api/requests", { kind: "confirm", reason: "It is late.", question, free_text: true }, tokens.hermes);
  const first = await ask(`May I send the report now, ${browser}?`);
  const card = `[id="${first.id}"]`;
  await page.waitForSelector(card);
  await page.fill(`${card} [name=text]`, "only to");
  const later = await ask(`And the appendix, ${browser}?`);
  await page.waitForTimeout(1500);
  assert.equal(await page.inputValue(`${card} [name=text]`), "only to", "what was typed is lost");
  await page.fill(`${card} [name=text]`, "only to the team");
  await page.click(`${card} button:has-text('Yes')`);
  await until("the answer", async () => (await api("GET", `/api/requests/${first.id}`, null, tokens.hermes)).state === "approved");
  await page.waitForSelector(`[id="${later.id}"]`);
  await page.click(`[id="${later.id}"] button:has-text('Deny')`);
  await until("the denial", async () => (await api("GET", `/api/requests/${later.id}`, null, tokens.hermes)).state === "denied");
  await page.context().close();
  console.log(`ok: ${browser}: news arrive live, a request is answered`);
};

// Two requests arrive on Now by themselves: less is given than one asks for, then both of two others are denied together.
export const narrowed = async ({ enter }, { url, api }, tokens, browser) => {
  const page = await enter();
  await page.goto(`${url}/ui/`);
  const ask = (scope) => api("POST", "/api/requests", { kind: "scope", reason: `For the report, ${browser}.`, scope, duration_seconds: 7200 }, tokens.hermes);
  const one = await ask(["agents.logs", "users.list"]);
  const card = `[id="${one.id}"]`;
  await page.waitForSelector(card);
  await page.click(`${card} summary:has-text('Give less')`);
  await page.uncheck(`${card} [name=scope][value='users.list']`);
  await page.selectOption(`${card} [name=duration_seconds]`, "900");
  await page.click(`${card} button:has-text('Approve')`);
  await until("the approval", async () => (await api("GET", `/api/requests/${one.id}`)).state === "approved");
  const { granted } = await api("GET", `/api/requests/${one.id}`);
  assert.deepEqual(granted.scope, ["agents.logs"]);
  const given = await api("POST", `/api/requests/${one.id}/revoke`, {});
  assert.equal(given.state, "revoked");
  // What was denied a moment ago cannot be asked for again: each browser has its own.
  const denied = browser === "chromium" ? ["users.read", "audit.read"] : ["grants.list", "operations.read"];
  const others = [await ask([denied[0]]), await ask([denied[1]])];
  for (const { id } of others) await page.waitForSelector(`[id="${id}"]`);
  for (const { id } of others) await page.check(`[id="${id}"] [name=ids]`);
  await page.click(".batch button:has-text('Deny')");
  for (const { id } of others) await until("the denial", async () => (await api("GET", `/api/requests/${id}`)).state === "denied");
  await page.context().close();
  console.log(`ok: ${browser}: requests arrive on Now, one is narrowed, two are denied at once`);
};

// The daemon is restarted under the page: it comes back by itself.
export const restarted = async ({ enter }, { url, api, start, stop }, tokens, browser) => {
  const page = await enter();
  page.quiet = true;
  await page.goto(`${url}/ui/inbox`);
  await page.waitForTimeout(500);
  await stop();
  await page.waitForSelector(".offline");
  await start();
  await page.waitForSelector(".offline", { state: "detached", timeout: 20000 });
  await api("POST", "/api/ui/notify", { title: `After the restart, ${browser}`, body: "x" }, tokens.atlas);
  await page.waitForSelector(`#list :text('After the restart, ${browser}')`);
  await page.context().close();
  console.log(`ok: ${browser}: the page outlives a restart of the daemon`);
};

// Without script every form works, that of a file too.
export const withoutScript = async ({ open }, { url, token, api }) => {
  const page = await open({ javaScriptEnabled: false });
  await page.goto(`${url}/ui/agents?tab=new`);
  await page.fill("#token", token);
  await page.click("button");
  await page.fill("[name=name]", "Plain");
  await page.click("main button:has-text('Create agent')");
  assert(page.url().startsWith(`${url}/ui/agents/plain`), page.url());
  await page.click("summary:has-text('Freeze')");
  await page.click("button:has-text('Freeze Plain')");
  await page.click("button:has-text('Thaw')");
  await page.goto(`${url}/ui/spaces/operator?tab=files`);
  await page.setInputFiles("#file", { name: "plain.md", mimeType: "text/markdown", buffer: Buffer.from("# Plain\n") });
  await page.click("button:has-text('Upload')");
  await page.waitForSelector("li:has-text('plain.md')");
  await page.context().close();
  await api("DELETE", "/api/agents/plain");
  console.log("ok: everything works without script");
};
