/** The sidebar's threads, and the draft that each of them keeps. */
import { Chat } from "../chat.ts";
import { expect, test } from "../fixtures.ts";
import { prompts } from "../model.ts";

/** A thread with one short answer. */
async function startThread(chat: Chat): Promise<string> {
  const id = await chat.askNew("assistant", prompts.count(3));
  await chat.cardIs("completed");
  await expect(chat.thread(id)).toBeVisible();
  return id;
}

test("a new name is seen everywhere and stays (R17, R25)", async ({ chat, context, page }) => {
  await chat.open();
  const id = await startThread(chat);
  await expect(chat.title).toHaveText(/\S/);
  const other = new Chat(await context.newPage());
  await other.open(`/t/${id}`);
  await chat.rename(id, "Plans for the garden");
  for (const tab of [chat, other]) {
    await expect(tab.title).toHaveText("Plans for the garden");
    await expect(tab.thread(id)).toContainText("Plans for the garden");
    await expect(tab.page).toHaveTitle(/Plans for the garden/);
  }
  await page.reload();
  await chat.isLive();
  await expect(chat.title).toHaveText("Plans for the garden");
});

test("a pinned thread stands first (R25)", async ({ chat, page }) => {
  await chat.open();
  const older = await startThread(chat);
  const newer = await startThread(chat);
  const firstLink = chat.sidebar.locator("li.thread-item a.thread-link").first();
  await expect(firstLink).toHaveAttribute("href", `/t/${newer}`);
  await chat.onThread(older, "Pin");
  await expect(firstLink).toHaveAttribute("href", `/t/${older}`);
  await page.reload();
  await chat.isLive();
  await expect(firstLink).toHaveAttribute("href", `/t/${older}`);
  await chat.onThread(older, "Unpin");
  await expect(firstLink).toHaveAttribute("href", `/t/${newer}`);
});

test("a deleted thread goes at once, and can be taken back for a while (R17, R25)", async ({ chat, page }) => {
  await chat.open();
  const id = await startThread(chat);
  const status = async () => (await page.request.get(`/api/threads/${id}`)).status();
  await chat.onThread(id, "Delete");
  await expect(chat.thread(id)).toHaveCount(0);
  await expect(chat.undoing).toContainText("Deleted.");
  // The one that was shown is left, and comes back when it is taken back.
  await page.waitForURL((url) => url.pathname === "/");
  const undo = chat.undoing.getByRole("button", { name: /^Undo/ });
  await expect(undo).toBeFocused();
  await undo.press("Enter");
  await expect(chat.thread(id)).toBeVisible();
  await page.waitForURL(`**/t/${id}`);
  expect(await status()).toBe(200);

  // Whoever leaves the page before its time is over keeps it.
  await chat.onThread(id, "Delete");
  await expect(chat.undoing).toContainText("Deleted.");
  await page.reload();
  await chat.isLive();
  await expect(chat.thread(id)).toBeVisible();
  expect(await status()).toBe(200);

  await chat.deleteThread(id);
  await expect(chat.thread(id)).toHaveCount(0);
  await expect.poll(status).toBe(404);
});

test("what is archived says so where it was, and is taken back there, in every tab (R25)", async ({
  chat,
  context,
}) => {
  await chat.open();
  const id = await startThread(chat);
  const other = new Chat(await context.newPage());
  await other.open();
  await expect(other.thread(id)).toBeVisible();
  await chat.onThread(id, "Archive");
  await expect(chat.undoing).toContainText("Archived.");
  await expect(other.thread(id)).toHaveCount(0);
  await chat.undoing.getByRole("button", { name: /^Undo/ }).click();
  for (const tab of [chat, other]) await expect(tab.thread(id)).toBeVisible();
  await chat.onThread(id, "Archive");
  await expect(chat.undoing).toHaveCount(0, { timeout: 20_000 });
  await expect(chat.thread(id)).toHaveCount(0);
});

test("a deletion that the server refuses is said, and the thread stays (R25)", async ({ chat, guard, page }) => {
  guard.allow(/Failed to load resource/);
  await chat.open();
  const id = await startThread(chat);
  await page.route("**/fn/delete-thread", (route) => route.abort());
  await chat.onThread(id, "Delete");
  await expect(page.getByText(/was not deleted\. The server does not answer/)).toBeVisible({ timeout: 20_000 });
  await expect(chat.thread(id)).toBeVisible();
});

test("search narrows the list, and clearing it brings the rest back (R25)", async ({ chat }) => {
  await chat.open();
  const garden = await startThread(chat);
  await chat.rename(garden, "Plans for the garden");
  await expect(chat.title).toHaveText("Plans for the garden");
  const boat = await startThread(chat);
  await chat.rename(boat, "Repairs of the boat");
  await expect(chat.title).toHaveText("Repairs of the boat");

  await chat.search.fill("GARDEN");
  await expect(chat.thread(boat)).toHaveCount(0);
  await expect(chat.thread(garden)).toBeVisible();
  await chat.search.fill("");
  await expect(chat.thread(boat)).toBeVisible();
  await expect(chat.thread(garden)).toBeVisible();
});

test("each thread keeps its own draft, also over a reload (R7, R25)", async ({ chat, page }) => {
  await chat.open();
  const first = await startThread(chat);
  const second = await startThread(chat);
  await chat.composer.fill("a draft for the second");
  await chat.openThread(first);
  await expect(chat.composer).toHaveValue("");
  await chat.composer.fill("a draft for the first");
  await chat.openThread(second);
  await expect(chat.composer).toHaveValue("a draft for the second");
  await page.reload();
  await chat.isLive();
  await expect(chat.composer).toHaveValue("a draft for the second");
  await chat.openThread(first);
  await expect(chat.composer).toHaveValue("a draft for the first");

  await chat.ask(prompts.count(3));
  await expect(chat.composer).toHaveValue("");
  await expect(chat.cards).toHaveCount(2);
  await page.reload();
  await chat.isLive();
  await expect(chat.composer).toHaveValue("");
});

test("Shift+Enter makes a line, Enter sends (R25)", async ({ chat }) => {
  await chat.open();
  await chat.agent.selectOption("assistant");
  await chat.composer.fill(prompts.count(3));
  await chat.composer.press("Shift+Enter");
  await chat.composer.pressSequentially("and stop.");
  await expect(chat.composer).toHaveValue(`${prompts.count(3)}\nand stop.`);
  await expect(chat.page).toHaveURL(/\/$/);
  await chat.composer.press("Enter");
  await chat.threadId();
  await expect(chat.bubbles).toHaveText(/Count to 3\s+and stop\./);
});
