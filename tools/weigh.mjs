// Says where the page's weight goes: each file as it travels, what a visit loads, and the code by the crate that it comes from.
// After `node tools/page.mjs release`, or any build: `node tools/weigh.mjs`
import { existsSync, readFileSync, readdirSync, statSync } from "node:fs";
import { brotliCompressSync, constants } from "node:zlib";

const PKG = "target/page/pkg";
const PACKED = "target/packed/pkg";
const MODULE = "target/front/wasm32-unknown-unknown/wasm-release/netra_page.main.wasm";
const kilobytes = (bytes) => `${(bytes / 1024).toFixed(1)} KB`.padStart(10);

if (!existsSync(PKG) || !existsSync(MODULE)) {
  console.error("There is no release build of the page: `node tools/page.mjs release` makes one.");
  process.exit(2);
}

const size = (file) => [statSync(`${PKG}/${file}`).size, statSync(`${PACKED}/${file}.br`).size];
const FIRST = ["netra.wasm", "netra.js", "netra.css"];
const PARTS = readdirSync(PKG).filter((file) => /^split_.*\.wasm$/.test(file));

console.log("Files, plain and as Brotli");
for (const file of [...FIRST, ...PARTS]) console.log(`${file.padEnd(28)}${size(file).map(kilobytes).join("")}`);
console.log("\nVisits, as Brotli");
for (const [visit, parts] of [
  ["a new chat, signing in", []],
  ["a conversation", ["conversation", "both"]],
  ["account, settings, admin", ["forms", "both"]],
]) {
  const files = [...FIRST, ...PARTS.filter((file) => parts.some((part) => file === `split_${part}.wasm`))];
  const sum = files.reduce((sum, file) => sum + size(file)[1], 0);
  console.log(`${visit.padEnd(38)}${kilobytes(sum)}`);
}
console.log();

/** Reads numbers and texts one after the other. */
class Reader {
  constructor(bytes) {
    this.bytes = bytes;
    this.at = 0;
  }
  number() {
    let [value, shift] = [0, 0];
    for (;;) {
      const byte = this.bytes[this.at++];
      value |= (byte & 127) << shift;
      if (byte < 128) return value >>> 0;
      shift += 7;
    }
  }
  text() {
    const length = this.number();
    this.at += length;
    return this.bytes.toString("utf8", this.at - length, this.at);
  }
}

/** The sections of a module, by their numbers; custom ones by their names. */
function sections(bytes) {
  const found = new Map();
  const reader = new Reader(bytes);
  // After the magic number and the version.
  reader.at = 8;
  while (reader.at < bytes.length) {
    const id = bytes[reader.at++];
    const end = reader.number() + reader.at;
    const name = id === 0 ? reader.text() : id;
    found.set(name, bytes.subarray(reader.at, end));
    reader.at = end;
  }
  return found;
}

const parts = sections(readFileSync(MODULE));

/** Functions that are imported: they come before the others in the count. */
function imports() {
  const reader = new Reader(parts.get(2) ?? Buffer.alloc(1));
  let functions = 0;
  for (let left = reader.number(); left > 0; left--) {
    reader.text();
    reader.text();
    const kind = reader.bytes[reader.at++];
    if (kind === 0) {
      functions++;
      reader.number();
    } else if (kind === 3) reader.at += 2;
    else {
      if (kind === 1) reader.at++;
      const limits = reader.bytes[reader.at++];
      reader.number();
      if (limits & 1) reader.number();
    }
  }
  return functions;
}

/** The crate in a mangled name: that of the path, of the type whose trait it is, or of the trait when any type has it. */
function crate(name) {
  if (name.startsWith("__wbindgen_describe") || name.includes("wbindgen_describe")) return undefined;
  const [, length, rest] = /^_ZN(\d+)(.*)/.exec(name) ?? [];
  if (!length) return "runtime";
  const part = rest
    .slice(0, Number(length))
    .replaceAll("$u20$", " ")
    .replaceAll("..", "::")
    .replace(/\$\w+\$/g, "<");
  const paths = part.match(/[a-z_][a-z0-9_]*::|^[a-z_][a-z0-9_]*$/gi) ?? [];
  return paths[0]?.replace("::", "") ?? "core";
}

const names = new Map();
const namesOf = new Reader(parts.get("name") ?? Buffer.alloc(0));
while (namesOf.at < namesOf.bytes.length) {
  const kind = namesOf.bytes[namesOf.at++];
  const end = namesOf.number() + namesOf.at;
  if (kind === 1) for (let left = namesOf.number(); left > 0; left--) names.set(namesOf.number(), namesOf.text());
  namesOf.at = end;
}

const code = new Reader(parts.get(10));
const first = imports();
const crates = new Map();
const bodies = new Map();
const count = code.number();
for (let index = 0; index < count; index++) {
  const size = code.number();
  const from = crate(names.get(first + index) ?? "");
  if (from) {
    crates.set(from, (crates.get(from) ?? 0) + size);
    bodies.set(from, [...(bodies.get(from) ?? []), code.bytes.subarray(code.at, code.at + size)]);
  }
  code.at += size;
}
const brotli = (bytes) =>
  brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 9, [constants.BROTLI_PARAM_LGWIN]: 22 } })
    .length;

console.log("Code by the crate that wrote it, before wasm-opt: plain, and packed on its own");
for (const [name, size] of [...crates].sort((a, b) => b[1] - a[1]).slice(0, 24)) {
  console.log(`${name.padEnd(28)}${kilobytes(size)}${kilobytes(brotli(Buffer.concat(bodies.get(name))))}`);
}
const data = parts.get(11) ?? Buffer.alloc(0);
console.log(`${"data (texts, tables)".padEnd(28)}${kilobytes(data.length)}${kilobytes(brotli(data))}`);
