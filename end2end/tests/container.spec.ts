/**
 * The container that `Containerfile` makes: without root, without a shell, on a file system that cannot be written, with a volume
 * for its data. Runs where podman or docker runs containers. The base here is the C library of this machine, so that nothing is
 * downloaded; the program is the one file of `make one-file`, or NETRA_ONE_FILE.
 */
import { spawnSync } from "node:child_process";
import { copyFileSync, cpSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { expect, test } from "@playwright/test";

const ROOT = resolve(import.meta.dirname, "../..");
const BINARY = resolve(ROOT, process.env.NETRA_ONE_FILE ?? "target/one-file/netra");
const BASE = "localhost/netra-test-base";
const IMAGE = "localhost/netra-test";
/** Limits that this process may give away: a container's defaults may be above its own. */
const LIMITS = ["--ulimit", "nofile=4096:4096", "--ulimit", "nproc=1024:1024"];

const ENGINE = ["podman", "docker"].find((engine) => spawnSync(engine, ["info"]).status === 0);

function engine(...args: string[]): string {
  const { status, stdout, stderr } = spawnSync(ENGINE!, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${ENGINE} ${args.join(" ")}: ${stderr}`);
  return stdout.trim();
}

/** An image of what the program is linked to and of certificates, and nothing else. */
function makeBase(folder: string): void {
  const root = join(folder, "base");
  const linked = spawnSync("ldd", [BINARY], { encoding: "utf8" }).stdout.match(/\/\S+/g) ?? [];
  for (const file of [...linked, "/etc/ssl/certs/ca-certificates.crt"]) {
    mkdirSync(join(root, dirname(file)), { recursive: true });
    copyFileSync(file, join(root, file));
  }
  mkdirSync(join(root, "tmp"), { recursive: true });
  spawnSync("tar", ["-C", root, "-cf", join(folder, "base.tar"), "."]);
  engine("import", join(folder, "base.tar"), BASE);
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const address = probe.address();
  probe.close();
  if (address === null || typeof address === "string") throw new Error("the probe has no port");
  return address.port;
}

test("the container runs without rights, keeps its data in the volume, and stops in order", async ({ request }) => {
  test.skip(ENGINE === undefined, "neither podman nor docker is here");
  const folder = mkdtempSync(join(tmpdir(), "netra-container-"));
  const name = `netra-test-${process.pid}`;
  try {
    makeBase(folder);
    const context = join(folder, "context");
    mkdirSync(join(context, "target/release"), { recursive: true });
    copyFileSync(BINARY, join(context, "target/release/netra"));
    cpSync(join(ROOT, "tools/container"), join(context, "tools/container"), { recursive: true });
    engine("build", "--file", join(ROOT, "Containerfile"), "--build-arg", `BASE=${BASE}`, "--tag", IMAGE, context);
    const trial = spawnSync(ENGINE!, ["run", "--rm", "--network", "host", ...LIMITS, IMAGE, "--version"], {
      encoding: "utf8",
    });
    // In a sandbox without control groups or user namespaces an engine is there and cannot do its work.
    test.skip(trial.status !== 0, `${ENGINE} cannot run containers here: ${trial.stderr}`);
    expect(trial.stdout).toContain("netra ");

    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    const start = () =>
      engine(
        ...[
          "run",
          "--detach",
          "--name",
          name,
          "--read-only",
          "--cap-drop",
          "all",
          "--security-opt",
          "no-new-privileges",
        ],
        ...[
          "--volume",
          `${name}:/data`,
          "--network",
          "host",
          ...LIMITS,
          "--env",
          `NETRA_ADDR=127.0.0.1:${port}`,
          IMAGE,
        ],
      );
    const ready = () =>
      request.get(`${url}/readyz`).then(
        (answer) => answer.status(),
        () => 0,
      );
    start();
    await expect.poll(ready, { timeout: 30_000, message: "ready" }).toBe(200);
    expect((await request.get(`${url}/login`)).status()).toBe(200);

    const account = { name: "Ada", email: "ada@example.org", password: "correct horse battery" };
    const headers = { origin: url };
    expect((await request.post(`${url}/api/auth/register`, { data: account, headers })).status()).toBe(201);
    expect(engine("exec", name, "/netra", "token", "create", "--name", "t", "--email", account.email)).toMatch(
      /^netra_/,
    );
    const process = engine("inspect", "--format", "{{.Config.User}} {{.HostConfig.ReadonlyRootfs}}", name);
    expect(process).toBe("65532:65532 true");
    expect(spawnSync(ENGINE!, ["exec", name, "/bin/sh", "-c", "true"]).status, "a shell").not.toBe(0);

    engine("stop", "--time", "30", name);
    expect(engine("inspect", "--format", "{{.State.ExitCode}}", name)).toBe("0");
    engine("rm", name);
    start();
    await expect.poll(ready, { timeout: 30_000, message: "ready again" }).toBe(200);
    const { email, password } = account;
    const again = await request.post(`${url}/api/auth/login`, { data: { email, password }, headers });
    expect(again.status(), "the account is in the volume").toBe(200);
  } finally {
    spawnSync(ENGINE!, ["rm", "--force", name]);
    spawnSync(ENGINE!, ["volume", "rm", name]);
    spawnSync(ENGINE!, ["rmi", IMAGE, BASE]);
    rmSync(folder, { recursive: true, force: true });
  }
});
