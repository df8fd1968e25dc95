import assert from "node:assert/strict";
import test from "node:test";
import { ThreadState } from "../dist/index.js";
import { THREAD, play, until } from "./support/fake.mjs";

/** A session that watches a thread from `from`, connected; `seen` are the numbers of the events handed over. */
async function watching(context, from) {
  const { session, sockets } = play(context);
  const seen = [];
  session.watch(THREAD, from, { frame: (frame) => seen.push(frame.seq ?? frame.type), end() {} });
  void session.start();
  await until(() => sockets.length === 1);
  sockets[0].connect();
  return { session, sockets, seen, asked: (socket) => socket.all("subscribe").map((frame) => frame.payload) };
}

test("duplicates are dropped, and a gap is subscribed over, with the cursor", async (context) => {
  const { session, sockets, seen, asked } = await watching(context, "start");
  const [socket] = sockets;
  assert.deepEqual(asked(socket), [{ after_seq: 0 }]);
  socket.event(9);
  socket.subscribed("resumed", 2);
  for (const seq of [1, 2, 2, 1, 4, 5, 3]) socket.event(seq);
  assert.deepEqual(seen, [1, 2], "nothing is applied before the new subscription is answered");
  assert.deepEqual(asked(socket).at(-1), { after_seq: 2, epoch: "5f3a9c01" });
  assert.equal(asked(socket).length, 2, "asked once");
  socket.subscribed("resumed", 5);
  for (const seq of [3, 4, 5]) socket.event(seq);
  assert.deepEqual(seen, [1, 2, 3, 4, 5]);
  assert.deepEqual(session.cursor(THREAD), { epoch: "5f3a9c01", seq: 5 });

  socket.shut(1006);
  await until(() => sockets.length === 2);
  sockets[1].connect();
  assert.deepEqual(asked(sockets[1]), [{ after_seq: 5, epoch: "5f3a9c01" }]);
});

test("another epoch is a gap, and a snapshot puts the cursor", async (context) => {
  const { session, sockets, seen, asked } = await watching(context, { epoch: "5f3a9c01", seq: 7 });
  const [socket] = sockets;
  assert.deepEqual(asked(socket), [{ after_seq: 7, epoch: "5f3a9c01" }]);
  socket.subscribed("resumed", 7);
  socket.event(8, "00000000");
  assert.equal(asked(socket).length, 2);
  socket.subscribed("snapshot", 40, "00000000");
  socket.event(41, "00000000");
  const thread = { id: THREAD, title: "t", agent: "guide", pinned: false, archived: false, running: false };
  const times = { head_seq: 40, created_at: "2026-11-20T10:00:00.000Z", updated_at: "2026-11-20T10:00:00.000Z" };
  const snapshot = { as_of_seq: 40, epoch: "00000000", thread: { ...thread, ...times }, messages: [], runs: [] };
  socket.say("thread_snapshot", snapshot, { thread_id: THREAD });
  socket.event(41, "00000000");
  assert.deepEqual(seen, ["thread_snapshot", 41]);
  assert.deepEqual(session.cursor(THREAD), { epoch: "00000000", seq: 41 });
});

test("an event of an unknown type moves the cursor and changes nothing", async (context) => {
  const { sockets, seen, asked } = await watching(context, "start");
  const [socket] = sockets;
  socket.subscribed("resumed", 3);
  const fields = { thread_id: THREAD, epoch: "5f3a9c01", seq: 1 };
  socket.say("agent_painted", { colour: "blue" }, fields);
  socket.event(2);
  assert.deepEqual(seen, [1, 2]);
  assert.equal(asked(socket).length, 1);
  const state = new ThreadState();
  state.apply({ v: 1, type: "agent_painted", id: THREAD, ts: "", payload: {}, ...fields });
  assert.deepEqual([state.seq, state.messages, state.runs], [1, [], []]);
});

test("a subscribe that is refused for now is sent again, and the watch goes on", async (context) => {
  const { session, sockets } = play(context);
  void session.start();
  await until(() => sockets.length === 1);
  const [socket] = sockets;
  socket.connect();
  const heard = [];
  const ended = [];
  session.watch(THREAD, "start", { frame: (frame) => heard.push(frame.seq), end: (error) => ended.push(error) });
  const asked = socket.all("subscribe")[0].id;
  const payload = { code: "internal", message: "the store is away", retryable: true, retry_after_ms: 20 };
  socket.say("error_message", payload, { reply_to: asked });
  await until(() => socket.all("subscribe").length === 2);
  socket.subscribed();
  socket.event(1);
  assert.deepEqual([heard, ended], [[1], []]);
});

test("an older word on a thread does not win", async () => {
  const state = new ThreadState();
  const update = (version, title) =>
    state.apply({ v: 1, type: "thread_update", id: THREAD, ts: "", payload: { id: THREAD, title, version } });
  assert.equal(update(3, "new"), "thread");
  assert.equal(update(2, "old"), "nothing");
  assert.equal(state.thread.title, "new");
  assert.equal(update(3, "same"), "thread");
  assert.equal(update(4, "newer"), "thread");
  const snapshot = (version, title) => ({
    v: 1,
    type: "thread_snapshot",
    id: THREAD,
    ts: "",
    thread_id: THREAD,
    payload: { as_of_seq: 1, epoch: "5f3a9c01", thread: { id: THREAD, title, version }, messages: [], runs: [] },
  });
  state.apply(snapshot(5, "as it stands"));
  state.apply(snapshot(4, "overtaken"));
  assert.equal(state.thread.title, "as it stands");
});

test("a subscribe that is refused for its rate is sent again after the pause", async (context) => {
  const { sockets, asked } = await watching(context, "start");
  const [socket] = sockets;
  const payload = { code: "rate_limited", message: "slower", retryable: true, retry_after_ms: 50 };
  socket.say("error_message", payload, { reply_to: socket.all("subscribe")[0].id });
  assert.equal(asked(socket).length, 1);
  await until(() => asked(socket).length === 2);
  assert.deepEqual(asked(socket)[1], { after_seq: 0 });
});

test("a deleted thread ends its loop without an error", async (context) => {
  const { session, sockets } = play(context);
  void session.start();
  await until(() => sockets.length === 1);
  sockets[0].connect();
  const types = [];
  const loop = (async () => {
    for await (const frame of session.events(THREAD, "start")) types.push(frame.type);
  })();
  await until(() => sockets[0].all("subscribe").length === 1);
  sockets[0].subscribed();
  sockets[0].event(1);
  sockets[0].say("thread_deleted", { id: THREAD });
  await loop;
  assert.deepEqual(types, ["thread_message", "thread_deleted"]);
});
