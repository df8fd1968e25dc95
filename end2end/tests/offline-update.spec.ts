/** A service worker of an older version, and a server that has none: real files of a server, changed under it. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Chat } from "../chat.ts";
import { expect, test } from "../fixtures.ts";
import { NETWORK_CUT } from "../guard.ts";
import { draftIsKept } from "../kept.ts";
import { prompts } from "../model.ts";
import { SITE } from "../server.ts";
import { HANDED_ON, caches, documents, isReady } from "../worker.ts";

const folder = mkdtempSync(join(tmpdir(), "netra-e2e-site-"));
const script = join(folder, "service-worker.js");

test.use({ serviceWorkers: "allow", settings: { LEPTOS_SITE_ROOT: folder } });
test.beforeEach(({ guard }) => guard.allow(NETWORK_CUT, HANDED_ON));
test.beforeAll(() => cpSync(SITE, folder, { recursive: true }));
test.afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The number of the build in a worker's text. */
const NUMBER = /offline-(?:\$\{")?([0-9a-f]{12})/;

/** Writes a worker of another build; what it is known by. */
function build(number: string): string {
  const text = readFileSync(join(SITE, "service-worker.js"), "utf8");
  const own = NUMBER.exec(text)?.[1];
  expect(own, "the worker has the number of its build").toBeDefined();
  writeFileSync(script, text.replaceAll(own!, number));
  return `netra-offline-${number}`;
}

test("an older worker is replaced under open pages, and what is typed stays (R7)", async ({ chat, context, page }) => {
  const old = build("000000000001");
  await chat.open();
  const id = await chat.askNew("assistant", prompts.count(3));
  await chat.cardIs("completed");
  await isReady(page, "/", `/t/${id}`);
  expect(Object.keys(await caches(page))).toContain(old);
  await chat.composer.fill("half a thought");
  await draftIsKept(page, "half a thought");
  await page.evaluate(() => Object.assign(window, { still: true }));

  const fresh = build("000000000002");
  // Another page comes from the new server; its worker is the new one for both.
  const other = await context.newPage();
  await new Chat(other).open();
  const names = async () => Object.keys(await caches(page)).filter((name) => name.startsWith("netra-offline-"));
  await expect.poll(names, { timeout: 30_000 }).toEqual([fresh]);
  await expect(chat.composer).toHaveValue("half a thought");
  expect(await page.evaluate(() => "still" in window), "nothing reloaded the page").toBe(true);
  await chat.composer.press("End");
  await page.keyboard.type(", and more");
  await draftIsKept(page, "half a thought, and more");
  // What the older one kept is still there.
  expect(await documents(page)).toContain(`/t/${id}`);
  await page.reload();
  await chat.isLive();
  await expect(chat.composer).toHaveValue("half a thought, and more");
});

test("a server without a worker has it leave, with all that it kept (R6)", async ({ chat, page }) => {
  build("000000000003");
  await chat.open();
  await isReady(page, "/");
  rmSync(script);
  // A worker asks when it meets a build for the first time in its life.
  const devtools = await page.context().newCDPSession(page);
  await devtools.send("ServiceWorker.enable");
  await devtools.send("ServiceWorker.stopAllWorkers");
  // The pages of such a server know of none.
  await page.addInitScript(() => {
    ServiceWorkerContainer.prototype.register = () => Promise.reject(new Error("there is none"));
  });
  await page.reload();
  await chat.isLive();
  await expect.poll(() => page.evaluate(async () => (await navigator.serviceWorker.getRegistrations()).length)).toBe(0);
  await expect.poll(() => caches(page)).toEqual({});
  await page.reload();
  await chat.isLive();
  await chat.askNew("assistant", prompts.count(3));
  await chat.cardIs("completed");
});
