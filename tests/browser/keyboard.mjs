// The keyboard alone: every page is walked by Tab from its beginning to its end, and a few things are done without a mouse.
import { strict as assert } from "node:assert";

const FOCUSABLE = "a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex='0']";

// What Tab must reach, in the order of the page: what is there to be seen.
const expected = (page) => page.evaluate((all) => {
  const shown = (node) => node.checkVisibility({ visibilityProperty: true }) && !node.disabled;
  // Of a group of radio buttons Tab goes to the chosen one, and the arrows to the others.
  const passed = (node) => node.type === "radio" && !node.checked && document.querySelector(`[type=radio][name="${node.name}"]:checked`);
  const nodes = [...document.querySelectorAll(all)].filter((node) => shown(node) && node.tabIndex >= 0 && !passed(node));
  nodes.forEach((node, at) => { node.dataset.walk = at; });
  return nodes.length;
}, FOCUSABLE);

// Where the focus is, and whether a person sees it there.
const focused = (page) => page.evaluate(() => {
  const node = document.activeElement;
  if (!node || node === document.body || node === document.documentElement) return null;
  const style = getComputedStyle(node);
  const box = node.getBoundingClientRect();
  const [x, y] = [Math.min(Math.max(box.left + box.width / 2, 1), innerWidth - 1), Math.min(Math.max(box.top + Math.min(box.height / 2, 8), 1), innerHeight - 1)];
  const top = document.elementFromPoint(x, y);
  return {
    at: Number(node.dataset.walk ?? -1), what: node.outerHTML.slice(0, 160),
    outlined: style.outlineStyle !== "none" && Number.parseFloat(style.outlineWidth) >= 1,
    seen: box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth
      && (!top || node.contains(top) || top.contains(node) || !top.closest(".top, .tabs, .offline")),
  };
});

// Tab goes to everything once, in order, visibly, and out at the end.
export const walk = async (page, where) => {
  const count = await expected(page);
  // From the beginning of the page, wherever it has put the focus.
  await page.evaluate(() => {
    if (document.activeElement === document.body) return;
    document.body.tabIndex = -1;
    document.body.focus();
    document.body.removeAttribute("tabindex");
    scrollTo(0, 0);
  });
  const reached = [];
  for (let step = 0; step < count + 20; step += 1) {
    await page.keyboard.press("Tab");
    let now = await focused(page);
    // Firefox draws the outline a moment after it has moved the focus.
    for (let left = 10; now && !now.outlined && left > 0; left -= 1) {
      await page.waitForTimeout(50);
      now = await focused(page);
    }
    if (!now || reached.includes(now.at)) break;
    assert(now.outlined, `${where}: the focus cannot be seen on ${now.what}`);
    assert(now.seen, `${where}: what has the focus is hidden: ${now.what}`);
    if (now.at >= 0) reached.push(now.at);
  }
  const inOrder = [...reached].sort((a, b) => a - b);
  assert.deepEqual(reached, inOrder, `${where}: Tab jumps`);
  const missed = inOrder.length === count ? [] : await page.evaluate((seen) => [...document.querySelectorAll("[data-walk]")]
    .filter((node) => !seen.includes(Number(node.dataset.walk))).map((node) => node.outerHTML.slice(0, 160)), reached);
  assert.deepEqual(missed, [], `${where}: Tab does not reach everything`);
};

// Tab until the focus is on what `wanted` says, then the key.
export const go = async (page, wanted, key = "Enter", most = 120) => {
  for (let step = 0; step < most; step += 1) {
    const there = await page.evaluate((text) => {
      const node = document.activeElement;
      const label = node?.labels?.[0]?.textContent ?? "";
      return [node?.textContent, label, node?.getAttribute?.("aria-label")].some((own) => own?.trim().toLowerCase().startsWith(text.toLowerCase()));
    }, wanted);
    if (there) return key && page.keyboard.press(key);
    await page.keyboard.press("Tab");
  }
  return assert.fail(`the keyboard does not come to “${wanted}” at ${page.url()}`);
};

// An agent is created, frozen and thawed, and a question is answered, without a mouse.
export const work = async (page, { url, api }, token) => {
  await page.goto(`${url}/ui/`);
  await page.keyboard.press("Tab");
  const skip = await focused(page);
  assert(skip.seen && skip.what.includes("skip"), `the first thing is not the skip link: ${skip.what}`);
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement.id), "main", "the skip link leads to the page");
  await page.goto(`${url}/ui/agents?tab=new`);
  await go(page, "Name", null);
  await page.keyboard.type("Keys");
  await page.keyboard.press("Enter");
  await page.waitForURL("**/ui/agents/keys*");
  await go(page, "Freeze");
  await go(page, "Why", null);
  await page.keyboard.press("Escape");
  assert.equal(await page.evaluate(() => document.querySelectorAll("details.sheet[open]").length), 0, "Escape closes what Enter opened");
  assert.equal(await page.evaluate(() => document.activeElement.tagName), "SUMMARY", "and the focus is where it was");
  await page.keyboard.press("Enter");
  await go(page, "Freeze Keys");
  await page.waitForSelector(".note.frozen");
  await page.keyboard.press("Home");
  await go(page, "Thaw");
  await page.waitForSelector(".note.frozen", { state: "detached" });
  const asked = await api("POST", "/api/requests", { kind: "confirm", reason: "It is late.", question: "May I sleep now?" }, token);
  await page.goto(`${url}/ui/requests/${asked.id}`);
  await go(page, "Yes");
  await page.waitForSelector(".note.good:has-text('Approved')");
  await page.keyboard.press("/");
  await page.waitForSelector("#palette[open]");
  await page.keyboard.press("Escape");
  await page.waitForSelector("#palette[open]", { state: "detached" });
  await api("DELETE", "/api/agents/keys");
};
