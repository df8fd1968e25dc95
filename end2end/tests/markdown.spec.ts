/** What answers are written in: Markdown as people expect it, formulas, diagrams and code, and how text is taken along. */
import type { Page } from "@playwright/test";
import type { Chat } from "../chat.ts";
import { expect, test } from "../fixtures.ts";
import { prompts } from "../model.ts";

async function answer(chat: Chat, markdown: string): Promise<void> {
  await chat.askNew("assistant", prompts.say(markdown));
  await chat.cardIs("completed");
}

/** The addresses of everything that was loaded for drawing. */
const drawn = (page: Page) =>
  page.evaluate(() =>
    performance
      .getEntriesByType("resource")
      .map(({ name }) => new URL(name).pathname)
      .filter((path) => path.startsWith("/rich/")),
  );

test("GitHub's Markdown, addresses, and other scripts (R25)", async ({ chat, page }) => {
  await chat.open();
  const source = [
    "# One",
    "## Two",
    "### Three",
    "See https://example.org/a_b_c and mail ada@example.org.",
    "- [x] done\n- [ ] open",
    "A claim[^1].\n\n[^1]: Its source.",
    "| step |\n|------|\n| one<br>two |",
    "これは**「強調」**です。",
    "שלום, זה משפט בעברית.",
    "![A cat](https://example.org/cat.png)",
    "<ul>\n  <li>One</li>\n</ul>",
    "It costs **$4** or $5.",
  ].join("\n\n");
  await chat.askNew("assistant", prompts.say(source));
  await chat.cardIs("completed");
  const sizes = await chat.answer
    .locator(":is(h2, h3, h4)")
    .evaluateAll((all) => all.map((heading) => parseFloat(getComputedStyle(heading).fontSize)));
  expect(sizes).toEqual([...sizes].sort((a, b) => b - a));
  expect(new Set(sizes).size).toBe(3);
  const link = (name: string) => chat.answer.getByRole("link", { name, exact: true });
  await expect(link("https://example.org/a_b_c")).toHaveAttribute("rel", "noopener noreferrer nofollow");
  await expect(link("ada@example.org")).toHaveAttribute("href", "mailto:ada@example.org");
  await expect(link("A cat")).toHaveAttribute("href", "https://example.org/cat.png");
  await expect(chat.answer.locator("img")).toHaveCount(0);
  await expect(chat.answer.getByRole("checkbox", { name: "Done", exact: true })).toBeChecked();
  await expect(chat.answer.getByRole("checkbox", { name: "Not done", exact: true })).not.toBeChecked();
  await expect(chat.answer.getByRole("cell")).toHaveText(/^onetwo$/);
  await expect(chat.answer.locator("strong").first()).toHaveText("「強調」");
  expect(await chat.answer.locator("p", { hasText: "שלום" }).evaluate((p) => getComputedStyle(p).direction)).toBe(
    "rtl",
  );
  expect(await chat.answer.locator(".as-written").innerText()).toBe("<ul>\n  <li>One</li>\n</ul>");
  await expect(chat.answer).toContainText("It costs $4 or $5.");
  await chat.answer.getByRole("button", { name: "Footnote 1", exact: true }).click();
  await expect(chat.answer.locator(".footnotes li")).toBeFocused();
  await chat.answer.getByRole("button", { name: "Back to the text of footnote 1" }).click();
  await expect(chat.answer.getByRole("button", { name: "Footnote 1", exact: true })).toBeFocused();
  // In one's own message an address is a link, too, and markup is text.
  await expect(chat.bubbles.getByRole("link", { name: "https://example.org/a_b_c" })).toBeVisible();
  await expect(chat.bubbles.locator("ul, h1, h2, strong")).toHaveCount(0);
  expect(await drawn(page)).toEqual([]);
});

test("a line before a list is never a heading for a moment (R25)", async ({ chat, page }) => {
  await chat.open();
  await page.evaluate(() => {
    const seen: string[] = [];
    Object.assign(window, { headings: seen });
    new MutationObserver(() => {
      for (const heading of document.querySelectorAll(".answer :is(h2, h3, h4)")) seen.push(heading.textContent ?? "");
    }).observe(document.body, { subtree: true, childList: true, characterData: true });
  });
  const points = Array.from({ length: 12 }, (_, at) => `Here are the points of part ${at}:\n- first\n- second`);
  await answer(chat, points.join("\n\n"));
  await expect(chat.answer.locator("li")).toHaveCount(24);
  expect(await page.evaluate(() => (window as unknown as { headings: string[] }).headings)).toEqual([]);
});

