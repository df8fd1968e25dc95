// Runs the official conformance suite against Netra, scenario by scenario. The suite sends no token, so a proxy in between adds it
// and changes nothing else. Arguments: Netra's origin, a token, and scenarios.
import { spawn } from "node:child_process";
import { createServer, request } from "node:http";
import { fileURLToPath } from "node:url";

const [origin, token, ...scenarios] = process.argv.slice(2);
const target = new URL(origin);
const proxy = createServer((asked, answer) => {
  const headers = { ...asked.headers, authorization: `Bearer ${token}` };
  // The page's address is the proxy's, which Netra cannot know.
  if (headers.origin === `http://localhost:${proxy.address().port}`) headers.origin = origin;
  const passed = request(
    { host: target.hostname, port: target.port, method: asked.method, path: asked.url, headers },
    (got) => {
      answer.writeHead(got.statusCode, got.headers);
      got.pipe(answer);
    },
  );
  passed.on("error", () => answer.destroy());
  answer.on("close", () => passed.destroy());
  asked.pipe(passed);
});
await new Promise((ready) => proxy.listen(0, "127.0.0.1", ready));

const hook = fileURLToPath(new URL("mcp_conformance_hook.mjs", import.meta.url));
const suite = fileURLToPath(
  new URL("../../../node_modules/@modelcontextprotocol/conformance/dist/index.js", import.meta.url),
);
const run = (scenario) =>
  new Promise((done) => {
    const url = `http://localhost:${proxy.address().port}/mcp`;
    const child = spawn(process.execPath, ["--import", hook, suite, "server", "--url", url, "--scenario", scenario]);
    let said = "";
    child.stdout.on("data", (part) => (said += part));
    child.stderr.on("data", (part) => (said += part));
    child.on("close", (code) => done({ scenario, code, said }));
  });
let failed = 0;
for (const scenario of scenarios) {
  const { code, said } = await run(scenario);
  console.log(`${code === 0 ? "passed" : "FAILED"} ${scenario}`);
  if (code !== 0) {
    failed += 1;
    console.log(said);
  }
}
proxy.close();
proxy.closeAllConnections();
process.exit(failed === 0 ? 0 : 1);
