/** A message is kept from Enter until the server has it, whatever happens to the page, and the server gets it once. */
import { Chat } from "../chat.ts";
import { expect, register, test, throughProxy } from "../fixtures.ts";
import { NETWORK_CUT } from "../guard.ts";
import { story } from "../log.ts";
import { countTo, prompts } from "../model.ts";
import { WITHOUT_MODEL } from "../server.ts";

const BACK_MS = 45_000;
const DAYS_MS = 3 * 24 * 3_600_000;

test.describe.configure({ timeout: 120_000 });
test.use(throughProxy);
test.beforeEach(({ guard }) => guard.allow(NETWORK_CUT));

const first = prompts.count(3);
const second = prompts.count(5);
const both = { said: [first, second], ended: ["completed", "completed"] };

/** A thread with one answer. */
async function begin(chat: Chat): Promise<string> {
  await chat.open();
  const id = await chat.askNew("assistant", first);
  await chat.cardIs("completed");
  return id;
}

/** The second message was taken, answered once, and nothing waits any more. */
async function arrived(chat: Chat, id: string): Promise<void> {
  await chat.isLive(BACK_MS);
  await expect(chat.cards).toHaveCount(2);
  await chat.cardIs("completed", BACK_MS);
  await expect(chat.answer).toHaveText(countTo(5));
  await expect(chat.bubbles).toHaveText([first, second]);
  await chat.waiting("sent", 0);
  expect(await story(chat.page.request, id)).toEqual(both);
}

test("written offline, the page reloaded, back online: sent once (R7, R14)", async ({
  chat,
  context,
  network,
  page,
}) => {
  const id = await begin(chat);
  await context.setOffline(true);
  await network.refuse();
  await chat.linkIs("offline");
  await chat.ask(second);
  await chat.waiting("queued");
  await expect(page.reload()).rejects.toThrow(/ERR_INTERNET_DISCONNECTED/);
  await network.pass();
  await context.setOffline(false);
  await page.goto(`/t/${id}`);
  await arrived(chat, id);
});

test("where WebSockets are blocked the message waits in sight, over a reload too (R6, R7, R14)", async ({
  chat,
  network,
  page,
}) => {
  const id = await begin(chat);
  await network.refuseSockets();
  await chat.linkIs(/^(reconnecting|unreachable)$/);
  await chat.ask(second);
  await chat.waiting("queued");
  await page.reload();
  await chat.waiting("queued");
  await expect(chat.bubbles).toHaveText([first, second]);
  await chat.linkIs("unreachable", 30_000);
  expect((await story(page.request, id)).said).toEqual([first]);
  await network.pass();
  // The page tries by itself, too, and may be back before the press.
  await Promise.any([chat.retry.click({ timeout: BACK_MS }), chat.isLive(BACK_MS)]);
  await arrived(chat, id);
});

test("a message that starts a conversation waits over a reload as well (R7, R14)", async ({ chat, network, page }) => {
  await chat.open();
  await network.refuseSockets();
  await chat.linkIs(/^(reconnecting|unreachable)$/);
  await chat.agent.selectOption("assistant");
  await chat.ask(second);
  await chat.waiting("queued");
  await page.reload();
  await chat.waiting("queued");
  await network.pass();
  await chat.isLive(BACK_MS);
  await chat.waiting("queued", 0);
  const threads = chat.sidebar.locator("a.thread-link");
  await expect(threads).toHaveCount(1);
  await threads.click();
  const id = await chat.threadId();
  await chat.cardIs("completed");
  await expect.poll(() => story(page.request, id)).toEqual({ said: [second], ended: ["completed"] });
});

test("an acknowledgement that is lost makes no second message (R14)", async ({
  chat,
  network,
  page,
  server,
  sockets,
}) => {
  const id = await begin(chat);
  network.fallSilent("down");
  await chat.ask(second);
  // The server has it and has answered it; the page cannot know, and says no more than that it went out.
  const direct = { get: (path: string) => page.request.get(server.url + path) } as typeof page.request;
  await expect.poll(() => story(direct, id)).toEqual(both);
  await chat.waiting("sent");
  await expect(chat.cards).toHaveCount(1);
  network.cut();
  await network.pass();
  await arrived(chat, id);
  const command = sockets.messagesSent().filter(({ payload }) => payload.content === second);
  expect(command.length, "it was sent again").toBeGreaterThan(1);
  expect(new Set(command.map((frame) => frame.id)).size, "under one id").toBe(1);
});

