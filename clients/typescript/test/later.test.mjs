import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { ThreadState, hasEnded } from "../dist/index.js";
import { THREAD, play, until } from "./support/fake.mjs";

const recording = readFileSync(new URL("../../../tests/compatibility/later.jsonl", import.meta.url), "utf8");
const recorded = recording
  .trim()
  .split("\n")
  .map((line) => JSON.parse(line.replaceAll("019a6f00-0000-7000-8000-000000000001", THREAD)));

test("a conversation of a later server is handed over and folded to its end", async (context) => {
  const { session, sockets } = play(context);
  const heard = [];
  const told = [];
  session.on("frame", (frame) => told.push(frame.type));
  void session.start();
  await until(() => sockets.length === 1);
  const state = new ThreadState();
  let before;
  const ended = [];
  session.watch(THREAD, "start", {
    frame(frame) {
      if (frame.type === "thread_snapshot") before = structuredClone({ messages: state.messages, runs: state.runs });
      assert.notEqual(state.apply(frame), "gap", JSON.stringify(frame));
      heard.push(frame);
    },
    end: (error) => ended.push(error),
  });
  const [socket] = sockets;
  for (const frame of recorded) {
    const sent = structuredClone(frame);
    if (sent.type === "subscribed") sent.reply_to = socket.all("subscribe").at(-1).id;
    socket.onmessage({ data: JSON.stringify(sent) });
  }
  assert.deepEqual(ended, [], "the watch goes on");
  const events = recorded.filter((frame) => frame.seq !== undefined || frame.type === "thread_snapshot");
  assert.deepEqual(heard, events, "every event is handed over as it came");
  assert.ok(told.includes("system_message"), String(told));

  assert.deepEqual(
    before.messages.map(({ role }) => role),
    ["user", "assistant", "narrator", "user"],
  );
  assert.deepEqual(
    before.runs.map((run) => [run.status, hasEnded(run), run.error?.code]),
    [
      ["handed_over", true, undefined],
      ["failed", true, "out_of_tea"],
    ],
  );
  assert.equal(before.runs[0].steps.find(({ kind }) => kind === "tool").status, "postponed");

  assert.equal(state.seq, 18);
  assert.deepEqual(
    state.runs[0].steps[0],
    recorded.find(({ type }) => type === "thread_snapshot").payload.runs[0].steps[0],
  );
  assert.deepEqual([state.runs[2].status, state.runs[2].text], ["completed", "Still brewing."]);
  assert.deepEqual(state.activeRuns, []);
  assert.equal(hasEnded({ status: "resting" }), false, "a state that is not known is no end by itself");
});
