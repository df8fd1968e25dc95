// Builds the page: WebAssembly, scripts, style and icons. As `release` it is made small and goes to `target/page`, and
// `target/site.rs` lists each file for the binary, with its Brotli copy in `target/packed`.
//
//   node tools/page.mjs [release|dev|embed]
//
// `dev` is what `cargo leptos build` does for the browser's side, without cargo-leptos, which takes five minutes to install.
// `embed` lists the files of a development build, for the test of the one file. What is built is said once, in Cargo.toml.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, extname, join, relative } from "node:path";
import { brotliCompressSync, constants } from "node:zlib";
import browserslist from "browserslist";
import { buildSync } from "esbuild";
import { browserslistToTargets, bundle } from "lightningcss";

const KINDS = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".ico": "image/x-icon",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json",
  ".png": "image/png",
  ".svg": "image/svg+xml",
  ".txt": "text/plain; charset=utf-8",
  ".wasm": "application/wasm",
  ".webmanifest": "application/manifest+json",
  ".webp": "image/webp",
  ".woff2": "font/woff2",
};

/** Compressed already. */
const PACKED = new Set([".png", ".webp", ".woff2", ".ico"]);

const mode = process.argv[2] ?? "dev";
if (!["release", "dev", "embed"].includes(mode)) {
  console.error("node tools/page.mjs [release|dev|embed]");
  process.exit(2);
}
const release = mode === "release";

const run = (program, ...args) => execFileSync(program, args, { stdio: ["ignore", "inherit", "inherit"] });
const cargo = (...args) => run("cargo", ...args);

// What answers are drawn with comes from npm's folder.
if (!existsSync("public/rich/vendor/mermaid.tiny.js")) run("node", "tools/vendor.mjs");

const metadata = JSON.parse(
  execFileSync("cargo", ["metadata", "--no-deps", "--format-version", "1"], { maxBuffer: 1 << 26 }),
);
const [options] = metadata.metadata.leptos;
const name = options["output-name"];
// A development build is served from the folder; a release goes into the program, and nothing else writes to its folder.
const site = release ? "target/page" : options["site-root"];
const pkg = join(site, options["site-pkg-dir"]);
const crate = options["lib-package"].replaceAll("-", "_");
const profile = options[release ? "lib-profile-release" : "lib-profile-dev"];

// The folder, and so the crates, that `cargo leptos watch` uses.
const FRONT = "target/front";
const WORKER = "src/worker";
const module = join(FRONT, "wasm32-unknown-unknown", profile, `${crate}.wasm`);

function compile() {
  cargo("build", "-p", "netra-bindgen", "--profile", "tool");
  cargo(
    ...["rustc", "-p", options["lib-package"], "--lib", "--target", "wasm32-unknown-unknown", "--target-dir", FRONT],
    ...["--profile", profile, "--no-default-features", "--features", options["lib-features"].join(",")],
    // What refers to what: the module is cut by that.
    ...["--", "-Clink-arg=--emit-relocs"],
  );
}

/** Everything that the page is made of, in one number. */
function ingredients() {
  const sum = createHash("sha256").update(JSON.stringify([mode, options]));
  const styles = dirname(options["style-file"]);
  const folders = [styles, options["assets-dir"], WORKER].flatMap((folder) =>
    files(folder).map((file) => join(folder, file)),
  );
  for (const file of [module, ...folders, "tools/page.mjs", "package-lock.json"]) {
    sum.update(`${file}\n`).update(readFileSync(file));
  }
  return sum.digest("hex");
}

function script() {
  const tool = join(metadata.target_directory, "tool/netra-bindgen");
  run(tool, module, name, pkg);
  // The page asks for the module under this name (`src/app/program.rs`).
  renameSync(join(pkg, `${name}_bg.wasm`), join(pkg, `${name}.wasm`));
  // The loader of the parts and the script import each other; together they are one file.
  buildSync({
    ...{ entryPoints: [join(pkg, `${name}.js`)], outfile: join(pkg, `${name}.js`), allowOverwrite: true },
    ...{ bundle: true, minify: release, format: "esm", target: "es2022", logLevel: "warning" },
    // wasm-bindgen names the loader once for each part.
    logOverride: { "duplicate-object-key": "silent" },
  });
  rmSync(join(pkg, `${name}.parts.js`));
  if (!release) return;
  for (const file of files(pkg).filter((file) => extname(file) === ".wasm")) {
    run("wasm-opt", join(pkg, file), "-o", join(pkg, file), ...options["wasm-opt-features"]);
  }
}

