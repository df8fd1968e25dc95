/** Taking a conversation along. */
import { readFile } from "node:fs/promises";
import { expect, test } from "../fixtures.ts";

test("a conversation is downloaded as Markdown and as JSON (R25)", async ({ chat, page }) => {
  await chat.open();
  await chat.askNew("guide", "What is (2+3)*7?");
  await chat.cardIs("completed");
  expect(await chat.answerText()).toContain("35");

  const download = async (name: string) => {
    await page.getByRole("button", { name: "Export", exact: true }).click();
    const link = page.getByRole("link", { name });
    await expect(link).toBeVisible();
    const [file] = await Promise.all([page.waitForEvent("download"), link.click()]);
    await page.keyboard.press("Escape");
    await expect(link).toBeHidden();
    return { name: file.suggestedFilename(), text: await readFile(await file.path(), "utf8") };
  };
  const words = await download("Markdown");
  expect(words.name).toMatch(/^netra-.*\.md$/);
  expect(words.text).toContain("What is (2+3)*7?");
  expect(words.text).toContain("## guide, ");
  expect(words.text).toContain("35");

  const { turns, thread } = JSON.parse((await download("JSON")).text);
  expect(thread.title).toBeTruthy();
  expect(turns.map(({ message }: { message: { role: string } }) => message.role)).toEqual(["user", "assistant"]);
  expect(turns[1].run.steps.length).toBeGreaterThan(0);
});
