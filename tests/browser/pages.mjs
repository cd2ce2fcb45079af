// Every page, looked at: no error, no report of the policy, no request to elsewhere, no sideways scrolling, no violation of
// accessibility.
import { strict as assert } from "node:assert";
import fs from "node:fs";

export const pages = (message) => [
  "/ui/", "/ui/agents", "/ui/agents?tab=archive", "/ui/agents?tab=new", "/ui/agents?tab=deploy", "/ui/agents?status=frozen&sort=name",
  "/ui/agents/atlas", "/ui/agents/nightwatch", "/ui/agents/atlas?tab=access", "/ui/agents/atlas?tab=settings", "/ui/agents/atlas?tab=activity",
  "/ui/agents/atlas?tab=logs", "/ui/requests", "/ui/requests?tab=force", "/ui/requests?tab=all",
  "/ui/inbox", "/ui/inbox?tab=unread", "/ui/spaces", "/ui/spaces/operator", "/ui/spaces/operator?tab=tasks",
  "/ui/spaces/operator?tab=context", "/ui/spaces/operator?tab=files", "/ui/spaces/operator?tab=members", `/ui/spaces/operator/messages/${message}`,
  "/ui/knowledge", "/ui/knowledge?q=token", "/ui/knowledge?tab=sources", "/ui/knowledge?tab=prompt", "/ui/operations",
  "/ui/people", "/ui/people/operator", "/ui/people/ann", "/ui/audit", "/ui/box", "/ui/box?tab=settings", "/ui/find?q=token", "/ui/login",
];

// The pages of the documentation: all that its sidebar leads to, and what a search finds or does not.
export const documents = async (url) => {
  const front = await (await fetch(`${url}/docs`, { headers: { Accept: "text/html" } })).text();
  const found = [...front.matchAll(/href="(\/docs\/[^"#?]+)"/g)].map(([, path]) => path);
  assert(found.length > 30, `${found.length} pages of documentation`);
  return ["/docs", "/docs?q=token", "/docs?q=xyzzyqwert", ...new Set(found)];
};

// What stands in a page can be seen in Firefox before its driver hears of the page: that news then interrupts the next goto,
// which is made again.
const patient = (page) => {
  const goto = page.goto.bind(page);
  page.goto = (...args) => goto(...args).catch((error) => {
    if (!error.message.includes("is interrupted by another navigation")) throw error;
    return goto(...args);
  });
};

// A browser's contexts, with whatever goes wrong in them noted in `troubles`.
export const opener = (browser, { url, token }, troubles) => {
  const open = async (options = {}) => {
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
    if (process.env.ASSETS) {
      const own = (kind, type) => context.route(`**/ui/assets/*.${kind}`, (route) => {
        const path = `${process.env.ASSETS}/${new URL(route.request().url()).pathname.split("/").at(-1).split("-")[0]}.${kind}`;
        return fs.existsSync(path) ? route.fulfill({ path, contentType: type }) : route.continue();
      });
      await own("css", "text/css");
      await own("js", "text/javascript");
    }
    const page = await context.newPage();
    patient(page);
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
    await page.waitForURL(`${url}/ui/`);
    await page.waitForSelector("h1:has-text('Now')");
    return page;
  };
  return { open, enter: async (options) => login(await open(options)) };
};

export const phone = { width: 360, height: 740 };
export const desk = { width: 1280, height: 800 };

export const wide = (page) => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);

export const examiner = (work) => {
  const axe = fs.readFileSync(`${work}/node_modules/axe-core/axe.min.js`, "utf8");
  return async (page, where) => {
    assert((await wide(page)) <= 0, `${where} scrolls sideways by ${await wide(page)}`);
    const violations = await page.evaluate(`${axe}; axe.run().then((r) => r.violations.map((v) => v.id + ": " + v.nodes.map((n) => n.html.slice(0, 160) + " " + (n.any[0]?.message ?? "")).slice(0, 2).join(" | ")))`);
    assert.deepEqual(violations, [], `${where}: ${violations.join("\n")}`);
  };
};
