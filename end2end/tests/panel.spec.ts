/** The event panel: what crosses the page's socket, as it crosses. */
import { readFile } from "node:fs/promises";
import AxeBuilder from "@axe-core/playwright";
import { expect, test } from "../fixtures.ts";
import { prompts } from "../model.ts";

test("the event panel lists the frames of a run, by type, and saves them without the token (R25)", async ({
  chat,
  page,
  sockets,
}) => {
  await chat.open();
  const thread = await chat.askNew("guide", "What is (2+3)*7?");
  await chat.cardIs("completed");

  // Opened by the keyboard; the focus goes in.
  const panel = page.getByRole("region", { name: "Events", exact: true });
  await page.keyboard.press("Control+Shift+D");
  await expect(panel).toBeVisible();
  await expect(panel.getByRole("button", { name: "Close the event panel" })).toBeFocused();
  const lines = panel.locator(".frame");
  // Nothing was kept before it was opened.
  const types = () => panel.locator(".frame-type").allTextContents();
  expect(await types()).not.toContain("agent_started");

  await chat.agent.selectOption("assistant");
  await chat.ask(prompts.calculate);
  await expect(chat.cards).toHaveCount(2);
  await chat.cardIs("completed");
  await expect.poll(types).toContain("agent_completed");
  const shown = await types();
  for (const type of ["user_message", "ack", "agent_started", "agent_thinking", "tool_executing", "tool_completed"]) {
    expect(shown).toContain(type);
  }

  // What is said of the link is what crossed it.
  const fact = (name: string) => panel.locator(".panel-facts > div").filter({ hasText: name }).locator("dd");
  const newest = () => Math.max(...sockets.received.map(({ seq }) => seq ?? 0));
  await expect(fact("Last event")).toHaveText(String(newest()));
  await expect(fact("Gaps")).toHaveText("0");
  await expect(fact("Reconnects")).toHaveText("0");
  await expect(fact("Round trip")).toHaveText(/^\d+ ms$/);
  await expect(fact("Link")).toHaveText("Live");

  // Each line unfolds to its frame.
  await panel.getByRole("combobox", { name: "Type of frame", exact: true }).selectOption("tool_executing");
  await expect(lines).toHaveCount(1);
  await lines.locator("summary").click();
  await expect(lines.locator("pre")).toContainText('"expression": "(2+3)*7"');
  await lines.locator("summary").click();
  await expect(lines.locator("pre")).toHaveCount(0);

  // By run, and of everything.
  await panel.getByRole("combobox", { name: "Type of frame", exact: true }).selectOption("");
  const all = await lines.count();
  const runs = panel.getByRole("combobox", { name: "Frames of which run", exact: true });
  const run = sockets.received.findLast(({ type }) => type === "agent_completed")!.run_id!;
  await runs.selectOption(run);
  const ofRun = sockets.received.filter(({ run_id }) => run_id === run).length;
  await expect(lines).toHaveCount(Math.min(ofRun, 100));
  await runs.selectOption("");
  await panel.getByRole("combobox", { name: "Frames of which conversation", exact: true }).selectOption("all");
  await expect.poll(() => lines.count()).toBeGreaterThan(all - 1);
  await expect.poll(types).toContain("pong");

  // What is held stands still.
  const hold = panel.getByRole("button", { name: "Hold", exact: true });
  await hold.click();
  const held = await types();
  await chat.ask(prompts.count(3));
  await expect(chat.cards).toHaveCount(3);
  await chat.cardIs("completed");
  expect(await types()).toEqual(held);
  await hold.click();
  await expect.poll(types).not.toEqual(held);

  const [file] = await Promise.all([
    page.waitForEvent("download"),
    panel.getByRole("button", { name: "Save frames" }).click(),
  ]);
  expect(file.suggestedFilename()).toMatch(/\.jsonl$/);
  const text = await readFile(await file.path(), "utf8");
  const saved = text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as { at: string; direction: string; frame: { type: string; thread_id?: string } });
  expect(saved.map(({ frame }) => frame.type)).toContain("agent_completed");
  expect(saved.filter(({ direction }) => direction === "out").map(({ frame }) => frame.type)).toContain("user_message");
  expect(saved.some(({ frame }) => frame.thread_id === thread)).toBe(true);
  expect(text).not.toContain("eyJ");

  expect((await new AxeBuilder({ page }).include(".panel").analyze()).violations.map(({ id }) => id)).toEqual([]);

  // Escape closes it, and the focus goes back.
  await panel.getByRole("button", { name: "Close the event panel" }).focus();
  await page.keyboard.press("Escape");
  await expect(panel).toHaveCount(0);
  await expect(page.getByRole("button", { name: "Event panel", exact: true })).toBeFocused();
});

