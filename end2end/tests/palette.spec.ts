/** The palette and the list of keys: everything in reach of the keyboard. */
import AxeBuilder from "@axe-core/playwright";
import type { Page, TestInfo } from "@playwright/test";
import { expect, test } from "../fixtures.ts";
import { prompts } from "../model.ts";

const palette = (page: Page) => page.getByRole("dialog", { name: "Go to" });
const field = (page: Page) => page.getByRole("combobox", { name: "Search or go to" });
const options = (page: Page) => palette(page).getByRole("option");

async function judge(page: Page, testInfo: TestInfo, name: string): Promise<void> {
  const path = testInfo.outputPath(`${name}.png`);
  await page.screenshot({ path, animations: "disabled" });
  await testInfo.attach(name, { path, contentType: "image/png" });
  const { violations } = await new AxeBuilder({ page }).analyze();
  const found = violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.target.join(" ")}`));
  expect(found, name).toEqual([]);
}

test("it leads to conversations, by title and by their words, to agents and to actions (R25)", async ({
  chat,
  page,
}) => {
  await chat.open();
  const garden = await chat.askNew("assistant", prompts.say("The emperor penguins swim below the ice."));
  await chat.cardIs("completed");
  await chat.rename(garden, "Plans for the garden");
  await chat.newChat();
  await chat.composer.focus();
  // With Caps Lock as well.
  await page.keyboard.press("Control+K");
  await expect(field(page)).toBeFocused();
  await expect(options(page).first()).toHaveAttribute("aria-selected", "true");
  // Escape closes it, and the keyboard is where it was.
  await page.keyboard.press("Escape");
  await expect(palette(page)).toHaveCount(0);
  await expect(chat.composer).toBeFocused();

  await page.keyboard.press("Control+k");
  await field(page).fill("garden plans");
  await expect(options(page)).toHaveCount(1);
  await page.keyboard.press("Enter");
  await page.waitForURL(`**/t/${garden}`);
  await chat.newChat();

  await page.keyboard.press("Control+k");
  await field(page).fill("penguins");
  await expect(options(page).filter({ hasText: "penguins swim" })).toHaveCount(1);
  await page.keyboard.press("Enter");
  await page.waitForURL(`**/t/${garden}`);

  await page.keyboard.press("Control+k");
  await field(page).fill("with guide");
  await page.keyboard.press("Enter");
  await page.waitForURL((url) => url.pathname === "/");
  await expect(chat.agent).toHaveValue("guide");
  await page.keyboard.press("Control+k");
  await field(page).fill("chat assistant");
  await page.keyboard.press("Enter");
  await expect(chat.agent).toHaveValue("assistant");

  await page.keyboard.press("Control+k");
  await field(page).fill("theme: dark");
  await page.keyboard.press("Enter");
  await expect(page.locator("html")).toHaveAttribute("data-theme", "dark");
  await expect(page.getByRole("button", { name: "Theme: dark" })).toBeVisible();

  await page.keyboard.press("Control+k");
  await field(page).fill("search");
  await page.keyboard.press("Enter");
  await expect(chat.search).toBeFocused();

  await page.keyboard.press("Control+k");
  await field(page).fill("nothing is called that");
  await expect(palette(page)).toContainText("Nothing of that name");
  await page.keyboard.press("Enter");
  await expect(palette(page)).toBeVisible();
  // The same keys close it.
  await page.keyboard.press("Control+k");
  await expect(palette(page)).toHaveCount(0);
});

test("arrows go round, and a file is fetched without leaving the page (R25)", async ({ chat, page }) => {
  await chat.open();
  await chat.askNew("guide", "What is 2 + 2?");
  await chat.cardIs("completed");
  await page.keyboard.press("Control+k");
  const count = await options(page).count();
  await page.keyboard.press("ArrowUp");
  await expect(options(page).nth(count - 1)).toHaveAttribute("aria-selected", "true");
  await expect(field(page)).toHaveAttribute("aria-activedescendant", `palette-${count - 1}`);
  await page.keyboard.press("ArrowDown");
  await expect(options(page).first()).toHaveAttribute("aria-selected", "true");
  await field(page).fill("export markdown");
  const download = page.waitForEvent("download");
  await options(page).first().click();
  expect((await download).suggestedFilename()).toMatch(/\.md$/);
  await chat.cardIs("completed");
});

test("every key stands in the list, which ? opens (R25)", async ({ chat, page }) => {
  await chat.open();
  await chat.composer.press("?");
  await expect(chat.composer).toHaveValue("?");
  await chat.composer.fill("");
  await chat.composer.blur();
  await page.keyboard.press("?");
  const sheet = page.getByRole("dialog", { name: "Keyboard shortcuts" });
  await expect(sheet).toBeVisible();
  for (const words of [
    "Go to a conversation",
    "Search the conversations",
    "New chat",
    "This list",
    "Send the message",
  ]) {
    await expect(sheet).toContainText(words);
  }
  await page.keyboard.press("Escape");
  await expect(sheet).toHaveCount(0);
  await page.keyboard.press("Control+Shift+S");
  await expect(chat.sidebar).toBeHidden();
  await page.keyboard.press("Control+Shift+S");
  await expect(chat.sidebar).toBeVisible();
  await chat.askNew("guide", "What is 2 + 2?");
  await chat.cardIs("completed");
  await page.keyboard.press("Control+Shift+O");
  await page.waitForURL((url) => url.pathname === "/");
  await expect(chat.composer).toBeFocused();
});

for (const colorScheme of ["light", "dark"] as const) {
  for (const viewport of [
    { width: 390, height: 844 },
    { width: 1280, height: 800 },
  ]) {
    test.describe(`${viewport.width} ${colorScheme}`, () => {
      test.use({ viewport, colorScheme, contextOptions: { reducedMotion: "reduce" } });

      test("palette, keys, settings and the list of several can be read by everyone (R25)", async ({
        chat,
        page,
      }, testInfo) => {
        await page.goto("/");
        await chat.linkIs("live", 15_000);
        for (const title of ["Plans for the garden", "A boat"]) {
          expect((await page.request.post("/api/threads", { data: { title } })).status()).toBe(201);
        }
        await chat.composer.blur();
        await page.keyboard.press("Control+k");
        await expect(options(page).first()).toBeVisible();
        await judge(page, testInfo, "palette");
        await field(page).fill("select several");
        await page.keyboard.press("Enter");
        const picks = page.getByRole("listbox", { name: "Conversations to select" });
        await expect(picks).toBeFocused();
        await page.keyboard.press("ArrowDown");
        await page.keyboard.press("Space");
        await judge(page, testInfo, "picking");
        await page.keyboard.press("Escape");
        if (viewport.width < 820) await page.keyboard.press("Escape");
        await page.keyboard.press("?");
        await expect(page.getByRole("dialog", { name: "Keyboard shortcuts" })).toBeVisible();
        await judge(page, testInfo, "shortcuts");
        await page.keyboard.press("Escape");
        await page.goto("/settings");
        await chat.linkIs("live", 15_000);
        await expect(page.getByText(/Today, since midnight UTC/)).toBeVisible();
        await judge(page, testInfo, "settings");
        const sideways = await page.evaluate(
          () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
        );
        expect(sideways).toBe(0);
      });
    });
  }
}
