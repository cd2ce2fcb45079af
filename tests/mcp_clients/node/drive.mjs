// Both generations of the TypeScript SDK, unchanged.
import assert from "node:assert/strict";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { Client as FirstClient } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport as FirstTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

const [url, token] = process.argv.slice(2);
const requestInit = { headers: { Authorization: `Bearer ${token}` } };

async function drive(what, box, transport) {
  await box.connect(transport);
  assert.equal(box.getServerVersion().name, "taosd");
  const { tools } = await box.listTools();
  assert.ok(tools.some((tool) => tool.name === "messages_send"));
  const sent = await box.callTool({ name: "messages_send", arguments: { content: `from ${what}` } });
  assert.equal(sent.structuredContent.message.content, `from ${what}`);
  const refused = await box.callTool({ name: "tasks_get", arguments: { task_id: "nothing" } });
  assert.equal(refused.isError, true);
  const page = await box.readResource({ uri: "taos://docs/agents/README" });
  assert.ok(page.contents[0].text.startsWith("# "));
  const { prompts } = await box.listPrompts();
  assert.equal(prompts.length, 3);
  await box.close();
  console.log(`${what}: ${tools.length} tools`);
}

const about = { name: "drive", version: "1" };
await drive("sdk", new FirstClient(about), new FirstTransport(new URL(url), { requestInit }));
await drive("client", new Client(about), new StreamableHTTPClientTransport(new URL(url), { requestInit }));
await drive(
  "client, newest revision",
  new Client(about, { versionNegotiation: { mode: "auto" } }),
  new StreamableHTTPClientTransport(new URL(url), { requestInit }),
);
