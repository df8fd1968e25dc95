import { execFileSync } from "node:child_process";
import { defineConfig } from "@playwright/test";

/** The machine's Chromium, or undefined: then Playwright uses the browser it installed itself. */
function chromium(): string | undefined {
  if (process.env.CHROMIUM) return process.env.CHROMIUM;
  try {
    return execFileSync("sh", ["-c", "command -v chromium"], { encoding: "utf8" }).trim() || undefined;
  } catch {
    return undefined;
  }
}

export default defineConfig({
  testDir: "tests",
  outputDir: "results",
  // One server per worker, and some tests kill it: a second worker would only compete for the processor.
  workers: 1,
  // A browser on a machine that is short of breath fails once in a thousand tests for reasons of its own. A test that passes
  // only the second time is reported as flaky, with what its pages showed.
  retries: 1,
  reporter: [["list"], ["./afterword.ts"]],
  forbidOnly: Boolean(process.env.CI),
  timeout: 60_000,
  expect: { timeout: 10_000 },
  use: {
    viewport: { width: 1280, height: 800 },
    trace: "retain-on-failure",
    // Playwright's `route` does not see what a service worker asks for, and a page that was kept is none that the server sent: the
    // worker is there in the tests that are about it.
    serviceWorkers: "block",
  },
  projects: [
    {
      name: "chromium",
      use: {
        browserName: "chromium",
        launchOptions: {
          executablePath: chromium(),
          args: [
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
          ],
        },
      },
    },
    // One person's way through everything, in the other engines, where `npx playwright install` has put them.
    { name: "firefox", testMatch: "journey.spec.ts", use: { browserName: "firefox" } },
    { name: "webkit", testMatch: "journey.spec.ts", use: { browserName: "webkit" } },
  ],
});
