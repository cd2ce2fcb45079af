// The console in Chromium: every page on a phone and on a desk, light and dark, with no error, no report of the policy, no
// request to elsewhere, no sideways scrolling and no violation of accessibility; hostile texts stay texts; what a person
// does from the first login to the deletion of an agent; news that arrive by themselves; a daemon that is restarted.
import { strict as assert } from "node:assert";
import { spawn } from "node:child_process";
import fs from "node:fs";
import net from "node:net";
import { chromium } from "playwright-core";

const [, , taosd, work, images] = process.argv;
const axe = fs.readFileSync(`${work}/node_modules/axe-core/axe.min.js`, "utf8");
const freePort = () => new Promise((done) => {
  const server = net.createServer().listen(0, "127.0.0.1", () => {
    const { port } = server.address();
    server.close(() => done(port));
  });
});
const port = await freePort();
const url = `http://127.0.0.1:${port}`;
let daemon;
const start = () => new Promise((done, fail) => {
  const log = fs.openSync(`${work}/log`, "a");
  daemon = spawn(taosd, ["--data-dir", `${work}/d`, "--listen", `127.0.0.1:${port}`, "--containers", "none"], {
    stdio: ["ignore", "pipe", log],
    env: { ...process.env, TAOSD_REQUESTS_PER_MINUTE: "0" },
  });
  daemon.once("exit", () => fail(new Error(fs.readFileSync(`${work}/log`, "utf8").slice(-2000))));
  daemon.stdout.once("data", done);
});
const stop = () => new Promise((done) => {
  daemon.removeAllListeners("exit");
  daemon.once("exit", done);
  daemon.kill("SIGTERM");
});
process.on("exit", () => daemon?.kill("SIGKILL"));
await start();
const token = fs.readFileSync(`${work}/d/operator.token`, "utf8").trim();
const api = async (method, path, body, as = token) => {
  const reply = await fetch(url + path, {
    method,
    headers: { Authorization: `Bearer ${as}`, ...(body && { "Content-Type": "application/json" }) },
    body: body && JSON.stringify(body),
  });
  const text = await reply.text();
  assert(reply.ok, `${method} ${path}: ${reply.status} ${text}`);
  return text && reply.headers.get("content-type")?.includes("json") ? JSON.parse(text) : text;
};
const until = async (what, check) => {
  for (let left = 100; left > 0; left -= 1) {
    if (await check()) return;
    await new Promise((done) => setTimeout(done, 100));
  }
  assert.fail(`${what}: not within 10 s`);
};

// What people see on a good day.
for (const [name, model] of [["Atlas", "qwen3-8b"], ["Hermes", "llama-3.3-70b"], ["Research helper", "qwen3-8b"], ["Nightwatch", null]]) {
  await api("POST", "/api/agents", { name, ...(model && { model }) });
}
const tokens = {};
for (const name of ["atlas", "hermes"]) tokens[name] = (await api("POST", `/api/agents/${name}/token/issue`, {})).token;
await api("POST", "/api/ui/notify", { title: "Nightly report is ready", body: "12 sources read, 3 findings. The full text is in the context.", action_url: "https://example.org/report" }, tokens.atlas);
await api("POST", "/api/ui/notify", { title: "The mail queue is stuck", body: "14 messages wait for the relay: connection refused", priority: "high" }, tokens.hermes);
await api("POST", "/api/v1/messages", { content: "@hermes please write the mail about the three findings of tonight." });
await api("POST", "/api/v1/messages", { content: "On it. One question: do we name the vendor?" }, tokens.hermes);
await api("POST", "/api/v1/messages", { content: "@hermes yes, they have confirmed in writing: see the context, vendor/letter." }, tokens.atlas);
await api("POST", "/api/v1/context", { key: "vendor/letter", value: "We confirm the delivery on 3 December." });
for (const [title, priority, status] of [["Write the mail about the findings", "high", "in_progress"], ["Renew the certificate of the relay", "urgent"], ["Index the archive of 2024", "low"], ["Answer the vendor", "medium", "done"], ["Move the old logs", "medium", "blocked"], ["Translate the guide", "low"]]) {
  const task = await api("POST", "/api/v1/tasks", { title, priority });
  if (status) await api("PATCH", `/api/v1/tasks/${task.id}`, { status });
}
await api("POST", "/api/users", { username: "ann", display_name: "Ann Perkins" });
await api("POST", "/api/backups?wait=30");
const asks = (await api("GET", "/api")).routes.some((route) => route.path === "/api/requests");
if (asks) await api("POST", "/api/requests", { kind: "scope", reason: "The report has to go to the team tonight.", scope: ["agents.logs"], duration_seconds: 7200 }, tokens.atlas);

