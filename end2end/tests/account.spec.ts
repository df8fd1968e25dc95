/** One's own account: password, second factor, sign-ins, tokens. */
import AxeBuilder from "@axe-core/playwright";
import { createHmac } from "node:crypto";
import { Chat } from "../chat.ts";
import { expect, register, test } from "../fixtures.ts";

/** The code of an authenticator app (RFC 6238), `ahead` steps from now. */
function codeOf(secret: string, ahead = 0): string {
  const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  const bits = [...secret].map((letter) => letters.indexOf(letter).toString(2).padStart(5, "0")).join("");
  const bytes = bits.match(/.{8}/g)!.map((byte) => parseInt(byte, 2));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + ahead));
  const digest = createHmac("sha1", Buffer.from(bytes)).update(counter).digest();
  const number = digest.readUInt32BE(digest.at(-1)! & 15) & 0x7fffffff;
  return String(number % 1_000_000).padStart(6, "0");
}

test("a second factor is set up, asked for, and turned off (R9)", async ({ browser, guard, baseURL }) => {
  guard.allow(/status of 401/);
  const context = await browser.newContext({ baseURL });
  await guard.watch(context);
  const account = await register(context);
  const chat = new Chat(await context.newPage());
  await chat.open("/account");
  const { page } = chat;
  const part = (name: string) => page.locator(".account-part").filter({ has: page.getByRole("heading", { name }) });
  const factor = part("Second factor");
  await factor.getByLabel("Password").fill(account.password);
  await factor.getByRole("button", { name: "Set up" }).click();
  const secret = (await factor.locator(".account-secret").textContent())!;
  await factor.getByLabel("Code").fill(codeOf(secret));
  await factor.getByRole("button", { name: "Confirm" }).click();
  await expect(factor).toContainText("10 recovery codes are left");
  await expect(page.getByRole("region", { name: "Shown once" }).getByRole("listitem")).toHaveCount(10);
  const { violations } = await new AxeBuilder({ page }).analyze();
  expect(violations.filter(({ impact }) => impact === "serious" || impact === "critical")).toEqual([]);

  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByLabel("Email").fill(account.email);
  await page.getByLabel("Password").fill(account.password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByRole("alert")).toContainText("code");
  await page.getByText("I have a second factor").click();
  await page.getByLabel("Code of your app").fill(codeOf(secret, 1));
  await page.getByRole("button", { name: "Sign in" }).click();
  await chat.isLive();

  await page.goto("/account");
  await chat.isLive();
  await factor.getByLabel("Password").fill(account.password);
  await factor.getByRole("button", { name: "Turn off" }).click();
  await expect(factor).toContainText("Off.");
  await part("Tokens for programs").getByLabel("What it is for").fill("cron");
  await part("Tokens for programs").getByRole("button", { name: "Make a token" }).click();
  await expect(page.getByRole("region", { name: "Shown once" })).toContainText("netra_");
  await expect(part("Where you are signed in")).toContainText("This sign-in");
  await context.close();
});
