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
