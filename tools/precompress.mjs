// Writes a Brotli copy beside each asset of a release build, so that the server compresses nothing while it serves.
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { extname, join } from "node:path";
import { brotliCompressSync, constants } from "node:zlib";

const COMPRESSIBLE = new Set([".wasm", ".js", ".css", ".svg", ".json", ".webmanifest", ".txt"]);

let before = 0;
let after = 0;
for (const name of readdirSync(process.argv[2], { recursive: true })) {
  const path = join(process.argv[2], name);
  if (!COMPRESSIBLE.has(extname(path)) || !statSync(path).isFile()) continue;
  const content = readFileSync(path);
  const params = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: content.length };
  const compressed = brotliCompressSync(content, { params });
  writeFileSync(`${path}.br`, compressed);
  before += content.length;
  after += compressed.length;
}
console.log(`netra: assets ${Math.round(before / 1024)} KB, ${Math.round(after / 1024)} KB as Brotli`);