test("a panel that is open when the page comes hears it from its first frame on (R25)", async ({
  chat,
  page,
  sockets,
}) => {
  await chat.open();
  await chat.askNew("guide", "What is 1+1?");
  await chat.cardIs("completed");
  await page.keyboard.press("Control+Shift+D");
  const panel = page.getByRole("region", { name: "Events", exact: true });
  await expect(panel).toBeVisible();
  await page.reload();
  await chat.isLive();
  await expect(panel).toBeVisible();
  await panel.getByRole("combobox", { name: "Frames of which conversation", exact: true }).selectOption("all");
  await expect.poll(() => panel.locator(".frame-type").allTextContents()).toContain("connect");
  expect(sockets.received.some(({ type }) => type === "connect")).toBe(true);
});

test("the panel's size is the reader's, by hand and by keyboard, and remembered (R25)", async ({ chat, page }) => {
  await chat.open();
  await chat.askNew("guide", "What is 1+1?");
  await chat.cardIs("completed");
  await page.getByRole("button", { name: "Event panel", exact: true }).click();
  const panel = page.getByRole("region", { name: "Events", exact: true });
  const edge = panel.getByRole("separator", { name: "Size of the event panel" });
  const width = () => panel.evaluate((panel) => Math.round(panel.getBoundingClientRect().width));
  const before = await width();
  await edge.focus();
  await edge.press("ArrowLeft");
  await edge.press("ArrowLeft");
  await expect.poll(width).toBe(before + 48);
  const box = (await edge.boundingBox())!;
  await page.mouse.move(box.x + 2, box.y + 200);
  await page.mouse.down();
  await page.mouse.move(box.x - 60, box.y + 200, { steps: 4 });
  await page.mouse.up();
  await expect.poll(width).toBeGreaterThan(before + 90);
  const chosen = await width();
  // The conversation has the rest, and nothing is covered.
  const [conversation, left] = await Promise.all([chat.scroller.boundingBox(), panel.boundingBox()]);
  expect(conversation!.x + conversation!.width).toBeLessThanOrEqual(left!.x + 1);
  await page.reload();
  await chat.isLive();
  await expect(panel).toBeVisible();
  await expect.poll(width).toBe(chosen);
  await page.emulateMedia({ media: "print" });
  await expect(panel).toBeHidden();
});

for (const colorScheme of ["light", "dark"] as const) {
  for (const viewport of [
    { width: 1280, height: 800 },
    { width: 390, height: 844 },
  ]) {
    test.describe(`${colorScheme}, ${viewport.width} wide`, () => {
      test.use({ colorScheme, viewport, contextOptions: { reducedMotion: "reduce" } });

      test("the panel can be read and used by everyone (R25)", async ({ chat, page }, testInfo) => {
        await page.goto("/");
        await chat.linkIs("live", 15_000);
        await chat.agent.selectOption("assistant");
        await chat.ask("Hello: Count to 3");
        await chat.cardIs("completed");
        await page.getByRole("button", { name: "Event panel", exact: true }).click();
        await chat.ask(prompts.calculate);
        await expect(chat.cards).toHaveCount(2);
        await chat.cardIs("completed");
        await page.locator(".frame summary").nth(1).click();
        const path = testInfo.outputPath(`panel-${colorScheme}-${viewport.width}.png`);
        await page.screenshot({ path, animations: "disabled" });
        await testInfo.attach("panel", { path, contentType: "image/png" });
        await expect(chat.composer).toBeInViewport({ ratio: 1 });
        const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
        expect(overflow).toBeLessThanOrEqual(0);
        expect((await new AxeBuilder({ page }).analyze()).violations.map(({ id }) => id)).toEqual([]);
      });
    });
  }
}
