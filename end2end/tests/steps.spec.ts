/** What an agent does on its way, drawn for what it is: a plan as a list that fills, a change of a file as a change. */
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import AxeBuilder from "@axe-core/playwright";
import { Chat } from "../chat.ts";
import { expect, test as base } from "../fixtures.ts";
import { Planner } from "../planner.ts";

const support = resolve("tests/black_box/support");

const test = base.extend<object, { planner: Planner }>({
  planner: [
    async ({}, use) => {
      const planner = new Planner();
      await use(planner);
      planner.stop();
    },
    { scope: "worker" },
  ],
  settings: [
    async ({ planner }, use) => {
      const file = join(mkdtempSync(join(tmpdir(), "netra-steps-")), "netra.toml");
      const command = JSON.stringify(["node", join(support, "acp_agent.mjs")]);
      const readable = JSON.stringify([support, resolve("node_modules")]);
      const coder = `[[agents]]\nname = "coder"\ntitle = "Coder"\nkind = "acp"\ncommand = ${command}\nreadable = ${readable}\n`;
      const other = `[[agents]]\nname = "planner"\ntitle = "Planner"\nkind = "ag-ui"\nurl = "${await planner.start()}"\n`;
      writeFileSync(file, `${coder}${other}`);
      await use({ NETRA_CONFIG: file });
    },
    { scope: "worker" },
  ],
});

const plan = (chat: Chat) => chat.card.locator(".plan");
const tasks = (chat: Chat) => chat.card.getByRole("list", { name: "Plan" }).getByRole("listitem");

async function ask(chat: Chat, agent: string, text: string): Promise<string> {
  await chat.agent.selectOption(agent);
  await chat.ask(text);
  return chat.threadId();
}

test("a plan is a list that fills in place, in every tab and after a reload (R2, R25)", async ({
  chat,
  context,
  page,
  planner,
}) => {
  await chat.open();
  const id = await ask(chat, "planner", "Plan it.");
  await expect(tasks(chat)).toHaveCount(3);
  await expect(plan(chat)).toContainText("Plan: 0 of 3 done; Read what is there.");
  const second = new Chat(await context.newPage());
  await second.open(`/t/${id}`);
  await expect(tasks(second)).toHaveCount(3);
  // Each task stays the element that it was.
  const first = await tasks(chat).first().elementHandle();
  planner.task(0, "in_progress");
  await expect(tasks(chat).first()).toHaveAttribute("data-stage", "now");
  planner.task(0, "completed");
  planner.tool("look", { path: "notes.txt" }, "one\ntwo");
  planner.task(1, "in_progress");
  for (const tab of [chat, second]) {
    await expect(tasks(tab).first()).toHaveAttribute("data-stage", "done");
    await expect(tasks(tab).nth(1)).toHaveAttribute("data-stage", "now");
    await expect(plan(tab)).toHaveCount(1);
    await expect(plan(tab)).toContainText("Plan: 1 of 3 done; Change it.");
  }
  expect(await first!.evaluate((element) => element.isConnected)).toBe(true);
  await expect(plan(chat).getByRole("status")).toHaveText("Plan: 1 of 3 done; Change it.");
  await expect(tasks(chat).nth(1)).toContainText("In progress: ");
  planner.end("Done with it.");
  await chat.cardIs("completed");
  await page.reload();
  await chat.isLive();
  await expect(tasks(chat)).toHaveCount(3);
  await expect(tasks(chat).first()).toHaveText("Done: Read what is there");
});

test("a change is drawn line by line where it is asked about, and where it was made (R12)", async ({ chat }) => {
  await chat.open();
  await ask(chat, "coder", "Please edit the notes.");
  const question = chat.card.getByRole("group", { name: "The agent asks" });
  const lines = (of: typeof question) => of.locator(".diff-line");
  await expect(question.locator(".diff-path")).toContainText("notes.txt");
  await expect(question.locator(".diff-count")).toHaveText("1 added, 1 removed");
  await expect(lines(question)).toHaveText(["Line 2", "-two", "+three"]);
  await question.getByRole("button", { name: "Allow", exact: true }).click();
  await chat.cardIs("completed");
  // The question stands above the call that it was about; both have the change.
  const rows = chat.card.locator("details.tool[data-status=ok]").filter({ has: chat.page.locator(".diff") });
  await expect(rows).toHaveCount(2);
  const tool = rows.last();
  await tool.locator("summary").click();
  await expect(lines(tool)).toHaveText(["Line 2", "-two", "+three"]);
  await expect(tool.locator('[data-kind="removed"]')).toHaveText("-two");
});

test("a text and the one in its place are compared, and a long change is cut until it is asked for (R12)", async ({
  chat,
  planner,
}) => {
  await chat.open();
  await ask(chat, "planner", "Change it.");
  await expect(tasks(chat)).toHaveCount(3);
  const file_path = "src/main.rs";
  planner.tool("edit", { file_path, old_string: "let a = 1;\nlet b = 2;", new_string: "let a = 1;\nlet b = 3;" }, "ok");
  const rows = Array.from({ length: 90 }, (_, row) => `row ${row}`);
  planner.tool("write", { file_path, old_string: "", new_string: rows.join("\n") }, "ok");
  planner.end("Changed.");
  await chat.cardIs("completed");
  const tool = (name: string) => chat.card.locator("details.tool").filter({ hasText: name });
  await tool("edit").locator("summary").click();
  await expect(tool("edit").locator(".diff-line")).toHaveText([" let a = 1;", "-let b = 2;", "+let b = 3;"]);
  await expect(tool("edit").locator(".diff-path")).toHaveText(file_path);
  await tool("write").locator("summary").click();
  await expect(tool("write").locator(".diff-line")).toHaveCount(60);
  await tool("write").getByRole("button", { name: "Show all 90 lines" }).click();
  await expect(tool("write").locator(".diff-line")).toHaveCount(90);
  await expect(tool("write").locator(".diff-line").last()).toHaveText("+row 89");
});

for (const [width, colorScheme] of [
  [1280, "light"],
  [390, "light"],
  [390, "dark"],
] as const) {
  test.describe(`${width} ${colorScheme}`, () => {
    test.use({ viewport: { width, height: 844 }, colorScheme, contextOptions: { reducedMotion: "reduce" } });

    test("plans and changes can be read by everyone (R25)", async ({ chat, page, planner }, testInfo) => {
      await chat.open();
      await ask(chat, "planner", "Plan it.");
      await expect(tasks(chat)).toHaveCount(3);
      planner.task(0, "completed");
      planner.task(1, "in_progress");
      const long =
        "let value = of_a_line_that_is_longer_than_a_phone_is_wide(and, so, it, wraps, around, at, its, edge);";
      planner.tool(
        "edit",
        { file_path: "src/a/rather/deep/path/main.rs", old: "let value = 1;\nkept", new: `${long}\nkept` },
        "ok",
      );
      await expect(tasks(chat).nth(1)).toHaveAttribute("data-stage", "now");
      await chat.card.locator("details.tool summary").click();
      await expect(chat.card.locator(".diff-line")).toHaveCount(3);
      const path = testInfo.outputPath("steps.png");
      await page.screenshot({ path, animations: "disabled" });
      await testInfo.attach("steps", { path, contentType: "image/png" });
      const { violations } = await new AxeBuilder({ page }).include(".card").analyze();
      expect(violations).toEqual([]);
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
      planner.end("Done.");
      await chat.cardIs("completed");
    });
  });
}
