// What pages weigh and take, and what the daemon's memory grows by. Printed; only weights have a bound here.
import { strict as assert } from "node:assert";

const PAGES = ["/ui/", "/ui/agents", "/ui/agents/atlas", "/ui/requests", "/ui/inbox", "/ui/spaces/operator", "/ui/spaces/operator?tab=tasks", "/ui/knowledge", "/ui/people", "/ui/audit", "/ui/box"];
const KIB = 1024;

export const measure = async (page, { url, api, rss }) => {
  const session = await page.context().newCDPSession(page);
  await session.send("Network.enable");
  let bytes = 0;
  session.on("Network.loadingFinished", (event) => { bytes += event.encodedDataLength; });
  const before = rss();
  console.log("page                            KiB   answered  loaded");
  for (const [at, path] of PAGES.entries()) {
    // The first page is that of a browser which has never been here.
    if (at === 0) await session.send("Network.clearBrowserCache");
    bytes = 0;
    await page.goto(url + path, { waitUntil: "load" });
    const [answered, loaded] = await page.evaluate(() => {
      const [timing] = performance.getEntriesByType("navigation");
      return [timing.responseEnd - timing.requestStart, timing.loadEventEnd - timing.startTime];
    });
    console.log(`${path.padEnd(30)} ${(bytes / KIB).toFixed(1).padStart(5)} ${answered.toFixed(1).padStart(7)} ms ${loaded.toFixed(0).padStart(5)} ms`);
    assert(bytes <= (at === 0 ? 60 : 25) * KIB, `${path} weighs ${bytes}`);
  }
  for (let round = 0; round < 20; round += 1) {
    for (const path of PAGES) await page.evaluate((to) => fetch(to).then((reply) => reply.text()), path);
  }
  console.log(`memory of the daemon: ${(before / KIB).toFixed(1)} MiB before, ${(rss() / KIB).toFixed(1)} MiB after ${PAGES.length * 21} pages`);
  // One stream a tab, and none while nobody looks.
  await page.goto(`${url}/ui/`);
  const streams = async () => (await api("GET", "/api/status")).streams;
  const become = async (hidden, count) => {
    await page.evaluate((value) => {
      Object.defineProperty(document, "hidden", { configurable: true, get: () => value });
      document.dispatchEvent(new Event("visibilitychange"));
    }, hidden);
    for (let left = 100; left > 0 && (await streams()) !== count; left -= 1) await new Promise((done) => setTimeout(done, 100));
    assert.equal(await streams(), count, hidden ? "a hidden tab holds a stream" : "a tab holds one stream");
  };
  await become(false, 1);
  await become(true, 0);
  await become(false, 1);
};
