/** What a visit weighs and how long the page takes, in Chromium on this machine. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Browser, BrowserContext, Page } from "@playwright/test";
import { expect, test } from "../fixtures.ts";

/** An answer's text, by the name that a message calls it by. */
const ANSWERS: Record<string, string> = {
  paragraphs: Array.from(
    { length: 2_500 },
    (_, i) => `Paragraph ${i} with **bold** and \`code\`. ${"Some more words here. ".repeat(4)}\n\n`,
  ).join(""),
  code: `\`\`\`rust\n${"let line = of_output(some_program, as_long, as_such_lines_are);\n".repeat(4_700)}\`\`\`\n`,
  tokens: "word ".repeat(2_000),
};

/** A model server that streams one of the answers: a piece of so many characters every so many milliseconds. */
async function startModel(piece: number, pause: number) {
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const part of request) body += String(part);
    if (!request.url?.includes("chat/completions")) return void response.end('{"object":"list","data":[]}');
    const { messages } = JSON.parse(body) as { messages: { role: string; content: unknown }[] };
    const asked = JSON.stringify(messages.findLast(({ role }) => role === "user")?.content);
    const text = ANSWERS[Object.keys(ANSWERS).find((name) => asked.includes(name)) ?? "tokens"]!;
    response.writeHead(200, { "content-type": "text/event-stream" });
    const send = (delta: object, finish_reason: string | null = null) => {
      const chunk = { id: "c", object: "chat.completion.chunk", created: 1, model: "m" };
      response.write(`data: ${JSON.stringify({ ...chunk, choices: [{ index: 0, delta, finish_reason }] })}\n\n`);
    };
    send({ role: "assistant", content: "" });
    const began = performance.now();
    for (let at = 0, sent = 1; at < text.length && !response.destroyed; at += piece, sent++) {
      send({ content: text.slice(at, at + piece) });
      await new Promise((wake) => setTimeout(wake, Math.max(0, began + sent * pause - performance.now())));
    }
    send({}, "stop");
    response.end("data: [DONE]\n\n");
  }).listen(0, "127.0.0.1");
  await new Promise((listening) => server.once("listening", listening));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`, stop: () => server.close() };
}

const note = (what: string, figure: string) => test.info().annotations.push({ type: what, description: figure });
const kilobytes = (bytes: number) => `${(bytes / 1024).toFixed(0)} KB`;
const milliseconds = (time: number) => `${time.toFixed(0)} ms`;
const percentile = (times: number[], part: number) =>
  times.toSorted((a, b) => a - b)[Math.floor((times.length - 1) * part)] ?? NaN;

/** Counts tasks of more than 50 ms from here on. */
async function watchTasks(page: Page): Promise<() => Promise<number[]>> {
  await page.evaluate(() => {
    const tasks: number[] = [];
    Object.assign(window, { tasks });
    new PerformanceObserver((list) => tasks.push(...list.getEntries().map(({ duration }) => duration))).observe({
      type: "longtask",
    });
  });
  return () => page.evaluate(() => (window as unknown as { tasks: number[] }).tasks);
}

/** From each letter that is typed to the frame that shows it. */
async function typingLag(page: Page, letters: number): Promise<number[]> {
  await page.evaluate(() => {
    const lags: number[] = [];
    Object.assign(window, { lags });
    document.querySelector("#message")!.addEventListener("keydown", ({ timeStamp }) => {
      requestAnimationFrame(() => {
        const { port1, port2 } = new MessageChannel();
        port1.onmessage = () => lags.push(performance.now() - timeStamp);
        port2.postMessage(0);
      });
    });
  });
  await page.locator("#message").click();
  await page.keyboard.type("x".repeat(letters), { delay: 40 });
  return page.evaluate(() => (window as unknown as { lags: number[] }).lags);
}

/** Makes a conversation of so many messages, over a socket. */
async function fill(page: Page, messages: number): Promise<string> {
  return page.evaluate(async (messages) => {
    const { token } = (await (await fetch("/api/auth/ws-token", { method: "POST" })).json()) as { token: string };
    const socket = new WebSocket("/ws", ["netra.v1", `jwt.${token}`]);
    await new Promise((opened) => (socket.onopen = opened));
    const frame = (type: string, payload: object, thread_id?: string, reply_to?: string) =>
      socket.send(JSON.stringify({ v: 1, type, id: crypto.randomUUID(), thread_id, reply_to, payload }));
    let [thread, left] = ["", messages / 2];
    const ask = (n: number) => frame("user_message", { content: `What is ${n} + ${n}?`, agent: "guide" }, thread);
    await new Promise<void>((done) => {
      socket.onmessage = ({ data }) => {
        const { id, type, payload } = JSON.parse(String(data)) as {
          id: string;
          type: string;
          payload: { thread_id?: string };
        };
        if (type === "heartbeat") frame("heartbeat_ack", {}, undefined, id);
        if (type === "ack" && !thread) {
          thread = payload.thread_id!;
          frame("subscribe", { after_seq: 0 }, thread);
        }
        // One at a time: a queue of thousands would be another bench.
        if (type === "agent_completed" && --left === 0) done();
        else if (type === "agent_completed") ask(left);
      };
      frame("start_agent", { agent: "guide", content: "What is 0 + 0?" });
    });
    socket.close();
    return thread;
  }, messages);
}

const ended = (page: Page, cards: number) =>
  page.waitForFunction(
    (cards) => {
      const all = [...document.querySelectorAll<HTMLElement>("article.card")];
      return all.length >= cards && !["queued", "running"].includes(all.at(-1)!.dataset.status!);
    },
    cards,
    { timeout: 300_000 },
  );

test.use({
  settings: { NETRA_COMMANDS_PER_MINUTE: "1000000", NETRA_QUEUED_RUNS: "100000", NETRA_DURABILITY: "process" },
});

/** What travels until the page is alive, in a browser that has nothing of it yet. */
async function visit(browser: Browser, context: BrowserContext, url: string): Promise<string> {
  const fresh = await browser.newContext({ storageState: await context.storageState() });
  const page = await fresh.newPage();
  const devtools = await fresh.newCDPSession(page);
  await devtools.send("Network.enable");
  const names = new Map<string, string>();
  const sizes = new Map(["html", "css", "js", "wasm"].map((name) => [name, 0]));
  devtools.on("Network.responseReceived", ({ requestId, response }) => {
    const { pathname } = new URL(response.url);
    names.set(requestId, /\.(wasm|js|css)$/.exec(pathname)?.[1] ?? (url.endsWith(pathname) ? "html" : "other"));
  });
  devtools.on("Network.loadingFinished", ({ requestId, encodedDataLength }) => {
    const name = names.get(requestId) ?? "other";
    if (sizes.has(name)) sizes.set(name, sizes.get(name)! + encodedDataLength);
  });
  const alive = page.waitForFunction(() => document.querySelector("#netra:not([translate])"));
  await Promise.all([page.goto(url, { waitUntil: "networkidle" }), alive]);
  await fresh.close();
  const html = sizes.get("html") ?? 0;
  sizes.delete("html");
  const files = [...sizes.values()].reduce((sum, size) => sum + size, 0);
  const each = [...sizes].map(([name, size]) => `${name} ${kilobytes(size)}`).join(", ");
  return `${kilobytes(files)}: ${each}; beside them ${kilobytes(html)} of HTML`;
}

test("a first visit", async ({ browser, chat, context, page, server }) => {
  note("files of a first visit, as they travel (≤ 300 KB)", await visit(browser, context, `${server.url}/`));
  const opened: number[] = [];
  const painted: number[] = [];
  for (let round = 0; round < 7; round++) {
    const began = Date.now();
    await chat.open();
    opened.push(Date.now() - began);
    painted.push(
      await page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? NaN),
    );
  }
  note("navigation to first paint, median of 7", milliseconds(percentile(painted, 0.5)));
  note("navigation to open socket, median of 7 (≤ 300 ms)", milliseconds(percentile(opened, 0.5)));
  const id = await chat.askNew("guide", "What is 1 + 1?");
  note("files of a first visit to a conversation", await visit(browser, context, `${server.url}/t/${id}`));
  await context.clearCookies();
  note("files of a first visit to sign in (≤ 300 KB)", await visit(browser, context, `${server.url}/login`));
});

test("a conversation of 10,000 messages", async ({ chat, page, server }) => {
  // Thousands of questions, one after another.
  test.setTimeout(1_800_000);
  const model = await startModel(5, 5);
  await server.stop();
  await server.start({ NETRA_LLM_BASE_URL: model.url });
  await chat.open();
  const count = Number(process.env.NETRA_BENCH_MESSAGES ?? 10_000);
  const id = await fill(page, count);
  const shown: number[] = [];
  const alive: number[] = [];
  for (let visit = 0; visit < 7; visit++) {
    await page.goto("/");
    await chat.isLive();
    await page.goto(`/t/${id}`, { waitUntil: "commit" });
    await page.waitForFunction(() => document.querySelector("#netra:not([translate])"));
    alive.push(await page.evaluate(() => performance.now()));
    // The largest paint before anybody touches the page is that of the messages.
    shown.push(
      await page.evaluate(
        () =>
          new Promise<number>((painted) =>
            new PerformanceObserver((list) => painted(list.getEntries().at(-1)!.startTime)).observe({
              type: "largest-contentful-paint",
              buffered: true,
            }),
          ),
      ),
    );
  }
  note(`a thread of ${count} messages, shown (≤ 300 ms), median of 7`, milliseconds(percentile(shown, 0.5)));
  note("the same: until its program works, median of 7", milliseconds(percentile(alive, 0.5)));
  await chat.isLive();
  const tasks = await watchTasks(page);
  const cards = await chat.cards.count();
  await chat.agent.selectOption("assistant");
  await chat.ask("tokens");
  await page.waitForSelector(".answer[data-streaming=true]");
  const lags = await typingLag(page, 100);
  await ended(page, cards);
  const long = await tasks();
  note(
    "200 tokens/s into it: tasks over 50 ms (none)",
    `${long.length}, longest ${milliseconds(Math.max(0, ...long))}`,
  );
  note("200 tokens/s into it: typing, p95 (≤ 25 ms)", milliseconds(percentile(lags, 0.95)));
  model.stop();
});

test("the past of a conversation of 100,000 events", async ({ chat, page }) => {
  test.setTimeout(3_600_000);
  const events = Number(process.env.NETRA_BENCH_EVENTS ?? 100_000);
  await chat.open();
  // A question of the guide's is eight events, and two messages.
  const id = await fill(page, Math.ceil(events / 8) * 2);
  await page.goto(`/t/${id}`);
  await chat.isLive();
  const answer = await page.request.get(`/api/threads/${id}/events?limit=1`);
  const last = ((await answer.json()) as { head_seq: number }).head_seq;
  // As whoever comes later has it: read from the server, and nothing drawn of what was live.
  const began = Date.now();
  await page.keyboard.press("Control+Shift+D");
  const handle = page.getByRole("slider", { name: "Point in time" });
  await expect(handle).toHaveAttribute("max", String(last), { timeout: 300_000 });
  note(`${last} events, read`, milliseconds(Date.now() - began));
  const times = await handle.evaluate(async (handle, last) => {
    const field = handle as HTMLInputElement;
    const words = () => document.querySelector(".rewind-bar")?.textContent ?? "";
    const times: number[] = [];
    for (let point = 0; point < 200; point++) {
      const to = 1 + Math.floor(Math.random() * (last - 1));
      const began = performance.now();
      field.value = String(to);
      field.dispatchEvent(new Event("input", { bubbles: true }));
      const there = `event ${to.toLocaleString("en-US")} of`;
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
      // The reader stays for a moment, and all of it is drawn.
      await new Promise((rested) => setTimeout(rested, point % 4 === 0 ? 250 : 0));
    }
    return times;
  }, last);
  note("a point of its past, median of 200", milliseconds(percentile(times, 0.5)));
  note("a point of its past, p99", milliseconds(percentile(times, 0.99)));
  note("a point of its past, worst (≤ 100 ms)", milliseconds(Math.max(...times)));
});

for (const kind of ["paragraphs", "code"] as const) {
  test(`an answer of 300 KB: ${kind}`, async ({ chat, page, server }) => {
    const model = await startModel(400, 10);
    await server.stop();
    await server.start({ NETRA_LLM_BASE_URL: model.url });
    await chat.open();
    const devtools = await page.context().newCDPSession(page);
    await devtools.send("Performance.enable");
    await chat.askNew("assistant", kind);
    await page.waitForSelector(".answer[data-streaming=true]");
    const tasks = await watchTasks(page);
    await ended(page, 1);
    await expect.poll(async () => (await chat.answer.textContent())!.length).toBeGreaterThan(250_000);
    const long = await tasks();
    note(`300 KB of ${kind}: tasks over 50 ms (none)`, `${long.length}, longest ${milliseconds(Math.max(0, ...long))}`);
    const lags = await typingLag(page, 60);
    note(`300 KB of ${kind}: typing, p95 (≤ 25 ms)`, milliseconds(percentile(lags, 0.95)));
    await devtools.send("HeapProfiler.collectGarbage");
    const { metrics } = await devtools.send("Performance.getMetrics");
    const heap = metrics.find(({ name }) => name === "JSHeapUsedSize")?.value ?? 0;
    note(`300 KB of ${kind}: JavaScript's heap`, kilobytes(heap));
    model.stop();
  });
}
