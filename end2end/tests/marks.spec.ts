/** What the sidebar, the tab's title and notifications tell of conversations that nobody looks at. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Chat } from "../chat.ts";
import { expect, test } from "../fixtures.ts";
import { prompts } from "../model.ts";

/** Asks each time before it calculates. */
const settings = join(mkdtempSync(join(tmpdir(), "netra-marks-")), "netra.toml");
writeFileSync(settings, '[tools]\ncalculate = "ask"\n');

test.use({ settings: { NETRA_CONFIG: settings } });

test.afterAll(() => rmSync(settings, { force: true }));

const running = (tab: Chat, id: string) => tab.thread(id).getByText("an agent works here");
const unread = (tab: Chat, id: string) => tab.thread(id).getByText("not read yet");
const waiting = (tab: Chat, id: string) => tab.thread(id).getByText("an agent waits for you here");

test("running and unread marks come and go in every tab, in words (R25)", async ({ chat, context, page }) => {
  await chat.open();
  const other = new Chat(await context.newPage());
  await other.open();
  const id = await chat.askNew("assistant", prompts.count(120));
  for (const tab of [chat, other]) await expect(running(tab, id)).toBeAttached();
  await chat.newChat();
  for (const tab of [chat, other]) {
    await expect(running(tab, id)).toHaveCount(0, { timeout: 20_000 });
    await expect(unread(tab, id)).toBeAttached();
  }
  // It is remembered, and goes everywhere once it was read in one place.
  await other.page.reload();
  await other.isLive();
  await expect(unread(other, id)).toBeAttached();
  await chat.openThread(id);
  for (const tab of [chat, other]) await expect(unread(tab, id)).toHaveCount(0);
  // What comes while it is being read is read.
  await chat.ask(prompts.count(3));
  await expect(chat.cards).toHaveCount(2);
  await chat.cardIs("completed");
  await expect(running(other, id)).toHaveCount(0);
  await chat.newChat();
  for (const tab of [chat, other]) await expect(unread(tab, id)).toHaveCount(0);
  await page.reload();
  await chat.isLive();
  await expect(chat.thread(id)).toBeVisible();
  await expect(unread(chat, id)).toHaveCount(0);
});

test("a tab that nobody sees tells in its title of an answer that ended (R25)", async ({ chat, page }) => {
  await chat.open();
  const id = await chat.askNew("assistant", prompts.count(60));
  await expect(page).toHaveTitle(/^Count to 60 · Netra$/);
  await chat.setHidden(true);
  await expect(page).toHaveTitle(/^\(1\) .* · Netra$/, { timeout: 20_000 });
  await chat.setHidden(false);
  await expect(page).not.toHaveTitle(/^\(/);
  await expect(unread(chat, id)).toHaveCount(0);
});

test("a question that waits is marked in every tab, and told in the title of one that nobody sees (R25)", async ({
  chat,
  context,
  page,
}) => {
  await chat.open();
  const other = new Chat(await context.newPage());
  await other.open();
  const id = await chat.askNew("assistant", prompts.calculate);
  for (const tab of [chat, other]) await expect(waiting(tab, id)).toBeAttached();
  await chat.setHidden(true);
  await expect(page).toHaveTitle(/^Waits for you · /);
  await other.openThread(id);
  await other.page.getByRole("button", { name: "Allow once" }).click();
  for (const tab of [chat, other]) await expect(waiting(tab, id)).toHaveCount(0);
  await expect(page).not.toHaveTitle(/^Waits for you/);
  await chat.setHidden(false);
});

test.describe("notifications", () => {
  test.beforeEach(async ({ page }) => {
    // The browser's own are shown by the system: what the page asks for is noted instead.
    await page.addInitScript(() => {
      const shown: string[] = [];
      let asked = 0;
      class Noted {
        static permission = localStorage.getItem("test.permission") ?? "default";
        static requestPermission = () => {
          asked += 1;
          Noted.permission = localStorage.getItem("test.answer") ?? "granted";
          return Promise.resolve(Noted.permission);
        };
        constructor(title: string, options: { body: string }) {
          shown.push(`${title}: ${options.body}`);
        }
      }
      Object.assign(window, { Notification: Noted, shown, asked: () => asked });
    });
  });

  test("are asked for on a press alone, and tell of an answer (R25)", async ({ chat, page }) => {
    const shown = () => page.evaluate(() => (window as unknown as { shown: string[] }).shown);
    const asked = () => page.evaluate(() => (window as unknown as { asked: () => number }).asked());
    await chat.open("/settings");
    expect(await asked()).toBe(0);
    await page.getByRole("button", { name: "Turn on", exact: true }).click();
    await expect(page.getByText("On in this browser")).toBeVisible();
    expect(await asked()).toBe(1);
    await page.evaluate(() => localStorage.setItem("test.permission", "granted"));
    await page.reload();
    await chat.isLive();
    await expect(page.getByText("On in this browser")).toBeVisible();
    await chat.askNew("assistant", prompts.count(60));
    await chat.setHidden(true);
    await expect.poll(shown, { timeout: 20_000 }).toEqual(["Count to 60: The answer is here."]);
    expect(await asked()).toBe(0);
  });

  test("that the browser refuses are said to be refused (R25)", async ({ chat, page }) => {
    await page.addInitScript(() => localStorage.setItem("test.answer", "denied"));
    await chat.open("/settings");
    await page.getByRole("button", { name: "Turn on", exact: true }).click();
    await expect(page.getByText("This browser refuses them for this address.")).toBeVisible();
    await expect(page.getByRole("button", { name: "Turn on", exact: true })).toBeVisible();
  });
});
