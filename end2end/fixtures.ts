/** What every test has at hand: a real server, a real model server, a watched browser. */
import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BrowserContext, type Page, expect, test as base } from "@playwright/test";
import { OwnBrowser } from "./browser.ts";
import { Chat } from "./chat.ts";
import { Guard } from "./guard.ts";
import { Model } from "./model.ts";
import { Proxy } from "./proxy.ts";
import { leaked } from "./secrets.ts";
import { Server } from "./server.ts";
import { SocketLog } from "./sockets.ts";

export interface Account {
  name: string;
  email: string;
  password: string;
}

const PASSWORD = "correct horse battery staple 9";
const MODEL_KEY = "the key of the model in the tests";

/** An account nobody has yet. */
export function newAccount(): Account {
  const id = randomUUID().slice(0, 8);
  return { name: `User ${id}`, email: `user-${id}@example.org`, password: PASSWORD };
}

/** Registers an account and leaves its session in the context's cookies; `base` is the server's own address, past any proxy. */
export async function register(context: BrowserContext, account = newAccount(), base = ""): Promise<Account> {
  const response = await context.request.post(`${base}/api/auth/register`, { data: account });
  expect(response.ok(), `register answered ${response.status()}`).toBe(true);
  return account;
}

/** The attachment of a failed test that says what its pages showed. */
export const PAGES = "pages and their links";

/** What a page shows in words; a page that crashed or hangs says so. */
async function shown(page: Page): Promise<string> {
  const words = page.locator("body").innerText({ timeout: 2_000 });
  return `${page.url()}: ${(await words.catch((error: Error) => error.message)).replace(/\s+/g, " ")}`;
}

interface WorkerFixtures {
  /** Settings of the server beyond those of every test: a file that needs some has a server of its own. */
  settings: Record<string, string>;
  /** The server's program, where it is not the one of every test. */
  program: string | undefined;
  model: Model;
  /** A second way to the server, for tests that break it: `test.use(throughProxy)`. */
  network: Proxy;
  server: Server;
}

interface TestFixtures {
  guard: Guard;
  sockets: SocketLog;
  /** The page of a user who has just registered and has no threads. */
  chat: Chat;
  /** Starts a Chromium of the test's own. Each call uses the same profile. */
  startBrowser: () => Promise<OwnBrowser>;
  health: void;
}

export const test = base.extend<TestFixtures, WorkerFixtures>({
  model: [
    async ({}, use) => {
      const model = new Model();
      await model.start();
      await use(model);
      await model.stop();
    },
    { scope: "worker" },
  ],

  settings: [{}, { scope: "worker", option: true }],

  program: [undefined, { scope: "worker", option: true }],

  network: [
    async ({}, use) => {
      const proxy = await Proxy.create();
      await use(proxy);
      await proxy.close();
    },
    { scope: "worker" },
  ],

  server: [
    async ({ model, network, program, settings }, use) => {
      const environment = {
        NETRA_LLM_BASE_URL: model.url,
        NETRA_LLM_API_KEY: MODEL_KEY,
        NETRA_LLM_MODEL: "mock-model",
        // A crashed run is taken up again after its lease: the default is long to wait for.
        NETRA_RUN_LEASE_S: "5",
        NETRA_ALLOWED_ORIGINS: network.url,
        ...settings,
      };
      const server = await Server.create(environment, program);
      network.target = Number(new URL(server.url).port);
      await server.start();
      await use(server);
      const code = await server.stop();
      const log = server.logTail();
      const secret = leaked(server.log(), [PASSWORD, MODEL_KEY]);
      server.remove();
      expect(secret, "a secret in the server's log").toBeUndefined();
      expect(code, `exit code after SIGTERM\n${log}`).toBe(0);
    },
    { scope: "worker", timeout: 90_000 },
  ],

  baseURL: async ({ server }, use) => use(server.url),

  guard: async ({}, use) => {
    const guard = new Guard();
    await use(guard);
    expect(guard.complaints(), "complaints of the browser").toEqual([]);
  },

  context: async ({ context, guard }, use, testInfo) => {
    await guard.watch(context);
    await use(context);
    if (testInfo.status !== testInfo.expectedStatus) {
      const pages = await Promise.all(context.pages().map(shown));
      await testInfo.attach(PAGES, { body: [...pages, guard.recent()].join("\n") });
    }
  },

  sockets: async ({ page }, use) => use(new SocketLog(page)),

  chat: async ({ context, page }, use) => {
    await register(context);
    await use(new Chat(page));
  },

  startBrowser: async ({ playwright, launchOptions, baseURL, serviceWorkers, guard }, use) => {
    const profile = mkdtempSync(join(tmpdir(), "netra-e2e-profile-"));
    const started: OwnBrowser[] = [];
    await use(async () => {
      const browser = await OwnBrowser.launch(playwright.chromium, profile, {
        ...launchOptions,
        baseURL,
        serviceWorkers,
      });
      started.push(browser);
      await guard.watch(browser.context);
      return browser;
    });
    for (const browser of started) await browser.close();
    rmSync(profile, { recursive: true, force: true });
  },

  /** Leaves a running server with its own settings to the next test; one that ended by itself fails this test. */
  health: [
    async ({ server, model, network }, use, testInfo) => {
      model.reset();
      await use();
      if (testInfo.status !== testInfo.expectedStatus) {
        await testInfo.attach("server.log", { path: server.logFile, contentType: "text/plain" });
      }
      await network.pass();
      const crash = server.crash;
      await server.restore();
      expect(crash).toBeUndefined();
    },
    { auto: true, timeout: 60_000 },
  ],
});

/** Makes every address of a test lead through the proxy. */
export const throughProxy: Parameters<typeof test.use>[0] = {
  baseURL: async ({ network }, use) => use(network.url),
};

export { expect };
