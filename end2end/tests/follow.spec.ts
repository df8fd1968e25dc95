/** Several places at once: tabs and browsers of one user see the same, and end together. */
import type { BrowserContext } from "@playwright/test";
import { Chat } from "../chat.ts";
import { expect, register, test } from "../fixtures.ts";
import { NETWORK_CUT } from "../guard.ts";
import { eventLog } from "../log.ts";
import { countTo, prompts } from "../model.ts";
import { type Frame, SocketLog } from "../sockets.ts";

test.describe.configure({ timeout: 120_000 });

interface Place {
  chat: Chat;
  sockets: SocketLog;
}

async function place(context: BrowserContext): Promise<Place> {
  const page = await context.newPage();
  return { chat: new Chat(page), sockets: new SocketLog(page) };
}

/** The thread's events as a place heard them. */
function heard({ sockets }: Place, thread: string): Frame[] {
  return sockets.received.filter((frame) => frame.thread_id === thread && frame.seq);
}

test("two tabs and a second browser follow one run and end identical (R14, R15, R17)", async ({
  context,
  startBrowser,
}) => {
  const account = await register(context);
  const elsewhere = (await startBrowser()).context;
  expect((await elsewhere.request.post("/api/auth/login", { data: account })).ok()).toBe(true);
  const [tab, second, far] = [await place(context), await place(context), await place(elsewhere)];
  const places = [tab, second, far];

  await tab.chat.open();
  const id = await tab.chat.askNew("assistant", prompts.count(300));
  await tab.chat.answerGrowsBeyond(50);
  await second.chat.open(`/t/${id}`);
  await far.chat.open(`/t/${id}`);
  for (const { chat } of places) await chat.cardIs("running");
  // The next message comes from the other browser while the first is being answered: it waits its turn everywhere.
  await far.chat.ask(prompts.calculate);
  for (const { chat } of places) {
    await expect(chat.cards).toHaveCount(2);
    await chat.cardIs("completed", 30_000);
    await expect(chat.answer).toHaveText("The result is 35.");
    await chat.isAtRest();
  }

  const log = await eventLog(tab.chat.page.request, id);
  for (const one of places) {
    const events = heard(one, id);
    const from = events[0]!.seq!;
    expect(events.map((event) => event.seq)).toEqual(log.slice(from - 1).map((event) => event.seq));
    expect(events.map((event) => event.id)).toEqual(log.slice(from - 1).map((event) => event.id));
  }
  expect(heard(tab, id)).toHaveLength(log.length);

  const drawn = await tab.chat.conversation();
  expect(drawn).toContain(countTo(300).slice(-50));
  expect(await second.chat.conversation()).toBe(drawn);
  expect(await far.chat.conversation()).toBe(drawn);
  await second.chat.page.reload();
  await second.chat.isLive();
  expect(await second.chat.conversation(), "as the server draws it").toBe(drawn);
});

test("what happened elsewhere while the network was away stands in the sidebar when it is back (R14, R17)", async ({
  context,
  guard,
  network,
}) => {
  guard.allow(NETWORK_CUT);
  await register(context);
  const [away, here] = [await place(context), await place(context)];
  await here.chat.open();
  const deleted = await here.chat.askNew("assistant", prompts.count(3));
  await here.chat.cardIs("completed");
  const finished = await here.chat.askNew("assistant", prompts.count(200));
  await away.chat.open(`${network.url}/t/${finished}`);
  await expect(away.chat.thread(finished)).toHaveAttribute("data-running", "true");

  await network.refuse();
  await away.chat.linkIs(/^(reconnecting|unreachable)$/);
  await here.chat.cardIs("completed");
  await here.chat.rename(finished, "Renamed meanwhile");
  await here.chat.deleteThread(deleted);
  await expect(here.chat.thread(deleted)).toHaveCount(0);
  const made = await here.chat.askNew("assistant", prompts.count(3));
  await here.chat.cardIs("completed");

  await network.pass();
  await away.chat.isLive(45_000);
  await expect(away.chat.thread(made)).toBeVisible();
  await expect(away.chat.thread(deleted)).toHaveCount(0);
  await expect(away.chat.thread(finished)).toContainText("Renamed meanwhile");
  await expect(away.chat.title).toHaveText("Renamed meanwhile");
  await away.chat.isAtRest();
});

test("signing out in one tab closes the others within a second (R9, R16)", async ({ context }) => {
  await register(context);
  const [tab, second, third] = [await place(context), await place(context), await place(context)];
  await tab.chat.open();
  await tab.chat.askNew("assistant", prompts.count(2_000));
  await second.chat.open();
  await third.chat.open(new URL(tab.chat.page.url()).pathname);
  await third.chat.cardIs("running");

  const others = [second, third];
  const closed = others.map(({ sockets }) => sockets.opened[0]!.waitForEvent("close"));
  const began = Date.now();
  await tab.chat.page.getByRole("button", { name: "Sign out", exact: true }).click();
  await Promise.all(closed);
  expect(Date.now() - began).toBeLessThan(1_000);
  for (const { chat, sockets } of others) {
    await chat.linkIs("signed-out", 1_000);
    await expect(chat.status.getByRole("link", { name: "sign in" })).toBeVisible();
    expect(sockets.received.at(-1)).toMatchObject({ type: "disconnect" });
    expect(sockets.opened).toHaveLength(1);
  }
});
