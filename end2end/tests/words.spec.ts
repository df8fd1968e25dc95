/** What the page says, and in which light. */
import type { Page } from "@playwright/test";
import { expect, test } from "../fixtures.ts";
import { prompts } from "../model.ts";

test("a model that shows no thoughts had none, and an empty answer is said (R10, R25)", async ({ chat }) => {
  await chat.open();
  await chat.askNew("assistant", prompts.count(3));
  await chat.cardIs("completed");
  await expect(chat.card.locator("details.thought")).toHaveCount(0);
  await expect(chat.card).not.toContainText(/(?<!\d)0 ms/);
  await chat.ask(prompts.nothing);
  await expect(chat.cards).toHaveCount(2);
  await chat.cardIs("failed");
  await expect(chat.card).toContainText(/without a word; try again/);
});

test("messages and answers carry their time in the reader's zone (R25)", async ({ browser, chat, page }) => {
  await chat.open();
  await chat.askNew("assistant", prompts.count(3));
  await chat.cardIs("completed");
  const stamps = page.locator("main time");
  await expect(stamps).toHaveCount(2);
  const [said] = await stamps.evaluateAll((all) =>
    all.map((time) => [time.getAttribute("datetime"), time.textContent]),
  );
  for (const timezoneId of ["Pacific/Kiritimati", "Asia/Kolkata"]) {
    const elsewhere = await browser.newContext({ timezoneId, storageState: await page.context().storageState() });
    const copy = await elsewhere.newPage();
    await copy.goto(page.url());
    const wanted = new Intl.DateTimeFormat("en-GB", { timeZone: timezoneId, hour: "2-digit", minute: "2-digit" });
    await expect(copy.locator("main time").first()).toContainText(wanted.format(new Date(said![0]!)));
    await elsewhere.close();
  }
});

test("a title is words, whole on demand (R25)", async ({ chat, page }) => {
  await chat.open();
  const id = await chat.askNew("assistant", prompts.count(3));
  await chat.cardIs("completed");
  const title = `# A **bold** plan for \`main\` ${"and more ".repeat(12)}`.trim();
  await chat.rename(id, title);
  const words = `A bold plan for main ${"and more ".repeat(12)}`.trim();
  await expect(chat.thread(id).locator(".thread-title")).toHaveText(words);
  await expect(chat.thread(id).locator("a.thread-link")).toHaveAttribute("title", words);
  await expect(chat.title).toHaveText(words);
  await expect(page).toHaveTitle(`${words} · Netra`);
});

/** What a screen reader would say from here on: changes in parts of the page that are live. */
async function listen(page: Page): Promise<() => Promise<string[]>> {
  await page.evaluate(() => {
    const said: string[] = [];
    Object.assign(window, { said });
    const live = "[role=status], [role=alert], [role=log]:not([aria-live=off]), [aria-live]:not([aria-live=off])";
    new MutationObserver((changes) => {
      for (const { target } of changes) {
        const element = target instanceof Element ? target : target.parentElement;
        const part = element?.closest(live);
        if (part && !element?.closest("[aria-hidden=true]")) said.push(part.textContent ?? "");
      }
    }).observe(document.body, { subtree: true, childList: true, characterData: true });
  });
  return () => page.evaluate(() => (window as unknown as { said: string[] }).said);
}

test("an answer's end is read out while a later message waits (R25)", async ({ chat, page }) => {
  await chat.open();
  await chat.askNew("assistant", prompts.count(60));
  const said = await listen(page);
  await chat.ask(prompts.count(400));
  await expect(chat.cards).toHaveCount(2);
  await expect(chat.cards.first()).toHaveAttribute("data-status", "completed", { timeout: 20_000 });
  await expect.poll(async () => (await said()).join("\n")).toContain("has answered");
  await chat.cardIs("running");
  await chat.stop.click();
  await chat.cardIs("stopped");
});

test("nothing is read out while an answer grows, and its end is (R25)", async ({ chat, page }) => {
  await chat.open();
  await chat.agent.selectOption("assistant");
  const said = await listen(page);
  await chat.ask(prompts.count(60));
  await chat.cardIs("completed", 20_000);
  await expect.poll(async () => (await said()).join("\n")).toContain("has answered");
  const all = await said();
  expect(
    all.filter((words) => words.includes("0001")),
    "the answer's words",
  ).toEqual([]);
  expect(all.length).toBeLessThan(12);
});

test("light and dark are chosen, kept, and there from the first pixel (R25)", async ({ chat, page }) => {
  await chat.open();
  const theme = () => page.evaluate(() => document.documentElement.dataset.theme ?? "system");
  const ground = () => page.evaluate(() => getComputedStyle(document.body).colorScheme);
  const button = page.getByRole("button", { name: /^Theme: / });
  expect(await theme()).toBe("system");
  await button.click();
  expect(await theme()).toBe("light");
  await button.click();
  expect([await theme(), await ground()]).toEqual(["dark", "dark"]);
  // The server's own HTML says it, before any script.
  const html = await (await page.request.get("/")).text();
  expect(html).toMatch(/<html[^>]* data-theme="dark"/);
  await page.reload();
  await chat.isLive();
  expect(await theme()).toBe("dark");
  await button.click();
  expect(await theme()).toBe("system");
  expect(await (await page.request.get("/")).text()).not.toMatch(/<html[^>]* data-theme/);
});

test("what is printed is the conversation alone (R25)", async ({ chat, page }) => {
  await chat.open();
  await chat.askNew("assistant", prompts.markdown);
  await chat.cardIs("completed");
  await page.emulateMedia({ media: "print", colorScheme: "dark" });
  for (const control of await page.getByRole("button").all()) await expect(control).toBeHidden();
  await expect(chat.sidebar).toBeHidden();
  await expect(chat.composer).toBeHidden();
  await expect(chat.bubbles).toBeVisible();
  await expect(chat.answer).toBeVisible();
  const scheme = await page.evaluate(() => getComputedStyle(document.documentElement).colorScheme);
  expect(scheme).toBe("light");
});
