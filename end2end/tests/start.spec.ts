/** The page starts, or says why not; and what is done before it is alive is kept and done. */
import type { Page } from "@playwright/test";
import { expect, test } from "../fixtures.ts";
import { draftIsKept } from "../kept.ts";
import { prompts } from "../model.ts";

/** What the browser itself logs about a program that does not load. */
const NOT_LOADED =
  /net::ERR_|Failed to fetch|WebAssembly|Failed to load|dynamically imported|status of (404|503)|another version|^exception: $/;

/** Holds the page's program back until it is let go. */
async function holdProgram(page: Page): Promise<() => void> {
  let release = () => {};
  const released = new Promise<void>((resolve) => (release = resolve));
  await page.route("**/*.wasm", async (route) => {
    await released;
    await route.continue();
  });
  return release;
}

const trouble = (page: Page) => page.locator("#start-trouble");

test("what an extension puts into the page breaks nothing (R6)", async ({ chat, page }) => {
  await page.addInitScript(() => {
    const put = () => {
      document.body.prepend(Object.assign(document.createElement("div"), { id: "extension-before" }));
      document.body.append(document.createElement("grammar-helper"), document.createComment("an extension"));
    };
    new MutationObserver((_, observer) => {
      if (!document.body) return;
      observer.disconnect();
      put();
      document.addEventListener("DOMContentLoaded", put);
    }).observe(document, { childList: true, subtree: true });
  });
  await chat.open();
  await chat.askNew("assistant", prompts.count(3));
  await chat.cardIs("completed");
  await expect(page.locator("#extension-before")).toHaveCount(2);
});

test("a translator breaks no card and no title (R6)", async ({ chat, page }) => {
  await chat.open();
  await chat.askNew("guide", "What is 2 + 2?");
  await chat.cardIs("completed");
  /** As Chrome's translator does it: each text goes into elements of the translator's own. */
  const translate = () =>
    page.evaluate(() => {
      const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
      const texts: Text[] = [];
      while (walker.nextNode()) {
        const text = walker.currentNode as Text;
        if (text.data.trim() && !text.parentElement!.closest("script, style, textarea, select, font")) texts.push(text);
      }
      for (const text of texts) {
        const font = document.createElement("font");
        font.append(text.data.toUpperCase());
        text.replaceWith(font);
      }
    });
  await translate();
  await page.getByRole("combobox", { name: /^agent$/i }).selectOption("assistant");
  await chat.ask(prompts.count(60));
  await expect(chat.cards).toHaveCount(2);
  for (let times = 0; times < 4; times++) {
    await translate();
    await chat.answerGrowsBeyond(50 * (times + 1));
  }
  await chat.cardIs("completed");
  await expect(chat.card.locator(".card-summary")).not.toContainText(/answering/i);
  await expect(chat.answer).toContainText("0060");
  await chat.sidebar.getByRole("link", { name: /^new chat$/i }).click();
  await expect(chat.title).toHaveText("New chat");
});

test("what is typed and pressed before the page is alive is kept and done (R7, R25)", async ({ chat, page }) => {
  await chat.open();
  await chat.agent.selectOption("assistant");
  await chat.composer.fill("an old draft");
  await draftIsKept(page, "an old draft");
  const release = await holdProgram(page);
  await page.reload({ waitUntil: "domcontentloaded" });
  await chat.composer.click();
  await page.keyboard.type(`and ${prompts.count(3)}`);
  await chat.search.fill("nothing like it");
  release();
  await chat.isLive();
  await expect(chat.composer).toHaveValue(`an old draft\nand ${prompts.count(3)}`);
  await expect(chat.search).toHaveValue("nothing like it");
  await expect(chat.send).toBeEnabled();
  await chat.search.fill("");

  await chat.composer.fill("");
  await draftIsKept(page, "");
  const again = await holdProgram(page);
  await page.reload({ waitUntil: "domcontentloaded" });
  await chat.composer.click();
  await page.keyboard.type(prompts.count(4));
  await page.keyboard.press("Enter");
  again();
  await chat.threadId();
  await expect(chat.bubbles).toHaveText([prompts.count(4)]);
  await expect(chat.composer).toHaveValue("");
});

