// The conformance suite names `globSync` of `fs`, which Node has from 22 on, for a part of it that is not used here.
import { register } from "node:module";

const hooks = `
export async function resolve(name, context, next) {
  const suite = name === "fs" && context.parentURL?.includes("/@modelcontextprotocol/conformance/");
  return suite ? { url: "suite:fs", shortCircuit: true } : next(name, context);
}
export async function load(url, context, next) {
  if (url !== "suite:fs") return next(url, context);
  const source = 'export * from "node:fs"; export { default } from "node:fs"; export const globSync = () => [];';
  return { format: "module", shortCircuit: true, source };
}`;
register(`data:text/javascript,${encodeURIComponent(hooks)}`);
