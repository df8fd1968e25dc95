// The example in docs/clients.md, as it stands there, against a server.

import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import test from "node:test";
import { promisify } from "node:util";
import { startModel, textOf } from "./support/model.mjs";
import { Proxy } from "./support/proxy.mjs";
import { Server, freePort } from "./support/server.mjs";

const run = promisify(execFile);
const ROOT = new URL("../../../", import.meta.url);
const PIECES = 30;

/** The only Python block of the page. */
async function example() {
  const page = await readFile(new URL("docs/clients.md", ROOT), "utf8");
  const blocks = [...page.matchAll(/^```python\n([\s\S]*?)^```$/gm)];
  assert.equal(blocks.length, 1, "docs/clients.md has one Python block");
  return blocks[0][1];
}

/** Python with `websockets`, in a folder of its own; without the venv module, beside the system's Python. */
async function python(home) {
  try {
    await run("python3", ["-m", "venv", join(home, "venv")]);
    await run(join(home, "venv/bin/pip"), ["install", "--quiet", "websockets"]);
    return { command: join(home, "venv/bin/python"), env: {} };
  } catch {
    const target = join(home, "packages");
    await run("python3", ["-m", "pip", "install", "--quiet", "--target", target, "websockets"]);
    return {
      command: "python3",
      env: { PYTHONPATH: [target, process.env.PYTHONPATH].filter(Boolean).join(delimiter) },
    };
  }
}

test("the Python example streams, resumes, and ends with the run", { timeout: 60_000 }, async (context) => {
  const home = await mkdtemp(join(tmpdir(), "netra-python-"));
  context.after(() => rm(home, { recursive: true, force: true }));
  const code = await example();
  assert.equal(code, await readFile(new URL("examples/python/netra.py", ROOT), "utf8"), "the page shows the file");
  assert.ok(code.split("\n").length <= 60, "it is short");
  const script = join(home, "netra.py");
  await writeFile(script, code);
  const { command, env: modules } = await python(home);

  /** Runs the example; `heard` gets all that it printed so far. */
  async function ask(NETRA_URL, NETRA_TOKEN, prompt, heard = () => {}) {
    const env = { ...process.env, ...modules, NETRA_URL, NETRA_TOKEN, NO_PROXY: "127.0.0.1", no_proxy: "127.0.0.1" };
    const child = spawn(command, [script, prompt], { env, stdio: ["ignore", "pipe", "pipe"] });
    const ended = once(child, "close");
    context.after(() => child.kill("SIGKILL"));
    let [out, err] = ["", ""];
    child.stdout.setEncoding("utf8").on("data", (text) => heard((out += text)));
    child.stderr.setEncoding("utf8").on("data", (text) => (err += text));
    const [status] = await ended;
    return { status, out, err };
  }

  await context.test("guide answers, and a refused token is an error", async (context) => {
    const server = await Server.start(context);
    const { status, out, err } = await ask(server.url, await server.apiToken(), "What is 17.5 % of 2,480?");
    assert.match(out, /434/);
    assert.equal(status, 0, err);
    const refused = await ask(server.url, "netra_nonsense", "What is 6 times 7?");
    assert.equal(refused.status, 1);
    assert.match(refused.err, /^no connection: .*401/);
  });

  await context.test("two cuts in an answer leave no trace in it", async (context) => {
    const server = await Server.start(context, await startModel(context, { pieces: PIECES, pauseMs: 50 }));
    const proxy = await Proxy.start(context, server.port);
    let cuts = 0;
    const { status, out, err } = await ask(proxy.url, await server.apiToken(), "Write", (text) => {
      if (cuts === 2 || !text.includes(`word${5 + cuts * 8} `)) return;
      cuts += 1;
      proxy.cut();
    });
    assert.equal(status, 0, err);
    assert.equal(cuts, 2);
    assert.equal(out.trim(), textOf(PIECES).trim());
  });

  await context.test("kill -9 in an answer, and the same server again: the answer is whole", async (context) => {
    const model = await startModel(context, { pieces: PIECES, pauseMs: 50 });
    const server = await Server.start(context, { ...model, NETRA_RUN_LEASE_S: "2" });
    let restarted;
    const { status, out, err } = await ask(server.url, await server.apiToken(), "Write", (text) => {
      if (text.includes("word8 ")) restarted ??= server.kill().then(() => server.run());
    });
    await restarted;
    assert.equal(status, 0, err);
    assert.ok(out.trim().endsWith(textOf(PIECES).trim()), out);
  });

  await context.test("a run that fails is an error", async (context) => {
    const NETRA_LLM_BASE_URL = `http://127.0.0.1:${await freePort()}/v1`;
    const model = { NETRA_LLM_BASE_URL, NETRA_LLM_API_KEY: "not-a-key", NETRA_LLM_MODEL: "away" };
    const server = await Server.start(context, model);
    const { status, err } = await ask(server.url, await server.apiToken(), "Write");
    assert.equal(status, 1);
    assert.notEqual(err.trim(), "");
  });
});
