/** The main screens at three widths, light and dark: what stands where, nothing sideways, readable for everyone. Their pictures
 * are kept with the results; pixels are not compared, since fonts differ from machine to machine. */
import AxeBuilder from "@axe-core/playwright";
import type { Page, TestInfo } from "@playwright/test";
import type { Chat } from "../chat.ts";
import { expect, test } from "../fixtures.ts";
import { prompts } from "../model.ts";

const RICH = [
  "Every value has **one owner**; see https://doc.rust-lang.org/book and the note[^1].",
  "## The rules",
  "1. Each value has an owner.\n2. There is one at a time.\n   - moves hand it over\n   - borrows lend it",
  "| kind | syntax | count |\n|------|:------:|------:|\n| shared | `&T` | many |\n| unique | `&mut T` | 1 |",
  "```rust\nfn longest<'a>(left: &'a str, right: &'a str) -> &'a str {\n    // the longer one wins\n    if left.len() >= right.len() { left } else { right }\n}\n```",
  "> [!NOTE]\n> A borrow must not outlive what it borrows from.",
  "- [x] read the chapter\n- [ ] fight the borrow checker",
  "So \\(n \\le 1\\), or \\[\\sum_{i=1}^{n} i = \\frac{n(n+1)}{2}\\]",
  "```mermaid\ngraph LR; A[Owner]-->|lends|B[Borrower];\n```",
  "[^1]: The fourth chapter.",
].join("\n\n");

const WIDTHS = [
  { width: 390, height: 844 },
  { width: 820, height: 1100 },
  { width: 1440, height: 900 },
];

async function judge(page: Page, testInfo: TestInfo, name: string): Promise<void> {
  const path = testInfo.outputPath(`${name}.png`);
  await page.screenshot({ path, animations: "disabled" });
  await testInfo.attach(name, { path, contentType: "image/png" });
  const sideways = await page.evaluate(
    () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
  );
  expect(sideways, `${name} can be pushed sideways`).toBe(0);
  const { violations } = await new AxeBuilder({ page }).analyze();
  const found = violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.target.join(" ")}`));
  expect(found, name).toEqual([]);
}

/** On a narrow screen the sidebar is a sheet. */
async function showSidebar(chat: Chat, width: number): Promise<void> {
  if (width < 820) await chat.page.getByRole("button", { name: "Open sidebar" }).click();
  await expect(chat.sidebar).toBeInViewport();
}

for (const viewport of WIDTHS) {
  for (const colorScheme of ["light", "dark"] as const) {
    test.describe(`${viewport.width} ${colorScheme}`, () => {
      test.use({ viewport, colorScheme, contextOptions: { reducedMotion: "reduce" } });

      test("home, a rich answer, the lists and the dead ends (R25)", async ({ chat, guard, page }, testInfo) => {
        test.slow();
        guard.allow(/status of 404/);
        await page.goto("/");
        await chat.linkIs("live", 15_000);
        await expect(chat.examples).toHaveCount(4);
        await expect(chat.composer).toBeInViewport({ ratio: 1 });
        await judge(page, testInfo, "home");

        await chat.agent.selectOption("assistant");
        await chat.ask(prompts.say(RICH));
        await chat.cardIs("completed", 20_000);
        await expect(chat.answer.locator(".katex")).not.toHaveCount(0, { timeout: 20_000 });
        await expect(chat.answer.locator(".katex annotation").first()).toHaveText("n \\le 1");
        await expect(chat.answer.locator(".diagram img")).toBeVisible({ timeout: 30_000 });
        await expect(chat.answer.locator(".hljs-keyword").first()).toBeVisible();
        await expect(chat.composer).toBeInViewport({ ratio: 1 });
        await judge(page, testInfo, "answer-end");
        await page.locator(".scroller").evaluate((scroller) => scroller.scrollTo(0, 0));
        await expect(chat.bubbles).toBeInViewport();
        await judge(page, testInfo, "answer-top");

        await showSidebar(chat, viewport.width);
        await judge(page, testInfo, "sidebar");
        await chat.sidebar.getByRole("button", { name: "Archived" }).click();
        await expect(chat.sidebar.getByText("No conversation has been archived.")).toBeVisible();
        await judge(page, testInfo, "archive");

        await page.goto("/nothing/here");
        await chat.linkIs("live", 15_000);
        await expect(page.getByRole("link", { name: "Start a new chat" })).toBeInViewport();
        await judge(page, testInfo, "not-found");

        await page.context().clearCookies();
        await page.goto("/login");
        await expect(page.getByRole("button", { name: "Sign in", exact: true })).toBeInViewport();
        await judge(page, testInfo, "login");
      });
    });
  }
}
