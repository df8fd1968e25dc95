/** A conversation that branches: a message said again in other words, and the ways between the versions. */
import { Chat } from "../chat.ts";
import { expect, test } from "../fixtures.ts";
import { prompts } from "../model.ts";

test("a message is said again in other words, and both ways are kept, in every tab (R12, R25)", async ({
  chat,
  model,
  page,
}) => {
  const told = () =>
    model
      .requests()
      .at(-1)!
      .messages.filter((message) => message.role === "user")
      .map((message) => JSON.stringify(message.content).replaceAll('"', ""));
  await chat.open();
  const thread = await chat.askNew("assistant", prompts.count(3));
  await chat.cardIs("completed");
  await chat.ask(prompts.count(4));
  await expect(chat.cards).toHaveCount(2);
  await chat.cardIs("completed");

  // Thought better of it.
  const first = page.locator("article.message-user").first();
  const field = page.getByRole("textbox", { name: "Edit the message" });
  await first.hover();
  await first.getByRole("button", { name: "Edit" }).click();
  await expect(field).toBeFocused();
  await expect(field).toHaveValue(prompts.count(3));
  await field.press("Escape");
  await expect(field).toHaveCount(0);
  await expect(chat.composer).toBeFocused();
  await expect(chat.bubbles).toHaveText([prompts.count(3), prompts.count(4)]);

  await first.hover();
  await first.getByRole("button", { name: "Edit" }).click();
  await field.fill(prompts.count(5));
  await field.press("Enter");
  await expect(chat.bubbles).toHaveText([prompts.count(5)]);
  await chat.cardIs("completed");
  expect(told()).toEqual([prompts.count(5)]);
  const versions = page.getByRole("group", { name: "Versions of this message" });
  await expect(versions).toContainText("2/2");

  // The earlier way is there with all that followed, and goes on.
  await versions.getByRole("button", { name: "Earlier version" }).click();
  await expect(chat.bubbles).toHaveText([prompts.count(3), prompts.count(4)]);
  await expect(versions).toContainText("1/2");
  await chat.ask(prompts.count(6));
  await expect(chat.bubbles).toHaveText([prompts.count(3), prompts.count(4), prompts.count(6)]);
  await expect(chat.cards).toHaveCount(3);
  await chat.cardIs("completed");
  expect(told()).toEqual([prompts.count(3), prompts.count(4), prompts.count(6)]);

  // Another tab is led to what is newest, and turns for itself.
  const other = new Chat(await page.context().newPage());
  await other.open(`/t/${thread}`);
  await expect(other.bubbles).toHaveText([prompts.count(3), prompts.count(4), prompts.count(6)]);
  const there = other.page.getByRole("group", { name: "Versions of this message" });
  await there.getByRole("button", { name: "Later version" }).click();
  await expect(other.bubbles).toHaveText([prompts.count(5)]);
  await expect(chat.bubbles).toHaveCount(3);
  await other.page.close();
});

test("a conversation goes on from a message as a new one, and the old one stays as it was (R12, R25)", async ({
  chat,
  guard,
  model,
  page,
}) => {
  await chat.open();
  const old = await chat.askNew("assistant", prompts.count(3));
  await chat.cardIs("completed");
  await chat.ask(prompts.count(4));
  await expect(chat.cards).toHaveCount(2);
  await chat.cardIs("completed");

  // From an answer: what leads to it, and on from there.
  const first = chat.cards.first();
  await first.hover();
  await first.getByRole("button", { name: "Continue from this answer in a new conversation" }).click();
  await page.waitForURL((url) => url.pathname.startsWith("/t/") && !url.pathname.endsWith(old));
  const made = await chat.threadId();
  await expect(chat.bubbles).toHaveText([prompts.count(3)]);
  await expect(chat.cards).toHaveCount(1);
  await expect(chat.title).toHaveText(/\(continued\)$/);
  await expect(chat.thread(made)).toBeVisible();
  await chat.ask(prompts.count(5));
  await expect(chat.cards).toHaveCount(2);
  await chat.cardIs("completed");
  const told = model
    .requests()
    .at(-1)!
    .messages.filter((message) => message.role === "user");
  expect(told.map((message) => message.content)).toEqual([prompts.count(3), prompts.count(5)]);
  await chat.openThread(old);
  await expect(chat.bubbles).toHaveText([prompts.count(3), prompts.count(4)]);

  // From a message: it is answered anew there.
  const last = page.locator("article.message-user").last();
  await last.hover();
  await last.getByRole("button", { name: "Continue from this message in a new conversation" }).click();
  await page.waitForURL((url) => url.pathname.startsWith("/t/") && ![old, made].includes(url.pathname.slice(3)));
  await expect(chat.bubbles).toHaveText([prompts.count(3), prompts.count(4)]);
  await expect(chat.cards).toHaveCount(2);
  await chat.cardIs("completed");
  await expect(page.getByRole("group", { name: "Answers" })).toHaveCount(0);

  // What cannot be made is said, and the page stays.
  guard.allow(/continue\)|status of 404/);
  await page.route("**/continue", (route) =>
    route.fulfill({
      status: 404,
      json: { error: { code: "not_found", message: "this conversation has no such message" } },
    }),
  );
  const here = page.url();
  await last.hover();
  await last.getByRole("button", { name: "Continue from this message in a new conversation" }).click();
  await expect(page.getByRole("alert")).toContainText(
    "No new conversation was made: this conversation has no such message.",
  );
  expect(page.url()).toBe(here);
});

