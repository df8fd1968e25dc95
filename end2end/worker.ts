/** What the service worker keeps in a browser, and what it must never keep. */
import { type Page, expect } from "@playwright/test";

/** What Chromium logs when a worker hands on that the server is away. */
export const HANDED_ON = /FetchEvent|status of (401|404|410|500|502|503)|ServiceWorker/;

/** The addresses that are kept, by the name of their cache. */
export const caches = (page: Page): Promise<Record<string, string[]>> =>
  page.evaluate(async () => {
    const found: Record<string, string[]> = {};
    for (const name of await window.caches.keys()) {
      const cache = await window.caches.open(name);
      found[name] = (await cache.keys()).map(({ url }) => new URL(url).pathname).sort();
    }
    return found;
  });

/** The documents that are kept, whosever they are. */
export async function documents(page: Page): Promise<string[]> {
  const all = Object.entries(await caches(page));
  return all.filter(([name]) => name.startsWith("netra-pages-")).flatMap(([, paths]) => paths);
}

/** Waits until the page has its worker, and the worker these documents with all files of the page. */
export async function isReady(page: Page, ...paths: string[]): Promise<void> {
  await page.waitForFunction(() => navigator.serviceWorker.controller?.state === "activated");
  await expect.poll(() => documents(page), { timeout: 30_000 }).toEqual(expect.arrayContaining(paths));
  const needed = await page.evaluate(() =>
    performance
      .getEntriesByType("resource")
      .map(({ name }) => new URL(name).pathname)
      .filter((path) => path.startsWith("/pkg/")),
  );
  const files = async () => (await caches(page))["netra-files"] ?? [];
  await expect.poll(files, { timeout: 30_000 }).toEqual(expect.arrayContaining(needed));
}

/** Documents as they are kept, with their headers. */
export const document = (page: Page, path: string): Promise<{ text: string; headers: Record<string, string> }> =>
  page.evaluate(async (path) => {
    const kept = (await window.caches.match(path, { ignoreVary: true }))!;
    return { text: await kept.text(), headers: Object.fromEntries(kept.headers) };
  }, path);