test("an example that is pressed before the page is alive is asked once (R7)", async ({ chat, page }) => {
  const release = await holdProgram(page);
  await page.goto("/", { waitUntil: "domcontentloaded" });
  await chat.examples.first().dblclick();
  release();
  await chat.threadId();
  await expect(chat.bubbles).toHaveCount(1);
  await expect(chat.sidebar.locator("a.thread-link")).toHaveCount(1);
});

test("without scripts the conversation is readable, and the page says what it lacks (R6)", async ({
  chat,
  browser,
  server,
  context,
}) => {
  await chat.open();
  const id = await chat.askNew("guide", "What is 2 + 2?");
  await chat.cardIs("completed");
  const quiet = await browser.newContext({
    javaScriptEnabled: false,
    baseURL: server.url,
    storageState: await context.storageState(),
  });
  const page = await quiet.newPage();
  await page.goto(`/t/${id}`);
  await expect(page.getByText(/needs JavaScript/)).toBeVisible();
  await expect(page.locator("article.card .answer")).toContainText("4");
  // Nothing that would not work.
  await expect(page.locator("form.composer")).toBeHidden();
  await expect(page.locator(".link-status")).toBeHidden();
  await quiet.close();
});

for (const [what, breakIt] of [
  ["is blocked", (page: Page) => page.route("**/*.wasm", (route) => route.abort())],
  [
    "is broken",
    (page: Page) =>
      page.route("**/*.wasm", (route) =>
        route.fulfill({ contentType: "application/wasm", body: Buffer.from("\0asm and then nonsense") }),
      ),
  ],
  ["has no loader", (page: Page) => page.route(/\/pkg\/.*\.js$/, (route) => route.fulfill({ status: 404, body: "" }))],
] as const) {
  test(`a program that ${what} is told within ten seconds, and the page stays readable (R6)`, async ({
    chat,
    guard,
    page,
  }) => {
    guard.allow(NOT_LOADED);
    await chat.open();
    const id = await chat.askNew("guide", "What is 2 + 2?");
    await chat.cardIs("completed");
    await breakIt(page);
    await page.goto(`/t/${id}`);
    await expect(trouble(page)).toBeVisible({ timeout: 10_000 });
    await expect(trouble(page)).toContainText(/did not start: \S/);
    await expect(chat.status).not.toContainText("Connecting");
    await expect(chat.answer).toContainText("4");
    // What is typed survives the reload that is offered.
    await chat.composer.fill("words in vain?");
    await page.unrouteAll({ behavior: "ignoreErrors" });
    await trouble(page).getByRole("link", { name: "Reload" }).click();
    await chat.isLive();
    await expect(chat.composer).toHaveValue("words in vain?");
  });
}

test("a program that is slow is said to be on its way, and then it is there (R6)", async ({ chat, page }) => {
  const release = await holdProgram(page);
  await page.goto("/", { waitUntil: "domcontentloaded" });
  await expect(trouble(page)).toContainText(/still on its way/, { timeout: 10_000 });
  release();
  await chat.isLive();
  await expect(trouble(page)).toBeHidden();
});

test("a program of another version than the server's says so instead of half working (R6)", async ({
  chat,
  guard,
  page,
}) => {
  guard.allow(NOT_LOADED);
  await page.route("/", async (route) => {
    const response = await route.fetch();
    const body = (await response.text()).replace(/("discovery":\{"version":")[^"]+/, "$19.9.9");
    await route.fulfill({ response, body });
  });
  await page.goto("/");
  await expect(trouble(page)).toContainText(/another version/, { timeout: 10_000 });
  await expect(chat.examples.first()).toBeVisible();
});
