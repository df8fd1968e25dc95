/** The link when the server or the network goes away: said at once, retried, resumed without a loss. */
import { expect, test } from "../fixtures.ts";
import { NETWORK_CUT } from "../guard.ts";
import { countTo, prompts } from "../model.ts";

const BACK_MS = 45_000;

test.describe.configure({ timeout: 120_000 });
test.beforeEach(({ guard }) => guard.allow(NETWORK_CUT));

test("a dead server is named with a reason and a retry, and its return is noticed (R6, R7, R16, R20)", async ({
  chat,
  page,
  server,
  sockets,
}) => {
  await chat.open();
  await chat.askNew("assistant", prompts.calculate);
  await chat.cardIs("completed");
  await page.evaluate(() => document.documentElement.setAttribute("data-same-page", ""));

  await server.kill();
  await chat.linkIs(/^(reconnecting|unreachable)$/);
  await expect(chat.status).toContainText(/Reconnecting in \d|Cannot reach the server: \S/);
  await expect(chat.retry).toBeVisible();
  await expect(chat.answer).toHaveText("The result is 35.");
  await chat.composer.fill("written while away");

  await server.start();
  await chat.isLive(BACK_MS);
  await expect(chat.composer).toHaveValue("written while away");
  await expect(page.locator("html[data-same-page]")).toHaveCount(1);
  await expect(chat.cards).toHaveCount(1);
  await chat.cardIs("completed");
  await chat.ask(prompts.count(3));
  await expect(chat.cards).toHaveCount(2);
  await expect(chat.answer).toHaveText(countTo(3));
  expect(sockets.opened.filter((socket) => !socket.isClosed())).toHaveLength(1);
});

test("trying now does not wait for the back-off (R16)", async ({ chat, page, server }) => {
  let attempts = 0;
  page.on("websocket", () => attempts++);
  page.on("request", (request) => {
    if (request.url().endsWith("/ws-token")) attempts++;
  });
  await chat.open();
  await server.kill();
  // Long enough a wait for an attempt within a second to be the button's doing.
  await expect(chat.status).toContainText(/in ([5-9]|\d\d+) s|Cannot reach/, { timeout: BACK_MS });
  const before = attempts;
  await chat.retry.click();
  await expect.poll(() => attempts, { timeout: 1_000, intervals: [50] }).toBeGreaterThan(before);
  await server.start();
  await chat.isLive(BACK_MS);
});

test("an answer that was being written when the server died is complete once, and only once (R7, R14, R17)", async ({
  chat,
  page,
  server,
  sockets,
}) => {
  await chat.open();
  await chat.askNew("assistant", prompts.count(200));
  await chat.answerGrowsBeyond(100);
  await server.kill();
  await chat.linkIs(/^(reconnecting|unreachable)$/);
  await server.start();
  await chat.isLive(BACK_MS);
  await chat.cardIs("completed", 60_000);
  await expect(chat.cards).toHaveCount(1);
  await expect(chat.bubbles).toHaveCount(1);
  expect(await chat.answerText()).toBe(countTo(200));
  expect(sockets.received.filter((frame) => frame.type === "agent_completed")).toHaveLength(1);
  await page.reload();
  await chat.isLive();
  expect(await chat.answerText()).toBe(countTo(200));
});

test("an answer that ends while the browser is away is there when it is back (R7, R14)", async ({ chat, context }) => {
  await chat.open();
  await chat.askNew("assistant", prompts.count(100));
  await chat.answerGrowsBeyond(20);
  await context.setOffline(true);
  await chat.linkIs("offline");
  await expect(chat.status).toContainText("Offline");
  await context.setOffline(false);
  await chat.isLive(BACK_MS);
  await chat.cardIs("completed", 30_000);
  expect(await chat.answerText()).toBe(countTo(100));
});

test("a message written offline goes out once when the network is back (R14, R21)", async ({ chat, context }) => {
  await chat.open();
  await chat.askNew("assistant", prompts.count(3));
  await chat.cardIs("completed");
  await context.setOffline(true);
  await chat.linkIs("offline");
  await chat.ask(prompts.calculate);
  await expect(chat.bubbles).toHaveCount(2);
  await context.setOffline(false);
  await chat.isLive(BACK_MS);
  await expect(chat.answer).toHaveText("The result is 35.");
  await expect(chat.bubbles).toHaveCount(2);
  await expect(chat.cards).toHaveCount(2);
});

test("a link that cannot open is an error from the first page on (R6, R10)", async ({ chat, page, server }) => {
  // The program has arrived whole and has not begun: from here on there is no server to speak to.
  await page.exposeFunction("beforeStart", () => server.kill());
  await page.addInitScript(() => {
    const instantiate = WebAssembly.instantiateStreaming.bind(WebAssembly);
    WebAssembly.instantiateStreaming = async (source, imports) => {
      const program = await instantiate(source, imports);
      await (window as unknown as { beforeStart(): Promise<void> }).beforeStart();
      return program;
    };
  });
  await page.goto("/");
  await chat.linkIs(/^(reconnecting|unreachable)$/, 30_000);
  await expect(chat.status).toContainText(/Reconnecting in \d|Cannot reach the server: \S/);
  await expect(chat.retry).toBeVisible();
  await server.start();
  await chat.isLive(BACK_MS);
});
