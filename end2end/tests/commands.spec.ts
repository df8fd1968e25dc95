/** Commands: a slash at the beginning of a message offers them, and what they make is put into the message box. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import AxeBuilder from "@axe-core/playwright";
import { expect, test } from "../fixtures.ts";

const server = resolve(import.meta.dirname, "../../node_modules/@modelcontextprotocol/server-everything/dist/index.js");
const settings = join(mkdtempSync(join(tmpdir(), "netra-commands-")), "netra.toml");
writeFileSync(
  settings,
  `[[mcp]]
name = "everything"
command = ["node", ${JSON.stringify(server)}, "stdio"]

[[agents]]
name = "guide"
kind = "guide"

[[agents]]
name = "caller"
title = "Caller"
kind = "openai"
base_url = "http://127.0.0.1:9/v1"
model = "none"
tools = ["mcp:everything/*"]
`,
);
test.use({ settings: { NETRA_CONFIG: settings } });
test.afterAll(() => rmSync(settings, { force: true }));

/** The server's program takes a moment to start. */
test.beforeEach(async ({ chat, page }) => {
  await expect
    .poll(async () => (await (await page.request.get("/api/commands?agent=caller")).json()).commands.length, {
      timeout: 30_000,
    })
    .toBeGreaterThan(1);
  await page.goto("/");
  await chat.linkIs("live", 15_000);
  await chat.agent.selectOption("caller");
});

test("a command is chosen by its letters, asked for what it wants, and becomes the message (R25)", async ({
  chat,
  page,
}) => {
  const list = page.getByRole("listbox", { name: "Commands" });
  await chat.composer.pressSequentially("/");
  await expect(list.getByRole("option").first()).toBeVisible();
  await chat.composer.pressSequentially("args");
  await expect(list.getByRole("option")).toHaveText(/everything:args-prompt/);
  await chat.composer.press("Enter");
  const form = page.getByRole("group", { name: "/everything:args-prompt" });
  const city = form.getByLabel(/^city/);
  await expect(city).toBeFocused();
  // What it needs is asked for before anything is sent.
  await city.press("Enter");
  await expect(form).toBeVisible();
  await city.fill("Ulm");
  await city.press("Enter");
  await expect(chat.composer).toHaveValue(/Ulm/);
  await expect(chat.composer).toBeFocused();
  await expect(form).toHaveCount(0);
  // Nothing was sent by itself.
  await expect(page).toHaveURL(/\/$/);
});

test("the settings tell who answers with which tools, and how their servers are (R25)", async ({ page }) => {
  await page.goto("/settings");
  await expect(page.locator("li.answers").filter({ hasText: "Caller" })).toContainText("mcp:everything/*");
  await expect(page.getByText(/MCP servers: everything is ready, with \d+ tools\./)).toBeVisible();
});

test("arrows choose, Escape closes, and other words that begin with a slash are words (R25)", async ({
  chat,
  guard,
  page,
}) => {
  guard.allow(/status of (404|502|503)/);
  const list = page.getByRole("listbox", { name: "Commands" });
  const chosen = list.locator("[aria-selected=true]");
  await chat.composer.pressSequentially("/");
  await expect(chosen).toHaveCount(1);
  const first = (await chosen.textContent()) ?? "";
  await chat.composer.press("ArrowDown");
  await expect(chosen).not.toHaveText(first);
  await chat.composer.press("ArrowUp");
  await expect(chosen).toHaveText(first);
  await chat.composer.press("Escape");
  await expect(list).toHaveCount(0);
  await chat.composer.pressSequentially("simple");
  await expect(list).toBeVisible();
  await chat.composer.press("Enter");
  await expect(chat.composer).toHaveValue(/simple prompt/i);

  // One that is gone when it is asked for is said to be.
  await page.route("**/api/commands/*", async (route) => {
    await route.continue({ url: route.request().url().replace("simple", "former") });
  });
  await chat.composer.fill("/simple");
  await expect(list.getByRole("option")).toHaveCount(1);
  await chat.composer.press("Enter");
  await expect(page.getByText("This agent has no such command")).toBeVisible();
  await expect(chat.composer).toHaveValue("/simple");

  await chat.agent.selectOption("guide");
  await chat.composer.fill("/");
  await expect(page.getByText("This agent has no commands.")).toBeVisible();
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
      const judge = async (name: string) => {
        const path = testInfo.outputPath(`${name}.png`);
        await page.screenshot({ path, animations: "disabled" });
        await testInfo.attach(name, { path, contentType: "image/png" });
        const { violations } = await new AxeBuilder({ page }).analyze();
        expect(violations.filter(({ impact }) => impact === "serious" || impact === "critical")).toEqual([]);
      };
      await chat.composer.pressSequentially("/");
      const options = page.getByRole("listbox", { name: "Commands" }).getByRole("option");
      await expect(options.first()).toBeVisible();
      await judge("commands");
      await options.filter({ hasText: "args-prompt" }).click();
      await expect(page.getByRole("group", { name: /args/ }).getByLabel(/^city/)).toBeFocused();
      await judge("command");
    });
  });
}
