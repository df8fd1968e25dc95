// A server of the Model Context Protocol, made with its SDK, whose tools note each call in a file and take their time: over standard
// input and output, or over HTTP when a port is given. Usage: mcp_stamps.mjs FILE [PORT]
import { appendFileSync } from "node:fs";
import { createServer } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";

const [file, port] = process.argv.slice(2);

function stamps() {
  const server = new McpServer({ name: "stamps", version: "1" });
  for (const name of ["stamp", "seal"]) {
    server.registerTool(name, { description: `Notes a ${name}.`, inputSchema: {} }, async () => {
      appendFileSync(file, `${name}\n`);
      await sleep(1500);
      return { content: [{ type: "text", text: "done" }] };
    });
  }
  return server;
}

if (port === undefined) {
  await stamps().connect(new StdioServerTransport());
} else {
  createServer(async (request, response) => {
    const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined });
    response.on("close", () => void transport.close());
    await stamps().connect(transport);
    await transport.handleRequest(request, response);
  }).listen(Number(port), "127.0.0.1");
}
