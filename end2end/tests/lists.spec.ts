/** Finding a conversation: the whole list, the search, the archive, and the way back. */
import type { Chat } from "../chat.ts";
import { expect, test } from "../fixtures.ts";
import { NETWORK_CUT } from "../guard.ts";
import { prompts } from "../model.ts";

// More threads are made here in a moment than a person makes in an hour.
test.use({ settings: { NETRA_COMMANDS_PER_MINUTE: "100000" } });

const rows = (chat: Chat) => chat.sidebar.locator("a.thread-link");

test("all conversations can be reached, by scrolling and by keyboard (R25)", async ({ chat, page }) => {
  for (let at = 0; at < 230; at++) {
    const made = await page.request.post("/api/threads", { data: { title: `Conversation ${at}` } });
    expect(made.status()).toBe(201);
  }
  await chat.open();
  await expect(rows(chat)).toHaveCount(100);
  await chat.sidebar.locator(".thread-groups").evaluate((list) => list.scrollTo(0, list.scrollHeight));
  await expect(rows(chat)).toHaveCount(200);
  await chat.sidebar.getByRole("button", { name: "Show more" }).press("Enter");
  await expect(rows(chat)).toHaveCount(230);
  await expect(rows(chat).last()).toHaveText("Conversation 0");
  await expect(chat.sidebar.getByRole("button", { name: "Show more" })).toHaveCount(0);
  expect(new Set(await rows(chat).allTextContents()).size).toBe(230);
});

test("a part of the list that cannot be read is said, and can be asked for again (R25)", async ({
  chat,
  guard,
  page,
}) => {
  guard.allow(NETWORK_CUT);
  for (let at = 0; at < 105; at++) await page.request.post("/api/threads", { data: { title: `Conversation ${at}` } });
  await chat.open();
  await page.route("**/fn/*-threads", (route) => route.abort());
  await chat.sidebar.getByRole("button", { name: "Show more" }).click();
  await expect(chat.sidebar.getByRole("alert")).toContainText("The server does not answer");
  await chat.search.fill("Conversation 7");
  await expect(chat.sidebar.getByText("The search could not be done.")).toBeVisible();
  await expect(chat.sidebar.getByText("Nothing found")).toHaveCount(0);
  await chat.search.fill("");
  await page.unroute("**/fn/*-threads");
  await chat.sidebar.getByRole("button", { name: "Show more" }).click();
  await expect(rows(chat)).toHaveCount(105);
});

test("a search finds words, parts of words and scripts without spaces, and shows them (R25)", async ({
  chat,
  page,
}) => {
  await chat.open();
  const penguin = await chat.askNew("assistant", prompts.say("The emperor penguins swim below the ice."));
  await chat.cardIs("completed");
  const japanese = await chat.askNew("assistant", prompts.say("これは日本語の答えです。"));
  await chat.cardIs("completed");
  for (const [query, id, found] of [
    ["penguin swimming", penguin, null],
    ["mperor", penguin, "mperor"],
    ["日本", japanese, "日本"],
    ["日本語の答", japanese, "日本語の答"],
  ] as const) {
    await chat.search.fill(query);
    await expect(rows(chat), query).toHaveCount(1);
    await expect(chat.thread(id)).toBeVisible();
    await expect(chat.thread(id).locator(".thread-excerpt")).toBeVisible();
    if (found) await expect(chat.thread(id).locator("mark").first()).toHaveText(found);
  }
  await chat.search.fill("50%_");
  await expect(chat.sidebar.getByText("Nothing found for “50%_”.")).toBeVisible();
  // Programs get the same.
  const answer = await (await page.request.get("/api/threads?query=日本")).json();
  expect(answer.found).toEqual([{ thread_id: japanese, excerpt: expect.stringContaining("日本語") }]);
});

