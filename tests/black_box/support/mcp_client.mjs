// The TypeScript client of the Model Context Protocol (npm `@modelcontextprotocol/sdk`) against Netra: does everything once and
// prints what came of it as one line of JSON. Arguments: the address, and a token.
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

const [address, token] = process.argv.slice(2);
const client = new Client({ name: "test", version: "1" });
const requestInit = { headers: { Authorization: `Bearer ${token}` } };
await client.connect(new StreamableHTTPClientTransport(new URL(address), { requestInit }));

const failure = (promise) =>
  promise.then(
    () => null,
    (error) => error.code ?? String(error),
  );
const progress = [];
const call = (name, args, options) => client.callTool({ name, arguments: args }, undefined, options);

const tools = await client.listTools();
const answer = await call("guide", { task: "What is 6*7?" }, { onprogress: (step) => progress.push(step) });
const link = answer.content.find((block) => block.type === "resource_link");
const thread = link.uri.split("/").at(-1);
const again = await call("guide", { task: "What is 8*9?", thread_id: thread });
const resources = await client.listResources();
const read = await client.readResource({ uri: link.uri });
const outcome = {
  server: client.getServerVersion(),
  capabilities: client.getServerCapabilities(),
  ping: await client.ping(),
  tools: tools.tools,
  answer,
  progress,
  again,
  resources: resources.resources,
  read: read.contents,
  templates: (await client.listResourceTemplates()).resourceTemplates,
  prompts: (await client.listPrompts()).prompts,
  prompt: process.argv[4] ? await client.getPrompt({ name: process.argv[4] }) : null,
  failures: {
    tool: await failure(call("nobody", { task: "x" })),
    task: await failure(call("guide", {})),
    thread: await failure(call("guide", { task: "x", thread_id: "no id" })),
    resource: await failure(client.readResource({ uri: "netra://threads/019a0000-0000-7000-8000-000000000000" })),
    uri: await failure(client.readResource({ uri: "file:///etc/passwd" })),
    cursor: await failure(client.listResources({ cursor: "nonsense" })),
    prompt: await failure(client.getPrompt({ name: "no/such" })),
  },
  notMine: await call("guide", { task: "x", thread_id: "019a0000-0000-7000-8000-000000000000" }),
};
await client.close();
console.log(JSON.stringify(outcome));
