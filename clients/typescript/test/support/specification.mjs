// Every frame of a test is held to the specification, in Ajv's strict mode: each test is a test of the schema, too.

import { readFileSync } from "node:fs";
import addFormats from "ajv-formats";
import { Ajv2020 } from "ajv/dist/2020.js";

const schema = JSON.parse(readFileSync(new URL("../../../../schema/messages.schema.json", import.meta.url), "utf8"));
const ajv = new Ajv2020({ strict: true });
addFormats(ajv);
ajv.addSchema(closed(schema));
const [client, server] = ["ClientFrame", "ServerFrame"].map((name) =>
  ajv.compile({ $ref: `${schema.$id}#/$defs/${name}` }),
);

/** The schema without the room that it leaves for later servers: the server under test sends the names of today. */
function closed(part) {
  if (Array.isArray(part)) return part.map(closed);
  if (typeof part !== "object" || part === null) return part;
  const fields = Object.entries(part).map(([name, value]) => [name, closed(name === "anyOf" ? known(value) : value)]);
  return Object.fromEntries(fields);
}

function known(choices) {
  const named = choices.filter((choice) => choice.const !== undefined || choice.properties?.kind?.const !== undefined);
  return named.length > 0 ? named : choices;
}

/** A WebSocket that remembers what is not as specified; the test fails at its end. */
export function checkedSocket(context) {
  const wrong = [];
  const check = (validate, text) => {
    if (validate(JSON.parse(text))) return;
    const reasons = validate.errors.map(({ instancePath, message }) => `${instancePath} ${message}`);
    wrong.push(`${reasons.slice(0, 3).join(", ")}: ${text.slice(0, 300)}`);
  };
  context.after(() => {
    if (wrong.length > 0) throw new Error(`not as specified: ${wrong.join("\n")}`);
  });
  return class extends globalThis.WebSocket {
    constructor(...address) {
      super(...address);
      this.addEventListener("message", ({ data }) => check(server, data));
    }
    send(text) {
      check(client, text);
      super.send(text);
    }
  };
}
