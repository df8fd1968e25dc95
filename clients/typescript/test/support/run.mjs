// What several tests do with a session.

import assert from "node:assert/strict";
import { Session, ThreadState, hasEnded } from "../../dist/index.js";
import { checkedSocket } from "./specification.mjs";

/** A session that ends with the test. */
export function open(context, options) {
  const session = new Session({ WebSocket: checkedSocket(context), ...options });
  context.after(() => session.close());
  return session;
}

/** Collects a thread's frames until a run ended; `each` sees every one. */
export async function followRun(session, threadId, runId, each = () => {}) {
  const thread = new ThreadState();
  const frames = [];
  for await (const frame of session.events(threadId, "start")) {
    assert.notEqual(thread.apply(frame), "gap");
    frames.push(frame);
    await each(frame, frames);
    if (hasEnded(thread.run(runId))) break;
  }
  return { thread, frames };
}

/** The log by HTTP. */
export async function log(url, apiToken, threadId) {
  const headers = { authorization: `Bearer ${apiToken}` };
  const answer = await fetch(`${url}/api/threads/${threadId}/events?after_seq=0&limit=1000`, { headers });
  assert.equal(answer.status, 200);
  return (await answer.json()).events;
}

/** The events were handed over as they stand in the log, each once. */
export async function assertWhole(frames, url, apiToken, threadId) {
  const events = frames.filter((frame) => frame.seq !== undefined);
  assert.deepEqual(
    events.map((frame) => frame.seq),
    events.map((_, index) => index + 1),
  );
  assert.deepEqual(events, await log(url, apiToken, threadId));
}
