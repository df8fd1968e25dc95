// Makes src/messages.ts from schema/messages.schema.json. With --check it only says whether the file is up to date.
//
// The schema writes an optional field as "may be null"; on the wire such a field is left out. So it becomes `field?: T`.

import { readFileSync, writeFileSync } from "node:fs";

const SCHEMA = new URL("../../schema/messages.schema.json", import.meta.url);
const TARGET = new URL("src/messages.ts", import.meta.url);
const WIDTH = 120;

const definitions = JSON.parse(readFileSync(SCHEMA, "utf8")).$defs;

/** `server_agent_error` → `ServerAgentError`. Names of payloads stay as they are. */
function typeName(definition) {
  return definition.replace(/(^|_)([a-z])/g, (_, __, letter) => letter.toUpperCase());
}

function referenced(ref) {
  return typeName(ref.replace("#/$defs/", ""));
}

function comment(text, indent) {
  return text ? `${indent}/** ${text.replaceAll("*/", "*\\/")} */\n` : "";
}

function isNull(schema) {
  return schema.type === "null";
}

/** One line where it fits, else one member a line, as Prettier does it. */
function union(members, before) {
  const line = members.join(" | ");
  const fits = before.length + line.length + 1 <= WIDTH;
  return fits ? ` ${line}` : members.map((member) => `\n  | ${member}`).join("");
}

/** Any text beside names that are known: written so that editors still offer the names. */
const OTHER_TEXT = "(string & {})";

function alternatives(choices) {
  const named = choices.some((choice) => choice.const !== undefined);
  const isOther = (choice) => named && choice.type === "string" && choice.const === undefined;
  return choices
    .filter((choice) => !isNull(choice))
    .map((choice) => (isOther(choice) ? OTHER_TEXT : expression(choice)));
}

function expression(schema) {
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.$ref) return referenced(schema.$ref);
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices) return alternatives(choices).join(" | ");
  const types = [schema.type].flat().filter((type) => type && type !== "null");
  if (types.length === 0) return "unknown";
  return types.map((type) => ofType(type, schema)).join(" | ");
}

function ofType(type, schema) {
  switch (type) {
    case "string":
      return "string";
    case "boolean":
      return "boolean";
    case "integer":
    case "number":
      return "number";
    case "array": {
      const item = expression(schema.items);
      return item.includes(" ") ? `(${item})[]` : `${item}[]`;
    }
    case "object":
      if (schema.properties) throw new Error("an object inside an object needs a definition of its own");
      return "Record<string, unknown>";
    default:
      throw new Error(`the schema has a type that this generator does not know: ${type}`);
  }
}

/** The fields of an interface, those that every frame has first. */
function fields(schema) {
  const first = ["v", "type", "kind", "id", "ts", "thread_id", "run_id", "epoch", "seq", "reply_to", "payload"];
  const rank = (name) => (first.includes(name) ? first.indexOf(name) : first.length);
  const names = Object.keys(schema.properties ?? {});
  names.sort((a, b) => rank(a) - rank(b) || a.localeCompare(b));
  return names.map((name) => {
    const property = schema.properties[name];
    const optional = schema.required?.includes(name) ? "" : "?";
    return `${comment(property.description, "  ")}  ${name}${optional}: ${expression(property)};\n`;
  });
}

function declareObject(name, schema, doc) {
  const members = fields(schema);
  if (members.length === 0) return `${doc}export type ${name} = Record<string, never>;\n`;
  return `${doc}export interface ${name} {\n${members.join("")}}\n`;
}

/**
 * Objects of several kinds: each gets its own interface, named by its `kind`. A kind of a later server gets one too; its `kind` is
 * a type of its own, so that a comparison with a known kind still tells which of the interfaces it is.
 */
function declareVariants(name, variants, doc) {
  const parts = [];
  const members = variants.map((variant) => {
    const kind = variant.properties.kind.const;
    if (kind === undefined) {
      const own = `Unknown${name}`;
      const fields = `  kind: ${own}Kind;\n  [field: string]: unknown;\n`;
      const doc =
        "/** Any text but those above. The type stands for a text that none of them is, so that comparing tells. */\n";
      const brand = `${doc}export type ${own}Kind = \`\${string}?\`;\n`;
      parts.push(`${brand}\n${comment(variant.description, "")}export interface ${own} {\n${fields}}\n`);
      return own;
    }
    const own = `${typeName(kind)}${name}`;
    const base = variant.$ref ? ` extends ${referenced(variant.$ref)}` : "";
    parts.push(`${comment(variant.description, "")}export interface ${own}${base} {\n${fields(variant).join("")}}\n`);
    return own;
  });
  const head = `export type ${name} =`;
  return `${parts.join("\n")}\n${doc}${head}${union(members, head)};\n`;
}

function declare(definition, schema) {
  const name = typeName(definition);
  const doc = comment(schema.description, "");
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices?.some((variant) => variant.properties)) return declareVariants(name, choices, doc);
  if (schema.type === "object") return declareObject(name, schema, doc);
  const members = choices ? alternatives(choices) : [expression(schema)];
  const head = `export type ${name} =`;
  return `${doc}${head}${union(members, head)};\n`;
}

function generate() {
  const head = "// Made by generate.mjs from schema/messages.schema.json. Do not edit; run `npm run generate`.\n";
  const parts = Object.entries(definitions).map(([name, schema]) => declare(name, schema));
  return [head, ...parts].join("\n");
}

const wanted = generate();
if (process.argv.includes("--check")) {
  let found = "";
  try {
    found = readFileSync(TARGET, "utf8");
  } catch (error) {
    if (error.code !== "ENOENT") throw error;
  }
  if (found !== wanted) {
    console.error("src/messages.ts does not fit schema/messages.schema.json; run: npm run generate");
    process.exit(1);
  }
} else {
  writeFileSync(TARGET, wanted);
}
