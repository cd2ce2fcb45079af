// A model that calls one tool and then is done, served as the two services serve theirs: the clients of this folder call
// tools only when a model wants them. The arguments are the tool's name and its arguments; it prints its port.
import http from "node:http";

const [tool, argument] = process.argv.slice(2);
const events = (reply, all) => {
  reply.writeHead(200, { "Content-Type": "text/event-stream" });
  for (const data of all) reply.write(`event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`);
  reply.end();
};

/** POST /v1/messages */
function messages(asked, reply) {
  const offered = (asked.tools ?? []).find(({ name }) => name.endsWith(tool));
  const told = JSON.stringify(asked.messages).includes('"tool_result"');
  const block = offered && !told
    ? { type: "tool_use", id: "toolu_1", name: offered.name, input: {} }
    : { type: "text", text: "" };
  const delta = block.type === "text"
    ? { type: "text_delta", text: "done" }
    : { type: "input_json_delta", partial_json: argument };
  const usage = { input_tokens: 1, output_tokens: 1 };
  const whole = { id: "msg_1", type: "message", role: "assistant", model: asked.model, usage, stop_sequence: null };
  const stop = block.type === "text" ? "end_turn" : "tool_use";
  if (!asked.stream) {
    const content = [block.type === "text" ? { ...block, text: "done" } : { ...block, input: JSON.parse(argument) }];
    reply.writeHead(200, { "Content-Type": "application/json" });
    return reply.end(JSON.stringify({ ...whole, content, stop_reason: stop }));
  }
  return events(reply, [
    { type: "message_start", message: { ...whole, content: [], stop_reason: null } },
    { type: "content_block_start", index: 0, content_block: block },
    { type: "content_block_delta", index: 0, delta },
    { type: "content_block_stop", index: 0 },
    { type: "message_delta", delta: { stop_reason: stop, stop_sequence: null }, usage },
    { type: "message_stop" },
  ]);
}

/** POST /v1/responses */
function responses(asked, reply) {
  const told = JSON.stringify(asked.input).includes("function_call_output");
  const spaces = (asked.tools ?? []).filter(({ type }) => type === "namespace");
  const space = spaces.find(({ tools }) => tools.some(({ name }) => name.endsWith(tool)));
  const inner = (space?.tools ?? asked.tools ?? []).find(({ name }) => name?.endsWith(tool));
  const call = { type: "function_call", id: "fc_1", call_id: "call_1", name: inner?.name, arguments: argument, status: "completed" };
  if (space) call.namespace = space.name;
  const text = { type: "message", id: "msg_1", role: "assistant", status: "completed", content: [{ type: "output_text", text: "done", annotations: [] }] };
  const item = inner && !told ? call : text;
  const usage = { input_tokens: 1, input_tokens_details: null, output_tokens: 1, output_tokens_details: null, total_tokens: 2 };
  const response = { id: "resp_1", object: "response", status: "completed", output: [item], usage };
  return events(reply, [
    { type: "response.created", response: { ...response, status: "in_progress", output: [] } },
    { type: "response.output_item.done", output_index: 0, item },
    { type: "response.completed", response },
  ]);
}

const server = http.createServer((request, reply) => {
  let body = "";
  request.on("data", (piece) => (body += piece));
  request.on("end", () => {
    const path = request.url.split("?")[0];
    if (request.method === "POST" && path.endsWith("/messages")) return messages(JSON.parse(body), reply);
    if (request.method === "POST" && path.endsWith("/responses")) return responses(JSON.parse(body), reply);
    reply.writeHead(404, { "Content-Type": "application/json" });
    return reply.end('{"error":{"message":"not here"}}');
  });
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
