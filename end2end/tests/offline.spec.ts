/** The page without its server: what was last seen is shown, what is sent waits, and nothing of a user outlives the sign-in. */
import { createServer } from "node:http";
import { once } from "node:events";
import type { Page } from "@playwright/test";
import { Chat } from "../chat.ts";
import { expect, newAccount, register, test } from "../fixtures.ts";
import { NETWORK_CUT } from "../guard.ts";
import { story } from "../log.ts";
import { countTo, prompts } from "../model.ts";
import { ONE_FILE } from "../server.ts";
import { HANDED_ON, caches, document, documents, isReady } from "../worker.ts";

const BACK_MS = 45_000;
const AWAY = /^(reconnecting|unreachable|offline)$/;

test.describe.configure({ timeout: 120_000 });
test.use({ serviceWorkers: "allow", program: ONE_FILE, settings: { NETRA_AUTH: "password" } });
test.beforeEach(({ guard }) => guard.allow(NETWORK_CUT, HANDED_ON));

const [first, second] = [prompts.count(3), prompts.count(5)];
const banner = (page: Page) => page.locator("#kept");

/** A conversation with one answer, which the browser has kept. */
async function begin(chat: Chat): Promise<string> {
  if (chat.page.url() === "about:blank") await chat.open();
  const id = await chat.askNew("assistant", first);
  await chat.cardIs("completed");
  await isReady(chat.page, "/", `/t/${id}`);
  await expect.poll(async () => (await document(chat.page, `/t/${id}`)).text).toContain(countTo(3));
  await expect.poll(async () => (await document(chat.page, "/")).text).toContain(id);
  return id;
}

test("the server is gone: a reload shows the conversation, and what is sent goes out once it is back (R6, R7, R14)", async ({
  chat,
  page,
  server,
}) => {
  const id = await begin(chat);
  await server.kill();
  await page.reload();
  await expect(banner(page)).toContainText(/server was not reached.*kept on .*\d/i);
  await expect(chat.bubbles).toHaveText([first]);
  await expect(chat.answer).toHaveText(countTo(3));
  await chat.linkIs(AWAY);
  await chat.ask(second);
  await chat.waiting("queued");
  // Over a reload as well.
  await page.reload();
  await chat.waiting("queued");
  await server.start();
  await chat.isLive(BACK_MS);
  await expect(banner(page)).toHaveCount(0);
  await expect(chat.cards).toHaveCount(2);
  await chat.cardIs("completed", BACK_MS);
  await chat.waiting("sent", 0);
  await expect(chat.bubbles).toHaveText([first, second]);
  expect(await story(page.request, id)).toEqual({ said: [first, second], ended: ["completed", "completed"] });
});

test("a conversation can be begun while the server is gone (R7, R14)", async ({ chat, page, server }) => {
  await begin(chat);
  await server.kill();
  await page.goto("/");
  await expect(banner(page)).toBeVisible();
  await expect(chat.sidebar.locator("a.thread-link")).toHaveCount(1);
  await chat.linkIs(AWAY);
  await chat.agent.selectOption("assistant");
  await chat.ask(second);
  await expect(page.getByText(second, { exact: true })).toBeVisible();
  await page.reload();
  await server.start();
  await chat.isLive(BACK_MS);
  await expect(chat.sidebar.locator("a.thread-link")).toHaveCount(2);
  await chat.sidebar.locator("a.thread-link").first().click();
  const id = await chat.threadId();
  await expect.poll(() => story(page.request, id)).toEqual({ said: [second], ended: ["completed"] });
});

test("what was kept is a click away, and what was not is said (R6)", async ({ chat, page, server }) => {
  const one = await begin(chat);
  const two = await begin(chat);
  await chat.rename(two, "A <b>second</b> & last");
  await expect(chat.title).toHaveText("A <b>second</b> & last");
  await page.reload();
  await chat.isLive();
  await expect.poll(async () => (await document(page, `/t/${two}`)).text).toContain("second");
  await server.kill();
  await chat.linkIs(AWAY, 20_000);
  // This page has never held the other one.
  await chat.openThread(one);
  await expect(banner(page)).toBeVisible();
  await expect(chat.answer).toHaveText(countTo(3));
  await page.goto("/settings");
  await expect(page.getByRole("heading", { name: "The server was not reached" })).toBeVisible();
  const list = page.locator("main ul a");
  await expect(list).toHaveCount(3);
  const second = list.filter({ hasText: "A <b>second</b> & last" });
  await expect(second).toContainText(/as of .*\d/);
  await second.click();
  await expect(page).toHaveURL(new RegExp(`/t/${two}$`));
  await expect(chat.answer).toHaveText(countTo(3));
  await page.goto("/t/01890000-0000-7000-8000-000000000000");
  await expect(page.getByRole("link", { name: "Try again" })).toBeVisible();
  await server.start();
  await page.goto(`/t/${one}`);
  await chat.isLive(BACK_MS);
  await expect(banner(page)).toHaveCount(0);
});

