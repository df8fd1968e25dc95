/**
 * One file: the program is copied to a folder that holds nothing else, and runs there for another user, with everything in it.
 * `make one-file` builds it as a release is built, without a release's optimizations; NETRA_ONE_FILE names another.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, chownSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { type IncomingMessage, request } from "node:http";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { expect, test } from "@playwright/test";
import { Chat } from "../chat.ts";

const BINARY = resolve(import.meta.dirname, "../..", process.env.NETRA_ONE_FILE ?? "target/one-file/netra");
const NOBODY = 65534;

interface Answer {
  status: number;
  headers: IncomingMessage["headers"];
  body: Buffer;
}

/** The answer as it travels: a browser would decode it. */
async function get(url: string, headers: Record<string, string> = {}, method = "GET"): Promise<Answer> {
  const sent = request(url, { headers, method }).end();
  const [answer] = (await once(sent, "response")) as [IncomingMessage];
  const parts: Buffer[] = [];
  for await (const part of answer) parts.push(part as Buffer);
  return { status: answer.statusCode ?? 0, headers: answer.headers, body: Buffer.concat(parts) };
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const address = probe.address();
  probe.close();
  if (address === null || typeof address === "string") throw new Error("the probe has no port");
  return address.port;
}

let home: string;
let url: string;
let stop: () => Promise<void>;

test.beforeAll(async () => {
  expect(existsSync(BINARY), `${BINARY} is not there: \`make one-file\` builds it`).toBe(true);
  home = mkdtempSync(join(tmpdir(), "netra-one-file-"));
  const [program, elsewhere, data] = ["program", "elsewhere", "data"].map((name) => join(home, name));
  for (const folder of [program!, elsewhere!, data!]) mkdirSync(folder);
  chmodSync(home, 0o755);
  copyFileSync(BINARY, join(program!, "netra"));
  chmodSync(join(program!, "netra"), 0o755);
  // Only root may become somebody else; everybody else still runs it without what was built beside it.
  const root = process.getuid?.() === 0;
  if (root) chownSync(data!, NOBODY, NOBODY);
  const port = await freePort();
  url = `http://127.0.0.1:${port}`;
  const child = spawn(join(program!, "netra"), ["serve", "--addr", `127.0.0.1:${port}`, "--data-dir", data!], {
    cwd: elsewhere!,
    env: { PATH: "/usr/bin:/bin" },
    stdio: ["ignore", "inherit", "inherit"],
    ...(root ? { uid: NOBODY, gid: NOBODY } : {}),
  });
  stop = async () => {
    const gone = child.exitCode === null ? once(child, "exit") : undefined;
    child.kill("SIGTERM");
    await gone;
    rmSync(home, { recursive: true, force: true });
  };
  await expect
    .poll(
      () =>
        get(`${url}/readyz`).then(
          ({ status }) => status,
          () => child.exitCode ?? 0,
        ),
      { timeout: 20_000 },
    )
    .toBe(200);
  expect(readdirSync(program!)).toEqual(["netra"]);
  expect(readdirSync(elsewhere!)).toEqual([]);
});

test.afterAll(() => stop());

test("the page comes out of the program alone and works", async ({ page }) => {
  const failed: string[] = [];
  page.on("requestfailed", (request) => {
    // What was still on its way when the page was left is no failure.
    if (request.failure()?.errorText !== "net::ERR_ABORTED") failed.push(request.url());
  });
  page.on("response", (response) => {
    if (response.status() >= 400) failed.push(`${response.status()} ${response.url()}`);
  });
  const chat = new Chat(page);
  await chat.open(url);
  await chat.askNew("guide", "What is 17.5 % of 2,480?");
  await chat.cardIs("completed");
  await expect(chat.answer).toContainText("434");
  // The documentation is in there, too.
  await chat.ask("How do I connect a model?");
  await expect(chat.answer).toContainText("NETRA_LLM_BASE_URL");
  await page.goto(`${url}/docs`);
  await expect(page.getByRole("heading", { level: 1 })).toContainText("netra.v1");
  expect(failed).toEqual([]);
});

test("what was compiled is kept for good, under an address that changes with it", async () => {
  const { body } = await get(url);
  const addresses = [...new Set(body.toString().match(/\/pkg\/[^"'\s)]+\.(?:js|wasm|css)/g) ?? [])];
  expect(addresses.map((address) => address.split(".").pop()).sort()).toEqual(["css", "js", "wasm"]);
  const kinds: Record<string, string> = { css: "text/css", js: "text/javascript", wasm: "application/wasm" };
  for (const address of addresses) {
    const plain = await get(url + address, { "accept-encoding": "identity" });
    expect(plain.status, address).toBe(200);
    expect(plain.headers["cache-control"]).toBe("public, max-age=31536000, immutable");
    expect(plain.headers["content-type"]).toContain(kinds[address.split(".").pop()!]);
    expect(plain.headers["content-encoding"]).toBeUndefined();
    expect(plain.headers.vary).toContain("accept-encoding");
    const tags = new Set([plain.headers.etag]);
    for (const [coding, decode] of [
      ["br", brotliDecompressSync],
      ["gzip", gunzipSync],
    ] as const) {
      const coded = await get(url + address, { "accept-encoding": coding });
      expect(coded.headers["content-encoding"], address).toBe(coding);
      expect(Number(coded.headers["content-length"])).toBe(coded.body.length);
      expect(coded.body.length).toBeLessThan(plain.body.length);
      expect(decode(coded.body).equals(plain.body), `${address} as ${coding}`).toBe(true);
      tags.add(coded.headers.etag);
      const again = await get(url + address, { "accept-encoding": coding, "if-none-match": coded.headers.etag! });
      expect([again.status, again.body.length]).toEqual([304, 0]);
    }
    expect(tags.size).toBe(3);
    expect((await get(url + address, { "accept-encoding": "gzip, br;q=0.9" })).headers["content-encoding"]).toBe("br");
    expect((await get(url + address, {}, "HEAD")).headers["content-length"]).toBe(String(plain.body.length));
    expect((await get(url + address, {}, "POST")).status).toBe(405);
    const other = address.replace(/\/pkg\/[^/]+/, "/pkg/000000000000");
    expect((await get(url + other)).status, "another build's file").toBe(404);
  }
});

test("icons are asked for again, and what is no file is not found", async () => {
  for (const [path, kind] of [
    ["/favicon.svg", "image/svg+xml"],
    ["/icon-192.png", "image/png"],
    ["/manifest.webmanifest", "application/manifest+json"],
    ["/service-worker.js", "text/javascript; charset=utf-8"],
    ["/offline.html", "text/html; charset=utf-8"],
  ] as const) {
    const { status, headers } = await get(url + path);
    expect([status, headers["content-type"], headers["cache-control"]]).toEqual([200, kind, "no-cache"]);
  }
  for (const path of ["/pkg/nothing.js", "/../Cargo.toml", "/favicon.svg.br"]) {
    const { status, body } = await get(url + path);
    expect([status, JSON.parse(body.toString()).error.code], path).toEqual([404, "not_found"]);
  }
});
