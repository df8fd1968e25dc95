/** The agent that speaks to a language model: tools, Markdown, stop, failure, and following a long answer. */
import { expect, test } from "../fixtures.ts";
import { CODE, countTo, prompts } from "../model.ts";

test("a tool call that arrives in pieces is one call, and unfolds (R2, R5, R12, R13)", async ({
  chat,
  model,
  sockets,
}) => {
  await chat.open();
  await chat.askNew("assistant", prompts.calculate);
  await chat.cardIs("completed");
  await expect(chat.answer).toHaveText("The result is 35.");

  const calls = sockets.received.filter((frame) => frame.type === "tool_executing");
  expect(calls.map((frame) => frame.payload.arguments)).toEqual([{ expression: "(2+3)*7" }]);
  const results = model
    .requests()
    .at(-1)!
    .messages.filter((message) => message.role === "tool");
  expect(JSON.stringify(results)).toContain("35");

  const tool = chat.card.locator("details.tool");
  await expect(tool).toHaveCount(1);
  await expect(tool).toHaveAttribute("data-status", "ok");
  await expect(tool.locator("summary .tool-name")).toHaveText("calculate");
  await expect(tool.locator("summary .tool-args")).toContainText("(2+3)*7");
  await expect(tool.locator("summary .tool-time")).toHaveText(/\d\s?(ms|s)/);
  await expect(tool.locator(".tool-detail")).toBeHidden();
  await tool.locator("summary").click();
  await expect(tool.locator(".tool-detail")).toBeVisible();
  await expect(tool.locator("pre.tool-data").first()).toContainText('"(2+3)*7"');
  await expect(tool.locator("pre.tool-data").last()).toContainText("35");

  const thought = chat.card.locator("details.thought");
  await thought.locator("summary").first().click();
  await expect(thought.first()).toContainText("The sum goes first, then the product.");
});

test("Markdown becomes a document, and code can be copied (R25)", async ({ chat, context, page }) => {
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  const clipboard = () => page.evaluate(() => navigator.clipboard.readText());
  await chat.open();
  await chat.askNew("assistant", prompts.markdown);
  await chat.cardIs("completed");

  await expect(chat.answer.getByRole("heading", { name: "Ownership" })).toBeVisible();
  await expect(chat.answer.locator("strong")).toHaveText("one");
  await expect(chat.answer.locator("li")).toHaveText(["moved once", "borrowed often"]);
  await expect(chat.answer.getByRole("cell", { name: "new" })).toBeVisible();
  await expect(chat.answer.getByRole("link", { name: "the example" })).toHaveAttribute(
    "href",
    "https://example.org/owner",
  );
  await expect(chat.answer.locator("pre code")).toContainText(CODE);
  await expect(chat.answer).toContainText(/rust/i);

  await chat.answer.locator(".copy").click();
  await expect.poll(async () => (await clipboard()).trimEnd()).toBe(CODE);

  await chat.card.hover();
  await chat.card.locator(".card-foot").getByRole("button", { name: "Copy answer" }).click();
  await expect.poll(clipboard).toContain("Every value has");
  expect(await clipboard()).toContain(CODE);
});

test("stop ends the run at once and keeps the text so far (R2, R14, R25)", async ({ chat, page, sockets }) => {
  await chat.open();
  await chat.askNew("assistant", prompts.count(2_000));
  await chat.answerGrowsBeyond(50);
  await chat.stop.click();
  await chat.cardIs("stopped", 2_000);
  await expect(chat.stop).toHaveCount(0);
  expect((await sockets.first("agent_completed")).payload.status).toBe("stopped");

  const kept = await chat.answerText();
  expect(kept.length).toBeGreaterThan(50);
  expect(countTo(2_000).startsWith(kept)).toBe(true);
  await page.reload();
  await chat.isLive();
  await chat.cardIs("stopped");
  expect(await chat.answerText()).toBe(kept);
});

test("a failing model says what happened, and trying again works (R20)", async ({ chat, model, sockets }) => {
  await chat.open();
  await chat.askNew("assistant", prompts.broken);
  await chat.cardIs("failed", 30_000);
  const alert = chat.card.locator(".card-error[role=alert]");
  await expect(alert).toHaveText(/\S/);
  await expect(alert).not.toContainText("test-key");
  expect((await sockets.first("agent_error")).payload).toMatchObject({
    code: expect.stringMatching(/^(upstream_unavailable|upstream_protocol|agent_failed)$/),
    retryable: expect.any(Boolean),
  });

  model.repair();
  await alert.getByRole("button", { name: "Try again" }).dblclick();
  await chat.cardIs("completed", 30_000);
  await expect(chat.answer).toHaveText("Repaired.");
  // One message, asked once, with two answers of which the newest is shown.
  await expect(chat.bubbles).toHaveCount(1);
  await expect(chat.cards).toHaveCount(1);
  const variants = chat.card.getByRole("group", { name: "Answers" });
  await expect(variants).toContainText("2/2");
  // What failed once is no alarm for who comes back.
  await chat.page.reload();
  await chat.isLive();
  await expect(chat.answer).toHaveText("Repaired.");
  await variants.getByRole("button", { name: "Earlier answer" }).click();
  await expect(variants).toContainText("1/2");
  await expect(chat.card).toContainText("Try again");
  await expect(chat.page.locator(".card-error[role=alert]")).toHaveCount(0);
});

test("the page follows a growing answer until the reader scrolls away (R25)", async ({ chat, page }) => {
  const window = { width: 900, height: 480 };
  await page.setViewportSize(window);
  await chat.open();
  await chat.askNew("assistant", prompts.count(2_000));
  await chat.answerGrowsBeyond(20);
  const height = async () => (await chat.answerBox()).height;
  const top = async () => (await chat.answerBox()).top;
  const bottom = async () => (await chat.answerBox()).bottom;

  await expect.poll(height, { timeout: 30_000 }).toBeGreaterThan(window.height + 100);
  await expect.poll(bottom).toBeLessThanOrEqual(window.height);

  await page.mouse.move(600, 200);
  await page.mouse.wheel(0, -400);
  await expect.poll(bottom).toBeGreaterThan(window.height);
  let rest = Number.NaN;
  await expect
    .poll(async () => {
      const before = rest;
      rest = await top();
      return rest === before;
    }, "the wheel has come to rest")
    .toBe(true);
  const seen = await height();
  await expect.poll(height).toBeGreaterThan(seen + 40);
  expect(Math.abs((await top()) - rest)).toBeLessThan(2);
  await chat.stop.click();
  await chat.cardIs("stopped");
});
