// npm's `@ag-ui/client` as it is: asks an agent once or more, and prints what it heard and how it knows the conversation then.
// Usage: ag_ui_client.mjs URL TOKEN THREAD QUESTION…
import { HttpAgent } from "@ag-ui/client";

const [url, token, threadId, ...questions] = process.argv.slice(2);
const agent = new HttpAgent({ url, threadId, headers: { Authorization: `Bearer ${token}` } });
const runs = [];
for (const [at, content] of questions.entries()) {
  const events = [];
  agent.addMessage({ id: `question-${at}`, role: "user", content });
  try {
    await agent.runAgent({ runId: `run-${at}` }, { onEvent: ({ event }) => void events.push(event) });
    runs.push({ events });
  } catch (error) {
    runs.push({ events, error: String(error) });
  }
}
console.log(JSON.stringify({ runs, messages: agent.messages }));
