/** Time passes, and clocks are wrong: tokens are renewed unseen, and a clock that jumps fools nobody. */
import { expect, test } from "../fixtures.ts";
import { story } from "../log.ts";
import { countTo, prompts } from "../model.ts";

const TTL_S = 12;
const HOUR_MS = 3_600_000;

test.describe.configure({ timeout: 120_000 });
test.use({ settings: { NETRA_WS_TOKEN_TTL_S: String(TTL_S), NETRA_WS_TOKEN_GRACE_S: "1" } });

test("tokens expire under an answer, and the user does not notice (R9)", async ({ chat, sockets }) => {
  const linkStates = await chat.watchLink();
  await chat.open();
  await chat.askNew("assistant", prompts.count(1_000));
  await chat.cardIs("completed", 90_000);
  expect(await chat.answerText()).toBe(countTo(1_000));
  const asked = sockets.sent.filter((frame) => frame.type === "authenticate");
  expect(asked.length, "the answer took longer than two tokens").toBeGreaterThanOrEqual(2);
  expect(new Set(asked.map((frame) => frame.payload.token)).size).toBe(asked.length);
  const answers = sockets.received.filter((frame) => frame.type === "authenticated").map((frame) => frame.reply_to);
  expect(answers).toEqual(asked.map((frame) => frame.id));
  expect(await linkStates()).toEqual(["connecting", "live"]);
  expect(sockets.opened).toHaveLength(1);
});

test("a token that could not be renewed in time ends the socket; the next one goes on (R9, R14)", async ({
  chat,
  context,
  guard,
  page,
  sockets,
}) => {
  guard.allow(/ws-token/);
  await chat.open();
  const id = await chat.askNew("assistant", prompts.count(800));
  await context.route("**/fn/ws-token*", (route) => route.abort("connectionreset"));
  await expect.poll(() => sockets.opened[0]!.isClosed(), { timeout: (TTL_S + 10) * 1_000 }).toBe(true);
  expect(sockets.received.at(-1)).toMatchObject({ type: "disconnect", payload: { code: 4401 } });
  await chat.linkIs(/^(reconnecting|unreachable)$/);
  await context.unroute("**/fn/ws-token*");
  await chat.isLive(30_000);
  await chat.cardIs("completed", 60_000);
  expect(await chat.answerText()).toBe(countTo(800));
  expect(await story(page.request, id)).toEqual({ said: [prompts.count(800)], ended: ["completed"] });
});

for (const [way, jump] of [
  ["forward", HOUR_MS],
  ["back", -HOUR_MS],
] as const) {
  test(`the clock jumps an hour ${way}, and the link stays what it says (R7, R14, R16)`, async ({
    chat,
    page,
    sockets,
  }) => {
    await chat.open();
    const id = await chat.askNew("assistant", prompts.count(200));
    await chat.answerGrowsBeyond(50);
    await page.clock.setSystemTime(Date.now() + jump);
    await chat.answerGrowsBeyond(150);
    await page.clock.setSystemTime(Date.now() + jump);
    await chat.ask(prompts.calculate);
    await expect(chat.cards).toHaveCount(2);
    await chat.cardIs("completed", 30_000);
    await expect(chat.answer).toHaveText("The result is 35.");
    await chat.isLive();
    expect(await story(page.request, id)).toEqual({
      said: [prompts.count(200), prompts.calculate],
      ended: ["completed", "completed"],
    });
    // Tokens are still renewed afterwards, and on time: the server would end the socket otherwise.
    const before = sockets.received.length;
    await page.waitForTimeout((TTL_S + 4) * 1_000);
    await chat.isLive();
    const since = sockets.received.slice(before).map((frame) => frame.type);
    expect(since).toContain("authenticated");
    expect(since).not.toContain("disconnect");
    expect(sockets.opened.filter((socket) => !socket.isClosed())).toHaveLength(1);
    if (way === "back") expect(sockets.opened).toHaveLength(1);
  });
}
