// Asks the agent `guide` and prints its answer as it comes: NETRA_URL and NETRA_TOKEN say where and who.

import { Session, ThreadState, hasEnded } from "@netra/client";

const { NETRA_URL = "http://127.0.0.1:3000", NETRA_TOKEN } = process.env;
const content = process.argv.slice(2).join(" ") || "What is 17.5 % of 2,480?";

const session = new Session({ url: NETRA_URL, apiToken: NETRA_TOKEN });
await session.start();
const { thread_id, run_id } = await session.startAgent({ agent: "guide", content });

const thread = new ThreadState();
for await (const frame of session.events(thread_id, "start")) {
  thread.apply(frame);
  if (frame.type === "agent_thinking") process.stderr.write(frame.payload.thought);
  if (frame.type === "tool_executing") console.error("\n→", frame.payload.tool, frame.payload.arguments);
  if (frame.type === "partial_result") process.stdout.write(frame.payload.delta);
  if (hasEnded(thread.run(run_id))) break;
}
session.close();
const { status, error } = thread.run(run_id);
console.error(`\n${status}${error ? `: ${error.message}` : ""}`);
process.exitCode = status === "completed" ? 0 : 1;
