/** Markup from people, models and tools is text: nothing of it becomes an element or runs. */
import type { Browser, Page } from "@playwright/test";
import { expect, test } from "../fixtures.ts";
import { HOSTILE_HTML, HOSTILE_TITLE, prompts } from "../model.ts";

const ACTIVE = [
  "[onerror]",
  "[onload]",
  "[onmouseover]",
  "img[src=x]",
  "iframe",
  "article script",
  "nav script",
].join();

/** Nothing ran, and nothing that could run stands in the page. */
async function expectHarmless(page: Page): Promise<void> {
  expect(await page.evaluate(() => "owned" in window)).toBe(false);
  await expect(page.locator(ACTIVE)).toHaveCount(0);
  const targets = await page
    .locator("[href], [src]")
    .evaluateAll((all) => all.map((one) => (one.getAttribute("href") ?? "") + (one.getAttribute("src") ?? "")));
  expect(targets.filter((target) => /^\s*(javascript|data:text|vbscript):?/i.test(target))).toEqual([]);
}

/** The same page as the server renders it, parsed without running: the data for the app must not break out either. */
async function expectHarmlessHtml(browser: Browser, page: Page): Promise<void> {
  const context = await browser.newContext({
    javaScriptEnabled: false,
    storageState: await page.context().storageState(),
  });
  const copy = await context.newPage();
  await copy.goto(page.url());
  await expect(copy.locator("h1.topbar-title")).toBeAttached();
  await expect(copy.locator(ACTIVE)).toHaveCount(0);
  const scripts = await copy.locator("script").allTextContents();
  expect(scripts.filter((script) => script.trimStart().startsWith("window.owned"))).toEqual([]);
  await context.close();
}

test("in a message and in an answer (R15, R25)", async ({ browser, chat, page }) => {
  await chat.open();
  await chat.askNew("assistant", `${prompts.hostile} ${HOSTILE_HTML}`);
  await chat.cardIs("completed");
  await expect(chat.bubbles).toContainText(HOSTILE_HTML);
  await expect(chat.answer).toContainText("The end of the hostile answer.");
  await expect(chat.answer.locator("pre code")).toContainText(HOSTILE_HTML);
  await chat.card.locator("details.thought summary").first().click();
  await expectHarmless(page);

  await expectHarmlessHtml(browser, page);
  await page.reload();
  await chat.isLive();
  await expect(chat.bubbles).toContainText(HOSTILE_HTML);
  await expectHarmless(page);
});

test("in a title (R25)", async ({ browser, chat, page }) => {
  await chat.open();
  const id = await chat.askNew("assistant", prompts.count(3));
  await chat.cardIs("completed");
  await chat.rename(id, HOSTILE_TITLE);
  await expect(chat.title).toHaveText(HOSTILE_TITLE);
  await expect(chat.thread(id)).toContainText(HOSTILE_TITLE);
  await expectHarmless(page);

  await expectHarmlessHtml(browser, page);
  await page.reload();
  await chat.isLive();
  await expect(chat.title).toHaveText(HOSTILE_TITLE);
  await expectHarmless(page);
});

test("in a tool's arguments and output (R13, R25)", async ({ browser, chat, page }) => {
  await chat.open();
  // The search answers with the thread that holds the markup: hostile output, not only hostile arguments.
  await chat.askNew("assistant", `${prompts.count(3)} ${HOSTILE_HTML}`);
  await chat.cardIs("completed");
  await chat.askNew("assistant", prompts.hostileTool);
  await chat.cardIs("completed");
  const tool = chat.card.locator("details.tool");
  await tool.locator("summary").click();
  await expect(tool.locator("pre.tool-data")).toHaveCount(2);
  await expect(tool.locator("pre.tool-data").first()).toContainText("<img src=x onerror=");
  await expectHarmless(page);

  await expectHarmlessHtml(browser, page);
  await page.reload();
  await chat.isLive();
  await chat.card.locator("details.tool summary").click();
  await expectHarmless(page);
});
