/** The settings page: agents and what a check of their models finds. */
import { Chat } from "../chat.ts";
import { expect, register, test } from "../fixtures.ts";

test("an administrator checks an agent's model", async ({ page }) => {
  const chat = new Chat(page);
  await chat.open();
  await page.getByRole("link", { name: "Settings", exact: true }).click();
  await expect(page.getByRole("heading", { name: "Agents" })).toBeVisible();
  const agents = page.locator("li.agent");
  await expect(agents).toHaveCount(2);
  await expect(agents.first()).toContainText("Not checked since the server started");
  await agents.first().getByRole("button", { name: "Check now" }).click();
  await expect(agents.first()).toHaveAttribute("data-works", /yes|no/, { timeout: 30_000 });
  await expect(agents.first()).toContainText(/reached|FAILED/);
});

test("others are told whose matter it is", async ({ context, page }) => {
  // The first account may be the administrator's.
  for (let account = 0; account < 2; account++) await register(context);
  await new Chat(page).open("/settings");
  await expect(page.locator(".settings")).toContainText("shown to administrators");
});

test("the name that others see is changed, and one that is the system's is refused", async ({ chat, guard, page }) => {
  guard.allow(/status of 422|status of 400/);
  await chat.open("/settings");
  const name = page.getByLabel("The name that others see");
  await name.fill("Guide");
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await expect(page.getByRole("alert")).toContainText("belongs to the system");
  await name.fill("  Ada   Lovelace ");
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await expect(name).toHaveValue("Ada Lovelace");
  await expect(chat.sidebar.locator(".account-name")).toHaveText("Ada Lovelace");
  expect((await (await page.request.get("/api/me")).json()).user.name).toBe("Ada Lovelace");
  await page.reload();
  await expect(chat.sidebar.locator(".account-name")).toHaveText("Ada Lovelace");
});

test("density and the meaning of Enter are this browser's, from the first moment on", async ({ chat, page }) => {
  await chat.open("/settings");
  await page.getByLabel("Density").selectOption("compact");
  await page.getByLabel("Send messages with").selectOption("control");
  await page.reload({ waitUntil: "commit" });
  await expect(page.locator("html")).toHaveAttribute("data-density", "compact");
  await chat.open();
  await chat.composer.fill("one");
  await chat.composer.press("Enter");
  await chat.composer.pressSequentially("two");
  await expect(chat.composer).toHaveValue("one\ntwo");
  await chat.composer.press("Control+Enter");
  await chat.threadId();
  await expect(chat.bubbles).toHaveText(/one\s+two/);
  await page.getByRole("link", { name: "Settings", exact: true }).click();
  await expect(page.getByLabel("Send messages with")).toHaveValue("control");
  await expect(page.getByLabel("Density")).toHaveValue("compact");
});

test("what one uses and who answers with what is shown to everybody", async ({ chat, page }) => {
  await chat.open("/settings");
  await expect(page.getByText(/Today, since midnight UTC: 0 tokens/)).toBeVisible();
  await expect(page.locator("li.answers")).toHaveCount(2);
  await expect(page.locator("li.answers").first()).toContainText(/tools/i);
  await expect(page.getByRole("link", { name: "your account" })).toBeVisible();
});
