/** Writing: input methods, phones, long pastes, what is remembered, and scripts that run from right to left. */
import { expect, test } from "../fixtures.ts";
import { prompts } from "../model.ts";
import type { Locator } from "@playwright/test";

/** How a key was struck, as far as the page can tell. */
interface Stroke {
  code?: string;
  isComposing?: boolean;
  keyCode?: number;
}

/** Enter as an input method or a phone sends it. */
const enterOf = (field: Locator, stroke: Stroke) =>
  field.evaluate((element: Element, how: Stroke) => {
    const event = { key: "Enter", bubbles: true, cancelable: true, ...how };
    element.dispatchEvent(new KeyboardEvent("keydown", event));
  }, stroke);

/** Safari has ended the composition by then: only the key code tells. */
const SAFARI: Stroke = { keyCode: 229 };

test("Enter inside a composition sends nothing, in the composer and in a title (R25)", async ({ chat, page }) => {
  await chat.open();
  await chat.agent.selectOption("guide");
  await chat.composer.fill("にほんご");
  await enterOf(chat.composer, { isComposing: true });
  await enterOf(chat.composer, SAFARI);
  await expect(chat.composer).toHaveValue("にほんご");
  await expect(page).toHaveURL(/\/$/);
  await chat.composer.press("Enter");
  const id = await chat.threadId();
  await chat.cardIs("completed");
  await chat.onThread(id, "Rename");
  const title = chat.sidebar.getByRole("textbox", { name: "New title" });
  await title.fill("かい");
  await enterOf(title, { isComposing: true });
  await enterOf(title, SAFARI);
  await expect(title).toBeFocused();
  await title.press("Enter");
  await expect(chat.title).toHaveText("かい");
});

test.describe("on a phone", () => {
  test.use({ viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });

  test("the Enter of the screen's keyboard makes a line, that of a keyboard beside it sends (R25)", async ({
    chat,
    page,
  }) => {
    await page.goto("/");
    await chat.linkIs("live", 15_000);
    await chat.agent.selectOption("guide");
    await chat.composer.fill("What is 2 + 2?");
    // Android names no key for it.
    await enterOf(chat.composer, { code: "" });
    await expect(page).toHaveURL(/\/$/);
    await expect(chat.composer).toHaveValue("What is 2 + 2?");
    await chat.composer.press("Enter");
    await chat.threadId();
  });

  test("what is too long is said on a phone as well (R20)", async ({ chat, page }) => {
    await page.goto("/");
    await chat.linkIs("live", 15_000);
    await chat.composer.fill("x".repeat(100 * 1024));
    await expect(page.getByText(/too long: it takes 100 KB/)).toBeVisible();
  });
});

test("a paste of 100 KB is told its length, what is allowed, and what to do (R20, R25)", async ({ chat, sockets }) => {
  await chat.open();
  await chat.composer.fill("word ".repeat(20_480));
  const hint = chat.page.locator("#message-hint");
  await expect(hint).toHaveText(
    "This message is too long: it takes 100 KB, and 63 KB can be sent. Shorten it, or send it in parts.",
  );
  await expect(hint).toBeVisible();
  await expect(chat.send).toBeDisabled();
  await chat.composer.press("Enter");
  expect(sockets.messagesSent()).toHaveLength(0);
  await chat.composer.fill("word ".repeat(10_000));
  await expect(hint).toBeHidden();
  await expect(chat.send).toBeEnabled();
});

test("the agent that was chosen is chosen again, here and in its conversation (R25)", async ({ chat, page }) => {
  await chat.open();
  const before = await chat.agent.inputValue();
  const other = before === "guide" ? "assistant" : "guide";
  await chat.agent.selectOption(other);
  await page.reload();
  await chat.isLive();
  await expect(chat.agent).toHaveValue(other);
  await chat.ask("What is 2 + 2?");
  await chat.threadId();
  await expect(chat.agent).toHaveValue(other);
  await chat.agent.selectOption(before);
  await page.reload();
  await chat.isLive();
  await expect(chat.agent).toHaveValue(before);
  await chat.newChat();
  await expect(chat.agent).toHaveValue(other);
});

test("an example that is pressed twice is one conversation, also while it waits (R7, R25)", async ({
  chat,
  context,
}) => {
  await chat.open();
  await chat.agent.selectOption("guide");
  await chat.examples.first().dblclick();
  await chat.threadId();
  await chat.cardIs("completed");
  await expect(chat.sidebar.locator("a.thread-link")).toHaveCount(1);
  await chat.newChat();
  await context.setOffline(true);
  await chat.linkIs("offline");
  await chat.examples.first().click();
  await chat.waiting("queued");
  await chat.page.waitForTimeout(1_200); // No double click any more.
  await chat.examples.first().click();
  await chat.waiting("queued");
  await context.setOffline(false);
  await chat.isLive();
  await chat.waiting("queued", 0);
  await expect(chat.sidebar.locator("a.thread-link")).toHaveCount(2);
});

test("what runs from right to left does, wherever it is written (R25)", async ({ chat, page }) => {
  await chat.open();
  await chat.agent.selectOption("guide");
  const words = "שלום עולם, מה שלומך?";
  await chat.composer.fill(words);
  const direction = (place: Locator) => place.evaluate((element) => getComputedStyle(element).direction);
  expect(await direction(chat.composer)).toBe("rtl");
  await chat.composer.press("Enter");
  const id = await chat.threadId();
  await expect(chat.bubbles).toHaveText([words]);
  expect(await direction(chat.bubbles.first())).toBe("rtl");
  expect(await direction(chat.thread(id).locator(".thread-title"))).toBe("rtl");
  expect(await direction(page.locator("h1.topbar-title"))).toBe("rtl");
  await chat.cardIs("completed");
  await chat.composer.fill("left to right");
  expect(await direction(chat.composer)).toBe("ltr");
});

test("the caret stays where one writes, and what was deleted comes back (R25)", async ({ chat, page }) => {
  await chat.open();
  await chat.composer.fill("hello world");
  await chat.composer.evaluate((field: HTMLTextAreaElement) => field.setSelectionRange(5, 5));
  await page.keyboard.type("XYZ");
  await expect(chat.composer).toHaveValue("helloXYZ world");
  expect(await chat.composer.evaluate((field: HTMLTextAreaElement) => field.selectionStart)).toBe(8);
  await page.keyboard.press("Control+a");
  await page.keyboard.press("Delete");
  await page.keyboard.press("Control+z");
  await expect(chat.composer).toHaveValue("helloXYZ world");
});

test("an agent that is gone is not chosen (R8)", async ({ chat, page }) => {
  await chat.open();
  const user = await page.evaluate(() => Object.keys(localStorage).find((key) => key.startsWith("netra.agent.")));
  expect(user, "nothing was chosen yet").toBeUndefined();
  await chat.agent.selectOption("guide");
  await page.evaluate(() => {
    const key = Object.keys(localStorage).find((key) => key.startsWith("netra.agent."))!;
    localStorage.setItem(key, "long-gone");
  });
  await page.reload();
  await chat.isLive();
  await chat.ask(prompts.count(3));
  await chat.threadId();
  await chat.cardIs("completed");
});
