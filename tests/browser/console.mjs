// The console in real browsers: every page on a phone and on a desk, light and dark; what a person does from the first
// login to the deletion of an agent, with the mouse and with the keyboard alone; news that arrive by themselves; a daemon
// that is restarted; hostile texts, which stay texts; the documentation and the gates before the console. In Chromium all
// of it, in Firefox all but the measuring and the pages without script.
import { strict as assert } from "node:assert";
import fs from "node:fs";
import playwright from "playwright-core";
import { corpus, goodDay, hostileDay, startBox } from "./box.mjs";
import { day, live, narrowed, restarted, talk, withoutScript } from "./day.mjs";
import { gates } from "./gates.mjs";
import { walk, work as byKeyboard } from "./keyboard.mjs";
import { measure } from "./measure.mjs";
import { desk, documents, examiner, opener, pages, phone, wide } from "./pages.mjs";
import { program } from "./program.mjs";
import { known, shared, taught } from "./together.mjs";

const [, , taosd, work, images] = process.argv;
const only = process.env.BROWSER;
const box = await startBox(taosd, work);
const { url, api } = box;
const tokens = await goodDay(box);
const [{ id: message }] = (await api("GET", "/api/v1/messages")).messages.slice(-1);
const all = pages(message);
const docs = await documents(url);
const troubles = [];
const examine = examiner(work);
const looks = [[phone, "light"], [phone, "dark"], [desk, "light"], [desk, "dark"]];

const browsers = {
  chromium: () => playwright.chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] }),
  // Debian's Firefox, by the protocol that it speaks itself.
  firefox: () => playwright._bidiFirefox.launch({ executablePath: "/usr/bin/firefox-esr" }),
};
const shots = [
  ["now", phone, "light", "/ui/"], ["agent", phone, "light", "/ui/agents/atlas?tab=access"],
  ["board", desk, "dark", "/ui/spaces/operator?tab=tasks"], ["request", phone, "dark", "/ui/requests"],
];

const everyPage = async ({ enter }, paths, looks, name) => {
  let seen = 0;
  for (const [viewport, colorScheme] of looks) {
    const page = await enter({ viewport, colorScheme });
    for (const path of paths) {
      await page.goto(url + path);
      await examine(page, `${path} (${name}, ${viewport.width}, ${colorScheme})`);
      seen += 1;
      const shot = shots.find(([, v, c, p]) => v === viewport && c === colorScheme && p === path);
      if (shot && name === "chromium") {
        const folder = process.env.SHOTS ? images : `${work}/images`;
        fs.mkdirSync(folder, { recursive: true });
        await page.mouse.move(1, 1);
        await page.screenshot({ path: `${folder}/${shot[0]}.png` });
      }
    }
    await page.context().close();
  }
  console.log(`ok: ${name}: ${seen} views of ${paths.length} pages`);
};

// As narrow as it gets, as wide as it gets, and twice as large.
const everySize = async ({ enter }, name) => {
  for (const viewport of [{ width: 320, height: 640 }, { width: 3840, height: 2160 }, { width: 640, height: 400 }]) {
    const page = await enter({ viewport });
    for (const path of [...all, ...docs]) {
      await page.goto(url + path);
      assert((await wide(page)) <= 0, `${path} at ${viewport.width} scrolls sideways by ${await wide(page)}`);
      const narrow = await page.evaluate(() => [...document.querySelectorAll(".stat")].filter((stat) => stat.scrollWidth > stat.clientWidth + 1).map((stat) => stat.textContent));
      assert.deepEqual(narrow, [], `${path} at ${viewport.width}: a figure does not fit its card`);
    }
    await page.context().close();
  }
  console.log(`ok: ${name}: 320 px to 4K, and 200 %`);
};

const everyKey = async ({ enter }, name) => {
  for (const viewport of [desk, phone]) {
    const page = await enter({ viewport });
    // Of the documentation what has the widest tables and the longest examples; axe looks at the others.
    for (const path of [...all, "/docs", "/docs/agents/recipes/managing-agents", "/docs/agents/concepts/agentex"]) {
      // A walk ends in the browser's own bar. Chromium comes back from there by itself, Firefox in a new tab.
      const tab = name === "chromium" ? page : await page.context().newPage();
      await tab.goto(url + path);
      await walk(tab, `${path} (${name}, ${viewport.width})`);
      if (tab !== page) await tab.close();
    }
    await page.context().close();
  }
  const page = await enter();
  await byKeyboard(page, box, tokens.hermes);
  await page.context().close();
  console.log(`ok: ${name}: the keyboard reaches and does everything`);
};

