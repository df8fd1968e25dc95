// An agent that behaves badly, in the way that its argument names; it knows just enough of the protocol to be asked.
import { createInterface } from "node:readline";

const way = process.argv[2];
const send = (message) => process.stdout.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);
const update = (update) => send({ method: "session/update", params: { sessionId: "s", update } });
const say = (text) => update({ sessionUpdate: "agent_message_chunk", content: { type: "text", text } });
if (way === "leave") process.exit(3);
if (way === "noise") console.log("Welcome to my agent!\n\x1b[1m{not json\n[]");
if (way === "deaf") setInterval(() => {}, 1000);
else {
  createInterface({ input: process.stdin }).on("line", (line) => {
    const { id, method } = JSON.parse(line);
    if (method === "initialize") {
      if (way === "version") return send({ id, result: { protocolVersion: 9 } });
      return send({ id, result: { protocolVersion: 1 } });
    }
    if (method === "session/new") {
      if (way === "sign-in") return send({ id, error: { code: -32000, message: "Authentication required" } });
      return send({ id, result: { sessionId: "s" } });
    }
    if (method !== "session/prompt") return undefined;
    switch (way) {
      case "silence":
        return undefined;
      case "grow": {
        const held = [];
        return setInterval(() => held.push(Buffer.alloc(8 << 20, held.length + 1)), 20);
      }
      case "garbage":
        for (let k = 0; k < 2000; k++) console.log("garbage");
        return undefined;
      case "long":
        process.stdout.write(`{"jsonrpc":"2.0","method":"x","params":"${"x".repeat(100 << 20)}"}\n`);
        return undefined;
      case "endless":
        return setInterval(() => say("x".repeat(30_000)), 5);
      case "others":
        send({
          method: "session/update",
          params: {
            sessionId: "other",
            update: { sessionUpdate: "agent_message_chunk", content: { type: "text", text: "NOT MINE" } },
          },
        });
        send({ id: 4711, result: {} });
        send({ id: "q", method: "terminal/create", params: {} });
        update({ sessionUpdate: "tool_call_update", toolCallId: "never", status: "completed" });
        update({ sessionUpdate: "tool_call", toolCallId: "a", title: "a", status: "completed" });
        update({ sessionUpdate: "tool_call_update", toolCallId: "a", status: "completed" });
        say("Fine.");
        send({ id, result: { stopReason: "end_turn" } });
        return send({ id, result: { stopReason: "end_turn" } });
      case "wordless":
        return send({ id, result: { stopReason: "end_turn" } });
      case "refuse":
        return send({ id, error: { code: -32603, message: "Internal error", data: { details: "no model" } } });
      case "noise":
        say("Hello ");
        console.log("debug: nothing to see");
        say("there.");
        return send({ id, result: { stopReason: "end_turn" } });
      case "stubborn":
        say("I stay.");
        process.on("SIGTERM", () => {});
        return undefined;
      default:
        throw new Error(`no way ${way}`);
    }
  });
}
