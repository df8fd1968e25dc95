/** Signing in leads where one wanted to go; signing out leaves nothing on the screen. */
import { Chat } from "../chat.ts";
import { type Account, expect, newAccount, register, test } from "../fixtures.ts";
import { prompts } from "../model.ts";

test.use({ settings: { NETRA_AUTH: "password" } });

async function signIn(chat: Chat, { email, password }: Account): Promise<void> {
  await chat.page.getByLabel("Email", { exact: true }).fill(email);
  await chat.page.getByLabel("Password", { exact: true }).fill(password);
  await chat.page.getByRole("button", { name: "Sign in", exact: true }).click();
}

test("leads where one wanted to go, and nowhere else (R9, R25)", async ({ context, page }) => {
  const account = await register(context);
  const chat = new Chat(page);
  await chat.open();
  const id = await chat.askNew("assistant", prompts.count(3));
  await chat.cardIs("completed");
  await context.clearCookies();
  await page.goto(`/t/${id}`);
  await expect(page).toHaveURL(/\/login\?next=/);
  await page.getByRole("link", { name: "Create an account" }).click();
  await page.getByRole("link", { name: "Sign in instead" }).click();
  await signIn(chat, account);
  await page.waitForURL(`**/t/${id}`);
  await expect(chat.bubbles).toHaveCount(1);
  // Signed in already, the page leads on at once; to this server alone.
  await page.goto(`/login?next=/t/${id}`);
  await expect(page).toHaveURL(new RegExp(`/t/${id}$`));
  await page.goto("/login?next=//evil.example/");
  await expect(page).toHaveURL(/^http:\/\/127\.0\.0\.1:\d+\/$/);
});

test("a tab that was signed out elsewhere shows nothing more, and keeps what was typed (R9, R25)", async ({
  context,
  page,
}) => {
  const account = await register(context, newAccount());
  const chat = new Chat(page);
  await chat.open();
  await chat.askNew("assistant", prompts.count(3));
  await chat.cardIs("completed");
  await chat.composer.fill("half a thought");
  await context.request.post("/api/auth/logout", { data: {} });
  await chat.linkIs("signed-out", 30_000);
  await expect(chat.bubbles).toHaveCount(0);
  await expect(chat.cards).toHaveCount(0);
  await expect(chat.sidebar.locator("a.thread-link")).toHaveCount(0);
  await expect(page.getByText(account.email)).toHaveCount(0);
  await expect(page.getByRole("heading", { name: "You are signed out" })).toBeVisible();
  await expect(chat.composer).toHaveValue("half a thought");
});