const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });
const troubles = [];
const open = async (options = {}) => {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  const page = await context.newPage();
  const bad = (what) => troubles.push(`${new URL(page.url()).pathname}: ${what}`);
  page.on("console", (message) => { if (["error", "warning"].includes(message.type()) && !page.quiet) bad(message.text()); });
  page.on("pageerror", (error) => bad(error.message));
  page.on("dialog", (dialog) => { bad(`a dialog: ${dialog.message()}`); dialog.dismiss(); });
  page.on("request", (request) => { if (!request.url().startsWith(url) && !request.url().startsWith("data:")) bad(`asks ${request.url()}`); });
  await page.addInitScript(() => document.addEventListener("securitypolicyviolation", (event) => console.error(`policy: ${event.violatedDirective}`)));
  return page;
};
const login = async (page) => {
  await page.goto(`${url}/ui/`);
  await page.fill("#token", token);
  await page.click("button");
  await page.waitForSelector("h1:has-text('Now')");
};
const examine = async (page, where) => {
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert(wide <= 0, `${where} scrolls sideways by ${wide}`);
  const violations = await page.evaluate(`${axe}; axe.run().then((r) => r.violations.map((v) => v.id + ": " + v.nodes.map((n) => n.html.slice(0, 160) + " " + (n.any[0]?.message ?? "")).slice(0, 2).join(" | ")))`);
  assert.deepEqual(violations, [], `${where}: ${violations.join("\n")}`);
};

const pages = [
  "/ui/", "/ui/agents", "/ui/agents?tab=archive", "/ui/agents?tab=new", "/ui/agents?tab=deploy", "/ui/agents/atlas",
  "/ui/agents/atlas?tab=access", "/ui/agents/atlas?tab=settings", "/ui/agents/atlas?tab=activity", "/ui/agents/atlas?tab=logs",
  ...(asks ? ["/ui/requests", "/ui/requests?tab=force", "/ui/requests?tab=all"] : []),
  "/ui/inbox", "/ui/inbox?tab=unread", "/ui/spaces", "/ui/spaces/operator", "/ui/spaces/operator?tab=tasks",
  "/ui/spaces/operator?tab=context", "/ui/spaces/operator?tab=members", "/ui/knowledge", "/ui/knowledge?q=token",
  "/ui/knowledge?tab=sources", "/ui/knowledge?tab=prompt", "/ui/operations", "/ui/people", "/ui/people/operator", "/ui/people/ann",
  "/ui/audit", "/ui/box", "/ui/find?q=token", "/ui/login",
];
const looks = [["phone", { width: 360, height: 740 }], ["desk", { width: 1280, height: 800 }]];
const shots = [["now", "phone", "light", "/ui/"], ["agent", "phone", "light", "/ui/agents/atlas?tab=access"], ["board", "desk", "dark", "/ui/spaces/operator?tab=tasks"], ...(asks ? [["request", "phone", "dark", "/ui/requests"]] : [])];
let seen = 0;
const everyPage = async (names) => {
  for (const [look, viewport] of looks) {
    for (const colorScheme of ["light", "dark"]) {
      const page = await open({ viewport, colorScheme });
      await login(page);
      for (const path of names) {
        await page.goto(url + path);
        await examine(page, `${path} (${look}, ${colorScheme})`);
        seen += 1;
        const shot = shots.find(([, l, c, p]) => l === look && c === colorScheme && p === path);
        if (shot && process.env.SHOTS) {
          fs.mkdirSync(images, { recursive: true });
          await page.screenshot({ path: `${images}/${shot[0]}.png` });
        }
      }
      await page.context().close();
    }
  }
};
await everyPage(pages);
// As narrow as it gets, as wide as it gets, and twice as large.
for (const viewport of [{ width: 320, height: 640 }, { width: 3840, height: 2160 }, { width: 640, height: 400 }]) {
  const page = await open({ viewport });
  await login(page);
  for (const path of pages) {
    await page.goto(url + path);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert(wide <= 0, `${path} at ${viewport.width} scrolls sideways by ${wide}`);
  }
  await page.context().close();
}
console.log(`ok: ${seen} views of ${pages.length} pages`);

