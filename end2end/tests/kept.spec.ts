/** Nothing that was typed is lost: drafts and messages on their way lie in the browser, on its disk, and where they cannot it is said. */
import { Chat } from "../chat.ts";
import { expect, newAccount, register, test, throughProxy } from "../fixtures.ts";
import { NETWORK_CUT } from "../guard.ts";
import { draftIsKept, kept } from "../kept.ts";
import { story } from "../log.ts";
import { prompts } from "../model.ts";

test.describe.configure({ timeout: 120_000 });
test.use(throughProxy);
test.beforeEach(({ guard }) => guard.allow(NETWORK_CUT));

const BACK_MS = 45_000;
const first = prompts.count(3);

test("a draft survives the browser's death, a moment after it was typed (R7)", async ({ startBrowser }) => {
  let browser = await startBrowser();
  await register(browser.context);
  const cookies = await browser.context.cookies();
  let chat = new Chat(await browser.context.newPage());
  await chat.open();
  await chat.composer.fill("half a thought");
  await draftIsKept(chat.page, "half a thought");
  await browser.kill();
  browser = await startBrowser();
  await browser.context.addCookies(cookies);
  chat = new Chat(await browser.context.newPage());
  await chat.open();
  await expect(chat.composer).toHaveValue("half a thought");
});

for (const [what, words, block] of [
  [
    "forbidden",
    /does not let this page store anything/,
    () => {
      IDBFactory.prototype.open = () => {
        throw new DOMException("denied", "SecurityError");
      };
    },
  ],
  [
    "full",
    /its storage is full/,
    () => {
      IDBObjectStore.prototype.put = () => {
        throw new DOMException("full", "QuotaExceededError");
      };
    },
  ],
] as const) {
  test(`storage that is ${what} is said, and the message goes out all the same (R7, R20)`, async ({
    chat,
    network,
    page,
  }) => {
    await page.addInitScript(block);
    await chat.open();
    const id = await chat.askNew("assistant", first);
    await chat.cardIs("completed");
    await chat.composer.fill("not saved");
    await expect(page.locator("#message-hint")).toHaveText(words);
    await network.refuse();
    await chat.linkIs(/^(reconnecting|unreachable)$/);
    await chat.ask(prompts.count(5));
    await chat.waiting("unsaved");
    await expect(chat.pending).toHaveText(words);
    await network.pass();
    await chat.isLive(BACK_MS);
    await chat.waiting("unsaved", 0);
    await expect.poll(async () => (await story(page.request, id)).said).toEqual([first, prompts.count(5)]);
  });
}

for (const [when, pause] of [
  ["before anything is on the disk", 60_000],
  ["while it is being written", 0],
] as const) {
  test(`a reload right after Enter, ${when}, finds the message and not its draft (R7)`, async ({ chat, page }) => {
    await chat.open();
    const id = await chat.askNew("assistant", first);
    await chat.cardIs("completed");
    await chat.composer.fill(prompts.count(5));
    await draftIsKept(page, prompts.count(5));
    // In one task: nothing that the page asks the disk for is done before it goes away.
    await page.evaluate((pause) => {
      if (pause) {
        const begin = IDBDatabase.prototype.transaction;
        IDBDatabase.prototype.transaction = function (...args) {
          if (args[1] === "readwrite") throw new DOMException("not yet", "UnknownError");
          return begin.apply(this, args);
        };
      }
      document.querySelector<HTMLFormElement>("form.composer")!.requestSubmit();
      location.reload();
    }, pause);
    await chat.cardIs("completed");
    await expect.poll(async () => (await story(page.request, id)).said).toEqual([first, prompts.count(5)]);
    await chat.isLive();
    await expect(chat.composer).toHaveValue("");
    await draftIsKept(page, "");
    await expect.poll(() => kept(page)).toEqual({});
    expect(await page.evaluate(() => Object.keys(localStorage).filter((key) => /outbox|draft/.test(key)))).toEqual([]);
  });
}

test("a message and the draft that it was change places at once (R7)", async ({ chat, network, page }) => {
  await chat.open();
  await chat.askNew("assistant", first);
  await chat.cardIs("completed");
  await network.refuse();
  await chat.linkIs(/^(reconnecting|unreachable)$/);
  await chat.composer.fill(prompts.count(5));
  await draftIsKept(page, prompts.count(5));
  const transactions = await page.evaluate(
    () =>
      new Promise<string[][]>((resolve) => {
        const seen = new Map<IDBTransaction, string[]>();
        const note = (store: IDBObjectStore, what: string) => {
          const list = seen.get(store.transaction) ?? [];
          seen.set(store.transaction, [...list, what].sort());
          store.transaction.addEventListener("complete", () => resolve([...seen.values()]));
        };
        const { put, delete: remove } = IDBObjectStore.prototype;
        IDBObjectStore.prototype.put = function (value, key) {
          note(this, `put ${String(key).split(".")[0]}`);
          return put.call(this, value, key);
        };
        IDBObjectStore.prototype.delete = function (key) {
          note(this, `delete ${String(key).split(".")[0]}`);
          return remove.call(this, key);
        };
        document.querySelector<HTMLFormElement>("form.composer")!.requestSubmit();
      }),
  );
  expect(transactions).toEqual([["delete draft", "put outbox"]]);
  await chat.waiting("queued");
  await network.pass();
  await chat.isLive(BACK_MS);
  await chat.waiting("queued", 0);
});