function style() {
  const targets = browserslistToTargets(browserslist(options.browserquery));
  const { code } = bundle({ filename: options["style-file"], minify: release, targets });
  writeFileSync(join(pkg, `${name}.css`), code);
}

/** The service worker. Its text changes with every build, so that browsers take the new one. */
function worker() {
  const version = createHash("sha256");
  for (const file of files(site)) version.update(`${file}\n`).update(readFileSync(join(site, file)));
  buildSync({
    ...{
      entryPoints: [join(WORKER, "service-worker.ts")],
      outfile: join(site, "service-worker.js"),
      logLevel: "warning",
    },
    ...{ bundle: true, minify: release, format: "iife", target: "es2022" },
    define: { VERSION: JSON.stringify(version.digest("hex").slice(0, 12)) },
  });
}

function files(folder) {
  return readdirSync(folder, { recursive: true })
    .filter((file) => statSync(join(folder, file)).isFile())
    .sort();
}

function packed(content) {
  const quality = release ? 11 : 4;
  const params = { [constants.BROTLI_PARAM_QUALITY]: quality, [constants.BROTLI_PARAM_SIZE_HINT]: content.length };
  if (!release) return brotliCompressSync(content, { params });
  // Small blocks and distances in fours suit programs: 0.8 % less of a first visit.
  const program = { ...params, [constants.BROTLI_PARAM_LGBLOCK]: 16, [constants.BROTLI_PARAM_NPOSTFIX]: 2 };
  const [usual, other] = [params, program].map((params) => brotliCompressSync(content, { params }));
  return usual.length < other.length ? usual : other;
}

/** Writes the Rust expression that `src/main.rs` includes: a `Page` with every file. */
function list() {
  const folder = "target/packed";
  rmSync(folder, { recursive: true, force: true });
  const version = createHash("sha256");
  const sum = { plain: 0, brotli: 0 };
  const assets = files(site).map((file) => {
    const kind = KINDS[extname(file)];
    if (!kind) throw new Error(`${file}: the content type of ${extname(file) || "a name without ending"} is not known`);
    const content = readFileSync(join(site, file));
    const hash = createHash("sha256").update(content).digest("hex").slice(0, 16);
    version.update(`${file}:${hash}\n`);
    const brotli = PACKED.has(extname(file)) ? content : packed(content);
    const shrinks = brotli.length < content.length;
    sum.plain += content.length;
    sum.brotli += Math.min(brotli.length, content.length);
    if (shrinks) {
      const path = join(folder, `${file}.br`);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, brotli);
    }
    const stored = shrinks
      ? `Packed { brotli: include_bytes!("packed/${file}.br"), length: ${content.length} }`
      : `Plain(include_bytes!("${relative("target", site)}/${file}"))`;
    return `Asset { path: "/${file}", content_type: "${kind}", hash: "${hash}", stored: AssetBytes::${stored} }`;
  });
  const head = `version: "${version.digest("hex").slice(0, 12)}"`;
  writeFileSync("target/site.rs", `Page { ${head}, assets: &[\n${assets.join(",\n")},\n] }\n`);
  const kilobytes = (bytes) => `${Math.round(bytes / 1024)} KB`;
  console.log(`netra: the page is ${kilobytes(sum.plain)}, ${kilobytes(sum.brotli)} as Brotli`);
}

compile();
// Files that are written anew, even alike, would have the program linked anew.
const STAMP = "target/page.stamp";
const made = ingredients();
if (release && existsSync(site) && existsSync(STAMP) && readFileSync(STAMP, "utf8") === made) {
  console.log("netra: the page is as it was");
} else {
  if (mode !== "dev") rmSync(STAMP, { force: true });
  rmSync(site, { recursive: true, force: true });
  mkdirSync(pkg, { recursive: true });
  cpSync(options["assets-dir"], site, { recursive: true });
  style();
  script();
  worker();
  if (mode !== "dev") {
    list();
    writeFileSync(STAMP, made);
  }
}