// A day of an agent.
const page = await open();
await login(page);
await page.goto(`${url}/ui/agents?tab=new`);
await page.fill("[name=name]", "Courier");
await page.click("button:has-text('Create agent')");
await page.waitForURL("**/ui/agents/courier");
await page.click("summary:has-text('Issue token')");
await page.click("details[open] button:has-text('Issue token')");
const secret = await page.inputValue("#secret");
assert.match(secret, /^taos_agent_[\w-]{43}$/);
assert.equal((await api("GET", "/api/auth/whoami", null, secret)).agent_name, "courier");
await page.reload();
assert(!(await page.content()).includes(secret), "the secret is there after a reload");
await page.goto(`${url}/ui/agents/courier`);
await page.click("button:has-text('Pause')");
await page.waitForSelector(".pill:has-text('paused')");
await page.click("button:has-text('Resume')");
await page.waitForSelector(".pill:has-text('registered')");
await page.click("summary:has-text('Archive')");
await page.click("button:has-text('Archive Courier')");
await page.waitForURL("**/ui/agents?tab=archive");
await page.click("button:has-text('Restore')");
await page.waitForSelector("text=Restored.");
await page.goto(`${url}/ui/agents/courier`);
await page.click("summary:has-text('Archive')");
await page.click("button:has-text('Archive Courier')");
await page.click("summary:has-text('Delete for good')");
await page.fill("[name=_typed]", "couri");
await page.click("button:has-text('Delete courier for good')");
assert(page.url().includes("tab=archive") && (await page.isVisible("[name=_typed]")), "a wrong name deletes nothing");
await page.fill("[name=_typed]", "courier");
await page.click("button:has-text('Delete courier for good')");
await page.waitForSelector("text=Deleted for good.");
console.log("ok: created, issued, paused, archived, restored and deleted");

// The palette, by keyboard alone.
await page.goto(`${url}/ui/`);
await page.keyboard.press("Control+k");
await page.keyboard.type("nightw", { delay: 30 });
await page.waitForSelector("#found a[href='/ui/agents/nightwatch']");
await page.keyboard.press("Enter");
await page.waitForURL("**/ui/agents/nightwatch");

// News arrive by themselves, in both tabs.
const second = await page.context().newPage();
await page.goto(`${url}/ui/inbox`);
await second.goto(`${url}/ui/`);
await page.bringToFront();
await api("POST", "/api/ui/notify", { title: "It has just happened", body: "x" }, tokens.atlas);
await page.waitForSelector("#list :text('It has just happened')");
await second.bringToFront();
await second.waitForSelector("#news :text('It has just happened')");
if (asks) {
  await page.bringToFront();
  await page.goto(`${url}/ui/requests`);
  const asked = await api("POST", "/api/requests", { kind: "confirm", reason: "It is late.", question: "May I send the report now?" }, tokens.hermes);
  const card = `[id="${asked.id}"]`;
  await page.waitForSelector(card);
  await page.click(`${card} button:has-text('Yes')`);
  await until("the answer", async () => (await api("GET", `/api/requests/${asked.id}`, null, tokens.hermes)).state === "approved");
}
console.log(`ok: news arrive live${asks ? ", a request is approved" : ""}`);

// The daemon is restarted under the page: it comes back by itself.
page.quiet = second.quiet = true;
await page.bringToFront();
await page.goto(`${url}/ui/inbox`);
await page.waitForTimeout(500);
await stop();
await page.waitForSelector(".offline");
await start();
await page.waitForSelector(".offline", { state: "detached", timeout: 20000 });
await api("POST", "/api/ui/notify", { title: "After the restart", body: "x" }, tokens.atlas);
await page.waitForSelector("#list :text('After the restart')");
page.quiet = second.quiet = false;
console.log("ok: the page outlives a restart of the daemon");

// Without script every form works.
const plain = await open({ javaScriptEnabled: false });
await plain.goto(`${url}/ui/agents?tab=new`);
await plain.fill("#token", token);
await plain.click("button");
await plain.fill("[name=name]", "Plain");
await plain.click("main button:has-text('Create agent')");
assert(plain.url().startsWith(`${url}/ui/agents/plain`), plain.url());
await plain.context().close();