test("where one turned is kept over a reload, in this tab's browser alone (R25)", async ({ chat, page }) => {
  await chat.open();
  await chat.askNew("assistant", prompts.count(3));
  await chat.cardIs("completed");
  const first = page.locator("article.message-user").first();
  await first.hover();
  await first.getByRole("button", { name: "Edit" }).click();
  const field = page.getByRole("textbox", { name: "Edit the message" });
  await field.fill(prompts.count(5));
  await field.press("Enter");
  await expect(chat.bubbles).toHaveText([prompts.count(5)]);
  await chat.cardIs("completed");
  const versions = page.getByRole("group", { name: "Versions of this message" });
  await versions.getByRole("button", { name: "Earlier version" }).click();
  await expect(chat.bubbles).toHaveText([prompts.count(3)]);
  await page.reload();
  await chat.isLive();
  await expect(chat.bubbles).toHaveText([prompts.count(3)]);
  await expect(versions).toContainText("1/2");
  await versions.getByRole("button", { name: "Later version" }).click();
  await expect(chat.bubbles).toHaveText([prompts.count(5)]);
  // A way that is gone is not missed.
  await page.evaluate(() => {
    const key = Object.keys(localStorage).find((name) => name.startsWith("netra.ways."))!;
    const nowhere = "019a0000-0000-7000-8000-000000000000";
    const kept = JSON.parse(localStorage.getItem(key)!) as [string, { branches: Record<string, string> }][];
    for (const [, choices] of kept) for (const from of Object.keys(choices.branches)) choices.branches[from] = nowhere;
    localStorage.setItem(key, JSON.stringify(kept));
  });
  await page.reload();
  await chat.isLive();
  await expect(chat.bubbles).toHaveText([prompts.count(5)]);
});

test("a search leads to a message on a way that is not shown (R25)", async ({ chat, page }) => {
  await chat.open();
  const id = await chat.askNew("assistant", prompts.say("The penguins swim below the ice."));
  await chat.cardIs("completed");
  const first = page.locator("article.message-user").first();
  await first.hover();
  await first.getByRole("button", { name: "Edit" }).click();
  const field = page.getByRole("textbox", { name: "Edit the message" });
  await field.fill(prompts.say("The owls fly over the wood."));
  await field.press("Enter");
  await expect(chat.answer).toHaveText("The owls fly over the wood.");
  await chat.cardIs("completed");
  await chat.newChat();
  await chat.search.fill("penguins");
  await expect(chat.thread(id)).toBeVisible();
  await chat.openThread(id);
  await expect(chat.answer).toHaveText("The penguins swim below the ice.");
  await expect(page.getByRole("group", { name: "Versions of this message" })).toContainText("1/2");
});

test("a message that is said again takes its files along, but for those left out (R12)", async ({ chat, page }) => {
  await chat.open();
  const file = (name: string) => ({ name, mimeType: "text/plain", buffer: Buffer.from(`What ${name} says.`) });
  await page.locator("form.composer input[type=file]").setInputFiles([file("one.txt"), file("two.txt")]);
  await expect(page.locator("form.composer .file[data-state=kept]")).toHaveCount(2);
  await chat.askNew("assistant", prompts.count(3));
  await chat.cardIs("completed");
  const first = page.locator("article.message-user").first();
  await first.hover();
  await first.getByRole("button", { name: "Edit" }).click();
  const chips = page.getByRole("list", { name: "Files of this message" }).getByRole("listitem");
  await expect(chips).toHaveText([/one\.txt/, /two\.txt/]);
  await page.getByRole("button", { name: "Leave out one.txt" }).click();
  await expect(chips).toHaveText([/two\.txt/]);
  const field = page.getByRole("textbox", { name: "Edit the message" });
  await field.fill(prompts.count(5));
  await field.press("Enter");
  await expect(chat.bubbles).toHaveText([prompts.count(5)]);
  await chat.cardIs("completed");
  const files = page.getByRole("list", { name: "Files", exact: true }).getByRole("link");
  await expect(files).toHaveText(["two.txt"]);
  const kept = await page.request.get((await files.getAttribute("href"))!);
  expect(await kept.text()).toBe("What two.txt says.");
  // The earlier version has both.
  await page.getByRole("button", { name: "Earlier version" }).click();
  await expect(files).toHaveText(["one.txt", "two.txt"]);
});
