/** How it looks: no sideways scrolling on a phone, both colour schemes, readable and operable for everyone. */
import AxeBuilder from "@axe-core/playwright";
import type { Page, TestInfo } from "@playwright/test";
import type { Chat } from "../chat.ts";
import { expect, test } from "../fixtures.ts";
import { prompts } from "../model.ts";

async function attachScreenshot(page: Page, testInfo: TestInfo, name: string): Promise<void> {
  const path = testInfo.outputPath(`${name}.png`);
  await page.screenshot({ path, animations: "disabled" });
  await testInfo.attach(name, { path, contentType: "image/png" });
}

async function seriousViolations(page: Page): Promise<string[]> {
  const { violations } = await new AxeBuilder({ page }).analyze();
  return violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.target.join(" ")} (${node.failureSummary})`));
}

/** Every kind of thing an answer can show: tools, thoughts, a table, code, a failure. */
async function openFullThread(chat: Chat): Promise<void> {
  await chat.open();
  await chat.askNew("assistant", `${prompts.calculate} ${"unbreakable".repeat(20)}`);
  await chat.cardIs("completed");
  await chat.card.locator("details.tool summary").click();
  for (const [prompt, status] of [
    [prompts.markdown, "completed"],
    [prompts.broken, "failed"],
  ] as const) {
    const before = await chat.cards.count();
    await chat.ask(prompt);
    await expect(chat.cards).toHaveCount(before + 1);
    await chat.cardIs(status, 30_000);
  }
}

for (const colorScheme of ["light", "dark"] as const) {
  test.describe(colorScheme, () => {
    test.use({ colorScheme, contextOptions: { reducedMotion: "reduce" } });

    test("home, a thread and the sign-in page pass the accessibility rules (R25)", async ({ chat, page }, testInfo) => {
      await chat.open();
      await attachScreenshot(page, testInfo, `home-${colorScheme}`);
      expect(await seriousViolations(page)).toEqual([]);
      await openFullThread(chat);
      await attachScreenshot(page, testInfo, `thread-${colorScheme}`);
      expect(await seriousViolations(page)).toEqual([]);
      await chat.signOut();
      await expect(page.getByRole("button", { name: "Sign in", exact: true })).toBeVisible();
      await attachScreenshot(page, testInfo, `login-${colorScheme}`);
      expect(await seriousViolations(page)).toEqual([]);
    });

    test("the colours follow the system (R25)", async ({ chat, page }) => {
      await chat.open();
      // Painted and read back, because a computed colour may be in any notation.
      const lightness = await page.evaluate(() => {
        const layers = [document.documentElement, document.body].map((e) => getComputedStyle(e).backgroundColor);
        const brush = document.createElement("canvas").getContext("2d")!;
        for (const colour of layers) {
          brush.fillStyle = colour;
          brush.fillRect(0, 0, 1, 1);
        }
        const [red, green, blue, alpha] = brush.getImageData(0, 0, 1, 1).data;
        return alpha === 255 ? (red! + green! + blue!) / 765 : Number.NaN;
      });
      if (colorScheme === "light") expect(lightness).toBeGreaterThan(0.9);
      else expect(lightness).toBeLessThan(0.2);
    });
  });
}

test.describe("on a phone", () => {
  test.use({ viewport: { width: 390, height: 844 }, contextOptions: { reducedMotion: "reduce" } });

  /** How far the page could be pushed sideways, in pixels. */
  const overflow = (page: Page) =>
    page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);

  test("nothing scrolls sideways, and the composer stays in reach (R25)", async ({ chat, page }, testInfo) => {
    await page.goto("/");
    await chat.linkIs("live", 15_000);
    await attachScreenshot(page, testInfo, "phone-home");
    expect(await overflow(page)).toBe(0);
    await chat.agent.selectOption("assistant");
    await chat.ask(`${prompts.calculate} ${"unbreakable".repeat(20)}`);
    await chat.cardIs("completed");
    await chat.card.locator("details.tool summary").click();
    await chat.ask(prompts.markdown);
    await expect(chat.cards).toHaveCount(2);
    await chat.cardIs("completed");
    await expect(chat.composer).toBeInViewport({ ratio: 1 });
    await attachScreenshot(page, testInfo, "phone-thread");
    expect(await overflow(page)).toBe(0);
    expect(await seriousViolations(page)).toEqual([]);
  });

  test("the sidebar is a sheet that opens and closes (R25)", async ({ chat, page }, testInfo) => {
    await page.goto("/");
    await chat.linkIs("live", 15_000);
    await expect(chat.sidebar).not.toBeInViewport();
    await chat.sidebarToggle.first().click();
    await expect(chat.sidebar).toBeInViewport();
    await attachScreenshot(page, testInfo, "phone-sidebar");
    expect(await overflow(page)).toBe(0);
    await page.keyboard.press("Escape");
    await expect(chat.sidebar).not.toBeInViewport();
  });
});

test("headings go down step by step, whatever an agent writes them with (R25)", async ({ chat, page }) => {
  await chat.open();
  await chat.askNew("assistant", prompts.markdown);
  await chat.cardIs("completed");
  await chat.agent.selectOption("guide");
  await chat.ask("What is (2+3)*7?");
  await expect(chat.cards).toHaveCount(2);
  await chat.cardIs("completed");
  await chat.card.locator("details.tool summary").first().click();
  const { violations } = await new AxeBuilder({ page }).withRules(["heading-order", "landmark-unique"]).analyze();
  expect(violations.flatMap(({ nodes }) => nodes.map(({ target }) => target))).toEqual([]);
  await page.goto("/docs");
  const docs = await new AxeBuilder({ page }).withRules(["heading-order", "landmark-unique"]).analyze();
  expect(docs.violations.flatMap(({ nodes }) => nodes.map(({ target }) => target))).toEqual([]);
});

test("a message that waits stands apart from the examples (R25)", async ({ chat, context }) => {
  await chat.open();
  await context.setOffline(true);
  await chat.linkIs("offline");
  await chat.ask("hello");
  await chat.waiting("queued");
  const [examples, message] = [
    await chat.page.locator(".examples").boundingBox(),
    await chat.page.locator(".message-user").boundingBox(),
  ];
  expect(message!.y - (examples!.y + examples!.height)).toBeGreaterThanOrEqual(16);
  await context.setOffline(false);
});

test.describe("on a very low screen", () => {
  test.use({ viewport: { width: 320, height: 256 } });

  test("the conversation keeps its part beside a long draft (R25)", async ({ chat }) => {
    await chat.open();
    await chat.askNew("assistant", prompts.paragraphs(3));
    await chat.cardIs("completed");
    await chat.composer.fill(Array(9).fill("line").join("\n"));
    expect(await chat.scroller.evaluate((box) => box.clientHeight)).toBeGreaterThan(40);
    await expect(chat.composer).toBeInViewport({ ratio: 1 });
  });
});
