/** A tool that a person has to allow: the question in every tab, through a reload and a crash, and what became of it. */
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import AxeBuilder from "@axe-core/playwright";
import { Chat } from "../chat.ts";
import { expect, test } from "../fixtures.ts";
import { NETWORK_CUT } from "../guard.ts";
import { prompts } from "../model.ts";

const settings = join(mkdtempSync(join(tmpdir(), "netra-approvals-")), "netra.toml");
writeFileSync(settings, '[tools]\ncalculate = "ask"\n');
test.use({ settings: { NETRA_CONFIG: settings } });

const question = (chat: Chat) => chat.card.getByRole("group", { name: "The agent asks" });
const choice = (chat: Chat, name: string) => question(chat).getByRole("button", { name });

test("it is asked in every tab, allowed in the second, and gone from both (R2, R12, R19)", async ({
  chat,
  context,
}) => {
  await chat.open();
  const id = await chat.askNew("assistant", prompts.calculate);
  await expect(question(chat)).toContainText("May the agent use calculate?");
  await chat.cardIs("waiting");
  await expect(chat.thread(id).getByTitle("Waits for you")).toBeVisible();
  await expect(chat.composer).toBeFocused();

  const second = new Chat(await context.newPage());
  await second.open(`/t/${id}`);
  await expect(question(second)).toBeVisible();
  expect((await new AxeBuilder({ page: second.page }).include(".card").analyze()).violations).toEqual([]);
  await choice(second, "Allow once").click();
  for (const tab of [chat, second]) {
    await tab.cardIs("completed");
    await expect(question(tab)).toHaveCount(0);
    await expect(tab.answer).toHaveText("The result is 35.");
    await expect(tab.card.locator("details.tool")).toContainText("Allowed by");
  }
  await expect(chat.thread(id).getByTitle("Waits for you")).toHaveCount(0);
});

test("it is denied with words, which the agent is told (R12)", async ({ chat }) => {
  await chat.open();
  await chat.askNew("assistant", prompts.calculate);
  await question(chat).getByRole("textbox").fill("Not today.");
  await choice(chat, "Deny").click();
  await expect(question(chat)).toHaveCount(0);
  const tool = chat.card.locator("details.tool");
  await expect(tool).toHaveAttribute("data-status", "denied");
  await expect(tool).toContainText("Denied by");
  await tool.locator("summary").click();
  await expect(tool).toContainText("Not today.");
});

test("what is written while it waits may be the answer instead, or wait for it (R12)", async ({
  chat,
  model,
  page,
}) => {
  await chat.open();
  await chat.askNew("assistant", prompts.calculate);
  await expect(question(chat)).toBeVisible();
  const line = page.getByRole("group", { name: "A question waits" });
  const instead = page.getByRole("button", { name: "Answer with this instead" });
  await expect(line).toContainText("waits for an answer about calculate. A message goes out after that.");
  // There is nothing to answer with yet, and its place is kept.
  await expect(instead).toBeHidden();
  const before = (await line.boundingBox())!.height;
  await chat.composer.fill("Do it in your head.");
  await expect(instead).toBeVisible();
  expect((await line.boundingBox())!.height).toBe(before);
  await instead.click();
  await expect(question(chat)).toHaveCount(0);
  await expect(line).toHaveCount(0);
  await expect(chat.composer).toHaveValue("");
  await expect(chat.composer).toBeFocused();
  const tool = chat.card.locator("details.tool");
  await expect(tool).toHaveAttribute("data-status", "denied");
  await tool.locator("summary").click();
  await expect(tool).toContainText("Do it in your head.");
  await chat.cardIs("completed");
  await expect(chat.bubbles).toHaveText([prompts.calculate]);
  expect(JSON.stringify(model.requests().at(-1)!.messages)).toContain("Do it in your head.");

  // Sent in the usual way it waits, and the question with it.
  await chat.ask(prompts.calculate);
  await expect(question(chat)).toBeVisible();
  await chat.ask(prompts.count(3));
  await expect(chat.queue).toHaveText([prompts.count(3)]);
  await expect(question(chat)).toBeVisible();
  await choice(chat, "Allow once").click();
  await expect(chat.queue).toHaveCount(0);
  await expect(chat.cards).toHaveCount(3);
  await chat.cardIs("completed");
});

test("it outlives a reload and a crash (R13, R14)", async ({ chat, page, server, guard }) => {
  guard.allow(NETWORK_CUT);
  await chat.open();
  await chat.askNew("assistant", prompts.calculate);
  await expect(question(chat)).toBeVisible();
  await page.reload();
  await chat.isLive();
  await expect(question(chat)).toBeVisible();
  await server.kill();
  await chat.linkIs(/^(reconnecting|unreachable)$/);
  // What is pressed meanwhile is sent when the link is back.
  await choice(chat, "Allow once").click();
  await server.start();
  await chat.isLive(45_000);
  await chat.cardIs("completed", 45_000);
  await expect(chat.answer).toHaveText("The result is 35.");
});
