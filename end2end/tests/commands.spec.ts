/** Commands: a slash at the beginning of a message offers them, and what they make is put into the message box. */
import AxeBuilder from "@axe-core/playwright";
import type { Page } from "@playwright/test";
import { expect, test } from "../fixtures.ts";

/** The server's side is tested against MCP servers; here its answers are given. */
async function offer(page: Page): Promise<{ asked: string[]; called: unknown[] }> {
  const heard = { asked: [] as string[], called: [] as unknown[] };
  await page.route("**/api/commands**", async (route) => {
    const request = route.request();
    const { pathname, searchParams } = new URL(request.url());
    if (request.method() === "GET") {
      heard.asked.push(searchParams.get("agent") ?? "");
      return route.fulfill({
        json: {
          commands: [
            { name: "help/about", title: "About", description: "What this is", arguments: [] },
            {
              name: "code/review",
              description: "Reviews a file",
              arguments: [
                { name: "file", description: "its path", required: true },
                { name: "style", required: false },
              ],
            },
            { name: "code/broken", arguments: [] },
          ],
        },
      });
    }
    const body = request.postDataJSON();
    heard.called.push({ pathname, body });
    if (pathname.endsWith("broken")) {
      const error = { code: "upstream_unavailable", message: "the prompt's server is away", retryable: true };
      return route.fulfill({ status: 503, json: { error } });
    }
    return route.fulfill({ json: { text: `Made of ${JSON.stringify(body.arguments)}` } });
  });
  return heard;
}

test("a command is chosen by its letters, asked for what it wants, and becomes the message (R25)", async ({
  chat,
  page,
}) => {
  const heard = await offer(page);
  await chat.open();
  await chat.agent.selectOption("guide");
  const list = page.getByRole("listbox", { name: "Commands" });
  await chat.composer.pressSequentially("/");
  await expect(list.getByRole("option")).toHaveCount(3);
  expect(heard.asked.at(-1)).toBe("guide");
  await chat.composer.pressSequentially("rev");
  await expect(list.getByRole("option")).toHaveText(/code\/review/);
  await chat.composer.press("Enter");
  const form = page.getByRole("group", { name: "/code/review" });
  const file = form.getByLabel("file: its path");
  await expect(file).toBeFocused();
  // What it needs is asked for before anything is sent.
  await file.press("Enter");
  expect(heard.called).toEqual([]);
  await file.fill("src/main.rs");
  await file.press("Enter");
  await expect(chat.composer).toHaveValue('Made of {"file":"src/main.rs"}');
  await expect(chat.composer).toBeFocused();
  expect(heard.called).toEqual([
    { pathname: "/api/commands/code%2Freview", body: { agent: "guide", arguments: { file: "src/main.rs" } } },
  ]);
  await expect(form).toHaveCount(0);
  // Nothing was sent by itself.
  await expect(page).toHaveURL(/\/$/);
});

test("arrows choose, Escape closes, and other words that begin with a slash are words (R25)", async ({
  chat,
  guard,
  page,
}) => {
  guard.allow(/status of 503/);
  await offer(page);
  await chat.open();
  const list = page.getByRole("listbox", { name: "Commands" });
  await chat.composer.pressSequentially("/");
  await expect(list).toBeVisible();
  await chat.composer.press("Escape");
  await expect(list).toHaveCount(0);
  await chat.composer.pressSequentially("a");
  await expect(list).toBeVisible();
  await chat.composer.press("Enter");
  await expect(chat.composer).toHaveValue("Made of {}");

  await chat.composer.fill("/broken");
  await expect(list.getByRole("option")).toHaveCount(1);
  await chat.composer.press("Enter");
  await expect(page.getByText("The prompt's server is away")).toBeVisible();
  await expect(chat.composer).toHaveValue("/broken");

  await chat.composer.fill("/etc/hosts, what is it?");
  await expect(list).toHaveCount(0);
  await chat.composer.press("Enter");
  await chat.threadId();
  await expect(chat.bubbles).toHaveText("/etc/hosts, what is it?");
});

for (const colorScheme of ["light", "dark"] as const) {
  test.describe(`390 ${colorScheme}`, () => {
    test.use({ viewport: { width: 390, height: 844 }, colorScheme, contextOptions: { reducedMotion: "reduce" } });

    test("the list and the form can be read by everyone (R25)", async ({ chat, page }, testInfo) => {
      await offer(page);
      await page.goto("/");
      await chat.linkIs("live", 15_000);
      const judge = async (name: string) => {
        const path = testInfo.outputPath(`${name}.png`);
        await page.screenshot({ path, animations: "disabled" });
        await testInfo.attach(name, { path, contentType: "image/png" });
        const { violations } = await new AxeBuilder({ page }).analyze();
        expect(violations.filter(({ impact }) => impact === "serious" || impact === "critical")).toEqual([]);
      };
      await chat.composer.pressSequentially("/");
      const options = page.getByRole("listbox", { name: "Commands" }).getByRole("option");
      await expect(options).toHaveCount(3);
      await judge("commands");
      await options.filter({ hasText: "review" }).click();
      await expect(page.getByLabel("file: its path")).toBeFocused();
      await judge("command");
    });
  });
}
