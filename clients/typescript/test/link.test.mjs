import assert from "node:assert/strict";
import test from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Session } from "../dist/index.js";
import { Proxy } from "./support/proxy.mjs";
import { assertWhole, followRun, open } from "./support/run.mjs";
import { Server, freePort } from "./support/server.mjs";

/** The states that a session goes through from now on. */
function states(session) {
  const seen = [];
  session.on("link", (link) => seen.push(link.state));
  return seen;
}

test("a wrong API token is a clear error at once", async (context) => {
  const server = await Server.start(context);
  const session = open(context, { url: server.url, apiToken: "netra_nonsense" });
  const sent = session.startAgent({ content: "What is 6 times 7?" });
  const [started, command] = await Promise.allSettled([session.start(), sent]);
  for (const { reason } of [started, command]) {
    assert.equal(reason.code, "unauthenticated");
    assert.match(reason.message, /^the API token was not accepted: /);
  }
  assert.deepEqual(session.link, { state: "stopped", error: started.reason });
});

test("a revoked API token ends the session with the reason", async (context) => {
  const server = await Server.start(context);
  const session = open(context, { url: server.url, apiToken: await server.apiToken() });
  const ended = new Promise((resolve) => {
    session.on("link", (link) => link.state === "stopped" && resolve(link.error));
  });
  await session.start();
  await server.revokeTokens();
  assert.equal((await ended).code, "unauthenticated");
});

test("a server that is not there is tried again, with the reason", async (context) => {
  const url = `http://127.0.0.1:${await freePort()}`;
  const session = open(context, { url, apiToken: "netra_nonsense" });
  const links = [];
  session.on("link", (link) => links.push(link));
  void session.start();
  while (links.filter((link) => link.state === "reconnecting").length < 3) await sleep(20);
  const { reason, failures } = links.findLast((link) => link.state === "reconnecting");
  assert.ok(failures >= 3);
  assert.equal(reason.code, "unreachable");
  assert.match(reason.message, new RegExp(`^${url} cannot be reached`));
});

test("heartbeats are answered and tokens replaced: one connection outlives both limits", async (context) => {
  const server = await Server.start(context, {
    NETRA_HEARTBEAT_INTERVAL_MS: "150",
    NETRA_HEARTBEAT_TIMEOUT_MS: "1500",
    NETRA_WS_TOKEN_TTL_S: "3",
    NETRA_WS_TOKEN_GRACE_S: "1",
  });
  const session = open(context, { url: server.url, apiToken: await server.apiToken() });
  const seen = states(session);
  await session.start();
  await sleep(6_000);
  assert.deepEqual(seen, ["connecting", "live"]);
  const ack = await session.startAgent({ content: "What is 6 times 7?" });
  await followRun(session, ack.thread_id, ack.run_id);
});

test("a connection that says nothing is taken for dead", async (context) => {
  const env = { NETRA_HEARTBEAT_INTERVAL_MS: "200", NETRA_HEARTBEAT_TIMEOUT_MS: "200" };
  const server = await Server.start(context, env);
  const proxy = await Proxy.start(context, server.port);
  const session = open(context, { url: proxy.url, apiToken: await server.apiToken() });
  const seen = states(session);
  await session.start();
  proxy.silence();
  while (!seen.includes("reconnecting")) await sleep(20);
  while (session.link.state !== "live") await sleep(20);
});

test("a server that drains is come back to, and nobody is told of an error", async (context) => {
  const server = await Server.start(context);
  const session = open(context, { url: server.url, apiToken: await server.apiToken() });
  const links = [];
  session.on("link", (link) => links.push(link));
  await session.start();
  await server.terminate();
  const sent = session.startAgent({ content: "What is 6 times 7?" });
  assert.equal(links.at(-1).state, "reconnecting");
  await server.run();
  const ack = await sent;
  assert.equal(ack.duplicate, false);
  assert.ok(links.every((link) => link.state !== "stopped"));
});

