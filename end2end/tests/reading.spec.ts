/** Reading: all of a long conversation, the end that stays in sight, the place that is kept, and an answer that grows in place. */
import type { Page } from "@playwright/test";
import { expect, test } from "../fixtures.ts";
import { paragraphs, prompts } from "../model.ts";

test.describe.configure({ timeout: 120_000 });
test.use({ settings: { NETRA_COMMANDS_PER_MINUTE: "100000", NETRA_QUEUED_RUNS: "1000" } });

/** Puts many short exchanges into a thread, over a socket of its own. */
async function fill(page: Page, thread: string, count: number): Promise<void> {
  await page.evaluate(
    async ([thread, count]) => {
      const { token } = (await (await fetch("/api/auth/ws-token", { method: "POST" })).json()) as { token: string };
      const socket = new WebSocket("/ws", ["netra.v1", `jwt.${token}`]);
      await new Promise((opened) => (socket.onopen = opened));
      let left = count;
      const done = new Promise<void>((resolve) => {
        socket.onmessage = ({ data }) => {
          const frame = JSON.parse(String(data)) as { type: string };
          if (frame.type === "heartbeat")
            socket.send(JSON.stringify({ v: 1, type: "heartbeat_ack", id: crypto.randomUUID(), payload: {} }));
          if (frame.type === "agent_completed" && --left === 0) resolve();
        };
      });
      const send = (type: string, payload: object) =>
        socket.send(JSON.stringify({ v: 1, type, id: crypto.randomUUID(), thread_id: thread, payload }));
      send("subscribe", {});
      for (let i = 1; i <= count; i++) send("user_message", { content: `What is ${i} + ${i}?`, agent: "guide" });
      await done;
      socket.close();
    },
    [thread, count] as const,
  );
}

/** Turns the wheel over the conversation. */
async function wheel(page: Page, by: number): Promise<void> {
  await page.mouse.move(700, 400);
  await page.mouse.wheel(0, by);
}

/** Waits until the wheel has come to rest: the conversation stands still for some frames. */
async function atRest(page: Page): Promise<void> {
  await page.evaluate(
    () =>
      new Promise<void>((rests) => {
        const box = document.querySelector(".scroller")!;
        let [top, frames] = [box.scrollTop, 0];
        const look = () => {
          frames = box.scrollTop === top ? frames + 1 : 0;
          top = box.scrollTop;
          if (frames < 12) requestAnimationFrame(look);
          else rests();
        };
        look();
      }),
  );
}

/** Rows of the conversation that are in the page. */
const rows = (page: Page) => page.locator(".column > *").count();

/** Where a message stands in the window. */
const topOf = (page: Page, text: string) =>
  page.evaluate((text) => {
    const bubbles = [...document.querySelectorAll("article.message-user .bubble")];
    const bubble = bubbles.find((bubble) => bubble.textContent === text);
    return bubble ? Math.round(bubble.getBoundingClientRect().top) : null;
  }, text);

test("all of a long conversation can be read, both ways, and the place is kept (R7, R25)", async ({ chat, page }) => {
  test.slow();
  await chat.open();
  const id = await chat.askNew("guide", "What is 0 + 0?");
  await chat.cardIs("completed");
  await fill(page, id, 130);
  await chat.open(`/t/${id}`);
  await expect(chat.bubbles.last()).toHaveText("What is 130 + 130?");
  await expect.poll(() => chat.leftToEnd()).toBeLessThan(5);
  expect(await chat.bubbles.count(), "not all of it is in the page at once").toBeLessThan(125);

  // Up to the first message, a stretch at a time.
  await expect(async () => {
    await wheel(page, -8_000);
    await expect(chat.bubbles.first()).toHaveText("What is 0 + 0?", { timeout: 200 });
  }).toPass({ timeout: 60_000 });
  await chat.scroller.evaluate((box) => (box.scrollTop = 0));
  await expect(chat.bubbles.first()).toBeInViewport();
  const order = await chat.bubbles.allTextContents();
  expect(order).toEqual(order.map((_, i) => `What is ${i} + ${i}?`));
  expect(await rows(page), "what nobody looks at is not in the page").toBeLessThanOrEqual(180);
  expect(await page.getByRole("button", { name: "Latest", exact: true }).isVisible()).toBe(true);

  // And down again to the last.
  await expect(async () => {
    await wheel(page, 8_000);
    await expect(chat.bubbles.last()).toHaveText("What is 130 + 130?", { timeout: 200 });
    expect(await chat.leftToEnd()).toBeLessThan(5);
  }).toPass({ timeout: 60_000 });
  expect(await rows(page)).toBeLessThanOrEqual(180);

  // One press leads back from the very beginning, too.
  await expect(async () => {
    await wheel(page, -8_000);
    await expect(chat.bubbles.first()).toHaveText("What is 0 + 0?", { timeout: 200 });
  }).toPass({ timeout: 60_000 });
  await atRest(page);
  await page.getByRole("button", { name: "Latest", exact: true }).click();
  await expect(chat.bubbles.last()).toHaveText("What is 130 + 130?");
  await expect.poll(() => chat.leftToEnd()).toBeLessThan(5);
});

