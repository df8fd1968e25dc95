/** What a visit weighs and how long the page takes, in Chromium on this machine. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Browser, BrowserContext, Page } from "@playwright/test";
import { expect, test } from "../fixtures.ts";
import { ask } from "./filling.ts";
import { kilobytes, milliseconds, note, percentile, watchTasks } from "./measure.ts";

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
  const id = await ask(page, "guide", { answers: count / 2 });
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
