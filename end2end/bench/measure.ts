/** What benches measure with. */
import type { Page } from "@playwright/test";
import { test } from "../fixtures.ts";

export const note = (what: string, figure: string) => test.info().annotations.push({ type: what, description: figure });
export const kilobytes = (bytes: number) => `${(bytes / 1024).toFixed(0)} KB`;
export const milliseconds = (time: number) => `${time.toFixed(0)} ms`;
export const percentile = (times: number[], part: number) =>
  times.toSorted((a, b) => a - b)[Math.floor((times.length - 1) * part)] ?? NaN;

/** Counts tasks of more than 50 ms from here on. */
export async function watchTasks(page: Page): Promise<() => Promise<number[]>> {
  await page.evaluate(() => {
    const tasks: number[] = [];
    Object.assign(window, { tasks });
    new PerformanceObserver((list) => tasks.push(...list.getEntries().map(({ duration }) => duration))).observe({
      type: "longtask",
    });
  });
  return () => page.evaluate(() => (window as unknown as { tasks: number[] }).tasks);
}
