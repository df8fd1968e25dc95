/** One person's first visit, from signed out to signed out: every part of the product at work on one thread. */
import { existsSync } from "node:fs";
import { Chat } from "../chat.ts";
import { expect, test } from "../fixtures.ts";
import { visibleText } from "../html.ts";
import { prompts } from "../model.ts";
import { CRITICAL_EVENTS } from "../sockets.ts";

test.skip(
  ({ browserName, playwright }) => browserName !== "chromium" && !existsSync(playwright[browserName].executablePath()),
  "This browser is not installed: `npx playwright install firefox webkit` does it; Playwright drives its own builds alone.",
);

test("a first visit, from nothing to an answer and out again (R1, R2, R6, R9, R13, R17, R25, R27)", async ({
  page,
  context,
  sockets,
}) => {
  test.setTimeout(120_000);
  const chat = new Chat(page);

  await test.step("the developer is signed in without asking, and the socket is open before any message", async () => {
    await chat.open();
    await expect(chat.sidebar).toBeVisible();
    await expect(page.getByRole("button", { name: "Sign out", exact: true })).toBeVisible();
    const connect = await sockets.first("connect");
    expect(connect.payload).toMatchObject({ connection_id: expect.any(String), user: { id: expect.any(String) } });
    expect(sockets.opened).toHaveLength(1);
    expect(sockets.messagesSent()).toEqual([]);
  });

  await test.step("an example starts a thread", async () => {
    await chat.agent.selectOption("guide");
    await expect(chat.examples).toHaveCount(4);
    const example = (await chat.examples.first().textContent())?.trim() ?? "";
    await chat.examples.first().click();
    await chat.threadId();
    await expect(chat.bubbles).toHaveCount(1);
    expect(example).toContain((await chat.bubbles.innerText()).trim());
    await chat.cardIs("completed", 30_000);
  });

  await test.step("the five critical events came, in order and numbered without a gap", async () => {
    const { run_id: run, thread_id: thread } = await sockets.first("agent_completed");
    const types = sockets.received.filter((frame) => frame.run_id === run && frame.seq).map((frame) => frame.type);
    for (const type of CRITICAL_EVENTS) expect(types).toContain(type);
    expect(types[0]).toBe("agent_started");
    expect(types.at(-1)).toBe("agent_completed");
    expect(types.indexOf("tool_executing")).toBeLessThan(types.indexOf("tool_completed"));
    const seqs = sockets.received.flatMap((frame) => (frame.thread_id === thread && frame.seq ? [frame.seq] : []));
    expect(seqs).toEqual(seqs.map((_, i) => seqs[0]! + i));
  });

  await test.step("each of them left its trace in the card", async () => {
    await expect(chat.card.locator(".card-agent")).toContainText("Guide");
    await expect(chat.card.locator("details.thought").first()).toBeVisible();
    await expect(chat.card.locator("details.tool[data-status=ok]").first()).toBeVisible();
    await expect(chat.card.locator("details.tool .tool-time").first()).toHaveText(/\d/);
    await expect(chat.card.locator(".card-summary")).toHaveText(/\S/);
    await expect(chat.answer).toHaveText(/\S/);
  });

  await test.step("a reload shows the same, from the server's own HTML", async () => {
    const title = await chat.title.innerText();
    const answer = await chat.answerText();
    const tools = await chat.card.locator("details.tool").count();
    const paragraph = ((await chat.answer.locator("p, li").first().textContent()) ?? "").replace(/\s+/g, " ").trim();
    expect(paragraph).not.toBe("");
    const html = await (await page.request.get(page.url())).text();
    expect(visibleText(html)).toContain(paragraph);
    await page.reload();
    await chat.isLive();
    await expect(chat.title).toHaveText(title);
    await expect(chat.card.locator("details.tool")).toHaveCount(tools);
    await chat.cardIs("completed");
    expect(await chat.answerText()).toBe(answer);
  });

  const other = new Chat(await context.newPage());
  await test.step("a second tab follows a running answer, and stops it for both", async () => {
    const id = await chat.askNew("assistant", prompts.count(2_000));
    await chat.answerGrowsBeyond(20);
    await other.open(`/t/${id}`);
    await other.cardIs("running");
    await other.answerGrowsBeyond((await other.answerText()).length + 50);
    await other.stop.click();
    await Promise.all([chat.cardIs("stopped"), other.cardIs("stopped")]);
    expect(await other.answerText()).toMatch(/^0001 0002 /);
    await expect.poll(() => chat.answerText()).toBe(await other.answerText());
  });

  await test.step("signing out is seen by the other tab within two seconds", async () => {
    await page.getByRole("button", { name: "Sign out", exact: true }).click();
    await other.linkIs("signed-out", 2_000);
    await expect(other.status).toContainText("Signed out");
    await page.waitForURL(/\/login/);
  });
});
