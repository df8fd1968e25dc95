import assert from "node:assert/strict";
import test from "node:test";
import { afterClose, backOff } from "../dist/retry.js";
import { THREAD, play, until } from "./support/fake.mjs";

const nobody = { frame() {}, end() {} };

for (const [code, error] of [
  [1000, "closed"],
  [1001, "closed"],
  [4400, "malformed_json"],
  [4403, "forbidden"],
  [4409, "conflict"],
  [4413, "frame_too_large"],
  [4429, "rate_limited"],
  [4477, "closed"],
]) {
  test(`${code} ends the session as ${error}`, async (context) => {
    const { session, sockets } = play(context);
    const started = session.start();
    await until(() => sockets.length === 1);
    sockets[0].connect();
    await started;
    const sent = session.startAgent({ content: "x" });
    const loop = session.events(THREAD).next();
    sockets[0].shut(code);
    assert.equal(session.link.error.code, error);
    await assert.rejects(sent, { code: error });
    await assert.rejects(loop, { code: error });
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.equal(sockets.length, 1);
  });
}

for (const code of [1006, 1011, 1012, 4500, 4501, 4508, 4599]) {
  test(`after ${code} the same token opens a new connection`, async (context) => {
    const { session, sockets } = play(context);
    void session.start();
    await until(() => sockets.length === 1);
    sockets[0].connect();
    sockets[0].shut(code);
    await until(() => sockets.length === 2);
    assert.equal(sockets[1].token, sockets[0].token);
  });
}

test("4401 asks for a new token, at once the first time", async (context) => {
  const { session, sockets } = play(context);
  void session.start();
  await until(() => sockets.length === 1);
  sockets[0].connect();
  session.watch(THREAD, "start", nobody);
  sockets[0].shut(4401);
  assert.notEqual(session.link.state, "reconnecting");
  await until(() => sockets.length === 2);
  assert.deepEqual(
    sockets.map((socket) => socket.token),
    ["jwt.token1", "jwt.token2"],
  );
  sockets[1].connect();
  sockets[1].shut(4401);
  assert.equal(session.link.state, "reconnecting");
});

test("a server that greets and refuses every token is asked less and less often", async (context) => {
  const { session, sockets } = play(context, { random: () => 1 });
  const pauses = [];
  session.on("link", (link) => link.state === "reconnecting" && pauses.push(link.retryInMs));
  void session.start();
  for (let number = 0; number < 4; number++) {
    await until(() => sockets.length === number + 1);
    // Nothing is watched: that alone makes a greeting count as success.
    sockets[number].connect();
    sockets[number].shut(4401);
  }
  assert.equal(pauses.length, 3, "all but the first wait");
  assert.ok(pauses[0] < pauses[1] && pauses[1] < pauses[2], String(pauses));
});

test("a session that was closed can be started again", async (context) => {
  const { session, sockets } = play(context);
  void session.start();
  await until(() => sockets.length === 1);
  sockets[0].connect();
  session.close();
  await assert.rejects(session.startAgent({ content: "x" }), { code: "closed" });
  const started = session.start();
  await until(() => sockets.length === 2);
  sockets[1].connect();
  await started;
  void session.startAgent({ content: "x" }).catch(() => {});
  assert.equal(sockets[1].all("start_agent").length, 1);
  assert.equal(sockets[0].all("start_agent").length, 0);
});

test("only a successful subscribe ends the series of failures", async (context) => {
  const { session, sockets } = play(context);
  session.watch(THREAD, "start", nobody);
  void session.start();
  const failures = [];
  for (let round = 1; round <= 3; round += 1) {
    await until(() => sockets.length === round);
    sockets.at(-1).connect();
    if (round === 3) sockets.at(-1).subscribed();
    sockets.at(-1).shut(1006);
    failures.push(session.link.failures);
  }
  assert.deepEqual(failures, [1, 2, 1]);
});

test("the pause is random below a ceiling that doubles up to half a minute", () => {
  const ceilings = Array.from({ length: 9 }, (_, index) => backOff(index + 1, () => 1));
  assert.deepEqual(ceilings, [500, 1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000]);
  assert.equal(
    backOff(3, () => 0),
    200,
  );
  assert.equal(afterClose(4999), "back off");
});
