/** How fast the past of a conversation of 100,000 events is shown, in Chromium on this machine. */
import type { Page } from "@playwright/test";
import { expect, test } from "../fixtures.ts";
import { Writers, ask, imported } from "./filling.ts";
import { milliseconds, note, percentile, watchTasks } from "./measure.ts";

const EVENTS = Number(process.env.NETRA_BENCH_EVENTS ?? 100_000);
const POINTS = Number(process.env.NETRA_BENCH_POINTS ?? 1_000);

test.use({ settings: { NETRA_COMMANDS_PER_MINUTE: "1000000", NETRA_DURABILITY: "process" } });

/** Opens the panel of a conversation and waits until its events are there; how many there are to go to. */
async function open(page: Page, thread: string, name: string): Promise<number> {
  await page.goto(`/t/${thread}`);
  await page.waitForSelector("#netra:not([translate])");
  const answer = await page.request.get(`/api/threads/${thread}/events?limit=1`);
  const { head_seq } = (await answer.json()) as { head_seq: number };
  const tasks = await watchTasks(page);
  // As whoever comes later has it: read from the server, and nothing drawn of what was live.
  const began = Date.now();
  await page.keyboard.press("Control+Shift+D");
  const panel = page.getByRole("region", { name: "Events", exact: true });
  const handle = panel.getByRole("slider", { name: "Point in time" });
  await expect(panel.getByText("Reading the events")).toBeVisible();
  const first = Date.now() - began;
  await expect(panel.getByText("Reading the events")).toHaveCount(0, { timeout: 300_000 });
  const events = Number(await handle.getAttribute("max"));
  const long = await tasks();
  note(`${name}: events that can be gone to, of the log's numbers`, `${events} of ${head_seq}`);
  note(`${name}: read in, with its progress seen after`, `${milliseconds(Date.now() - began)}, ${milliseconds(first)}`);
  note(`${name}: longest task meanwhile (≤ 200 ms)`, milliseconds(Math.max(0, ...long)));
  return events;
}

/** Goes to points by chance, as whoever drags does, and stays a moment at every fourth. */
async function drag(page: Page, events: number, name: string): Promise<void> {
  const handle = page.getByRole("slider", { name: "Point in time" });
  const tasks = await watchTasks(page);
  const { times, unfilled } = await handle.evaluate(
    async (handle, { events, points }) => {
      const field = handle as HTMLInputElement;
      const words = () => document.querySelector(".rewind-bar")?.textContent ?? "";
      const scroller = document.querySelector(".scroller")!;
      // Whether what is in sight is all there: there is more than fits.
      const isFull = () => scroller.scrollHeight > scroller.clientHeight;
      const times: number[] = [];
      let unfilled = 0;
      for (let point = 0; point < points; point++) {
        const to = 1 + Math.floor(Math.random() * (events - 1));
        const began = performance.now();
        field.value = String(to);
        field.dispatchEvent(new Event("input", { bubbles: true }));
        const there = `${to.toLocaleString("en-US")} of`;
        await new Promise<void>((shown) => {
          const look = () => {
            if (!words().includes(there)) return void requestAnimationFrame(look);
            // Behind the frame that shows it.
            const { port1, port2 } = new MessageChannel();
            port1.onmessage = () => shown();
            port2.postMessage(0);
          };
          requestAnimationFrame(look);
        });
        times.push(performance.now() - began);
        const full = isFull();
        // The reader stays for a moment, and all of it is drawn.
        if (point % 4 === 0) {
          await new Promise((rested) => setTimeout(rested, 250));
          if (!full && isFull()) unfilled += 1;
        }
      }
      return { times, unfilled };
    },
    { events, points: POINTS },
  );
  const long = await tasks();
  const figures = [percentile(times, 0.5), percentile(times, 0.99), Math.max(...times)].map(milliseconds);
  note(`${name}: a point of ${POINTS}, median, p99, worst (p99 ≤ 100 ms)`, figures.join(", "));
  note(`${name}: points at which something in sight came later`, `${unfilled} of ${Math.ceil(POINTS / 4)}`);
  note(`${name}: longest task, a stay among them`, milliseconds(Math.max(0, ...long)));
}

test.describe("the past of a conversation", () => {
  const writers = new Writers();
  test.afterAll(() => writers.stop());

  test("that eight agents at a time stream into", async ({ chat, page, server }) => {
    const config = await writers.start();
    await server.stop();
    await server.start({ NETRA_CONFIG: config });
    await chat.open();
    const began = Date.now();
    const thread = await ask(page, "lead", { events: EVENTS });
    note("streamed: filled in", milliseconds(Date.now() - began));
    await drag(page, await open(page, thread, "streamed"), "streamed");
  });

  test("of 5,000 messages with calls of tools", async ({ chat, page }) => {
    await chat.open();
    const began = Date.now();
    const thread = await imported(page, EVENTS);
    note("imported: filled in", milliseconds(Date.now() - began));
    await drag(page, await open(page, thread, "imported"), "imported");
  });
});