test("older messages that come in do not move what is being read (R25)", async ({ chat, page }) => {
  test.slow();
  await chat.open();
  const id = await chat.askNew("guide", "What is 0 + 0?");
  await chat.cardIs("completed");
  await fill(page, id, 120);
  await chat.open(`/t/${id}`);
  await expect.poll(() => chat.leftToEnd()).toBeLessThan(5);
  let release = () => {};
  const released = new Promise<void>((resolve) => (release = resolve));
  await page.route("**/messages?*", async (route) => {
    await released;
    await route.continue();
  });
  const asked = page.waitForRequest(/messages\?cursor=/);
  await expect(async () => {
    await wheel(page, -3_000);
    await atRest(page);
    expect(await chat.scroller.evaluate((box) => box.scrollTop)).toBeLessThan(1_200);
  }).toPass({ timeout: 30_000 });
  await asked;
  await atRest(page);
  const reading = await chat.bubbles.evaluateAll((all) => {
    const seen = all.find((bubble) => bubble.getBoundingClientRect().top > 150);
    return seen!.textContent!;
  });
  const before = (await topOf(page, reading))!;
  const count = await chat.bubbles.count();
  release();
  await expect.poll(() => chat.bubbles.count()).not.toBe(count);
  await atRest(page);
  expect(Math.abs((await topOf(page, reading))! - before)).toBeLessThanOrEqual(2);
});

test("older messages that cannot be had are said so, and asked for again (R6, R20)", async ({ chat, guard, page }) => {
  test.slow();
  guard.allow(/net::ERR_|Failed to fetch|status of 500/);
  await chat.open();
  const id = await chat.askNew("guide", "What is 0 + 0?");
  await chat.cardIs("completed");
  await fill(page, id, 120);
  await page.route("**/messages?*", (route) => route.abort());
  await chat.open(`/t/${id}`);
  await expect(async () => {
    await wheel(page, -8_000);
    await expect(page.getByText(/Earlier messages could not be loaded/)).toBeVisible({ timeout: 300 });
  }).toPass({ timeout: 30_000 });
  await page.unrouteAll({ behavior: "ignoreErrors" });
  await page.getByRole("button", { name: "Try again", exact: true }).click();
  await expect(page.getByText(/Earlier messages could not be loaded/)).toHaveCount(0);
  await expect(async () => {
    await wheel(page, -8_000);
    await expect(chat.bubbles.first()).toHaveText("What is 0 + 0?", { timeout: 200 });
  }).toPass({ timeout: 30_000 });
});

test("sending leads to the new message, from wherever one reads (R25)", async ({ chat, page }) => {
  await chat.open();
  await chat.askNew("assistant", prompts.paragraphs(40));
  await chat.cardIs("completed", 30_000);
  await wheel(page, -3_000);
  await expect.poll(() => chat.leftToEnd()).toBeGreaterThan(1_000);
  await chat.agent.selectOption("guide");
  await chat.ask("What is 4 * 4?");
  await expect(chat.cards).toHaveCount(2);
  await chat.cardIs("completed");
  await expect(chat.bubbles.last()).toBeInViewport();
  await expect.poll(() => chat.leftToEnd()).toBeLessThan(5);
});