test("frames that a newer server might send are ignored, and the session goes on", async (context) => {
  const server = await Server.start(context);
  const apiToken = await server.apiToken();
  const strange = [
    { v: 1, type: "weather", id: "01931a5e-7c00-7000-8000-000000000001", payload: { sky: "blue" } },
    { v: 2, type: "heartbeat", id: "01931a5e-7c00-7000-8000-000000000002", payload: {} },
    { type: 7 },
    null,
    "a string",
  ];
  class Chatty extends WebSocket {
    constructor(...args) {
      super(...args);
      this.addEventListener("message", ({ data }) => {
        if (typeof data !== "string" || !data.includes('"connect"')) return;
        for (const frame of [...strange.map((value) => JSON.stringify(value)), "{", new ArrayBuffer(2)]) {
          this.dispatchEvent(new MessageEvent("message", { data: frame }));
        }
      });
    }
  }
  const session = open(context, { url: server.url, apiToken, WebSocket: Chatty });
  const heard = [];
  session.on("frame", (frame) => heard.push(frame.type));
  await session.start();
  const ack = await session.startAgent({ content: "What is 6 times 7?" });
  const { frames } = await followRun(session, ack.thread_id, ack.run_id);
  await assertWhole(frames, server.url, apiToken, ack.thread_id);
  assert.ok(!heard.includes("weather"), heard.join(" "));
});

test("more commands than the rate allows wait here, and none is refused", async (context) => {
  const server = await Server.start(context);
  const apiToken = await server.apiToken();
  const refused = [];
  class Listening extends WebSocket {
    constructor(...args) {
      super(...args);
      this.addEventListener("message", ({ data }) => data.includes("rate_limited") && refused.push(data));
    }
  }
  const session = open(context, { url: server.url, apiToken, WebSocket: Listening });
  await session.start();
  const sent = Array.from({ length: 560 }, () =>
    session.stopAgent("01931a5e-7c00-7000-8000-000000000001").catch((error) => error.code),
  );
  const codes = await Promise.all(sent);
  assert.deepEqual([...new Set(codes)], ["not_found"]);
  assert.deepEqual(refused, []);
});

test("a refusal for the rate is waited out and the command sent again", async (context) => {
  const server = await Server.start(context);
  const apiToken = await server.apiToken();
  const sent = [];
  class Limited extends WebSocket {
    send(text) {
      const frame = JSON.parse(text);
      if (frame.type !== "start_agent") return super.send(text);
      sent.push(performance.now());
      if (sent.length > 1) return super.send(text);
      const payload = { code: "rate_limited", message: "slower", retryable: true, retry_after_ms: 300 };
      const refusal = { v: 1, type: "error_message", id: frame.id, reply_to: frame.id, payload };
      setTimeout(() => this.dispatchEvent(new MessageEvent("message", { data: JSON.stringify(refusal) })));
    }
  }
  const session = open(context, { url: server.url, apiToken, WebSocket: Limited });
  await session.start();
  const ack = await session.startAgent({ content: "What is 6 times 7?" });
  assert.equal(ack.duplicate, false);
  assert.equal(sent.length, 2);
  assert.ok(sent[1] - sent[0] >= 290, `${sent[1] - sent[0]} ms`);
});

test("commands that were kept are sent by the next session", async (context) => {
  const server = await Server.start(context);
  const apiToken = await server.apiToken();
  let kept = [];
  const storage = { load: () => kept, save: (commands) => void (kept = commands) };
  const away = open(context, { url: `http://127.0.0.1:${await freePort()}`, apiToken, storage });
  void away.start();
  await sleep(50);
  const lost = away.startAgent({ content: "What is 6 times 7?" });
  away.close();
  await assert.rejects(lost, { code: "closed" });
  assert.equal(kept.length, 1);
  const { id } = kept[0];

  const session = open(context, { url: server.url, apiToken, storage });
  await session.start();
  while (kept.length > 0) await sleep(20);
  const again = await session.startAgent({ content: "What is 6 times 7?" }, { id });
  assert.equal(again.duplicate, true);
});

test("without a WebSocket the reason is said", () => {
  const found = globalThis.WebSocket;
  try {
    globalThis.WebSocket = undefined;
    assert.throws(() => new Session({ url: "http://127.0.0.1:1" }), /Node 22/);
  } finally {
    globalThis.WebSocket = found;
  }
});
