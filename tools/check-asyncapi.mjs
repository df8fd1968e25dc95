// Reads the AsyncAPI document with the public parser; anything worse than a hint fails.
import { readFileSync } from "node:fs";
import { Parser } from "@asyncapi/parser";

const path = process.argv[2];
const { document, diagnostics } = await new Parser().parse(readFileSync(path, "utf8"));
const bad = diagnostics.filter(({ severity }) => severity < 2);
for (const { code, path: at, message } of bad) console.error(`${path}: ${at.join("/")}: ${message} (${code})`);
if (!document || bad.length > 0) process.exit(1);
console.log(`netra: ${path}: ${document.operations().all().length} operations, valid`);
