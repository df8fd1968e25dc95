/** Rewind: the conversation as it was after any of its events, and on from there. */
import AxeBuilder from "@axe-core/playwright";
import type { Locator, Page } from "@playwright/test";
import { imported } from "../bench/filling.ts";
import { Chat } from "../chat.ts";
import { expect, test } from "../fixtures.ts";
import { prompts } from "../model.ts";

/**
 * What a live page shows after each event, by the event's number. The page hears each frame only once it has drawn the one before,
 * and has stood still for some frames of the screen.
 */
async function watchLive(page: Page): Promise<() => Promise<Map<number, string>>> {
  await page.addInitScript(() => {
    const STILL = 8;
    const seen = new Map<number, string>();
    const waiting: (() => number)[] = [];
    Object.assign(window, { seen });
    const Native = window.WebSocket;
    window.WebSocket = class extends Native {
      constructor(url: string | URL, protocols?: string | string[]) {
        super(url, protocols);
        // Registered before the page's own listener, which hears the frame when its turn comes.
        this.addEventListener("message", (event) => {
          if (!event.isTrusted) return;
          event.stopImmediatePropagation();
          const data = String(event.data);
          waiting.push(() => {
            this.dispatchEvent(new MessageEvent("message", { data }));
            return (JSON.parse(data) as { seq?: number }).seq ?? 0;
          });
        });
      }
    };
    let last = 0;
    let before = "";
    let still = STILL;
    const look = () => {
      const text = document.querySelector<HTMLElement>("[role=log]")?.innerText ?? "";
      still = text === before ? still + 1 : 0;
      before = text;
      if (still >= STILL || last === 0) {
        if (last > 0) seen.set(last, text);
        const next = waiting.shift();
        if (next) [last, still] = [next(), 0];
      }
      requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
  });
  return async () => new Map(await page.evaluate(() => [...(window as unknown as { seen: Map<number, string> }).seen]));
}

/** What has no place in the past, or is another word for the same moment. */
function past(text: string): string {
  return text
    .replaceAll(/^(Edit|Regenerate|Stop|Cancel|Copy)$/gm, "")
    .replaceAll(/\s+/g, " ")
    .trim();
}

class Rewinder {
  /** Ends the past with a conversation of its own. */
  get anew(): Locator {
    return this.bar.getByRole("button", { name: "In a new conversation" });
  }

  readonly panel: Locator;
  readonly handle: Locator;
  readonly bar: Locator;
  readonly now: Locator;

  constructor(readonly page: Page) {
    this.panel = page.getByRole("region", { name: "Events", exact: true });
    this.handle = this.panel.getByRole("slider", { name: "Point in time" });
    this.bar = page.getByRole("group", { name: "Rewound" });
    this.now = page.getByRole("button", { name: "Back to now" });
  }

  /** Opens the panel and waits until all events are there. */
  async open(events: number): Promise<void> {
    await this.page.keyboard.press("Control+Shift+D");
    await expect(this.handle).toHaveAttribute("max", String(events));
  }

  async goTo(event: number): Promise<void> {
    await this.handle.fill(String(event));
    await expect(this.bar).toContainText(`event ${event.toLocaleString("en-US")} of`);
  }
}

/** How many events a conversation has. */
async function head(page: Page, thread: string): Promise<number> {
  const answer = await page.request.get(`/api/threads/${thread}/events?limit=1`);
  return ((await answer.json()) as { head_seq: number }).head_seq;
}

test("at any event the page is what it was, and back to now is now (R25)", async ({ chat, context, page }) => {
  test.setTimeout(120_000);
  await chat.open();
  const thread = await chat.askNew("assistant", prompts.count(3));
  await chat.cardIs("completed");
  // Another page looks on, live.
  const other = new Chat(await context.newPage());
  const live = await watchLive(other.page);
  await other.open(`/t/${thread}`);
  for (const prompt of [prompts.calculate, prompts.count(30), prompts.markdown]) {
    const before = await chat.cards.count();
    await chat.ask(prompt);
    await expect(chat.cards).toHaveCount(before + 1);
    await chat.cardIs("completed");
  }
  const last = await head(page, thread);
  await expect.poll(async () => Math.max(...(await live()).keys()), { timeout: 60_000 }).toBe(last);
  const seen = await live();
  await other.page.close();

  const rewinder = new Rewinder(page);
  await rewinder.open(last);
  const text = async () => past(await page.getByRole("log").innerText());
  const now = await text();
  const points = [...seen.keys()].filter((seq) => seq < last).sort(() => Math.random() - 0.5);
  expect(points.length).toBeGreaterThan(15);
  for (const seq of points.slice(0, 25)) {
    await rewinder.goTo(seq);
    await expect.poll(text, `event ${seq}`).toBe(past(seen.get(seq)!));
  }

  // At rest: nothing can be sent, stopped, changed or answered from there.
  await expect(page.locator(".dock")).toHaveAttribute("inert", "");
  await expect(page.getByRole("button", { name: "Edit", exact: true })).toHaveCount(0);
  await expect(page.getByRole("button", { name: "Regenerate the answer" })).toHaveCount(0);

  // By the keyboard, step by step, and to both ends.
  await rewinder.goTo(5);
  await rewinder.handle.focus();
  await page.keyboard.press("ArrowRight");
  await expect(rewinder.bar).toContainText("event 6 of");
  await page.keyboard.press("Home");
  await expect(rewinder.bar).toContainText("event 0 of");
  await expect.poll(text).toBe("");
  await page.keyboard.press("End");
  await expect(rewinder.bar).toHaveCount(0);
  await expect.poll(text).toBe(now);

  await rewinder.goTo(3);
  await rewinder.now.click();
  await expect(rewinder.bar).toHaveCount(0);
  await expect.poll(text).toBe(now);
  await expect(chat.composer).toBeFocused();
});

test("it runs again as fast as one likes, and what happens meanwhile is not lost (R25)", async ({
  chat,
  context,
  page,
}) => {
  await chat.open();
  const thread = await chat.askNew("assistant", prompts.count(40));
  await chat.cardIs("completed");
  const whole = await chat.answerText();
  const rewinder = new Rewinder(page);
  await rewinder.open(await head(page, thread));
  const fast = rewinder.panel.getByRole("button", { name: "Replay at ×20" });
  const slow = rewinder.panel.getByRole("button", { name: "Replay at ×1" });
  await slow.click();
  await expect(slow).toHaveAttribute("aria-pressed", "true");
  await chat.cardIs("running");
  await expect.poll(async () => (await chat.answerText()).length).toBeGreaterThan(10);
  // Pressed again, it stands.
  await slow.click();
  await expect(slow).toHaveAttribute("aria-pressed", "false");
  const stands = await rewinder.handle.inputValue();

  // Meanwhile the conversation goes on in another page.
  const other = new Chat(await context.newPage());
  await other.open(`/t/${thread}`);
  await other.ask(prompts.count(3));
  await expect(other.cards).toHaveCount(2);
  await other.cardIs("completed");
  await other.page.close();
  await expect(rewinder.handle).toHaveAttribute("max", String(await head(page, thread)));
  expect(await rewinder.handle.inputValue()).toBe(stands);
  await expect(chat.cards).toHaveCount(1);
  await chat.cardIs("running");

  await fast.click();
  await expect(rewinder.bar).toHaveCount(0, { timeout: 20_000 });
  await expect(chat.cards).toHaveCount(2);
  await expect(chat.cards.first().locator(".answer")).toHaveText(whole);
  await chat.isAtRest();
});

test("one goes on from the past, and what came after stays beside it (R25)", async ({ chat, model, page }) => {
  await chat.open();
  const thread = await chat.askNew("assistant", prompts.count(3));
  await chat.cardIs("completed");
  const after = await head(page, thread);
  await chat.ask(prompts.count(4));
  await expect(chat.cards).toHaveCount(2);
  await chat.cardIs("completed");

  const rewinder = new Rewinder(page);
  await rewinder.open(await head(page, thread));
  await rewinder.goTo(after);
  await expect(chat.bubbles).toHaveText([prompts.count(3)]);
  await page.getByRole("button", { name: "Go on from here" }).click();
  await expect(chat.composer).toBeFocused();
  await expect(chat.bubbles).toHaveText([prompts.count(3)]);
  await expect(page.getByText("Your next message goes on from")).toBeVisible();

  // Thought better of it, and better still.
  await page.getByRole("button", { name: "Stay with the newest" }).click();
  await expect(chat.bubbles).toHaveText([prompts.count(3), prompts.count(4)]);
  await rewinder.goTo(after);
  await page.getByRole("button", { name: "Go on from here" }).click();
  await chat.ask(prompts.count(5));
  await expect(chat.bubbles).toHaveText([prompts.count(3), prompts.count(5)]);
  await expect(chat.cards).toHaveCount(2);
  await chat.cardIs("completed");
  await expect(page.getByText("Your next message goes on from")).toHaveCount(0);
  const told = model
    .requests()
    .at(-1)!
    .messages.filter(({ role }) => role === "user")
    .map(({ content }) => JSON.stringify(content).replaceAll('"', ""));
  expect(told).toEqual([prompts.count(3), prompts.count(5)]);

  const versions = page.getByRole("group", { name: "Versions of this message" });
  await expect(versions).toContainText("2/2");
  await chat.ask(prompts.count(6));
  await expect(chat.bubbles).toHaveText([prompts.count(3), prompts.count(5), prompts.count(6)]);
  await versions.getByRole("button", { name: "Earlier version" }).click();
  await expect(chat.bubbles).toHaveText([prompts.count(3), prompts.count(4)]);
});

test("of a long conversation what is in sight is drawn at once, and the rest where one stays (R25)", async ({
  chat,
  page,
}) => {
  await chat.open();
  // A hundred questions, each with one message, an answer, and eighteen calls of a tool: 40 events.
  const thread = await imported(page, 4_000);
  await page.goto(`/t/${thread}`);
  await chat.isLive();
  const rewinder = new Rewinder(page);
  await rewinder.open(4_000);
  const rows = page.getByRole("log").locator("> *");
  for (let point = 0; point < 20; point++) {
    const to = 40 + Math.floor(Math.random() * 3_900);
    await rewinder.goTo(to);
    const [number, told] = [Math.floor((to - 1) / 40), (to - 1) % 40];
    await expect(chat.bubbles.last()).toHaveText(`Do number ${number}.`);
    if (told > 0) await expect(chat.cards.last()).toHaveAttribute("data-status", told < 39 ? "running" : "completed");
    // The message comes first, then that the agent has begun, and then its calls, each of which is told of twice.
    const calls = Math.min(18, Math.ceil(Math.max(0, told - 1) / 2));
    if (told > 0) await expect(chat.cards.last().locator(".tool")).toHaveCount(calls);
    expect(await rows.count(), "what is in sight, and a little more").toBeLessThan(20);
  }

  // What is folded is there when it is unfolded, at once or after a while.
  await rewinder.goTo(2_030);
  await expect(chat.cards.last().locator(".tool-detail").first()).toBeAttached();
  expect(await rows.count(), "some heights of the window").toBeLessThan(30);
  const tool = chat.cards.last().locator("details.tool").last();
  await tool.locator("summary").click();
  await expect(tool).toContainText("let line = of_output(program);");

  // Whoever goes up finds what was there.
  await chat.scroller.hover();
  await page.mouse.wheel(0, -4_000);
  await expect.poll(() => rows.count()).toBeGreaterThan(50);
  await expect(chat.bubbles.filter({ hasText: "Do number 30." })).toBeVisible();

  // Back to now all of it is there again.
  await rewinder.now.click();
  await expect.poll(() => rows.count()).toBeGreaterThan(50);
  await expect(chat.bubbles.last()).toHaveText("Do number 99.");
  await expect(chat.cards.last().locator(".tool-detail").first()).toBeAttached();
});

for (const colorScheme of ["light", "dark"] as const) {
  for (const viewport of [
    { width: 1280, height: 800 },
    { width: 390, height: 844 },
  ]) {
    test.describe(`${colorScheme}, ${viewport.width} wide`, () => {
      test.use({ colorScheme, viewport, contextOptions: { reducedMotion: "reduce" } });

      test("the past can be read and left by everyone (R25)", async ({ chat, page }, testInfo) => {
        await page.goto("/");
        await chat.linkIs("live", 15_000);
        await chat.agent.selectOption("assistant");
        await chat.ask(prompts.calculate);
        const thread = await chat.threadId();
        await chat.cardIs("completed");
        await chat.ask(prompts.markdown);
        await expect(chat.cards).toHaveCount(2);
        await chat.cardIs("completed");
        const rewinder = new Rewinder(page);
        const last = await head(page, thread);
        await rewinder.open(last);
        await rewinder.goTo(last - 12);
        await expect(rewinder.now).toBeInViewport({ ratio: 1 });
        const path = testInfo.outputPath(`rewind-${colorScheme}-${viewport.width}.png`);
        await page.screenshot({ path, animations: "disabled" });
        await testInfo.attach("rewind", { path, contentType: "image/png" });
        const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
        expect(overflow).toBeLessThanOrEqual(0);
        expect((await new AxeBuilder({ page }).analyze()).violations.map(({ id }) => id)).toEqual([]);
        // Escape leads back.
        await chat.scroller.focus();
        await page.keyboard.press("Escape");
        await expect(rewinder.bar).toHaveCount(0);
      });
    });
  }
}

test("one goes on from the past in a new conversation (R12, R25)", async ({ chat, page }) => {
  await chat.open();
  const thread = await chat.askNew("assistant", prompts.count(3));
  await chat.cardIs("completed");
  const after = await head(page, thread);
  await chat.ask(prompts.count(4));
  await expect(chat.cards).toHaveCount(2);
  await chat.cardIs("completed");
  const rewinder = new Rewinder(page);
  await rewinder.open(await head(page, thread));
  await rewinder.goTo(after);
  await rewinder.anew.click();
  await page.waitForURL((url) => url.pathname.startsWith("/t/") && !url.pathname.endsWith(thread));
  await expect(chat.bubbles).toHaveText([prompts.count(3)]);
  await expect(rewinder.bar).toHaveCount(0);
  await expect(chat.composer).toBeEnabled();
});
