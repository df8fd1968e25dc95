/** The generated schema of every frame: what a page sends and hears in a test is held to it. */
import { readFileSync } from "node:fs";
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";

type Direction = "ClientFrame" | "ServerFrame";

/** The schema without the room that it leaves for later servers: the server under test sends the names of today. */
function closed(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(closed);
  if (typeof schema !== "object" || schema === null) return schema;
  const fields = Object.entries(schema).map(([name, value]) => [name, closed(name === "anyOf" ? known(value) : value)]);
  return Object.fromEntries(fields) as unknown;
}

function known(choices: { const?: unknown; properties?: { kind?: { const?: unknown } } }[]): unknown[] {
  const named = choices.filter((choice) => choice.const !== undefined || choice.properties?.kind?.const !== undefined);
  return named.length > 0 ? named : choices;
}

function validators(): Record<Direction, ValidateFunction> {
  const path = new URL("../schema/messages.schema.json", import.meta.url);
  const schema = closed(JSON.parse(readFileSync(path, "utf8"))) as { $id: string };
  const ajv = new Ajv2020({ strict: true, allErrors: false, discriminator: false });
  // The package's types name a default export that Node's modules do not have.
  (addFormats as unknown as (ajv: Ajv2020) => void)(ajv);
  // Rust's counters; that none is negative the schema says besides.
  for (const width of ["uint8", "uint16", "uint32", "uint64"]) {
    ajv.addFormat(width, { type: "number", validate: (count: number) => Number.isInteger(count) && count >= 0 });
  }
  ajv.addSchema(schema);
  const of = (direction: Direction) => ajv.compile({ $ref: `${schema.$id}#/$defs/${direction}` });
  return { ClientFrame: of("ClientFrame"), ServerFrame: of("ServerFrame") };
}

let made: Record<Direction, ValidateFunction> | undefined;

/** What is wrong with a frame; nothing when it is as specified. */
export function violation(direction: Direction, text: string): string | undefined {
  made ??= validators();
  const valid = made[direction];
  let frame: unknown;
  try {
    frame = JSON.parse(text);
  } catch {
    return `${direction}: no JSON: ${text.slice(0, 200)}`;
  }
  if (valid(frame)) return undefined;
  const where = valid.errors?.map(({ instancePath, message }) => `${instancePath} ${message}`).slice(0, 3);
  return `${direction}: ${where?.join(", ")}: ${text.slice(0, 300)}`;
}
