// A server of the Model Context Protocol over standard input and output that does what servers must not do. What it does is told
// by the tool that is called; its first argument is a folder in which it notes how often it was started and called.
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";

const folder = process.argv[2];
const note = (what) => appendFileSync(join(folder, what), "x");
const noted = (what) => (existsSync(join(folder, what)) ? readFileSync(join(folder, what)).length : 0);
const write = (message) => process.stdout.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);
const text = (id, text) => write({ id, result: { content: [{ type: "text", text }] } });

note("started");
console.log("Starting up: this line is no JSON");
console.log('{"this": "is JSON, and no message"}');
console.log("17");
console.error("a word on standard error");

let renamed = false;
const tool = (name, annotations = {}) => ({
  name,
  description: `does ${name}`,
  inputSchema: { type: "object" },
  annotations,
});
const tools = () => [
  tool("dies"),
  tool("dies_once", { idempotentHint: true }),
  tool("twice"),
  tool("late"),
  tool("never"),
  tool("large"),
  tool("asks_for_sampling"),
  tool("asks_a_person"),
  tool("asks_by_token"),
  tool("waits_for_the_answer"),
  tool("floods"),
  tool("breaks"),
  tool("odd name/with: signs"),
  tool(renamed ? "new_name" : "renames"),
  { ...tool("wordy"), description: "w".repeat(100_000) },
  { ...tool("huge"), inputSchema: { type: "object", description: "s".repeat(100_000) } },
];

const asked = new Map();
const held = [];
const ask = (method, params) =>
  new Promise((done) => {
    const id = `ask-${asked.size}`;
    asked.set(id, done);
    write({ id, method, params });
  });

const deeds = {
  dies: () => {
    note("dies");
    process.exit(3);
  },
  dies_once: (id) => {
    note("dies_once");
    if (noted("dies_once") === 1) process.exit(4);
    text(id, "done at the second time");
  },
  twice: (id) => {
    text(id, "first");
    text(id, "second");
  },
  late: (id) => {
    setTimeout(() => text(id, "too late"), 2_500);
  },
  never: () => {},
  large: (id) => {
    const piece = "y".repeat(1 << 20);
    process.stdout.write(`{"jsonrpc":"2.0","id":${id},"result":{"content":[{"type":"text","text":"`);
    let left = 100;
    const more = () => {
      while (left-- > 0) if (!process.stdout.write(piece)) return process.stdout.once("drain", more);
      process.stdout.write('"}]}}\n');
    };
    more();
  },
  asks_for_sampling: async (id) => {
    const params = { messages: [{ role: "user", content: { type: "text", text: "hello" } }], maxTokens: 10 };
    const answer = await ask("sampling/createMessage", params);
    text(id, answer.error ? `refused: ${answer.error.message}` : "it sampled");
  },
  asks_a_person: async (id) => {
    const requestedSchema = { type: "object", properties: { name: { type: "string" } } };
    const answer = await ask("elicitation/create", { message: "Who are you?", requestedSchema });
    text(id, `action: ${answer.result?.action ?? answer.error?.message}`);
    for (const waiting of held.splice(0)) text(waiting, "it was answered");
  },
  asks_by_token: async (id, progressToken) => {
    const requestedSchema = { type: "object", properties: { name: { type: "string" } } };
    const answer = await ask("elicitation/create", { message: "And you?", requestedSchema, _meta: { progressToken } });
    text(id, `action: ${answer.result?.action ?? answer.error?.message}`);
  },
  waits_for_the_answer: (id) => {
    held.push(id);
  },
  floods: (id, token) => {
    for (let progress = 1; progress <= 20_000; progress++)
      write({ method: "notifications/progress", params: { progressToken: token, progress, total: 20_000 } });
    text(id, "flooded");
  },
  breaks: (id) => write({ id, error: { code: -32000, message: "it broke" } }),
  "odd name/with: signs": (id) => text(id, "an odd name"),
  renames: (id) => {
    renamed = true;
    write({ method: "notifications/tools/list_changed" });
    text(id, "renamed");
  },
  new_name: (id) => text(id, "under its new name"),
  wordy: (id) => text(id, "w"),
};

createInterface({ input: process.stdin }).on("line", (line) => {
  const { id, method, params, result, error } = JSON.parse(line);
  if (method === undefined) return asked.get(id)?.({ result, error });
  if (method === "initialize")
    return write({
      id,
      result: {
        protocolVersion: params.protocolVersion,
        capabilities: { tools: { listChanged: true } },
        serverInfo: { name: "unruly", version: "1" },
      },
    });
  if (method === "tools/list") return write({ id, result: { tools: tools() } });
  if (method === "tools/call") return deeds[params.name](id, params._meta?.progressToken);
  if (method === "notifications/cancelled") return note("cancelled");
  if (id !== undefined) write({ id, error: { code: -32601, message: "Method not found" } });
});