test("formulas, diagrams and code are drawn, with nothing loaded before there are any (R25)", async ({
  chat,
  page,
}) => {
  await chat.open();
  await answer(chat, "No formula here.");
  expect(await drawn(page)).toEqual([]);
  const source = [
    "Inline \\(a_1 * b_2\\) and $e^{i\\pi}$.",
    "\\[\n\\frac{a}{b} \\\\ x_{*}\n\\]",
    "A bad one: $$\\nosuchcommand{$$",
    "```mermaid\ngraph TD; A[Ask]-->B[Answer];\n```",
    "```mermaid\nno such diagram\n```",
    '```rust\nfn main() { let x = "text"; } // comment\n```',
    "```\nno language\n```",
    "The end.",
  ].join("\n\n");
  await answer(chat, source);
  await expect(chat.answer.locator(".math .katex")).toHaveCount(3);
  await expect(chat.answer.locator(".math[data-display] .katex-display")).toHaveCount(1);
  await expect(chat.answer.locator("p", { hasText: "A bad one" })).toContainText("$$\\nosuchcommand{$$");
  const picture = chat.answer.locator(".diagram img");
  await expect(picture).toHaveCount(1, { timeout: 30_000 });
  await expect.poll(() => picture.evaluate((img: HTMLImageElement) => img.naturalWidth)).toBeGreaterThan(50);
  await expect(chat.answer.locator(".diagram-error")).toContainText("This diagram cannot be drawn", {
    timeout: 30_000,
  });
  await expect(chat.answer.locator("code .hljs-keyword").first()).toHaveText("fn");
  // The frame shares nothing with this page, nor would it if it were opened by itself.
  const frame = await page.request.get("/rich/diagram.html");
  expect(frame.headers()["content-security-policy"]).toMatch(/^sandbox allow-scripts; default-src 'none'/);
  expect(await page.evaluate(() => document.querySelector("iframe")?.contentDocument ?? null)).toBeNull();
  const source1 = chat.answer.getByRole("button", { name: "Source", exact: true });
  await expect(chat.answer.getByText("graph TD;")).toBeHidden();
  await source1.click();
  await expect(chat.answer.getByText("graph TD;")).toBeVisible();
  await expect(chat.answer.locator("pre", { hasText: "no language" }).locator("span")).toHaveCount(0);

  // The page as the server renders it holds the sources, and draws them again.
  await page.reload();
  await chat.isLive();
  await expect(chat.answer.locator(".math .katex")).toHaveCount(3);
  await expect(chat.answer.locator(".diagram img")).toHaveCount(1, { timeout: 30_000 });
});

test.describe("taking text along", () => {
  const CODE = "let a = 1;\n\tindent();";

  test("a selection leaves the buttons out, and long lines can be wrapped (R25)", async ({ chat, page }) => {
    await chat.open();
    await answer(chat, `Before\n\n\`\`\`js\n${CODE}\n// ${"long ".repeat(80)}\n\`\`\`\n\nAfter`);
    const selected = await page.evaluate(() => {
      const selection = getSelection()!;
      selection.selectAllChildren(document.querySelector(".answer")!);
      return selection.toString();
    });
    expect(selected).toContain("indent();");
    expect(selected).not.toMatch(/\b(Copy|Wrap|js)\b/);
    const scrolls = () => chat.answer.locator("pre").evaluate((pre) => pre.scrollWidth > pre.clientWidth);
    expect(await scrolls()).toBe(true);
    await chat.answer.getByRole("button", { name: "Wrap", exact: true }).click();
    expect(await scrolls()).toBe(false);
  });

  test("copying works where browsers have no clipboard for pages (R25)", async ({ chat, page }) => {
    // As on plain http from another machine.
    await page.addInitScript(() => Object.defineProperty(navigator, "clipboard", { value: undefined }));
    await chat.open();
    await answer(chat, `Text\n\n\`\`\`js\n${CODE}\n\`\`\``);
    const pasted = async () => {
      await chat.composer.fill("");
      await chat.composer.press("ControlOrMeta+V");
      return chat.composer.inputValue();
    };
    await chat.answer.locator(".copy").click();
    await expect(chat.answer.locator(".copy")).toHaveText("Copied");
    expect(await pasted()).toBe(CODE);
    await chat.card.hover();
    await chat.card.getByRole("button", { name: "Copy answer" }).click();
    await expect(chat.card.getByRole("button", { name: "Copied" }).last()).toBeVisible();
    expect(await pasted()).toBe(`Text\n\n\`\`\`js\n${CODE}\n\`\`\``);
    await page.locator(".message-user").first().hover();
    await page.getByRole("button", { name: "Copy message" }).first().click();
    await expect.poll(pasted).toContain("Say this:");
  });

  test("a button that could not copy says so (R25)", async ({ chat, page }) => {
    await page.addInitScript(() => {
      Object.defineProperty(navigator, "clipboard", { value: undefined });
      document.execCommand = () => false;
    });
    await chat.open();
    await answer(chat, `\`\`\`js\n${CODE}\n\`\`\``);
    await chat.answer.locator(".copy").click();
    await expect(chat.answer.locator(".copy")).toHaveText(/^Not copied/);
  });
});

test("Markdown made to break a page does not (R25)", async ({ chat, page }) => {
  // Thousands of pieces, each drawn: a slow machine takes its time.
  test.setTimeout(400_000);
  await chat.open();
  const bombs = [`${">".repeat(10_000)} deep`, `${"*_".repeat(5_000)}x${"_*".repeat(5_000)}`, "[".repeat(10_000)];
  for (const bomb of bombs) {
    await chat.askNew("assistant", prompts.say(bomb));
    await chat.cardIs("completed", 90_000);
    await page.reload();
    await chat.isLive();
    await expect(chat.answer).toBeVisible();
    const deepest = await chat.answer.evaluate((answer) => {
      let deepest = 0;
      for (const element of answer.querySelectorAll("*")) {
        let depth = 0;
        for (let at: Element | null = element; at && at !== answer; at = at.parentElement) depth++;
        deepest = Math.max(deepest, depth);
      }
      return deepest;
    });
    expect(deepest).toBeLessThan(120);
  }
  // As many cells as fit into a message.
  await chat.askNew(
    "assistant",
    prompts.say(`|${"a|".repeat(20)}\n|${"-|".repeat(20)}\n${`|${"x|".repeat(20)}\n`.repeat(1_300)}`),
  );
  await chat.cardIs("completed", 120_000);
  await expect(chat.answer.locator(".cut")).toContainText("more rows than are shown");
  expect(await chat.answer.locator("td").count()).toBeLessThanOrEqual(20_100);
});
