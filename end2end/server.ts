/** One Netra server as a child process: start, crash, restart on the same port and data, stop. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const ROOT = resolve(import.meta.dirname, "..");
/** The program that carries its page, as a release does. */
export const ONE_FILE = resolve(ROOT, process.env.NETRA_ONE_FILE ?? "target/one-file/netra");
const BINARY = resolve(ROOT, process.env.NETRA_BIN ?? "target/debug/netra");
/** The files of the page; they belong to the same build as the binary. */
export const SITE = resolve(ROOT, process.env.NETRA_SITE ?? "target/site");
const READY_MS = 30_000;
/** Above the server's own drain time, so that a hang is told apart from a slow drain. */
const STOP_MS = 30_000;

/** For `start`: the server has no language model, and so no agent that needs one. */
export const WITHOUT_MODEL = {
  NETRA_LLM_BASE_URL: undefined,
  NETRA_LLM_API_KEY: undefined,
  NETRA_LLM_MODEL: undefined,
};

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const address = probe.address();
  probe.close();
  await once(probe, "close");
  if (address === null || typeof address === "string") throw new Error("the probe has no port");
  return address.port;
}

/** The caller's environment without what would configure Netra behind the test's back. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => name === "NETRA_LOG" || !/^(NETRA|LEPTOS)_/.test(name));
  return { ...Object.fromEntries(kept), NO_PROXY: "127.0.0.1,localhost", no_proxy: "127.0.0.1,localhost" };
}

export class Server {
  readonly url: string;
  private child: ChildProcess | undefined;
  /** Whether it was started with settings that are not every test's. */
  private changed = false;
  private readonly env: NodeJS.ProcessEnv;

  private constructor(
    port: number,
    readonly dataDir: string,
    env: Record<string, string>,
    private readonly program: string,
  ) {
    this.url = `http://127.0.0.1:${port}`;
    this.env = {
      ...cleanEnvironment(),
      NETRA_ADDR: `127.0.0.1:${port}`,
      NETRA_DATA_DIR: dataDir,
      NETRA_AUTH: "dev,password",
      NETRA_REGISTRATIONS_PER_HOUR: "100000",
      LEPTOS_SITE_ROOT: SITE,
      LEPTOS_OUTPUT_NAME: "netra",
      ...env,
    };
    process.once("exit", () => this.child?.kill("SIGKILL"));
  }

  /** Reserves a port and a data directory; nothing runs before `start`. */
  static async create(env: Record<string, string>, program = BINARY): Promise<Server> {
    if (!existsSync(program)) throw new Error(`${program} does not exist: build it first, or set NETRA_BIN`);
    return new Server(await freePort(), mkdtempSync(join(tmpdir(), "netra-e2e-")), env, program);
  }

  get logFile(): string {
    return join(this.dataDir, "server.log");
  }

  /** Why the process ended although nobody asked it to, or undefined. */
  get crash(): string | undefined {
    if (!this.child || this.isUp()) return undefined;
    return `the server ended by itself (${this.child.exitCode ?? this.child.signalCode})\n${this.logTail()}`;
  }

  /** Starts the server unless it runs, with settings changed for this once, and resolves when it is ready. */
  async start(changed: Record<string, string | undefined> = {}): Promise<void> {
    if (this.isUp()) return;
    this.changed = Object.keys(changed).length > 0;
    const log = openSync(this.logFile, "a");
    this.child = spawn(this.program, ["serve"], {
      cwd: ROOT,
      env: { ...this.env, ...changed },
      stdio: ["ignore", log, log],
    });
    closeSync(log);
    // Without a listener a failed spawn would take the worker down; `crash` reports it instead.
    this.child.on("error", () => {});
    const deadline = Date.now() + READY_MS;
    while (!(await this.ready())) {
      if (this.crash) throw new Error(this.crash);
      if (Date.now() > deadline) throw new Error(`not ready after ${READY_MS} ms\n${this.logTail()}`);
      await new Promise((wake) => setTimeout(wake, 50));
    }
  }

  /** Runs with the settings that every test expects, whatever the last one changed. */
  async restore(): Promise<void> {
    if (this.changed) await this.stop();
    await this.start();
  }

  /** A crash: no drain, no close frames. */
  async kill(): Promise<void> {
    await this.end("SIGKILL");
  }

  /** An orderly stop; answers the exit code. */
  async stop(): Promise<number | null> {
    return this.end("SIGTERM");
  }

  /** Deletes the data directory. */
  remove(): void {
    rmSync(this.dataDir, { recursive: true, force: true });
  }

  log(): string {
    return existsSync(this.logFile) ? readFileSync(this.logFile, "utf8") : "";
  }

  logTail(): string {
    return this.log().slice(-2_000);
  }

  private isUp(): boolean {
    return this.child?.pid !== undefined && this.child.exitCode === null && this.child.signalCode === null;
  }

  private async ready(): Promise<boolean> {
    try {
      return (await fetch(`${this.url}/readyz`)).status === 200;
    } catch {
      return false;
    }
  }

  private async end(signal: "SIGKILL" | "SIGTERM"): Promise<number | null> {
    const child = this.child;
    if (!child || !this.isUp()) return child?.exitCode ?? null;
    const exited = once(child, "exit");
    child.kill(signal);
    const hung = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
    await exited;
    clearTimeout(hung);
    this.child = undefined;
    return child.exitCode;
  }
}
