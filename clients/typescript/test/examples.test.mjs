// What the pages show is run as it stands there.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Server } from "./support/server.mjs";

const PACKAGE = new URL("../", import.meta.url);
const run = promisify(execFile);

/** The first JavaScript block of a page. */
async function block(page) {
  const text = await readFile(new URL(page, PACKAGE), "utf8");
  return text.match(/^```js\n([\s\S]*?)^```$/m)[1];
}

test("the examples ask guide and print its answer", async (context) => {
  const server = await Server.start(context);
  const env = { ...process.env, NETRA_URL: server.url, NETRA_TOKEN: await server.apiToken() };
  const options = { cwd: fileURLToPath(PACKAGE), env, timeout: 20_000 };

  const example = await readFile(new URL("example.mjs", PACKAGE), "utf8");
  assert.equal(await block("README.md"), example);
  assert.ok(example.split("\n").length <= 30, "it is short");
  const { stdout, stderr } = await run(process.execPath, ["--experimental-websocket", "example.mjs"], options);
  assert.match(stdout, /434/);
  assert.match(stderr, /→ calculate[\s\S]*completed/);

  const shown = (await block("../../docs/clients.md")).replace("http://127.0.0.1:3000", server.url);
  const evaluated = ["--experimental-websocket", "--input-type=module", "--eval", shown];
  assert.match((await run(process.execPath, evaluated, options)).stdout, /434/);
});
