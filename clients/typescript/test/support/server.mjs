// A running `netra serve` with its own port and data folder.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, open, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../../../", import.meta.url));
const BINARY = process.env.NETRA_BIN ?? join(ROOT, "target/debug/netra");
const PATIENCE = 20_000;
/** A JWT, an API token, a sign-in's cookie. */
const SECRETS = [/eyJ[\w-]+\.[\w-]+\.[\w-]+/, /netra_[\w-]{20,}/, /netra_session=\S+/];

/** What still runs when a test file ends early is ended with it. */
const running = new Set();
process.on("exit", () => running.forEach((child) => child.kill("SIGKILL")));
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(1));

export class Server {
  #child;
  #env;

  /** Starts a server; `context` is the test that it ends with. */
  static async start(context, env = {}) {
    const server = new Server();
    server.home = await mkdtemp(join(tmpdir(), "netra-client-"));
    server.port = await freePort();
    server.url = `http://127.0.0.1:${server.port}`;
    // An empty file, so that one lying in the checkout changes nothing.
    await writeFile(join(server.home, "netra.toml"), "");
    server.#env = {
      ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("NETRA_"))),
      NETRA_ADDR: `127.0.0.1:${server.port}`,
      NETRA_DATA_DIR: join(server.home, "data"),
      NETRA_CONFIG: join(server.home, "netra.toml"),
      NETRA_AUTH: "dev,password",
      NETRA_LOG: "info",
      NO_PROXY: "127.0.0.1,localhost",
      no_proxy: "127.0.0.1,localhost",
      ...env,
    };
    context.after(async () => {
      await server.kill();
      const log = await readFile(join(server.home, "server.log"), "utf8");
      await rm(server.home, { recursive: true, force: true });
      const secret = SECRETS.map((pattern) => pattern.exec(log)?.[0]).find(Boolean);
      if (secret) throw new Error(`a secret is in the server's log: ${secret}`);
    });
    await server.run();
    return server;
  }

  /** Starts the process, at first or again after `kill`, and waits until it is ready. */
  async run() {
    const log = await open(join(this.home, "server.log"), "a");
    const stdio = ["ignore", log.fd, log.fd];
    this.#child = spawn(BINARY, ["serve"], { cwd: ROOT, env: this.#env, stdio });
    running.add(this.#child);
    const failed = once(this.#child, "error").then(([error]) => Promise.reject(error));
    await Promise.race([this.#ready(), failed]);
    await log.close();
  }

  /** `kill -9`. */
  kill() {
    return this.#end("SIGKILL");
  }

  /** Asks the server to stop, as a deployment does. */
  terminate() {
    return this.#end("SIGTERM");
  }

  async #end(signal) {
    const child = this.#child;
    if (child.exitCode === null && child.signalCode === null) {
      child.kill(signal);
      await once(child, "exit");
    }
    running.delete(child);
  }

  /** An API token of the developer. */
  async apiToken() {
    const { token } = await this.#asDeveloper("POST", "/api/tokens", { name: "test" });
    return token;
  }

  /** Revokes the developer's API tokens. */
  async revokeTokens() {
    const { tokens } = await this.#asDeveloper("GET", "/api/tokens");
    for (const { id } of tokens) await this.#asDeveloper("DELETE", `/api/tokens/${id}`);
  }

  async #asDeveloper(method, path, body) {
    const signedIn = await fetch(`${this.url}/api/auth/dev`, { method: "POST" });
    const cookies = signedIn.headers.getSetCookie().map((line) => line.split(";")[0]);
    const headers = { cookie: cookies.join("; "), "content-type": "application/json" };
    const answer = await fetch(this.url + path, { method, headers, body: body && JSON.stringify(body) });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return text && JSON.parse(text);
  }

  async #ready() {
    for (const end = Date.now() + PATIENCE; Date.now() < end; await sleep(20)) {
      if (this.#child.exitCode !== null) break;
      const ready = await fetch(`${this.url}/readyz`).catch(() => undefined);
      if (ready?.status === 200) return;
    }
    throw new Error(`the server is not ready:\n${await readFile(join(this.home, "server.log"), "utf8")}`);
  }
}

/** A port that nobody listens on now. */
export async function freePort() {
  const listener = createServer().listen(0, "127.0.0.1");
  await once(listener, "listening");
  const { port } = listener.address();
  listener.close();
  await once(listener, "close");
  return port;
}
