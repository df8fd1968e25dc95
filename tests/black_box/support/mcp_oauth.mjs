// A server of the Model Context Protocol that wants tokens, made with its SDK, and the authorization server that gives them (npm
// `oidc-provider`), each at a port of its own. What happened is noted in a file: `token` for each that was given out, `stamp` for
// each call. `POST /test/forget` at the first makes it take none of the tokens that there are. Usage: mcp_oauth.mjs FILE SECRET
import { appendFileSync } from "node:fs";
import express from "express";
import Provider from "oidc-provider";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import { InvalidTokenError } from "@modelcontextprotocol/sdk/server/auth/errors.js";
import { requireBearerAuth } from "@modelcontextprotocol/sdk/server/auth/middleware/bearerAuth.js";
import { mcpAuthMetadataRouter } from "@modelcontextprotocol/sdk/server/auth/router.js";

const [file, secret] = process.argv.slice(2);
const note = (what) => appendFileSync(file, `${what}\n`);

async function listen(app) {
  const server = app.listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  return { server, base: `http://127.0.0.1:${server.address().port}` };
}

const app = express();
const { base } = await listen(app);
const resource = new URL("/mcp", base);

const authorization = express();
const { base: issuer } = await listen(authorization);
const provider = new Provider(issuer, {
  clients: [
    {
      client_id: "netra",
      client_secret: secret,
      grant_types: ["client_credentials"],
      redirect_uris: [],
      response_types: [],
    },
  ],
  cookies: { keys: ["a key for the cookies of the tests"] },
  scopes: ["stamps"],
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (_, of) => ({ scope: "stamps", audience: of, accessTokenFormat: "opaque" }),
    },
  },
});
provider.on("client_credentials.saved", () => note("token"));
authorization.use(provider.callback());

let taken = 0;
let forgotten = 0;
const seen = new Map();

/** Who a token is of, as the provider that gave it out says. */
async function verifyAccessToken(token) {
  const found = await provider.ClientCredentials.find(token);
  if (!seen.has(token)) seen.set(token, ++taken);
  if (!found || found.aud !== resource.href || seen.get(token) <= forgotten) throw new InvalidTokenError("not taken");
  return { token, clientId: found.clientId, scopes: found.scope.split(" "), expiresAt: found.exp };
}

const metadata = {
  issuer,
  authorization_endpoint: `${issuer}/auth`,
  token_endpoint: `${issuer}/token`,
  response_types_supported: [],
};
app.use(mcpAuthMetadataRouter({ oauthMetadata: metadata, resourceServerUrl: resource }));
app.post("/test/forget", (_, response) => {
  forgotten = taken;
  response.end();
});
app.use(requireBearerAuth({ verifier: { verifyAccessToken }, requiredScopes: ["stamps"] }));
app.all("/mcp", async (request, response) => {
  const server = new McpServer({ name: "guarded", version: "1" });
  server.registerTool("stamp", { description: "Notes a stamp.", inputSchema: {} }, async () => {
    note("stamp");
    return { content: [{ type: "text", text: "done" }] };
  });
  const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined });
  response.on("close", () => void transport.close());
  await server.connect(transport);
  await transport.handleRequest(request, response);
});

console.log(`listening on ${base} ${issuer}`);
