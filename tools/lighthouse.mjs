// Lighthouse over the sign-in page, a new chat and a conversation, on the built program: `node tools/lighthouse.mjs`.
// Lighthouse itself is fetched once by npm; it is 100 MB, and nothing else needs it.
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

const LIGHTHOUSE = "lighthouse@12.8.2";
const WANTED = 0.95;
const CATEGORIES = ["performance", "accessibility", "best-practices"];
const binary = process.env.NETRA_BIN ?? "target/release/netra";

const port = await new Promise((found) => {
  const probe = createServer().listen(0, "127.0.0.1", () => {
    const { port } = probe.address();
    probe.close(() => found(port));
  });
});
const url = `http://127.0.0.1:${port}`;
const data = mkdtempSync(join(tmpdir(), "netra-lighthouse-"));
const env = { ...process.env, NETRA_ADDR: `127.0.0.1:${port}`, NETRA_DATA_DIR: data, NETRA_AUTH: "password" };
const server = spawn(binary, ["serve"], { env, stdio: ["ignore", "ignore", "inherit"] });
let failed = false;
try {
  for (
    let tries = 0;
    !(await fetch(`${url}/readyz`).then(
      ({ ok }) => ok,
      () => false,
    ));
    tries++
  ) {
    if (tries === 300 || server.exitCode !== null) throw new Error(`${binary} does not start`);
    await new Promise((wake) => setTimeout(wake, 100));
  }
  const json = { "content-type": "application/json" };
  const account = { name: "Ada Lovelace", email: "ada@example.org", password: "correct horse battery staple 9" };
  const signedIn = await fetch(`${url}/api/auth/register`, {
    method: "POST",
    headers: json,
    body: JSON.stringify(account),
  });
  const cookie = signedIn.headers
    .getSetCookie()
    .map((set) => set.split(";")[0])
    .join("; ");
  const made = await fetch(`${url}/api/threads`, {
    method: "POST",
    headers: { ...json, cookie },
    body: '{"title":"A thread"}',
  });
  const { thread, id } = await made.json();
  for (const [path, headers] of [
    ["/login", {}],
    ["/", { cookie }],
    [`/t/${thread?.id ?? id}`, { cookie }],
  ]) {
    for (const device of ["mobile", "desktop"]) {
      const report = join(data, "report.json");
      execFileSync(
        "npx",
        [
          ...["--yes", LIGHTHOUSE, url + path, "--quiet", "--output=json", `--output-path=${report}`],
          ...[`--only-categories=${CATEGORIES}`, `--extra-headers=${JSON.stringify(headers)}`],
          ...(device === "desktop" ? ["--preset=desktop"] : []),
          "--chrome-flags=--headless=new --no-sandbox --disable-gpu",
        ],
        {
          stdio: ["ignore", "inherit", "inherit"],
          env: { CHROME_PATH: process.env.CHROMIUM ?? "/usr/bin/chromium", ...process.env },
        },
      );
      const { categories, audits } = JSON.parse(readFileSync(report, "utf8"));
      const scores = CATEGORIES.map((name) => `${name} ${Math.round(categories[name].score * 100)}`);
      console.log(`${path.slice(0, 8).padEnd(8)} ${device.padEnd(7)} ${scores.join(", ")}`);
      for (const name of CATEGORIES.filter((name) => categories[name].score < WANTED)) {
        failed = true;
        const refs = categories[name].auditRefs.filter(
          ({ id, weight }) => weight > 0 && audits[id].score !== null && audits[id].score < 0.9,
        );
        for (const { id } of refs)
          console.log(`  ${name}: ${audits[id].title} (${audits[id].displayValue ?? audits[id].score})`);
      }
    }
  }
} finally {
  server.kill("SIGTERM");
  await new Promise((gone) => server.once("exit", gone));
  rmSync(data, { recursive: true, force: true });
}
process.exitCode = failed ? 1 : 0;
