/** Stop and focus: whatever works can be stopped from where one writes, and the keyboard is never lost. */
import type { Page } from "@playwright/test";
import { expect, test } from "../fixtures.ts";
import { prompts } from "../model.ts";

/** What the keyboard is on, in words. */
const focused = (page: Page) =>
  page.evaluate(() => {
    const element = document.activeElement;
    return element?.getAttribute("aria-label") ?? element?.id ?? element?.textContent?.trim() ?? "";
  });

test("while an answer grows the composer's button is Stop, and it stays in reach (R2, R25)", async ({ chat }) => {
  await chat.open();
  await expect(chat.send).toBeVisible();
  await chat.askNew("assistant", prompts.paragraphs(300));
  await chat.answerGrowsBeyond(3_000);
  await expect(chat.send).toHaveCount(0);
  await expect(chat.stop).toBeInViewport({ ratio: 1 });
  // What is said meanwhile can be sent, and the answer stopped all the same.
  await chat.composer.fill("and another thing");
  await expect(chat.send).toBeEnabled();
  await expect(chat.stop).toBeVisible();
  await chat.composer.fill("");
  await chat.stop.click();
  await chat.cardIs("stopped");
  await expect(chat.send).toBeVisible();
  expect(await focused(chat.page)).toBe("Message");
});

test("Escape stops, and means nothing else while something is open (R2, R25)", async ({ chat, page }) => {
  await chat.open();
  await chat.askNew("assistant", prompts.count(2_000));
  await chat.answerGrowsBeyond(50);
  await page.getByRole("button", { name: "Share", exact: true }).click();
  await expect(page.getByRole("dialog", { name: "Who takes part" })).toBeVisible();
  await page.keyboard.press("Escape");
  await expect(page.getByRole("dialog")).toHaveCount(0);
  await chat.cardIs("running");
  await chat.search.fill("something");
  await page.keyboard.press("Escape");
  await chat.cardIs("running");
  await chat.composer.press("Escape");
  await chat.cardIs("stopped");
  expect(await focused(page)).toBe("Message");
});

test("the second half of a double click on Send does not stop the answer (R2)", async ({ chat, page }) => {
  await chat.open();
  await chat.askNew("assistant", prompts.count(3));
  await chat.cardIs("completed");
  await chat.composer.fill(prompts.count(40));
  await chat.send.dblclick();
  await expect(chat.cards).toHaveCount(2);
  await chat.cardIs("completed");
  expect(await focused(page)).toBe("Message");
});

test("the panel takes the focus, gives it back, and keeps the page behind still (R25)", async ({ chat, page }) => {
  await chat.open();
  await chat.askNew("guide", "What is 2 + 2?");
  await chat.cardIs("completed");
  const button = page.getByRole("button", { name: "Share", exact: true });
  const panel = page.getByRole("dialog", { name: "Who takes part" });
  await button.focus();
  await page.keyboard.press("Enter");
  await expect(panel).toBeVisible();
  const inside = () => page.evaluate(() => document.activeElement?.closest("dialog") !== null);
  await expect.poll(inside).toBe(true);
  for (let presses = 0; presses < 12; presses++) {
    await page.keyboard.press("Tab");
    // The browser's own bars stand in the way round.
    expect(
      await page.evaluate(
        () => document.activeElement?.closest("main, nav") && !document.activeElement.closest("dialog"),
      ),
    ).toBeFalsy();
  }
  await page.keyboard.press("Escape");
  await expect(panel).toHaveCount(0);
  await expect(button).toBeFocused();
  await button.click();
  await expect(panel).toBeVisible();
  await page.mouse.click(500, 500);
  await expect(panel).toHaveCount(0);
});

test("renaming and deleting leave the focus in the list (R25)", async ({ chat, page }) => {
  await chat.open();
  const first = await chat.askNew("guide", "What is 2 + 2?");
  await chat.cardIs("completed");
  const second = await chat.askNew("guide", "What is 3 + 3?");
  await chat.cardIs("completed");
  const action = (id: string, name: string) => chat.thread(id).getByRole("button", { name, exact: true });
  await action(first, "Rename").focus();
  await page.keyboard.press("Enter");
  await expect(chat.sidebar.getByRole("textbox", { name: "New title" })).toBeFocused();
  await page.keyboard.press("Escape");
  await expect(action(first, "Rename")).toBeFocused();
  await action(first, "Delete").focus();
  await page.keyboard.press("Enter");
  const undo = chat.undoing.getByRole("button", { name: /^Undo/ });
  await expect(undo).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(chat.thread(first).locator("a.thread-link")).toBeFocused();
  await action(first, "Delete").focus();
  await page.keyboard.press("Enter");
  await expect(undo).toBeFocused();
  await expect(chat.undoing).toHaveCount(0, { timeout: 20_000 });
  await expect(chat.thread(first)).toHaveCount(0);
  await expect(chat.thread(second).locator("a.thread-link")).toBeFocused();
});

test("the sidebar is closed, opened and searched by keyboard, and remembered (R25)", async ({ chat, page }) => {
  await chat.open();
  await page.getByRole("button", { name: "Close sidebar", exact: true }).press("Enter");
  await expect(chat.sidebar).toBeHidden();
  await expect(page.getByRole("button", { name: "Open sidebar", exact: true })).toBeFocused();
  await page.reload({ waitUntil: "commit" });
  await expect(chat.composer).toBeVisible();
  await expect(chat.sidebar).toBeHidden();
  await chat.isLive();
  await expect(chat.sidebar).toBeHidden();
  // A sign that is written stays one.
  await chat.composer.fill("");
  await chat.composer.press("/");
  await expect(chat.composer).toHaveValue("/");
  await chat.composer.fill("");
  await chat.composer.blur();
  await page.keyboard.press("/");
  await expect(chat.search).toBeFocused();
  await page.reload();
  await chat.isLive();
  await expect(chat.sidebar).toBeVisible();
});

test.describe("on a narrow screen", () => {
  test.use({ viewport: { width: 390, height: 844 } });

  test("the sheet takes the focus and makes the page inert, and gives both back (R25)", async ({ chat, page }) => {
    await page.goto("/");
    await chat.linkIs("live", 15_000);
    const toggle = page.getByRole("button", { name: "Open sidebar", exact: true });
    await toggle.press("Enter");
    await expect.poll(() => page.evaluate(() => document.activeElement?.closest("#sidebar") !== null)).toBe(true);
    await expect(page.locator("main")).toHaveJSProperty("inert", true);
    await page.keyboard.press("Escape");
    await expect(page.locator("main")).toHaveJSProperty("inert", false);
    await expect(toggle).toBeFocused();
    // A window that grows wide has no sheet, and nothing in it is inert.
    await toggle.click();
    await page.setViewportSize({ width: 1280, height: 800 });
    await expect(page.locator("main")).toHaveJSProperty("inert", false);
    await chat.composer.fill("still alive");
  });
});
