/** Two people in one conversation, and the administrator's words. */
import AxeBuilder from "@axe-core/playwright";
import type { Browser, BrowserContext } from "@playwright/test";
import { Chat } from "../chat.ts";
import type { Guard } from "../guard.ts";
import { type Account, expect, register, test } from "../fixtures.ts";
import { prompts } from "../model.ts";

/** Another person in a browser of their own. */
async function another(browser: Browser, guard: Guard, baseURL: string): Promise<[BrowserContext, Account, Chat]> {
  const context = await browser.newContext({ baseURL });
  await guard.watch(context);
  const account = await register(context);
  return [context, account, new Chat(await context.newPage())];
}

const panel = (chat: Chat) => chat.page.getByRole("dialog", { name: "Who takes part" });
const button = (chat: Chat) => chat.page.locator(".sharing-button");

async function invite(chat: Chat, email: string): Promise<void> {
  await button(chat).click();
  await panel(chat).getByRole("textbox").fill(email);
  await panel(chat).getByRole("button", { name: "Add" }).click();
  await expect(panel(chat).getByText(email)).toBeVisible();
}

test("a member sees the conversation, takes part, and is gone when removed (R10, R15)", async ({
  chat,
  browser,
  guard,
  baseURL,
}) => {
  const [theirs, bob, guest] = await another(browser, guard, baseURL!);
  await chat.open();
  const id = await chat.askNew("assistant", prompts.calculate);
  await chat.cardIs("completed");
  await guest.open();
  await invite(chat, bob.email);
  await chat.page.keyboard.press("Escape");
  await expect(panel(chat)).toBeHidden();

  // It is in the other's list once they accept, and both see each other there.
  const invitations = guest.page.getByRole("region", { name: "Invitations" });
  await expect(invitations).toContainText("invites you to");
  await expect(guest.thread(id)).toHaveCount(0);
  await invitations.getByRole("button", { name: "Accept" }).click();
  await expect(guest.thread(id)).toBeVisible();
  await expect(guest.page).toHaveURL(new RegExp(`/t/${id}$`));
  await expect(invitations).toHaveCount(0);
  await expect(guest.sidebar.getByRole("button", { name: "Rename", includeHidden: true })).toHaveCount(0);
  await expect(chat.sidebar.getByRole("button", { name: "Rename", includeHidden: true })).toHaveCount(1);
  await expect(guest.answer).toHaveText("The result is 35.");
  await expect(button(chat)).toHaveText(`${bob.name} here`);
  await guest.composer.pressSequentially("What about");
  await expect(chat.page.getByText(`${bob.name} is typing`)).toBeVisible();
  await guest.composer.fill("");
  await expect(chat.page.getByText(`${bob.name} is typing`)).toHaveCount(0);

  await guest.ask(prompts.calculate);
  for (const place of [chat, guest]) {
    await expect(place.cards).toHaveCount(2);
    await place.cardIs("completed");
  }
  await expect(chat.page.locator(".message-author")).toHaveText([bob.name]);

  await button(chat).click();
  await panel(chat).getByRole("button", { name: "Remove" }).click();
  await expect(panel(chat).getByText(bob.email)).toHaveCount(0);
  await expect(guest.page.getByRole("heading", { name: "Nothing here" })).toBeVisible();
  await expect(guest.thread(id)).toHaveCount(0);

  // Let in again, they go on where they were, without a reload.
  await panel(chat).getByRole("textbox").fill(bob.email);
  await panel(chat).getByRole("button", { name: "Add" }).click();
  await invitations.getByRole("button", { name: "Accept" }).click();
  await expect(guest.page.getByRole("heading", { name: "Nothing here" })).toHaveCount(0);
  await expect(guest.cards).toHaveCount(2);
  await chat.page.keyboard.press("Escape");
  await chat.ask(prompts.calculate);
  for (const place of [chat, guest]) {
    await expect(place.cards).toHaveCount(3);
    await place.cardIs("completed");
  }
  await theirs.close();
});

test("an invitation is declined, and who may read only cannot write (R15)", async ({
  chat,
  browser,
  guard,
  baseURL,
}) => {
  const [theirs, bob, guest] = await another(browser, guard, baseURL!);
  await chat.open();
  const id = await chat.askNew("assistant", prompts.calculate);
  await chat.cardIs("completed");
  await guest.open();
  await invite(chat, bob.email);
  const invitations = guest.page.getByRole("region", { name: "Invitations" });
  await invitations.getByRole("button", { name: "Decline" }).click();
  await expect(invitations).toHaveCount(0);
  await chat.page.reload();
  await chat.isLive();
  await button(chat).click();
  await panel(chat).getByRole("checkbox", { name: "May read only" }).check();
  await panel(chat).getByRole("textbox").fill(bob.email);
  await panel(chat).getByRole("button", { name: "Add" }).click();
  await invitations.getByRole("button", { name: "Accept" }).click();
  await expect(guest.page).toHaveURL(new RegExp(`/t/${id}$`));
  await expect(guest.answer).toHaveText("The result is 35.");
  await expect(guest.page.getByText("You read this conversation.")).toBeVisible();
  await expect(guest.composer).toHaveCount(0);
  // The server says the same to whoever asks it directly.
  const may = await guest.page.request.post("/fn/may-write", { form: { id } });
  expect(await may.json()).toBe(false);
  await theirs.close();
});

test("a wrong address is refused with a reason, and the panel can be used by everyone (R25)", async ({
  chat,
  guard,
}, testInfo) => {
  guard.allow(/status of 404/);
  await chat.open();
  await chat.askNew("assistant", prompts.calculate);
  await chat.cardIs("completed");
  await button(chat).click();
  await panel(chat).getByRole("textbox").fill("nobody@example.org");
  await panel(chat).getByRole("button", { name: "Add" }).click();
  await expect(panel(chat).getByRole("status")).toHaveText(/^Nobody has an account/);
  for (const colorScheme of ["light", "dark"] as const) {
    await chat.page.emulateMedia({ colorScheme });
    await chat.page.screenshot({ path: testInfo.outputPath(`panel-${colorScheme}.png`), animations: "disabled" });
    const { violations } = await new AxeBuilder({ page: chat.page }).analyze();
    expect(violations.filter(({ impact }) => impact === "serious" || impact === "critical")).toEqual([]);
  }
  await chat.page.setViewportSize({ width: 390, height: 844 });
  await expect(panel(chat)).toBeInViewport({ ratio: 1 });
  await chat.page.screenshot({ path: testInfo.outputPath("panel-phone.png"), animations: "disabled" });
  const wide = await chat.page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth);
  expect(wide, "nothing to scroll sideways").toBe(false);
});

test("the administrator's words stand on every page until they are put away (R10)", async ({
  browser,
  guard,
  baseURL,
  playwright,
}) => {
  const [context, , chat] = await another(browser, guard, baseURL!);
  await chat.open();
  // The development user administers.
  const administrator = await playwright.request.newContext({ baseURL });
  expect((await administrator.post("/api/auth/dev", { data: {} })).ok()).toBe(true);
  const sent = await administrator.post("/api/admin/broadcast", {
    data: { message: "Maintenance at 18:00 UTC.", level: "warn" },
  });
  expect(sent.status()).toBe(204);
  const banner = chat.page.getByRole("alert").filter({ hasText: "Maintenance at 18:00 UTC." });
  await expect(banner).toBeVisible();
  await banner.getByRole("button", { name: "Dismiss" }).click();
  await expect(banner).toHaveCount(0);
  await administrator.dispose();
  await context.close();
});