const hostile = async ({ enter }, name) => {
  const page = await enter({ viewport: phone });
  const names = (await api("GET", "/api/agents?q=z&limit=100")).map((agent) => agent.name).slice(0, 6);
  const items = await api("GET", "/api/knowledge/items?source_id=app:evil&limit=100");
  const messages = (await api("GET", "/api/v1/messages?limit=3")).messages.map((one) => `/ui/spaces/operator/messages/${one.id}`);
  const theirs = names.flatMap((one) => ["", "?tab=access", "?tab=settings", "?tab=activity"].map((tab) => `/ui/agents/${one}${tab}`));
  const more = ["/ui/requests?tab=all", "/ui/inbox?tab=unread", "/ui/audit?action=agents.freeze", "/ui/knowledge?source=app:evil", "/ui/people/evil"];
  for (const path of [...all, ...messages, ...items.map((item) => `/ui/knowledge?key=${item.id}`), ...more, ...theirs]) {
    await page.goto(url + path);
    const came = await page.evaluate(() => ({
      pwned: window.pwned, elements: document.querySelectorAll(".pwned, iframe, base, main script, main style, form[action*=evil], [onerror], [onload], [ontoggle]").length,
      wide: document.documentElement.scrollWidth - document.documentElement.clientWidth, hidden: getComputedStyle(document.body).display === "none",
    }));
    assert.deepEqual(came, { pwned: undefined, elements: 0, wide: 0, hidden: false }, `${path} (${name})`);
  }
  // Nothing is lost: a form sends back what it was given, and pages show every text, what cannot be seen by its number.
  await page.goto(`${url}/ui/agents/${names[0]}?tab=settings`);
  const record = await api("GET", `/api/agents/${names[0]}`);
  assert.equal(await page.inputValue("#host"), record.host);
  assert.equal(await page.inputValue("#soul"), record.soul_md);
  await known(page, url, items, corpus);
  await page.context().close();
  console.log(`ok: ${name}: hostile texts stay texts`);
};

const found = ["chromium", "firefox"].filter((name) => fs.existsSync(name === "firefox" ? "/usr/bin/firefox-esr" : "/usr/bin/chromium"));
const names = found.filter((name) => !only || only.split(",").includes(name));
assert(names.length > 0, "no browser is installed: apt install chromium firefox-esr");
const step = async (wanted, run) => { if (!process.env.STEP || process.env.STEP.split(",").includes(wanted)) await run(); };
// Those that only look go side by side.
await Promise.all(names.map(async (name) => {
  const browser = await browsers[name]();
  const site = opener(browser, box, troubles);
  await step("pages", () => everyPage(site, all, looks, name));
  await step("docs", () => everyPage(site, docs, name === "chromium" ? looks : [looks[0], looks[3]], name));
  await step("sizes", () => everySize(site, name));
  await browser.close();
}));
for (const name of names) {
  const browser = await browsers[name]();
  const site = opener(browser, box, troubles);
  await step("gates", () => gates(site, box, { looks, examine }, name));
  await step("keys", () => everyKey(site, name));
  await step("day", () => day(site, box, name));
  await step("talk", () => talk(site, box, tokens, name));
  await step("program", () => program(browser, box, examine, troubles, name));
  await step("together", () => shared(site, box, tokens, name));
  await step("together", () => taught(site, box, name));
  await step("live", () => live(site, box, tokens, name));
  await step("live", () => narrowed(site, box, tokens, name));
  await step("restart", () => restarted(site, box, tokens, name));
  if (name === "chromium") {
    await step("plain", () => withoutScript(site, box));
    await step("measure", async () => measure(await site.enter(), box));
  }
  await browser.close();
}
await step("hostile", async () => {
  await hostileDay(box, tokens);
  for (const name of names) {
    const browser = await browsers[name]();
    await hostile(opener(browser, box, troubles), name);
    await browser.close();
  }
});
assert.deepEqual(troubles, []);
await box.stop();
// Nothing that a page asks for fails behind it.
assert(!fs.readFileSync(`${work}/log`, "utf8").includes("WARN taosd::ui"), "a page could not read what it shows: see the log");
console.log(`ok: the console in ${names.join(" and ")}`);
