/** A Chromium of a test's own, with its profile and its processes: it can be frozen, killed, and started again. */
import { readFileSync, readdirSync } from "node:fs";
import type { BrowserContext, BrowserType } from "@playwright/test";

type Options = NonNullable<Parameters<BrowserType["launchPersistentContext"]>[1]>;

interface Process {
  pid: number;
  parent: number;
  command: string;
}

/** The machine's processes, from Linux' own list. */
function processes(): Process[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const stat = readFileSync(`/proc/${name}/stat`, "utf8");
        // The name stands in brackets and may hold anything; state and parent follow the last one.
        const parent = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
        const command = readFileSync(`/proc/${name}/cmdline`, "utf8").replaceAll("\0", " ");
        return [{ pid: Number(name), parent, command }];
      } catch {
        return []; // It ended meanwhile.
      }
    });
}

export class OwnBrowser {
  private stopped: number[] = [];

  private constructor(
    readonly context: BrowserContext,
    private readonly profile: string,
  ) {}

  /** Starts Chromium on a profile directory, new or used before. */
  static async launch(chromium: BrowserType, profile: string, options: Options): Promise<OwnBrowser> {
    return new OwnBrowser(await chromium.launchPersistentContext(profile, options), profile);
  }

  /** The browser's processes, the first of them the browser itself. */
  private tree(): Process[] {
    const all = processes();
    const root = all.find(
      ({ command }) => command.includes(`--user-data-dir=${this.profile}`) && !command.includes("--type="),
    );
    const tree = root ? [root] : [];
    for (const { pid } of tree) tree.push(...all.filter(({ parent }) => parent === pid));
    return tree;
  }

  /** Stops the clock for the whole browser, or for its pages alone: nothing of it runs until `thaw`. */
  freeze(what: "browser" | "pages"): void {
    const tree = this.tree().filter(({ command }) => what === "browser" || command.includes("--type=renderer"));
    if (tree.length === 0) throw new Error("there is nothing to freeze");
    this.stopped = tree.map(({ pid }) => pid);
    for (const pid of this.stopped) process.kill(pid, "SIGSTOP");
  }

  thaw(): void {
    for (const pid of this.stopped.splice(0).reverse()) process.kill(pid, "SIGCONT");
  }

  /** A crash: every process ends at once, and nothing is written any more. */
  async kill(): Promise<void> {
    const closed = this.context.waitForEvent("close");
    const tree = this.tree();
    if (tree.length === 0) throw new Error("there is nothing to kill");
    for (const { pid } of tree) process.kill(pid, "SIGKILL");
    await closed;
  }

  /** Closes what a test has left open. */
  async close(): Promise<void> {
    this.thaw();
    await this.context.close().catch(() => {}); // It was killed.
  }
}
