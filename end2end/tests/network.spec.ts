/** Networks that lie: connections that stay open and carry nothing. The page says so in time, and comes back by itself. */
import { expect, test, throughProxy } from "../fixtures.ts";
import { NETWORK_CUT } from "../guard.ts";
import { story } from "../log.ts";
import { countTo, prompts } from "../model.ts";

const BACK_MS = 60_000;
const INTERVAL_MS = 1_000;
const TIMEOUT_MS = 1_000;
/** A client that has heard nothing for this long says so; the rest is for a busy machine. */
const NOTICED_MS = INTERVAL_MS * 1.5 + TIMEOUT_MS + 1_500;

test.describe.configure({ timeout: 180_000 });
test.use({
  ...throughProxy,
  settings: {
    NETRA_HEARTBEAT_INTERVAL_MS: String(INTERVAL_MS),
    NETRA_HEARTBEAT_TIMEOUT_MS: String(TIMEOUT_MS),
    // So short that the page has to ask for another while the network is silent.
    NETRA_WS_TOKEN_TTL_S: "12",
  },
});
test.beforeEach(({ guard }) => guard.allow(NETWORK_CUT));

for (const end of ["comes back", "is another"] as const) {
  test(`a silent network is noticed, named and retried until it ${end} (R6, R7, R14, R16)`, async ({
    chat,
    network,
    page,
    sockets,
  }) => {
    await chat.open();
    const id = await chat.askNew("assistant", prompts.count(3));
    await chat.cardIs("completed");
    network.fallSilent("both");
    await chat.linkIs(/^(reconnecting|unreachable)$/, NOTICED_MS);
    await chat.ask(prompts.count(5));
    await chat.waiting("queued");
    // A handshake or a request for a token that nobody answers ends, and is counted as a failure.
    await chat.linkIs("unreachable", BACK_MS);
    await expect(chat.status).toContainText(/Cannot reach the server: \S.*next try in \d+ s/);

    if (end === "is another") network.cut();
    await network.pass();
    await chat.isLive(BACK_MS);
    await expect(chat.cards).toHaveCount(2);
    await expect(chat.answer).toHaveText(countTo(5));
    expect(await story(page.request, id)).toEqual({
      said: [prompts.count(3), prompts.count(5)],
      ended: ["completed", "completed"],
    });
    await expect.poll(() => sockets.opened.filter((socket) => !socket.isClosed()).length).toBe(1);
  });
}

test("a link that is cut again and again under an answer loses and repeats nothing (R7, R14)", async ({
  chat,
  network,
  sockets,
}) => {
  await chat.open();
  const id = await chat.askNew("assistant", prompts.count(400));
  for (let time = 1; time <= 4; time++) {
    await chat.answerGrowsBeyond(time * 100);
    const before = sockets.opened.length;
    network.cut();
    await expect.poll(() => sockets.opened.length, { timeout: BACK_MS }).toBeGreaterThan(before);
    await chat.isLive(BACK_MS);
  }
  await chat.cardIs("completed", BACK_MS);
  expect(await chat.answerText()).toBe(countTo(400));
  const seqs = sockets.received.flatMap((frame) => (frame.thread_id === id && frame.seq ? [frame.seq] : []));
  expect(seqs).toEqual(seqs.map((_, i) => i + 1));
});
