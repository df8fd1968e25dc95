/** The generated schema of every frame: what a page sends and hears in a test is held to it. */
import { readFileSync } from "node:fs";
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";

type Direction = "ClientFrame" | "ServerFrame";

function validators(): Record<Direction, ValidateFunction> {
  const path = new URL("../schema/messages.schema.json", import.meta.url);
  const schema = JSON.parse(readFileSync(path, "utf8")) as { $id: string };
  const ajv = new Ajv2020({ strict: false, allErrors: false, discriminator: false });
  // The package's types name a default export that Node's modules do not have.
  (addFormats as unknown as (ajv: Ajv2020) => void)(ajv);
  ajv.addFormat("uint", true).addFormat("uint8", true).addFormat("uint16", true).addFormat("uint32", true);
  ajv.addFormat("uint64", true).addFormat("int64", true).addFormat("double", true);
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
