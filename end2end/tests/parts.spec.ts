/** Pages whose program comes when somebody goes there. */
import type { Page } from "@playwright/test";
import { expect, test } from "../fixtures.ts";

/** The parts that a page asks for from here on, by name. */
function parts(page: Page): Set<string> {
  const asked = new Set<string>();
  page.on("request", (request) => {
    const part = /split_(\w+)\.wasm$/.exec(new URL(request.url()).pathname)?.[1];
    if (part) asked.add(part);
  });
  return asked;
}

test("a first visit loads what it shows, and conversations once somebody begins (R2)", async ({ chat, page }) => {
  const asked = parts(page);
  await chat.open();
  await page.waitForLoadState("networkidle");
  expect([...asked]).toEqual([]);
  await chat.agent.selectOption("guide");
  await chat.composer.focus();
  await page.keyboard.type("What is 1 + 1?");
  await expect.poll(() => asked.has("conversation")).toBe(true);
  await page.keyboard.press("Enter");
  await chat.cardIs("completed");
  expect(asked.has("forms")).toBe(false);
  await page.getByRole("link", { name: "Settings", exact: true }).click();
  await expect(page.getByRole("heading", { name: "Settings", exact: true }).first()).toBeVisible();
  expect(asked.has("forms")).toBe(true);
});

test("a page whose part does not come says so, and comes when it can (R6)", async ({ chat, context, guard }) => {
  guard.allow(/net::ERR_FAILED|Failed to fetch/);
  await chat.open();
  const id = await chat.askNew("guide", "What is 1 + 1?");
  await chat.cardIs("completed");
  const other = await context.newPage();
  await other.route("**/split_*.wasm", (route) => route.abort());
  await other.goto("/");
  await other.waitForSelector('.link-status[data-state="live"]');
  await other.locator(`a.thread-link[href$="/t/${id}"]`).click();
  const said = other.getByRole("alert").filter({ hasText: "did not come" });
  await expect(said).toBeVisible();
  await said.getByRole("button", { name: "Try again", exact: true }).click();
  await expect(said).toBeVisible();
  await other.unroute("**/split_*.wasm");
  await said.getByRole("button", { name: "Try again", exact: true }).click();
  await expect(other.locator("article.card .answer")).toHaveText("1 + 1 = 2");
});

test("a document whose part does not come says so, and stays readable (R6)", async ({ chat, guard, page }) => {
  guard.allow(/net::ERR_FAILED|Failed to fetch|a part of it did not come|preload/);
  await chat.open();
  await chat.askNew("guide", "What is 1 + 1?");
  await chat.cardIs("completed");
  await page.route("**/split_*.wasm", (route) => route.abort());
  await page.reload();
  await expect(page.locator("#start-words")).toHaveText(/did not start: a part of it did not come/);
  await expect(chat.answer).toHaveText("1 + 1 = 2");
});
