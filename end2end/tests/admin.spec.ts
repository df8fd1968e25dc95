/** The administration page. */
import AxeBuilder from "@axe-core/playwright";
import type { BrowserContext, Page } from "@playwright/test";
import { Chat } from "../chat.ts";
import { type Account, expect, newAccount, register, test } from "../fixtures.ts";

test.use({ settings: { NETRA_AUTH: "password" } });

/** The first account of a server on loopback administers it. */
let administrator: Account | undefined;

async function administer(context: BrowserContext): Promise<Account> {
  if (administrator === undefined) {
    administrator = await register(context);
  } else {
    const { email, password } = administrator;
    const answer = await context.request.post("/api/auth/login", { data: { email, password } });
    expect(answer.ok()).toBe(true);
  }
  return administrator;
}

/** No serious fault, and nothing wider than the page. */
async function isSound(page: Page): Promise<void> {
  const { violations } = await new AxeBuilder({ page }).analyze();
  const serious = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
  expect(serious.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)])).toEqual([]);
  expect(await page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth)).toBe(true);
}

const SECTIONS = [
  "users",
  "invitations",
  "sign-ins",
  "connections",
  "runs",
  "usage",
  "agents",
  "notices",
  "settings",
  "audit",
];

test("an administrator finds people, changes them, and sees what goes on (R9, R21)", async ({
  browser,
  guard,
  baseURL,
}, testInfo) => {
  const context = await browser.newContext({ baseURL, viewport: { width: 1440, height: 900 } });
  await guard.watch(context);
  await administer(context);
  const others = await browser.newContext({ baseURL });
  const other = await register(others, newAccount());
  const chat = new Chat(await context.newPage());
  await chat.open();
  await chat.sidebar.getByRole("link", { name: "Administration" }).click();
  const { page } = chat;
  const row = page.getByRole("row").filter({ hasText: other.email });
  await expect(row).toContainText("Open");
  await page.getByLabel("Name or address").fill(other.email);
  await expect(page.getByRole("row")).toHaveCount(2);
  await page.getByLabel(`Role of ${other.name}`).selectOption({ label: "Guest" });
  await expect(page.getByText("The role is changed.")).toBeVisible();
  await row.getByRole("button", { name: "Disable" }).click();
  await expect(row).toContainText("Disabled");
  const refused = await others.request.post("/api/auth/login", {
    data: { email: other.email, password: other.password },
  });
  expect(refused.status()).toBe(403);
  await row.getByRole("button", { name: "Enable" }).click();
  await expect(row).toContainText("Open");
  await row.getByRole("button", { name: "New password" }).click();
  await expect(page.locator(".admin-once code")).toContainText("/login?mode=reset&link=");

  await page.getByRole("link", { name: "Invitations", exact: true }).click();
  await page.getByLabel("Invite").selectOption("guest");
  await page.getByRole("button", { name: "Make a link" }).click();
  await expect(page.locator(".admin-once code")).toContainText("invitation=");
  const guest = page.getByRole("row").filter({ hasText: "Account of a guest" });
  await guest.getByRole("button", { name: "Take back" }).click();
  await expect(guest).toHaveCount(0);

  await page.getByRole("link", { name: "Audit log" }).click();
  await page.getByLabel("Action, person, or network address").fill("link.taken_back");
  await expect(page.getByRole("row")).toHaveCount(2);
  await page.getByRole("link", { name: "Notices" }).click();
  await page.getByLabel("What everyone is to read").fill("The server rests at noon.");
  await page.getByRole("button", { name: "Show it" }).click();
  await expect(page.getByText("The server rests at noon.")).toBeVisible();

  for (const [width, height] of [
    [1440, 900],
    [390, 844],
  ] as const) {
    await page.setViewportSize({ width, height });
    for (const section of SECTIONS) {
      await page.goto(`/admin/${section}`);
      await chat.isLive();
      await expect(page.getByText("Reading…")).toHaveCount(0);
      await isSound(page);
      await page.screenshot({ path: testInfo.outputPath(`${section}-${width}.png`) });
    }
  }
  await context.close();
  await others.close();
});

test("others are told whom it is for, and get nothing (R9)", async ({ browser, guard, baseURL }) => {
  const first = await browser.newContext({ baseURL });
  await administer(first);
  await first.close();
  const context = await browser.newContext({ baseURL });
  await guard.watch(context);
  await register(context);
  const chat = new Chat(await context.newPage());
  await chat.open("/admin/audit");
  await expect(chat.page.getByRole("heading", { name: "For administrators" })).toBeVisible();
  await expect(chat.sidebar.getByRole("link", { name: "Administration" })).toHaveCount(0);
  await context.close();
});
