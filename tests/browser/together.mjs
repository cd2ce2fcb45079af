// What people and agents share: members and tasks of a space, and what is known.
import { strict as assert } from "node:assert";
import { until } from "./day.mjs";

const shown = (text) => text.replace(/[\u202e\u2066\u2069]/g, (one) => `\u27e6U+${one.codePointAt(0).toString(16).toUpperCase()}\u27e7`);

// A member comes and goes; a task is made, given, moved, taken by an agent and taken away from it.
export const shared = async ({ enter }, { url, api }, tokens, browser) => {
  const page = await enter();
  await page.goto(`${url}/ui/spaces/operator?tab=members`);
  await page.fill("#user", "ann");
  await page.selectOption("#role", "viewer");
  await page.click("button:has-text('Add member')");
  await page.waitForSelector(".note.good:has-text('Member added')");
  await page.click("li:has-text('ann') button:has-text('Remove')");
  await page.waitForSelector(".note.good:has-text('Member removed')");
  assert.equal(await page.locator(".rows li:has-text('ann')").count(), 0);
  await page.goto(`${url}/ui/spaces/operator?tab=tasks`);
  const title = `Count the stamps, ${browser}`;
  await page.fill("#title", title);
  await page.selectOption("#for", { label: "atlas" });
  await page.click("button:has-text('Create task')");
  const lane = (name) => `.lane[aria-label='${name}'] article:has-text('${title}')`;
  await page.waitForSelector(`article:has-text('${title}'):has-text('for atlas')`);
  const find = async () => (await api("GET", "/api/v1/tasks?limit=100")).tasks.find((one) => one.title === title);
  const { id } = await find();
  await page.click(`article:has-text('${title}') summary:has-text('Change')`);
  await page.selectOption(`article:has-text('${title}') [name=priority]`, "urgent");
  await page.click(`article:has-text('${title}') button:has-text('Save task')`);
  await until("the priority", async () => (await find()).priority === "urgent");
  // An agent takes it: the board says so by itself, and a person takes it away.
  const { lease } = await api("POST", `/api/v1/tasks/${id}/claim`, { lease_seconds: 300 }, tokens.atlas);
  await page.waitForSelector(`article:has-text('${title}') :text('held by atlas')`, { timeout: 20000 });
  await page.click(`article:has-text('${title}') summary:has-text('Change')`);
  await page.click(`article:has-text('${title}') button:has-text('Take it away')`);
  await page.waitForSelector(".note.good:has-text('Task released')");
  await assert.rejects(api("POST", `/api/v1/tasks/${id}/renew`, { fence: lease.fence }, tokens.atlas), /lease_lost/);
  await page.click(`article:has-text('${title}') summary:has-text('Change')`);
  await page.click(`article:has-text('${title}') button:text-is('Done')`);
  await page.waitForSelector(lane("Done"));
  assert.equal((await find()).status, "done");
  await page.context().close();
  console.log(`ok: ${browser}: a member comes and goes, a task is given, taken, taken away and done`);
};

// A source is added, found, replaced and removed.
export const taught = async ({ enter }, { url, api }, browser) => {
  const page = await enter();
  const source = `app:stamps-${browser}`;
  const put = async (documents) => {
    await page.fill("#source", source);
    if (documents.length > 1) await page.click("summary:has-text('More documents')");
    for (const [at, [path, content]] of documents.entries()) {
      await page.fill(`#path-${at}`, path);
      await page.fill(`#text-${at}`, content);
    }
    await page.click("button:has-text('Save source')");
  };
  await page.goto(`${url}/ui/knowledge?tab=sources`);
  await put([["one.md", "# Perforation\n\nHow stamps are cut."], ["two.md", "# Gum\n\nWhat is on their backs."]]);
  await page.waitForSelector(".note.good:has-text('Source saved')");
  const titles = async () => (await api("GET", `/api/knowledge/items?source_id=${source}`)).map((item) => item.title).sort();
  assert.deepEqual(await titles(), ["Gum", "Perforation"]);
  await page.goto(`${url}/ui/knowledge?q=perforation`);
  await page.click("a:has-text('Perforation')");
  await page.waitForSelector("pre:has-text('How stamps are cut.')");
  await page.goto(`${url}/ui/knowledge?tab=sources`);
  await page.click(`li:has-text('${source}') a:has-text('Replace')`);
  assert.equal(await page.inputValue("#source"), source);
  await put([["three.md", "# Watermarks\n"]]);
  await page.waitForSelector(".note.good:has-text('Source saved')");
  assert.deepEqual(await titles(), ["Watermarks"]);
  // What the route refuses is told, and what was typed stands there still.
  await page.fill("#source", "not a name!");
  await page.fill("#path-0", "four.md");
  await page.fill("#text-0", "It stays.");
  page.quiet = true;
  await page.click("button:has-text('Save source')");
  await page.waitForSelector("[role=alert]");
  assert.deepEqual([await page.inputValue("#source"), await page.inputValue("#text-0")], ["not a name!", "It stays."]);
  page.quiet = false;
  await page.goto(`${url}/ui/knowledge?tab=sources`);
  await page.click(`li:has-text('${source}') summary:has-text('Remove')`);
  await page.click(`button:has-text('Remove ${source}')`);
  await page.waitForSelector(".note.good:has-text('Source removed')");
  assert.deepEqual(await titles(), []);
  await page.context().close();
  console.log(`ok: ${browser}: a source is added, found, replaced and removed`);
};

// A file's name as a form sends it (HTML, section 4.10.22.8), and as the box keeps it: without what turns text around.
const sent = (name) => name.replaceAll('"', "%22").replace(/[\u202e\u2066\u2069]/g, "");

// Each text of a hostile agent stands on the pages, whole.
export const known = async (page, url, items, corpus) => {
  const all = async (path) => {
    await page.goto(url + path);
    return page.evaluate(() => document.querySelector("main").textContent);
  };
  const [talk, tasks, inbox, files] = [await all("/ui/spaces/operator"), await all("/ui/spaces/operator?tab=tasks"), await all("/ui/inbox"), await all("/ui/spaces/operator?tab=files")];
  for (const text of corpus) {
    assert(talk.includes(shown(text)), `a message: ${text}`);
    assert(tasks.includes(shown(text)), `a task: ${text}`);
    assert(inbox.includes(shown(text).slice(0, 100)), `a notification: ${text}`);
    assert(files.includes(shown(sent(text).split("/").at(-1)).slice(0, 20)), `a file: ${text}`);
  }
  const documents = [];
  for (const item of items) documents.push(await all(`/ui/knowledge?key=${item.id}`));
  for (const text of corpus) assert(documents.some((one) => one.includes(shown(text.repeat(20)))), `a document: ${text}`);
  assert(documents.every((one) => one.includes("y".repeat(60000))), "a long line is cut");
};
