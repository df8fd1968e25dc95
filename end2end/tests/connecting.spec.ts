/** An MCP server that an administrator signs in at: connected under Settings, by way of a real authorization server, and back. */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import AxeBuilder from "@axe-core/playwright";
import { Chat } from "../chat.ts";
import { expect, test as base } from "../fixtures.ts";
import { NETWORK_CUT } from "../guard.ts";

const script = resolve(import.meta.dirname, "../../tests/black_box/support/mcp_oauth.mjs");

const test = base.extend<object, { settings: Record<string, string> }>({
  settings: [
    async ({}, use) => {
      const folder = mkdtempSync(join(tmpdir(), "netra-connecting-"));
      const child = spawn("node", [script, join(folder, "notes"), "a secret", "http://127.0.0.1:1"], {
        stdio: ["ignore", "pipe", "ignore"],
      });
      let place = "";
      for await (const line of createInterface({ input: child.stdout })) {
        if (!line.startsWith("listening on ")) continue;
        place = line.split(" ")[2] ?? "";
        break;
      }
      const file = join(folder, "netra.toml");
      writeFileSync(file, `[[mcp]]\nname = "guarded"\nurl = "${place}/mcp"\noauth = { sign_in = true }\n`);
      await use({ NETRA_CONFIG: file });
      child.kill();
      rmSync(folder, { recursive: true, force: true });
    },
    { scope: "worker" },
  ],
});

test("an administrator connects a server by signing in there, and takes that back", async ({ guard, page }) => {
  // The authorization server's pages want a font from elsewhere, and have no icon.
  guard.allow(NETWORK_CUT, /fonts/, /status of 404 .*\/favicon\.ico\)/);
  await new Chat(page).open("/settings");
  const entry = page.locator("li.agent", { hasText: "guarded (MCP)" });
  await expect(entry).toContainText("Not connected: an administrator has to connect it");
  await expect(page.locator(".settings")).toContainText("guarded is not connected");
  const { violations } = await new AxeBuilder({ page }).include(".settings").analyze();
  expect(violations).toEqual([]);
  await page.getByRole("button", { name: "Connect guarded" }).click();
  await page.waitForURL(/\/interaction\//);
  await page.locator("input[name=login]").fill("ada");
  await page.locator("input[name=password]").fill("x");
  await page.locator("button[type=submit]").click();
  await page.locator("input[name=login]").waitFor({ state: "detached" });
  await page.locator("button[type=submit]").click();
  await page.waitForURL(/\/settings\?connection=made$/);
  await expect(page.getByText("The server is connected.")).toBeVisible();
  await expect(entry).toContainText("1 tool");
  await page.getByRole("button", { name: "Disconnect guarded" }).click();
  await expect(page.getByRole("button", { name: "Connect guarded" })).toBeVisible();
  await expect(entry).toContainText("Not connected: an administrator has to connect it");
});
