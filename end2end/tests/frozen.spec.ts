/** A tab that stands still, as when a lid is closed or a system saves power: longer than a socket lives, then at once in use. */
import { Chat } from "../chat.ts";
import { expect, register, test } from "../fixtures.ts";
import { story } from "../log.ts";
import { countTo, prompts } from "../model.ts";
import { SocketLog } from "../sockets.ts";

/** Both sides give a socket up well within the shorter of the two pauses. A browser that was stopped is stopped for a minute. */
const MINUTE_MS = 60_000;
const FROZEN_MS = process.env.NETRA_TEST_LONG === "1" ? MINUTE_MS : 12_000;

test.describe.configure({ timeout: 180_000 });
test.use({ settings: { NETRA_HEARTBEAT_INTERVAL_MS: "2000", NETRA_HEARTBEAT_TIMEOUT_MS: "1000" } });

const still = (ms: number) => new Promise((wake) => setTimeout(wake, ms));

for (const what of ["browser", "pages"] as const) {
  test(`typed and sent the moment the ${what} wakes: one message, one answer (R7, R14, R16)`, async ({
    startBrowser,
  }) => {
    const browser = await startBrowser();
    await register(browser.context);
    const page = await browser.context.newPage();
    const chat = new Chat(page);
    const sockets = new SocketLog(page);
    await chat.open();
    const id = await chat.askNew("assistant", prompts.count(3));
    await chat.cardIs("completed");

    browser.freeze(what);
    await still(what === "browser" ? MINUTE_MS : FROZEN_MS);
    browser.thaw();
    await chat.ask(prompts.count(5));
    await expect(chat.cards).toHaveCount(2);
    await chat.cardIs("completed");
    await expect(chat.answer).toHaveText(countTo(5));
    await chat.isLive();
    await chat.waiting("sent", 0);
    await expect(chat.bubbles).toHaveText([prompts.count(3), prompts.count(5)]);
    expect(await story(page.request, id)).toEqual({
      said: [prompts.count(3), prompts.count(5)],
      ended: ["completed", "completed"],
    });
    expect(sockets.opened.length, "the old socket was given up").toBeGreaterThan(1);
    expect(sockets.opened.filter((socket) => !socket.isClosed())).toHaveLength(1);
  });
}

test("an answer that went on without the tab is whole when it wakes (R7, R14, R17)", async ({ startBrowser }) => {
  const browser = await startBrowser();
  await register(browser.context);
  const chat = new Chat(await browser.context.newPage());
  await chat.open();
  await chat.askNew("assistant", prompts.count(200));
  await chat.answerGrowsBeyond(50);
  browser.freeze("browser");
  await still(FROZEN_MS);
  browser.thaw();
  await chat.isLive();
  await chat.cardIs("completed");
  expect(await chat.answerText()).toBe(countTo(200));
  await chat.isAtRest();
});
