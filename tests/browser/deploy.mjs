// An agent in a container, from the form that deploys it to its archive: each step with a button, on a phone, and each seen on
// the page without a reload.
import { strict as assert } from "node:assert";
import fs from "node:fs";
import playwright from "playwright-core";
import { until } from "./day.mjs";
import { examiner, opener, phone } from "./pages.mjs";

const [, , work, url, token, name, hostile, root] = process.argv;
const api = async (path) => (await fetch(url + path, { headers: { Authorization: `Bearer ${token}` } })).json();
const troubles = [];
const browser = await playwright.chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });
const { enter } = opener(browser, { url, token }, troubles);
const examine = examiner(work);
const page = await enter({ viewport: phone });
page.setDefaultTimeout(60000);
const state = (word) => page.waitForSelector(`#head .pill:has-text('${word}')`);
const told = (text) => page.waitForSelector(`.note.good:has-text('${text}')`);

// The form knows what there is.
await page.goto(`${url}/ui/agents?tab=deploy`);
await examine(page, "deploy");
assert((await page.locator("#framework option").allTextContents()).includes("quiet"), "the frameworks of the settings");
assert((await page.locator("#images option").count()) > 0 || (await page.getAttribute("#image", "placeholder")) !== "", "the images of the runtime");
fs.mkdirSync(`${root}/stamps`, { recursive: true });
await page.fill("#name", name);
await page.selectOption("#framework", "quiet");
await page.fill("#memory", "128M");
await page.fill("#cpu", "1");
await page.click("summary:has-text('Folders of the box')");
await page.fill("#from-0", `${root}/stamps`);
await page.fill("#to-0", "/srv/stamps");
await page.click("main button:has-text('Deploy')");
await page.waitForURL(`**/ui/agents/${name}*`);
await told("Deploying");
// Its progress is seen, and then by itself that it runs.
await page.waitForSelector("progress");
await state("running");
// Running comes first, the end of the work a moment later.
await page.waitForSelector("progress", { state: "detached" });
const record = await api(`/api/agents/${name}`);
assert.deepEqual([record.status, record.framework, record.token_delivery], ["running", "quiet", "delivered"]);
console.log("ok: deployed, with its progress seen");

// The token is rotated into the container: nobody sees it.
const key = async () => (await api(`/api/agents/${name}/token`)).key_id;
const before = await key();
await page.goto(`${url}/ui/agents/${name}?tab=access`);
await examine(page, "access of an agent in a container");
await page.click("summary:has-text('Rotate token')");
await page.click("details[open] button:has-text('Rotate token')");
await page.waitForSelector(".note.good");
// What runs already reads it from a file; its environment has it after a restart.
const inside = async () => ["delivered", "pending_restart"].includes((await api(`/api/agents/${name}`)).token_delivery);
await until("another token is inside", async () => (await key()) !== before && (await inside()));
assert.equal(await page.locator("#secret").count(), 0, "a token that is put inside is shown to nobody");
console.log("ok: rotated into the container");

// A tripwire is planted and taken away.
await page.goto(`${url}/ui/agents/${name}?tab=access`);
await page.click("summary:has-text('Plant a tripwire')");
await page.fill("#wire", "/root/.config/keys");
await page.click("button:has-text('Plant tripwire')");
await told("Tripwire planted");
await page.waitForSelector("li:has-text('/root/.config/keys') .pill:has-text('untouched')");
await examine(page, "a tripwire");
await page.click("li:has-text('/root/.config/keys') button:has-text('Remove')");
await told("Tripwire removed");
console.log("ok: a tripwire is planted and removed");

// Stopped and started, frozen and thawed, paused and resumed.
await page.goto(`${url}/ui/agents/${name}`);
for (const [verb, word] of [["Stop", "stopped"], ["Start", "running"], ["Pause", "paused"], ["Resume", "running"]]) {
  await page.click(`button:text-is('${verb}')`);
  await state(word);
}
await page.click("summary:has-text('Freeze')");
await page.click(`button:has-text('Freeze ${name}')`);
await page.waitForSelector(".note.frozen");
await page.click(".note.frozen button:has-text('Thaw')");
await told("Thawed");
await state("running");
await page.goto(`${url}/ui/agents/${name}?tab=settings`);
await page.selectOption("#wakes", "start");
await page.fill("#idle", "30");
await page.click("button:has-text('Save sleep and wake')");
await told("Saved");
const settings = await api(`/api/agents/${name}`);
assert.deepEqual([settings.wake, settings.idle_stop_minutes], ["start", 30]);
console.log("ok: stopped, started, paused, resumed, frozen and thawed");

// Every freeze of all can be undone while its containers still stand still.
await page.goto(`${url}/ui/`);
await page.click("summary:has-text('Freeze everything')");
await page.click("button:has-text('Freeze all agents now')");
await page.click(".note button:has-text('Undo')");
await told("Thawed");
assert.equal((await api(`/api/agents/${name}`)).frozen, false);

// A hostile log is text, whole, and breaks nothing.
await page.goto(`${url}/ui/agents/${hostile}?tab=logs`);
await page.waitForSelector("#logs pre");
const log = await page.textContent("#logs pre");
assert(log.includes("<script>window.pwned = 1</script><img src=x") && log.includes("</pre><h1 class=pwned>"), log.slice(0, 500));
assert(log.includes("w".repeat(1000)), "the long line is there");
await examine(page, "a hostile log");
assert.deepEqual(await page.evaluate(() => [window.pwned, document.querySelectorAll(".pwned").length]), [undefined, 0]);
console.log("ok: a hostile log stays text");

await page.goto(`${url}/ui/agents/${name}`);
await page.click("summary:has-text('Archive')");
await page.click(`button:has-text('Archive ${name}')`);
await page.waitForURL("**/ui/agents?tab=archive*");
await page.waitForSelector(`li:has-text('${name}')`);
await until("it is archived", async () => (await api("/api/agents/archived")).some((one) => one.archived_slug === name && one.container));
console.log("ok: archived, its container kept");
assert.deepEqual(troubles, []);
await browser.close();