test("a refused message stays with its reason until it is sent again or put away (R14, R20)", async ({
  chat,
  page,
  server,
}) => {
  const id = await begin(chat);
  await server.stop();
  // The agent of this thread is gone: what is sent to it is refused.
  await server.start(WITHOUT_MODEL);
  await chat.isLive(BACK_MS);
  await chat.ask("This one is not worth keeping");
  await chat.waiting("failed");
  await chat.ask(second);
  await chat.waiting("failed", 2);
  await expect(chat.pending.last()).toHaveText(/^Not sent: \S.*agent.*Retry Discard$/);
  await page.reload();
  await chat.isLive();
  await chat.waiting("failed", 2);
  await chat.pending.first().getByRole("button", { name: "discard" }).click();
  await chat.waiting("failed");
  expect((await story(page.request, id)).said).toEqual([first]);

  await server.stop();
  await server.start();
  await chat.isLive(BACK_MS);
  await chat.waiting("failed");
  await chat.pending.getByRole("button", { name: "retry" }).click();
  await arrived(chat, id);
  await page.reload();
  await arrived(chat, id);
});

test("a refused message that is sent again is kept again, before anyone takes it (R7, R14)", async ({
  chat,
  network,
  page,
  server,
}) => {
  const id = await begin(chat);
  await server.stop();
  await server.start(WITHOUT_MODEL);
  await chat.isLive(BACK_MS);
  await chat.ask(second);
  await chat.waiting("failed");
  await network.refuseSockets();
  await chat.linkIs(/^(reconnecting|unreachable)$/);
  await chat.pending.getByRole("button", { name: "retry" }).click();
  await chat.waiting("queued");
  await page.reload();
  await chat.waiting("queued");
  await server.stop();
  await server.start();
  await network.pass();
  await arrived(chat, id);
});

test("a message that the server can no longer take fails by itself and spares the link (R14, R20, R21)", async ({
  chat,
  page,
  server,
}) => {
  const id = await begin(chat);
  await server.stop();
  await chat.linkIs(/^(reconnecting|unreachable)$/);
  await chat.ask(`${second} ${"long ".repeat(1_000)}`);
  await chat.waiting("queued");
  await server.start({ NETRA_MAX_FRAME_BYTES: "4096" });
  await chat.isLive(BACK_MS);
  await chat.waiting("failed");
  await expect(chat.pending).toContainText(/too (large|long)/);
  await page.reload();
  await chat.isLive();
  await chat.waiting("failed");
  await chat.ask(second);
  await expect(chat.answer).toHaveText(countTo(5));
  expect((await story(page.request, id)).said).toEqual([first, second]);
});

test("what takes more room on the wire than in the field is measured on the wire (R20)", async ({ chat, sockets }) => {
  await begin(chat);
  const sent = sockets.messagesSent().length;
  await chat.ask(`${second}${"\t".repeat(40_000)}.`);
  await expect(chat.page.locator(".composer-hint")).toContainText("too long");
  await chat.isLive();
  expect(sockets.messagesSent()).toHaveLength(sent);
});

for (const crash of ["page", "browser"] as const) {
  test(`the ${crash} crashes with a message in the queue, and days later it is sent once (R7, R14)`, async ({
    network,
    startBrowser,
  }) => {
    let browser = await startBrowser();
    await register(browser.context);
    const cookies = await browser.context.cookies();
    let chat = new Chat(await browser.context.newPage());
    const id = await begin(chat);
    await network.refuse();
    await chat.linkIs(/^(reconnecting|unreachable)$/);
    await chat.ask(second);
    await chat.waiting("queued");
    if (crash === "page") {
      const crashed = chat.page.waitForEvent("crash");
      const devtools = await browser.context.newCDPSession(chat.page);
      devtools.send("Page.crash").catch(() => {}); // Nobody is left to answer.
      await crashed;
      await chat.page.close();
    } else {
      // At once: what is said to be queued is on the disk.
      await browser.kill();
      browser = await startBrowser();
      // Chromium writes cookies at its leisure too; whoever has lost theirs signs in again.
      await browser.context.addCookies(cookies);
    }
    chat = new Chat(await browser.context.newPage());
    await chat.page.clock.setSystemTime(Date.now() + DAYS_MS);
    await network.pass();
    await chat.page.goto(`/t/${id}`);
    await arrived(chat, id);
  });
}
