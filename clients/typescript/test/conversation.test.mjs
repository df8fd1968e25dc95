import assert from "node:assert/strict";
import test from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { ThreadState, newId } from "../dist/index.js";
import { assertWhole, followRun, open } from "./support/run.mjs";
import { Server } from "./support/server.mjs";

test("guide answers, in order, and the fold of the events is the server's snapshot", async (context) => {
  const server = await Server.start(context);
  const apiToken = await server.apiToken();
  const session = open(context, { url: server.url, apiToken });
  await session.start();
  assert.equal(session.link.state, "live");

  const ack = await session.startAgent({ agent: "guide", content: "What is 17.5 % of 2,480?" });
  assert.equal(ack.duplicate, false);
  const { thread, frames } = await followRun(session, ack.thread_id, ack.run_id);
  const types = frames.filter((frame) => frame.seq !== undefined).map((frame) => frame.type);
  const order = ["thread_message", "agent_started", "tool_executing", "tool_completed", "agent_response"];
  assert.deepEqual(
    [...order, "agent_completed"].map((type) => types.indexOf(type)),
    [...order, "agent_completed"].map((type) => types.indexOf(type)).sort((a, b) => a - b),
  );
  for (const type of order) assert.ok(types.includes(type), `${type} in ${types}`);
  assert.equal(types.at(-1), "agent_completed");
  assert.match(thread.run(ack.run_id).text, /434/);
  assert.equal(thread.message(ack.message_id).content, "What is 17.5 % of 2,480?");
  await assertWhole(frames, server.url, apiToken, ack.thread_id);

  const snapshot = new ThreadState();
  for await (const frame of session.events(ack.thread_id, "snapshot")) {
    snapshot.apply(frame);
    break;
  }
  assert.deepEqual(thread.messages, snapshot.messages);
  assert.deepEqual(thread.runs, snapshot.runs);
  assert.equal(thread.seq, snapshot.seq);

  const again = await session.startAgent(
    { agent: "guide", content: "What is 17.5 % of 2,480?" },
    { id: ack.message_id },
  );
  assert.deepEqual(again, { ...ack, duplicate: true });
  await assert.rejects(session.startAgent({ content: "Another" }, { id: ack.message_id }), { code: "id_conflict" });
});

test("a thread that is not there ends its loop with not_found, and the session goes on", async (context) => {
  const server = await Server.start(context);
  const session = open(context, { url: server.url, apiToken: await server.apiToken() });
  await session.start();
  const loop = session.events("01931a5e-7c00-7000-8000-000000000001").next();
  await assert.rejects(loop, { name: "NetraError", code: "not_found" });
  const ack = await session.startAgent({ content: "What is 6 times 7?" });
  await followRun(session, ack.thread_id, ack.run_id);
});

test("what is said in a room is heard there", async (context) => {
  const server = await Server.start(context);
  const session = open(context, { url: server.url, apiToken: await server.apiToken() });
  const heard = [];
  session.on("frame", (frame) => heard.push(frame));
  const frame = (type, payload) => ({ v: 1, type, id: newId(), payload });
  assert.equal(session.sendOnce(frame("ping", {})), false, "not connected, not sent");
  await session.start();
  const { thread_id: room } = await session.startAgent({ content: "What is 6 times 7?" });
  const early = frame("room_message", { room, body: { typing: true } });
  assert.equal(session.sendOnce(early), true);
  session.sendOnce(frame("join_room", { room }));
  session.sendOnce(frame("room_message", { room, body: { typing: true } }));
  while (!heard.some(({ type, payload }) => type === "room_message" && payload.body.typing)) await sleep(10);
  const refused = heard.find(({ type }) => type === "error_message");
  assert.deepEqual([refused.reply_to, refused.payload.code], [early.id, "not_found"]);
});

test("a command that is too large is refused here and does not cost the connection", async (context) => {
  const server = await Server.start(context);
  const session = open(context, { url: server.url, apiToken: await server.apiToken() });
  await session.start();
  await assert.rejects(session.startAgent({ content: "x".repeat(70_000) }), { code: "frame_too_large" });
  assert.equal(session.link.state, "live");
});

test("closing rejects what waits and ends the loops", async (context) => {
  const server = await Server.start(context);
  const session = open(context, { url: server.url, apiToken: await server.apiToken() });
  await session.start();
  const ack = await session.startAgent({ content: "What is 6 times 7?" });
  await followRun(session, ack.thread_id, ack.run_id);
  const loop = (async () => {
    for await (const frame of session.events(ack.thread_id)) if (frame.type === "thread_snapshot") session.close();
  })();
  await loop;
  await assert.rejects(session.stopAgent(ack.run_id), { code: "closed" });
  assert.equal(session.link.state, "stopped");
});
