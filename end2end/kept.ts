/** What a page keeps in its browser's IndexedDB. */
import { type Page, expect } from "@playwright/test";

/** All entries by their keys; none while the database is away. */
export const kept = (page: Page): Promise<Record<string, string>> =>
  page.evaluate(
    () =>
      new Promise<Record<string, string>>((resolve) => {
        const opening = indexedDB.open("netra", 1);
        opening.onsuccess = () => {
          const database = opening.result;
          // Nobody else is in the way of the page.
          database.onversionchange = () => database.close();
          if (!database.objectStoreNames.contains("kept")) {
            database.close();
            return resolve({});
          }
          const table = database.transaction("kept").objectStore("kept");
          const [keys, values] = [table.getAllKeys(), table.getAll()];
          values.onsuccess = () => {
            database.close();
            resolve(Object.fromEntries(keys.result.map((key, at) => [String(key), String(values.result[at])])));
          };
        };
        opening.onupgradeneeded = () => opening.transaction!.abort();
        opening.onerror = () => resolve({});
      }),
  );

/** Waits until exactly this is on the disk of what is being written; nothing, for an empty field. */
export async function draftIsKept(page: Page, text: string): Promise<void> {
  const drafts = async () =>
    Object.entries(await kept(page))
      .filter(([key]) => key.startsWith("draft."))
      .map(([, value]) => value)
      .filter((value) => value !== "");
  await expect.poll(drafts).toEqual(text === "" ? [] : [text]);
}
