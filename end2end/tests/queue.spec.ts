/** What is said while an answer is being written: above the message box, and taken back from there. */
import AxeBuilder from "@axe-core/playwright";
import { Chat } from "../chat.ts";
import { expect, test } from "../fixtures.ts";
import { prompts } from "../model.ts";

test("it waits above the message box in every tab, and is answered in its turn (R2, R25)", async ({
  chat,
  context,
}) => {
  await chat.open();
  const id = await chat.askNew("assistant", prompts.count(200));
  const other = new Chat(await context.newPage());
  await other.open(`/t/${id}`);
  await chat.answerGrowsBeyond(20);
  await chat.ask(prompts.count(3));
  await chat.ask(prompts.count(4));
  for (const tab of [chat, other]) {
    await expect(tab.queue).toHaveText([prompts.count(3), prompts.count(4)]);
    await expect(tab.bubbles).toHaveText([prompts.count(200)]);
    await expect(tab.cards).toHaveCount(1);
  }
  await chat.stop.click();
  for (const tab of [chat, other]) {
    await expect(tab.queue).toHaveCount(0);
    await expect(tab.bubbles).toHaveText([prompts.count(200), prompts.count(3), prompts.count(4)]);
    await tab.cardIs("completed");
  }
});

test("what is taken back is not answered, comes back to be changed, and no later answer follows it (R2, R25)", async ({
  chat,
  page,
}) => {
  await chat.open();
  const id = await chat.askNew("assistant", prompts.count(200));
  await chat.answerGrowsBeyond(20);
  await chat.ask(`${prompts.count(3)}, please`);
  await expect(chat.queue).toHaveCount(1);
  await chat.composer.fill("begun");
  await chat.queue.getByRole("button", { name: "Take back: Count to 3, please" }).click();
  await expect(chat.queue).toHaveCount(0);
  await expect(chat.composer).toHaveValue("begun\nCount to 3, please");
  await expect(chat.composer).toBeFocused();
  await chat.composer.fill("");
  await chat.stop.click();
  await chat.cardIs("stopped");
  await chat.isAtRest();
  await expect(chat.bubbles).toHaveText([prompts.count(200)]);
  await chat.ask(prompts.count(4));
  await expect(chat.cards).toHaveCount(2);
  await chat.cardIs("completed");
  await expect(chat.bubbles).toHaveText([prompts.count(200), prompts.count(4)]);
  const { messages } = await (await page.request.get(`/api/threads/${id}/messages`)).json();
  const said = (content: string) => messages.find((message: { content: string }) => message.content === content);
  const taken = said(`${prompts.count(3)}, please`);
  const last = said(prompts.count(4));
  expect(last.parent_id).toBeDefined();
  expect(last.parent_id).not.toBe(taken.message_id);
});

test("what is taken back in one tab is gone from every other, and stays gone (R2, R25)", async ({ chat, context }) => {
  await chat.open();
  const id = await chat.askNew("assistant", prompts.count(200));
  const other = new Chat(await context.newPage());
  await other.open(`/t/${id}`);
  await chat.answerGrowsBeyond(20);
  await chat.ask(prompts.count(3));
  await expect(other.queue).toHaveText([prompts.count(3)]);
  await chat.queue.getByRole("button", { name: `Take back: ${prompts.count(3)}` }).click();
  await expect(chat.queue).toHaveCount(0);
  // Its run ends in its turn, without having been worked on.
  await other.stop.click();
  for (const tab of [chat, other]) {
    await expect(tab.queue).toHaveCount(0);
    await expect(tab.bubbles).toHaveText([prompts.count(200)]);
    await expect(tab.cards).toHaveCount(1);
  }
  // The words are in the box of whoever took them back, and in no other.
  await expect(chat.composer).toHaveValue(prompts.count(3));
  await expect(other.composer).toHaveValue("");
  await other.cardIs("stopped");
  await other.isAtRest();
  await expect(other.bubbles).toHaveText([prompts.count(200)]);
  await other.page.reload();
  await other.isLive();
  await expect(other.bubbles).toHaveText([prompts.count(200)]);
  // What is said next in the other tab follows what came before it.
  await other.ask(prompts.count(4));
  await expect(other.cards).toHaveCount(2);
  await other.cardIs("completed");
  await expect(other.bubbles).toHaveText([prompts.count(200), prompts.count(4)]);
});

for (const colorScheme of ["light", "dark"] as const) {
  test.describe(`390 ${colorScheme}`, () => {
    test.use({ viewport: { width: 390, height: 844 }, colorScheme, contextOptions: { reducedMotion: "reduce" } });

    test("it can be read and used by everyone (R25)", async ({ chat, page }, testInfo) => {
      await page.goto("/");
      await chat.linkIs("live", 15_000);
      await chat.agent.selectOption("assistant");
      await chat.ask(prompts.paragraphs(200));
      await chat.answerGrowsBeyond(300);
      await chat.ask(`${prompts.count(3)} ${"and so on ".repeat(20)}`);
      await chat.ask(prompts.count(4));
      await expect(chat.queue).toHaveCount(2);
      const path = testInfo.outputPath("queue.png");
      await page.screenshot({ path, animations: "disabled" });
      await testInfo.attach("queue", { path, contentType: "image/png" });
      const { violations } = await new AxeBuilder({ page }).analyze();
      expect(violations.filter(({ impact }) => impact === "serious" || impact === "critical")).toEqual([]);
      await chat.stop.click();
    });
  });
}
