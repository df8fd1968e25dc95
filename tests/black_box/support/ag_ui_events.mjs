// Without an argument: one event of each type of AG-UI, checked with the schemas of npm's `@ag-ui/core`. With one: checks what a
// server was sent.
import { EventType } from "@ag-ui/core";
import * as schemas from "@ag-ui/core/schemas";

if (process.argv[2]) {
  for (const input of JSON.parse(process.argv[2])) schemas.RunAgentInputSchema.parse(input);
  process.exit(0);
}

const events = [
  { type: "STATE_SNAPSHOT", snapshot: { a: 1 } },
  { type: "STATE_DELTA", delta: [{ op: "add", path: "/b", value: 2 }] },
  { type: "STEP_STARTED", stepName: "plan" },
  { type: "STEP_FINISHED", stepName: "plan" },
  { type: "REASONING_START", messageId: "r" },
  { type: "REASONING_MESSAGE_START", messageId: "r", role: "reasoning" },
  { type: "REASONING_MESSAGE_CONTENT", messageId: "r", delta: "hm" },
  { type: "REASONING_MESSAGE_END", messageId: "r" },
  { type: "REASONING_MESSAGE_CHUNK", messageId: "r2", delta: "so" },
  { type: "REASONING_ENCRYPTED_VALUE", subtype: "message", entityId: "r", encryptedValue: "x" },
  { type: "REASONING_END", messageId: "r" },
  { type: "TEXT_MESSAGE_START", messageId: "m", role: "assistant" },
  { type: "TEXT_MESSAGE_CONTENT", messageId: "m", delta: "Started." },
  { type: "TEXT_MESSAGE_END", messageId: "m" },
  { type: "TOOL_CALL_START", toolCallId: "c", toolCallName: "search", parentMessageId: "m" },
  { type: "TOOL_CALL_ARGS", toolCallId: "c", delta: '{"q":1}' },
  { type: "TOOL_CALL_END", toolCallId: "c" },
  { type: "TOOL_CALL_RESULT", messageId: "t", toolCallId: "c", content: '{"found":true}', role: "tool" },
  { type: "TOOL_CALL_CHUNK", toolCallId: "d", toolCallName: "search", delta: "{}" },
  { type: "TOOL_CALL_RESULT", messageId: "u", toolCallId: "d", content: [{ type: "text", text: "none" }] },
  { type: "SUBAGENT_STARTED", subagentRunId: "s", name: "Writer", description: "writes" },
  { type: "TEXT_MESSAGE_CHUNK", messageId: "w", subagentRunId: "s", delta: "inner" },
  { type: "SUBAGENT_ERROR", subagentRunId: "s", message: "out of ink" },
  { type: "SUBAGENT_FINISHED", subagentRunId: "s" },
  { type: "ACTIVITY_SNAPSHOT", messageId: "a", activityType: "PLAN", content: { title: "Look" } },
  { type: "ACTIVITY_DELTA", messageId: "a", activityType: "PLAN", patch: [] },
  { type: "RAW", event: { any: "thing" } },
  { type: "CUSTOM", name: "mine", value: 1 },
  { type: "TEXT_MESSAGE_CHUNK", messageId: "n", role: "assistant", delta: "In a chunk." },
  {
    type: "MESSAGES_SNAPSHOT",
    messages: [
      { id: "q", role: "user", content: "Go on." },
      { id: "m", role: "assistant", content: "Started." },
      { id: "n", role: "assistant", content: "In a chunk." },
    ],
  },
];
events.forEach((event) => schemas.EventSchemas.parse(event));

// These begin and end a run, and are the test's own.
const own = ["RUN_STARTED", "RUN_FINISHED", "RUN_ERROR"];
const told = new Set(events.map((event) => event.type));
const missing = Object.values(EventType).filter((type) => !told.has(type) && !own.includes(type));
if (missing.length > 0) throw new Error(`no sample of ${missing}`);
console.log(JSON.stringify([...events, { type: "SOMETHING_NEW", of: "tomorrow" }]));