test("what was found is in sight when its conversation is opened (R25)", async ({ chat }) => {
  await chat.open();
  const id = await chat.askNew("assistant", prompts.say("The emperor penguins swim below the ice."));
  await chat.cardIs("completed");
  for (let at = 0; at < 3; at++) {
    await chat.ask(prompts.say(Array.from({ length: 40 }, (_, line) => `Other line ${line}.`).join("\n\n")));
    await expect(chat.cards).toHaveCount(at + 2);
    await chat.cardIs("completed");
  }
  const found = chat.cards.first().locator(".answer");
  await expect(found).not.toBeInViewport();
  // Where one is already, and from elsewhere.
  for (const elsewhere of [false, true]) {
    if (elsewhere) await chat.newChat();
    await chat.search.fill("emperor swim");
    await expect(chat.thread(id).locator(".thread-excerpt")).toBeVisible();
    await chat.openThread(id);
    await expect(found).toBeInViewport();
    await chat.search.fill("");
    await chat.openThread(id);
  }
});

test("a title that is being typed survives its row's move to another group (R25)", async ({ chat, page }) => {
  await chat.open();
  const id = await chat.askNew("assistant", prompts.count(3));
  await chat.cardIs("completed");
  const other = await chat.askNew("assistant", prompts.count(3));
  await chat.cardIs("completed");
  await chat.onThread(id, "Rename");
  const field = chat.sidebar.getByRole("textbox", { name: "New title" });
  await field.fill("Half a title");
  const pinned = await page.request.patch(`/api/threads/${id}`, { data: { pinned: true } });
  expect(pinned.status()).toBe(200);
  // A change that came later than this one is there.
  await page.request.patch(`/api/threads/${other}`, { data: { title: "Another title" } });
  await expect(chat.thread(other)).toContainText("Another title");
  await expect(field).toHaveValue("Half a title");
  await expect(field).toBeFocused();
  await field.pressSequentially(", and the rest");
  await field.press("Enter");
  await expect(chat.thread(id).locator(".thread-title")).toHaveText("Half a title, and the rest");
  const group = chat.sidebar.locator(".thread-group").filter({ has: page.getByRole("heading", { name: "Pinned" }) });
  await expect(group.locator("li.thread-item")).toHaveCount(1);
});

test("what is archived leaves the list, is found in the archive, and comes back (R25)", async ({ chat, page }) => {
  await chat.open();
  const id = await chat.askNew("assistant", prompts.count(3));
  await chat.cardIs("completed");
  await chat.thread(id).hover();
  await chat.thread(id).getByRole("button", { name: "Archive", exact: true }).click();
  await expect(chat.thread(id)).toHaveCount(0);
  await page.reload();
  await chat.isLive();
  await expect(chat.thread(id)).toHaveCount(0);
  await chat.sidebar.getByRole("button", { name: "Archived" }).click();
  await expect(chat.sidebar.getByRole("heading", { name: "Archived" })).toBeVisible();
  await chat.thread(id).hover();
  await chat.thread(id).getByRole("button", { name: "Take back from the archive" }).click();
  await expect(chat.sidebar.getByText("No conversation has been archived.")).toBeVisible();
  await chat.sidebar.getByRole("button", { name: "Back to all" }).click();
  await expect(chat.thread(id)).toBeVisible();
});

test("an address that leads nowhere is a page with the way back (R25)", async ({ chat, guard, page }) => {
  guard.allow(/status of 404/);
  for (const path of ["/nothing/here", "/t/00000000-0000-7000-8000-000000000000", "/t/nonsense"]) {
    const response = await page.goto(path);
    expect(response?.status(), path).toBe(404);
    expect(response?.headers()["content-type"]).toContain("text/html");
    await chat.isLive();
    await expect(page.getByRole("heading", { name: "Nothing here" })).toBeVisible();
    await expect(page).toHaveTitle("Not found · Netra");
  }
  await page.getByRole("link", { name: "Start a new chat" }).click();
  await expect(chat.composer).toBeVisible();
  // Programs get the API's own shape.
  const asked = await page.request.get("/nothing/here", { headers: { accept: "application/json" } });
  expect(asked.status()).toBe(404);
  expect(asked.headers()["content-type"]).toContain("json");
});
