/** The page's budgets, measured: `make bench-ui`. Nothing fails for being slow; what a figure should be is printed beside it. */
import { defineConfig } from "@playwright/test";
import tests from "./playwright.config.ts";

export default defineConfig({
  ...tests,
  projects: tests.projects?.filter(({ name }) => name === "chromium"),
  testDir: "bench",
  testMatch: "*.bench.ts",
  outputDir: "results",
  // What a trace records of each step is work of the page's.
  use: { ...tests.use, trace: "off" },
  retries: 0,
  reporter: [["./bench/figures.ts"]],
  timeout: 600_000,
});
