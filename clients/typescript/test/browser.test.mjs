// The same files in Chromium, on a page of the server's origin, signed in with the cookie.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import test from "node:test";
import { Server } from "./support/server.mjs";

const DIST = new URL("../dist/", import.meta.url);
const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";

/** Playwright from the repository's packages; this package has none of its own. */
function playwright() {
  const require = createRequire(new URL("../../../package.json", import.meta.url));
  return require("@playwright/test");
}

/** A page of the server under its own content security policy; the built files are at `/client/`. */
async function openPage(context, server) {
  const { chromium } = playwright();
  const executablePath = existsSync(CHROMIUM) ? CHROMIUM : undefined;
  const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu"] });
  context.after(() => browser.close());
  const page = await browser.newPage();
  // Netra's own script would be a second client on the page.
  await page.route("**/pkg/**/*.{js,wasm}", (route) => route.fulfill({ contentType: "text/javascript", body: "" }));
  await page.route("**/client/*.js", async (route) => {
    const body = await readFile(new URL(new URL(route.request().url()).pathname.replace("/client/", ""), DIST), "utf8");
    await route.fulfill({ contentType: "text/javascript", body });
  });
  await page.goto(server.url);
  await page.evaluate(async () => {
    const script = document.createElement("script");
    script.type = "module";
    // The policy lets scripts in that carry the page's nonce, and what they import.
    script.nonce = document.querySelector("script[nonce]").nonce;
    script.textContent = 'import * as client from "/client/index.js"; window.client = client;';
    document.head.append(script);
    while (!window.client) await new Promise((resolve) => setTimeout(resolve, 10));
  });
  return page;
}

test("a conversation in Chromium, also across a cut", { timeout: 60_000 }, async (context) => {
  const server = await Server.start(context);
  const page = await openPage(context, server);
  const errors = [];
  page.on("pageerror", (error) => errors.push(error.message));
  const seen = await page.evaluate(async () => {
    const { Session, ThreadState, hasEnded } = window.client;
    await fetch("/api/auth/dev", { method: "POST" });
    const session = new Session({ url: location.origin });
    const links = [];
    session.on("link", (link) => links.push(link.state));
    await session.start();
    const ack = await session.startAgent({ agent: "guide", content: "What is 17.5 % of 2,480?" });
    const thread = new ThreadState();
    const seqs = [];
    let from = "start";
    for (const question of [ack, undefined]) {
      let run = question?.run_id;
      if (!run) {
        window.dispatchEvent(new Event("offline"));
        const sent = session.sendMessage(ack.thread_id, { content: "What is 6 times 7?" });
        setTimeout(() => window.dispatchEvent(new Event("online")), 100);
        run = (await sent).run_id;
      }
      for await (const frame of session.events(ack.thread_id, from)) {
        if (frame.seq) seqs.push(frame.seq);
        thread.apply(frame);
        if (hasEnded(thread.run(run))) break;
      }
      from = { epoch: thread.epoch, seq: thread.seq };
    }
    session.close();
    return { links, seqs, texts: thread.runs.map((run) => run.text) };
  });
  assert.deepEqual(seen.links, ["connecting", "live", "offline", "connecting", "live", "stopped"]);
  assert.deepEqual(
    seen.seqs,
    seen.seqs.map((_, index) => index + 1),
  );
  assert.equal(seen.texts.length, 2);
  assert.match(seen.texts[0], /434/);
  assert.match(seen.texts[1], /42/);
  assert.deepEqual(errors, []);
});

test("in Chromium, a page that nobody signed in on is told so", { timeout: 60_000 }, async (context) => {
  const server = await Server.start(context, { NETRA_AUTH: "password" });
  const page = await openPage(context, server);
  const message = await page.evaluate(async () => {
    const { Session } = window.client;
    return new Session({ url: location.origin }).start().catch((error) => `${error.code}: ${error.message}`);
  });
  assert.match(message, /^unauthenticated: nobody is signed in/);
});
