/** A form that a tool asks a person to fill in: fields by their labels, and boxes where several may be chosen. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import AxeBuilder from "@axe-core/playwright";
import { test as base, expect } from "../fixtures.ts";
import { prompts } from "../model.ts";

const server = resolve(import.meta.dirname, "../../node_modules/@modelcontextprotocol/server-everything/dist/index.js");

const test = base.extend<object, { settings: Record<string, string> }>({
  settings: [
    async ({ model }, use) => {
      const folder = mkdtempSync(join(tmpdir(), "netra-forms-"));
      const file = join(folder, "netra.toml");
      writeFileSync(
        file,
        `[[mcp]]
name = "everything"
command = ["node", ${JSON.stringify(server)}, "stdio"]

[[agents]]
name = "caller"
title = "Caller"
kind = "openai"
base_url = ${JSON.stringify(model.url)}
model = "mock-model"
tools = ["mcp:everything/*"]

[tools]
"mcp:everything/*" = "allow"
`,
      );
      await use({ NETRA_CONFIG: file });
      rmSync(folder, { recursive: true });
    },
    { scope: "worker" },
  ],
});

test("several choices of a list are taken, one is given back, and the tool is told the rest (R12)", async ({
  chat,
  page,
}) => {
  // The server's program takes a moment to start.
  const offered = async () => (await (await page.request.get("/api/commands?agent=caller")).json()).commands.length;
  await expect.poll(offered, { timeout: 30_000 }).toBeGreaterThan(1);
  await chat.open();
  await chat.ask(prompts.form);
  const question = chat.card.getByRole("group", { name: "The agent asks" });
  await expect(question).toContainText("everything asks:");
  // What has to be filled in comes first; what stands in a field already and what a choice is called are the tool's.
  await expect(question.getByRole("textbox").first()).toHaveAccessibleName("String");
  await expect(question.getByLabel(/^String with default/)).toHaveValue("It was a dark and stormy night.");
  await expect(question.getByLabel("Tuna")).toBeChecked();
  await expect(question.getByLabel(/^Untitled Single Select/)).toHaveValue("Monica");
  const instruments = question.getByRole("group").filter({ has: page.getByLabel("Drums") });
  expect((await new AxeBuilder({ page }).include(".card").analyze()).violations).toEqual([]);

  // What has to be filled in is said, and what was chosen stays.
  await instruments.getByLabel("Piano").check();
  await instruments.getByLabel("Drums").check();
  await instruments.getByLabel("Guitar").uncheck();
  const send = question.getByRole("button", { name: "Send" });
  await send.click();
  await expect(page.getByText(/is missing/)).toBeVisible();
  await expect(instruments.getByLabel("Piano")).toBeChecked();
  await question.getByRole("textbox").first().fill("Ada");
  await send.click();
  await chat.cardIs("completed");
  const tool = chat.card.locator("details.tool").filter({ hasText: "trigger-elicitation-request" }).first();
  await tool.locator("summary").click();
  await expect(tool).toContainText("Piano");
  await expect(tool).toContainText("Drums");
  await expect(tool).not.toContainText("Guitar");
});