test("the end stays in sight when composer, window and answer change (R25)", async ({ chat, page }) => {
  await chat.open();
  await chat.askNew("assistant", prompts.paragraphs(40));
  await chat.answerGrowsBeyond(4_000);
  await expect.poll(() => chat.leftToEnd()).toBeLessThan(40);
  await chat.cardIs("completed", 30_000);
  await expect.poll(() => chat.leftToEnd()).toBeLessThan(5);
  await chat.composer.fill(Array(10).fill("line").join("\n"));
  await expect.poll(() => chat.leftToEnd()).toBeLessThan(5);
  await page.setViewportSize({ width: 700, height: 480 });
  await expect.poll(() => chat.leftToEnd()).toBeLessThan(5);
  await page.setViewportSize({ width: 1280, height: 800 });
  await expect.poll(() => chat.leftToEnd()).toBeLessThan(5);
  // Who reads further up is left there.
  await wheel(page, -700);
  await expect.poll(() => chat.leftToEnd()).toBeGreaterThan(300);
  const top = () => chat.scroller.evaluate((box) => box.scrollTop);
  await atRest(page);
  const before = await top();
  await chat.composer.fill("");
  await atRest(page);
  expect(await top()).toBe(before);
});

test("Back and a reload return to where one read; a link leads to the end (R7, R25)", async ({ chat, page }) => {
  await chat.open();
  const id = await chat.askNew("assistant", prompts.paragraphs(40));
  await chat.cardIs("completed", 30_000);
  await chat.ask(prompts.count(3));
  await expect(chat.cards).toHaveCount(2);
  await chat.cardIs("completed");
  await wheel(page, -1_500);
  await expect.poll(() => chat.leftToEnd()).toBeGreaterThan(900);
  await atRest(page);
  const place = () =>
    page.evaluate(() => Math.round(document.querySelector("article.card")!.getBoundingClientRect().top));
  const before = await place();
  await chat.newChat();
  await page.goBack();
  await page.waitForURL(`**/t/${id}`);
  await expect.poll(async () => Math.abs((await place()) - before)).toBeLessThan(4);
  await page.reload();
  await chat.isLive();
  await expect.poll(async () => Math.abs((await place()) - before)).toBeLessThan(4);
  await chat.newChat();
  await chat.openThread(id);
  await expect.poll(() => chat.leftToEnd()).toBeLessThan(5);
});

test("an answer grows in place: a selection, a sideways scroll and a button live through it (R25)", async ({
  chat,
  context,
  page,
}) => {
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  await chat.open();
  await chat.askNew("assistant", prompts.code(60));
  const code = chat.answer.locator("pre").first();
  await expect.poll(async () => (await code.textContent())!.length).toBeGreaterThan(400);
  await code.evaluate((box) => (box.scrollLeft = 120));
  const selected = await page.evaluate(() => {
    const text = document.querySelector("article.card pre code")!.firstChild!;
    getSelection()!.setBaseAndExtent(text, 6, text, 12);
    Object.assign(window, { kept: document.querySelector("article.card .copy") });
    return getSelection()!.toString();
  });
  expect(selected).toBe("value0");
  const length = (await code.textContent())!.length;
  await expect.poll(async () => (await code.textContent())!.length).toBeGreaterThan(length + 1_000);
  expect(await page.evaluate(() => getSelection()!.toString())).toBe(selected);
  expect(await code.evaluate((box) => box.scrollLeft)).toBe(120);
  expect(await page.evaluate(() => (window as unknown as { kept: Element }).kept.isConnected)).toBe(true);
  // There is somewhere to go up to.
  await expect.poll(() => chat.scroller.evaluate((box) => box.scrollTop)).toBeGreaterThan(300);
  await wheel(page, -300);
  await expect.poll(() => chat.leftToEnd()).toBeGreaterThan(100);
  await chat.answer.locator(".copy").first().scrollIntoViewIfNeeded();
  // A person's press takes a tenth of a second, in which the block grows several times.
  const { x, y, width, height } = (await chat.answer.locator(".copy").first().boundingBox())!;
  await page.mouse.move(x + width / 2, y + height / 2);
  await page.mouse.down();
  await page.waitForTimeout(100);
  await page.mouse.up();
  await expect.poll(() => page.evaluate(() => navigator.clipboard.readText())).toMatch(/^const value0/);
});

test("a block of code grows by what comes, and is whole at its end (R15, R25)", async ({ chat, context, page }) => {
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  await chat.open();
  await chat.askNew("assistant", prompts.code(120));
  const code = chat.answer.locator("pre > code");
  await expect.poll(async () => (await code.textContent())!.length).toBeGreaterThan(12_000);
  expect(await code.locator(".code-part").count(), "only the last stretch is laid out anew").toBeGreaterThan(1);
  await page.evaluate(() => Object.assign(window, { kept: document.querySelector("article.card pre > code") }));
  await chat.cardIs("completed", 60_000);
  expect(await page.evaluate(() => (window as unknown as { kept: Element }).kept.isConnected)).toBe(true);
  await chat.answer.locator(".copy").click();
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  const lines = copied.split("\n");
  expect(lines.length).toBe(120);
  expect(lines.every((line, i) => line.startsWith(`const value${i} = "`) && line.endsWith('=";'))).toBe(true);
  await page.reload();
  await chat.isLive();
  expect((await code.textContent())!.trimEnd()).toBe(copied);
});