test("storage that answers late loses nothing and claims nothing (R7)", async ({ chat, context, page }) => {
  await chat.open();
  const id = await chat.askNew("assistant", first);
  await chat.cardIs("completed");
  await chat.composer.fill("an older thought");
  await draftIsKept(page, "an older thought");
  await page.goto("about:blank");
  // Another tab holds the table, so that whoever wants to read has to wait.
  const holder = await context.newPage();
  await holder.goto("/robots.txt");
  await holder.evaluate(
    () =>
      new Promise<void>((holds) => {
        const state = Object.assign(window, { held: true });
        const opening = indexedDB.open("netra", 1);
        opening.onsuccess = () => {
          const table = opening.result.transaction("kept", "readwrite").objectStore("kept");
          const again = () => {
            if (state.held) table.count().onsuccess = again;
            else opening.result.close();
          };
          again();
          holds();
        };
      }),
  );
  await chat.open(`/t/${id}`);
  await chat.composer.fill("a newer thought");
  await expect(page.locator("#message-hint")).toHaveText(/does not keep what you write: its storage does not answer/);
  await expect(chat.composer).toHaveValue("a newer thought");
  await holder.evaluate(() => Object.assign(window, { held: false }));
  await expect(chat.composer).toHaveValue("an older thought\na newer thought", { timeout: 60_000 });
  await expect(page.locator("#message-hint")).toHaveText("");
  await draftIsKept(page, "an older thought\na newer thought");
});

test("another who signs in with the same browser sees and sends nothing of it (R9, R21)", async ({
  chat,
  context,
  network,
  page,
  server,
}) => {
  await chat.open();
  await chat.askNew("assistant", first);
  await chat.cardIs("completed");
  await chat.composer.fill("a private draft");
  const tried = page.waitForEvent("websocket");
  await network.refuse();
  await chat.linkIs(/^(reconnecting|unreachable)$/);
  await chat.ask("a private message");
  await chat.waiting("queued");
  await chat.composer.fill("a private draft");
  await draftIsKept(page, "a private draft");
  // A link that was cut may come back with the token it has; one that could not asks for another.
  const attempt = await tried;
  await expect.poll(() => attempt.isClosed()).toBe(true);
  // The cookie is another's before the page is back: it gets a token, but not its user's. Cookies do not know ports.
  await context.clearCookies();
  await register(context, newAccount(), server.url);
  await network.pass();
  await chat.linkIs("signed-out", BACK_MS);
  const other = new Chat(await context.newPage());
  await other.open();
  await expect(other.composer).toHaveValue("");
  await expect(other.bubbles).toHaveCount(0);
  // What the first had in the outbox would have gone out before this.
  const own = await other.askNew("guide", "What is 1 + 1?");
  await other.cardIs("completed");
  const mine = (await (await context.request.get("/api/threads")).json()) as { threads: { id: string }[] };
  expect(
    mine.threads.map(({ id }) => id),
    "threads of the second user",
  ).toEqual([own]);
});

test("storage that is wiped under an open page loses nothing (R7)", async ({ chat, network, page }) => {
  await chat.open();
  const id = await chat.askNew("assistant", first);
  await chat.cardIs("completed");
  await network.refuse();
  await chat.linkIs(/^(reconnecting|unreachable)$/);
  await chat.ask(prompts.count(5));
  await chat.waiting("queued");
  await chat.composer.fill("a draft as well");
  await draftIsKept(page, "a draft as well");
  const devtools = await page.context().newCDPSession(page);
  await devtools.send("Storage.clearDataForOrigin", { origin: network.url, storageTypes: "indexeddb,local_storage" });
  // The page writes again what it holds.
  const kinds = async () => Object.keys(await kept(page)).map((key) => key.split(".")[0]);
  await expect.poll(kinds, { timeout: 15_000 }).toEqual(["draft", "outbox"]);
  await network.pass();
  await page.goto(`/t/${id}`);
  await chat.isLive(BACK_MS);
  await expect(chat.composer).toHaveValue("a draft as well");
  await expect.poll(async () => (await story(page.request, id)).said).toEqual([first, prompts.count(5)]);
});

test("what an older version had kept is brought over (R7)", async ({ chat, page }) => {
  await chat.open();
  const user = ((await (await page.request.get("/api/me")).json()) as { user: { id: string } }).user.id;
  await page.goto("about:blank");
  await page.addInitScript((user) => {
    if (location.protocol !== "http:" || sessionStorage.getItem("put")) return;
    sessionStorage.setItem("put", "yes");
    localStorage.setItem(`netra.draft.${user}.new`, "written with an older version");
  }, user);
  await chat.open();
  await expect(chat.composer).toHaveValue("written with an older version");
  await page.reload();
  await chat.isLive();
  await expect(chat.composer).toHaveValue("written with an older version");
});

test("whoever signs out leaves nothing behind (R7)", async ({ chat, page }) => {
  await chat.open();
  await chat.composer.fill("for my eyes only");
  await draftIsKept(page, "for my eyes only");
  // The page lives on for a while after the browser has cleared what it kept.
  let left = () => {};
  const leaves = new Promise<void>((resolve) => (left = resolve));
  await page.route("**/login", async (route) => {
    await leaves;
    await route.continue();
  });
  const out = page.waitForResponse("**/fn/logout");
  await page.getByRole("button", { name: "Sign out", exact: true }).click({ noWaitAfter: true });
  await out;
  // As long as a write that was given up takes to be tried again, and longer.
  await page.waitForTimeout(2_500);
  left();
  await page.waitForURL("**/login");
  expect(await kept(page)).toEqual({});
});