test("only documents and files of the page are kept, without secrets (R9)", async ({ chat, page }) => {
  const id = await begin(chat);
  await page.goto("/account");
  await chat.isLive();
  await page.goto("/settings");
  await chat.isLive();
  await page.evaluate(() => Promise.all(["/api/me", "/api/threads", "/healthz"].map((path) => fetch(path))));
  await page.goto("/docs");
  const kept = Object.values(await caches(page)).flat();
  const allowed = /^\/(pkg\/[0-9a-f]{12}\/[\w.-]+|rich\/.+|offline\.(html|css)|favicon\.svg|t\/[0-9a-f-]{36})?$/;
  expect(kept.filter((path) => !allowed.test(path))).toEqual([]);
  const { text, headers } = await document(page, `/t/${id}`);
  expect(text).toContain('"token":null');
  expect(headers).not.toHaveProperty("set-cookie");
  const worker = await page.request.get("/service-worker.js");
  expect(worker.headers()).toMatchObject({
    "cache-control": "no-cache",
    "content-security-policy": "default-src 'none'; connect-src 'self'",
    "content-type": "text/javascript; charset=utf-8",
  });
});

test("signing out leaves nothing, for nobody (R9)", async ({ chat, context, page, server }) => {
  const id = await begin(chat);
  const other = await context.newPage();
  await other.goto(`/t/${id}`);
  await new Chat(other).isLive();
  await chat.signOut();
  await expect.poll(() => documents(page)).toEqual([]);
  // Another one of the same browser: nothing is there to be seen.
  await register(context, newAccount());
  await page.goto("/");
  await chat.isLive();
  await isReady(page, "/");
  expect(await documents(page)).toEqual(["/"]);
  await server.kill();
  await page.goto(`/t/${id}`);
  await expect(page.getByRole("heading", { name: "The server was not reached" })).toBeVisible();
  await expect(page.locator("main ul a")).toHaveCount(1);
  await page.goto("/");
  await expect(banner(page)).toBeVisible();
  await expect(chat.sidebar.locator("a.thread-link")).toHaveCount(0);
});

test("a sign-in that ended elsewhere is found out: by an open page, and by the next visit (R9)", async ({
  chat,
  context,
  page,
}) => {
  const id = await begin(chat);
  const cookies = await context.cookies();
  // Nothing but the session: no header has the browser clear anything.
  const ended = await fetch(new URL("/api/auth/logout", page.url()), {
    method: "POST",
    headers: {
      cookie: cookies.map(({ name, value }) => `${name}=${value}`).join("; "),
      "content-type": "application/json",
    },
    body: "{}",
  });
  expect(ended.ok).toBe(true);
  await chat.linkIs("signed-out", 30_000);
  await expect.poll(() => documents(page)).toEqual([]);

  await register(context, newAccount());
  await chat.open();
  await begin(chat);
  await page.goto("about:blank");
  await context.clearCookies();
  await page.goto(`/t/${id}`);
  await expect(page).toHaveURL(/\/login/);
  await expect.poll(() => documents(page)).toEqual([]);
});

test("a conversation that is deleted is not kept (R9)", async ({ chat, page }) => {
  const id = await begin(chat);
  await chat.newChat();
  await chat.deleteThread(id);
  await expect.poll(() => documents(page)).not.toContain(`/t/${id}`);
});

test("what another server answers at this address is not kept (R9)", async ({ chat, page, server }) => {
  const id = await begin(chat);
  const before = await document(page, `/t/${id}`);
  await server.stop();
  let [status, headers]: [number, Record<string, string>] = [500, { "content-type": "text/html" }];
  const hostile = createServer(({ url }, response) => {
    const leads = url === "/elsewhere";
    response.writeHead(leads ? 200 : status, leads ? { "content-type": "text/html" } : headers);
    response.end(`<title>Hostile</title><p>${leads ? "Somewhere else" : "Not a page of Netra"}</p>`);
  });
  hostile.listen(Number(new URL(server.url).port), "127.0.0.1");
  await once(hostile, "listening");
  try {
    for (const answer of [500, 200, 404]) {
      status = answer;
      await page.goto("/");
      await expect(page.getByText("Not a page of Netra")).toBeVisible();
    }
    status = 200;
    await page.goto(`/t/${id}`);
    await expect(page.getByText("Not a page of Netra")).toBeVisible();
    headers = { location: "/elsewhere" };
    status = 302;
    await page.goto(`/t/${id}`);
    await expect(page.getByText("Somewhere else")).toBeVisible();
    headers = { "content-type": "text/html" };
    // A reverse proxy whose server is away.
    status = 502;
    await page.goto(`/t/${id}`);
    await expect(banner(page)).toBeVisible();
    await expect(chat.answer).toHaveText(countTo(3));
    expect(await document(page, `/t/${id}`)).toEqual(before);
  } finally {
    hostile.closeAllConnections();
    hostile.close();
    await once(hostile, "close");
  }
  await server.start();
});

test("where the browser allows no worker, or has no room, the page is as ever (R6)", async ({
  chat,
  context,
  page,
}) => {
  await page.addInitScript(() => {
    Object.defineProperty(Navigator.prototype, "serviceWorker", {
      get: () => {
        throw new DOMException("The operation is insecure.", "SecurityError");
      },
    });
  });
  await chat.open();
  const id = await chat.askNew("assistant", first);
  await chat.cardIs("completed");
  expect(await caches(page)).toEqual({});

  const full = await context.newPage();
  const devtools = await context.newCDPSession(full);
  const { origin } = new URL(page.url());
  await devtools.send("Storage.overrideQuotaForOrigin", { origin, quotaSize: 1 });
  const second = new Chat(full);
  await second.open(`/t/${id}`);
  await expect(second.answer).toHaveText(countTo(3));
  await full.reload();
  await second.isLive();
  await second.ask(prompts.count(4));
  await second.cardIs("completed");
  expect(await documents(full)).toEqual([]);
});
