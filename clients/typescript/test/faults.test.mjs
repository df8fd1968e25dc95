import assert from "node:assert/strict";
import test from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { startModel, textOf } from "./support/model.mjs";
import { Proxy } from "./support/proxy.mjs";
import { assertWhole, followRun, log, open } from "./support/run.mjs";
import { Server } from "./support/server.mjs";

const PIECES = 40;

test("the socket is cut again and again in a run: every event comes once", async (context) => {
  const server = await Server.start(context, await startModel(context, { pieces: PIECES, pauseMs: 100 }));
  const proxy = await Proxy.start(context, server.port);
  const apiToken = await server.apiToken();
  const session = open(context, { url: proxy.url, apiToken });
  const links = [];
  session.on("link", (link) => links.push(link.state));
  await session.start();

  const ack = await session.startAgent({ agent: "assistant", content: "Write" });
  let cuts = 0;
  const { thread, frames } = await followRun(session, ack.thread_id, ack.run_id, (frame) => {
    if (frame.type !== "partial_result" || frame.seq < 6 + cuts * 6 || cuts === 3) return;
    cuts += 1;
    proxy.cut();
  });
  assert.equal(cuts, 3);
  assert.equal(links.filter((state) => state === "live").length, 4, links.join(" "));
  assert.equal(thread.run(ack.run_id).status, "completed");
  assert.equal(thread.run(ack.run_id).text.trim(), textOf(PIECES).trim());
  await assertWhole(frames, server.url, apiToken, ack.thread_id);
});

test("a command sent while offline goes out once", async (context) => {
  const server = await Server.start(context);
  const proxy = await Proxy.start(context, server.port);
  const apiToken = await server.apiToken();
  const session = open(context, { url: proxy.url, apiToken });
  await session.start();
  const first = await session.startAgent({ content: "What is 6 times 7?" });
  await followRun(session, first.thread_id, first.run_id);

  proxy.close();
  let answered = false;
  const id = crypto.randomUUID();
  const sent = session.sendMessage(first.thread_id, { content: "What is 6 times 8?" }, { id });
  const again = session.sendMessage(first.thread_id, { content: "What is 6 times 8?" }, { id });
  const other = session.sendMessage(first.thread_id, { content: "What is 6 times 9?" }, { id });
  await assert.rejects(other, { code: "id_conflict" });
  void sent.then(() => (answered = true));
  await sleep(400);
  assert.equal(answered, false);
  assert.equal(session.link.state, "reconnecting");
  await proxy.open();
  const ack = await sent;
  assert.deepEqual(await again, ack);
  const { thread, frames } = await followRun(session, ack.thread_id, ack.run_id);
  assert.equal(thread.messages.filter((message) => message.content === "What is 6 times 8?").length, 1);
  await assertWhole(frames, server.url, apiToken, ack.thread_id);
});

test("an answer that is lost with the socket is asked for again, and the command is not repeated", async (context) => {
  const server = await Server.start(context);
  const proxy = await Proxy.start(context, server.port);
  const apiToken = await server.apiToken();
  const session = open(context, { url: proxy.url, apiToken });
  await session.start();
  const sent = session.startAgent({ content: "What is 6 times 7?" });
  // The frame leaves with the next turn of the loop; the answer needs one more way.
  setImmediate(() => proxy.cut());
  const ack = await sent;
  const { frames } = await followRun(session, ack.thread_id, ack.run_id);
  assert.equal(frames.filter((frame) => frame.type === "thread_message").length, 1);
  const list = await fetch(`${server.url}/api/threads`, { headers: { authorization: `Bearer ${apiToken}` } });
  assert.equal((await list.json()).threads.length, 1);
});

test("kill -9 in a run, and the same server again: the client goes on", async (context) => {
  const model = await startModel(context, { pieces: PIECES, pauseMs: 50 });
  // The lease is how long a run waits before another process may take it over.
  const server = await Server.start(context, { ...model, NETRA_RUN_LEASE_S: "2" });
  const apiToken = await server.apiToken();
  const session = open(context, { url: server.url, apiToken });
  await session.start();
  const ack = await session.startAgent({ agent: "assistant", content: "Write" });
  let restarted;
  const { thread, frames } = await followRun(session, ack.thread_id, ack.run_id, (frame) => {
    if (frame.type !== "partial_result" || frame.seq < 10 || restarted) return;
    restarted = server.kill().then(() => server.run());
  });
  await restarted;
  const run = thread.run(ack.run_id);
  assert.equal(run.status, "completed");
  assert.equal(run.text.trim(), textOf(PIECES).trim());
  await assertWhole(frames, server.url, apiToken, ack.thread_id);

  const next = await session.sendMessage(ack.thread_id, { agent: "guide", content: "What is 6 times 7?" });
  await followRun(session, next.thread_id, next.run_id);
  const events = await log(server.url, apiToken, ack.thread_id);
  assert.equal(events.filter((frame) => frame.type === "thread_message").length, 2);
});
