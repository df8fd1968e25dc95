/** A server that goes away under a streaming answer, in order or not: the answer goes on, and nothing turns for ever. */
import { expect, test } from "../fixtures.ts";
import { NETWORK_CUT } from "../guard.ts";
import { eventLog } from "../log.ts";
import { countTo, prompts } from "../model.ts";
import { WITHOUT_MODEL } from "../server.ts";

const BACK_MS = 45_000;

test.describe.configure({ timeout: 150_000 });
// A drain that is shorter than the answer, so that the answer is cut off by it.
test.use({ settings: { NETRA_DRAIN_S: "2" } });
test.beforeEach(({ guard }) => guard.allow(NETWORK_CUT));

for (const [way, times] of [
  ["stop", 1],
  ["kill", 1],
  ["kill", 3],
] as const) {
  test(`${way} × ${times} under a streaming answer: it is whole once, and the page comes to rest (R7, R14, R16)`, async ({
    chat,
    page,
    server,
    sockets,
  }) => {
    await chat.open();
    const id = await chat.askNew("assistant", prompts.count(400));
    for (let time = 0; time < times; time++) {
      await chat.answerGrowsBeyond(50);
      if (way === "stop") expect(await server.stop()).toBe(0);
      else await server.kill();
      await chat.linkIs(/^(reconnecting|unreachable)$/);
      await server.start();
      await chat.isLive(BACK_MS);
    }
    await chat.cardIs("completed", 60_000);
    await expect(chat.cards).toHaveCount(1);
    await expect(chat.bubbles).toHaveCount(1);
    expect(await chat.answerText()).toBe(countTo(400));
    await chat.isAtRest();

    const log = await eventLog(page.request, id);
    expect(log.filter(({ type }) => type === "agent_completed" || type === "agent_error")).toHaveLength(1);
    const heard = sockets.received.filter((frame) => frame.thread_id === id && frame.seq).map((frame) => frame.id);
    expect(heard, "every event once, in order, over all sockets").toEqual(log.map((event) => event.id));

    const drawn = await chat.conversation();
    await page.reload();
    await chat.isLive();
    expect(await chat.conversation()).toBe(drawn);
  });
}

test("a tool and a queued message live through a crash (R13, R14)", async ({ chat, page, server }) => {
  await chat.open();
  const id = await chat.askNew("assistant", prompts.count(100));
  await chat.answerGrowsBeyond(20);
  await chat.ask(prompts.calculate);
  await expect(chat.cards).toHaveCount(2);
  await server.kill();
  await server.start();
  await chat.isLive(BACK_MS);
  await chat.cardIs("completed", 60_000);
  await expect(chat.answer).toHaveText("The result is 35.");
  await expect(chat.cards.first()).toHaveAttribute("data-status", "completed");
  await chat.isAtRest();
  const log = await eventLog(page.request, id);
  expect(log.filter(({ type }) => type === "tool_executing")).toHaveLength(1);
  expect(log.filter(({ type }) => type === "tool_completed")).toHaveLength(1);
});

test("an answer whose agent is gone after the restart ends as failed, and says so (R13, R14, R20)", async ({
  chat,
  server,
}) => {
  await chat.open();
  await chat.askNew("assistant", prompts.count(2_000));
  await chat.answerGrowsBeyond(50);
  await server.kill();
  await server.start(WITHOUT_MODEL);
  await chat.isLive(BACK_MS);
  await chat.cardIs("failed", 30_000);
  await expect(chat.card.locator(".card-error[role=alert]")).toContainText("assistant");
  await chat.isAtRest();
  await server.kill();
});
