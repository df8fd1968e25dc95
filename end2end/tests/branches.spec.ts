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