// Hostile texts everywhere that an agent can write one.
const corpus = [
  "<script>window.pwned = 1</script>", "\"><img src=x onerror='window.pwned = 1'>", "'><svg onload=window.pwned=1>",
  "</title></textarea></pre></script><h1 class=pwned>x</h1>", "<style>*{display:none}</style>", "<base href=//evil.example>",
  "<a href=javascript:window.pwned=1>x</a>", "{{7*7}} {% raw %} ${7*7}", "\u202etxt.exe \u2066x\u2069", "<details open ontoggle=window.pwned=1>",
  "a".repeat(60), "<iframe srcdoc='<script>parent.pwned=1</script>'>", "<form action=//evil.example><button>Sign in</button></form>",
];
for (const [at, text] of corpus.entries()) {
  const made = await api("POST", "/api/agents", { name: `z${at} ${text}`.slice(0, 60), host: text, emoji: text.slice(0, 8) });
  await api("PATCH", `/api/agents/${made.name}/persona`, { soul_md: text, agent_md: text });
  await api("POST", "/api/ui/notify", { title: text.slice(0, 110), body: `${text}\n${"x".repeat(60000)}`, priority: "high" }, tokens.hermes);
  await api("POST", "/api/v1/messages", { content: `${text} ${"w".repeat(2000)}` }, tokens.hermes);
  await api("POST", "/api/v1/context", { key: `k/${at}/${text.replace(/[^\x20-\x7e]/g, "")}`.slice(0, 120), value: text.repeat(50) }, tokens.hermes);
  await api("POST", "/api/v1/tasks", { title: text.slice(0, 150), description: text }, tokens.hermes);
}
await api("PUT", "/api/knowledge/sources/app:evil", { items: corpus.map((text, at) => ({ path: `p${at}`, title: text.slice(0, 100), content: text.repeat(20) })) });
const hostile = await open({ viewport: { width: 360, height: 740 } });
await login(hostile);
const names = (await api("GET", "/api/agents?q=z&limit=100")).map((agent) => agent.name).slice(0, 6);
const item = (await api("GET", "/api/knowledge/items?source_id=app:evil"))[0].id;
for (const path of [...pages, `/ui/knowledge?key=${item}`, "/ui/knowledge?source=app:evil", ...names.flatMap((name) => ["", "?tab=settings", "?tab=activity"].map((tab) => `/ui/agents/${name}${tab}`))]) {
  await hostile.goto(url + path);
  const came = await hostile.evaluate(() => ({
    pwned: window.pwned, elements: document.querySelectorAll(".pwned, iframe, base, main script, main style, form[action*=evil], [onerror], [onload], [ontoggle]").length,
    wide: document.documentElement.scrollWidth - document.documentElement.clientWidth, hidden: getComputedStyle(document.body).display === "none",
  }));
  assert.deepEqual(came, { pwned: undefined, elements: 0, wide: 0, hidden: false }, path);
}
// Nothing is lost: a form sends back what it was given.
await hostile.goto(`${url}/ui/agents/${names[0]}?tab=settings`);
const record = await api("GET", `/api/agents/${names[0]}`);
assert.equal(await hostile.inputValue("#host"), record.host);
assert.equal(await hostile.inputValue("#soul"), record.soul_md);
console.log("ok: hostile texts stay texts");

// What it weighs and takes.
const weigh = await open();
await login(weigh);
const session = await weigh.context().newCDPSession(weigh);
await session.send("Network.enable");
let bytes = 0;
session.on("Network.loadingFinished", (event) => { bytes += event.encodedDataLength; });
for (const [at, path] of ["/ui/", "/ui/agents", "/ui/agents/atlas", "/ui/inbox", "/ui/spaces/operator", "/ui/audit", "/ui/box"].entries()) {
  bytes = 0;
  const began = performance.now();
  await weigh.goto(url + path, { waitUntil: "load" });
  const took = performance.now() - began;
  console.log(`weight ${path}: ${(bytes / 1024).toFixed(1)} KiB, loaded in ${took.toFixed(0)} ms`);
  assert(bytes <= (at === 0 ? 60 : 25) * 1024, `${path} weighs ${bytes}`);
}
assert.deepEqual(troubles, []);
await browser.close();
await stop();
console.log("ok: the console");