test("what unfolds opens downwards, where it stands (R25)", async ({ chat, page }) => {
  await chat.open();
  await chat.askNew("assistant", prompts.paragraphs(12));
  await chat.cardIs("completed", 30_000);
  await chat.agent.selectOption("guide");
  await chat.ask("What is (2+3)*7?");
  await expect(chat.cards).toHaveCount(2);
  await chat.cardIs("completed");
  await atRest(page);
  const summary = chat.card.locator("details.tool > summary").first();
  const top = async () => (await summary.boundingBox())!.y;
  const before = await top();
  await summary.click();
  await expect(chat.card.locator(".tool-data").first()).toBeVisible();
  await atRest(page);
  expect(Math.abs((await top()) - before)).toBeLessThanOrEqual(2);
});

test("what a tool gave is cut when it is long, and read whole when asked for (R6, R25)", async ({
  chat,
  guard,
  page,
}) => {
  await chat.open();
  const id = await chat.askNew("guide", "What does a snapshot hold and how does a client follow a thread?");
  await chat.cardIs("completed");
  await chat.open(`/t/${id}`);
  const tool = chat.card.locator("details.tool").filter({ hasText: "search_docs" }).first();
  await tool.locator("summary").click();
  const result = tool.locator(".tool-data").last();
  await expect(tool.getByText(/^Result: the first 1 of \d+ KB$/)).toBeVisible();
  expect((await result.textContent())!.length).toBeLessThan(1_100);

  // It says so when it cannot be had.
  guard.allow(/net::ERR_|Failed to fetch|Failed to load/);
  await page.route("**/runs/*", (route) => route.abort());
  await tool.getByRole("button", { name: "Show all", exact: true }).click();
  await expect(tool.getByText("The rest could not be read: the server does not answer.")).toBeVisible();
  await page.unroute("**/runs/*");
  await tool.getByRole("button", { name: "Show all", exact: true }).click();
  await expect(tool.getByText("Result", { exact: true })).toBeVisible();
  expect((await result.textContent())!.length).toBeGreaterThan(4_000);
  expect(JSON.parse((await result.textContent())!)).toHaveProperty("results");
  await expect(tool.getByRole("button", { name: "Show all", exact: true })).toHaveCount(0);
});

test("conversations that are not shown are let go, and come back as they were (R25)", async ({ chat, sockets }) => {
  await chat.open();
  const ids: string[] = [];
  for (let i = 1; i <= 7; i++) {
    ids.push(await chat.askNew("guide", `What is ${i} + ${i}?`));
    await chat.cardIs("completed");
    if (i === 1) await chat.composer.fill("a draft in the first");
  }
  const cursor = (id: string) =>
    sockets.sent.findLast(({ type, thread_id }) => type === "subscribe" && thread_id === id)?.payload.after_seq;
  await chat.openThread(ids[5]!);
  await expect(chat.bubbles).toHaveText("What is 6 + 6?");
  expect(cursor(ids[5]!), "the last ones are held").toBeGreaterThan(0);
  await chat.openThread(ids[0]!);
  await expect(chat.bubbles).toHaveText("What is 1 + 1?");
  expect(cursor(ids[0]!), "the first was let go").toBeUndefined();
  await chat.cardIs("completed");
  await expect(chat.composer).toHaveValue("a draft in the first");
});

test("what was drawn in pieces is what the whole would be (R15, R25)", async ({ chat, page }) => {
  await chat.open();
  await chat.askNew("assistant", prompts.paragraphs(12));
  await chat.cardIs("completed", 30_000);
  await expect(chat.answer.locator("p")).toHaveCount(12);
  expect(await chat.answer.innerText()).toBe(paragraphs(12));
  // The framework's own marks are no part of it.
  const drawing = async () => (await chat.answer.innerHTML()).replace(/<!--.*?-->/g, "");
  const drawn = await drawing();
  await page.reload();
  await chat.isLive();
  expect(await drawing()).toBe(drawn);
});
