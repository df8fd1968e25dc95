// A server of the Model Context Protocol that wants tokens, made with its SDK, and the authorization server that gives them (npm
// `oidc-provider`), each at a port of its own: for clients with credentials, and for people who sign in. What happened is noted in a
// file: `token` for each token that a client was given, `person` for each that a person's client was, `renewed` for each of these that
// a refresh token gave, `registered` for each client that registered itself, `revoked` for each token that was taken back, `value
// TOKEN` for each token of a person, `stamp` for each call. `POST /test/forget` at the first makes it take none of the tokens that
// there are; `/test/life?seconds=` says how long the next ones live; `/test/revoke` ends all refresh tokens.
// Usage: mcp_oauth.mjs FILE SECRET [NETRA]
import { appendFileSync } from "node:fs";
import express from "express";
import Provider from "oidc-provider";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import { InvalidTokenError } from "@modelcontextprotocol/sdk/server/auth/errors.js";
import { requireBearerAuth } from "@modelcontextprotocol/sdk/server/auth/middleware/bearerAuth.js";
import { mcpAuthMetadataRouter } from "@modelcontextprotocol/sdk/server/auth/router.js";

const [file, secret, netra] = process.argv.slice(2);
const note = (what) => appendFileSync(file, `${what}\n`);

async function listen(app) {
  const server = app.listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  return { server, base: `http://127.0.0.1:${server.address().port}` };
}

const app = express();
const { base } = await listen(app);
const resource = new URL("/mcp", base);

let life = 3600;
const refreshing = new Set();

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
    ...(netra
      ? [
          {
            client_id: "known",
            client_secret: secret,
            grant_types: ["authorization_code", "refresh_token"],
            redirect_uris: [`${netra}/api/tools/guarded/oauth/callback`],
            response_types: ["code"],
          },
        ]
      : []),
  ],
  cookies: { keys: ["a key for the cookies of the tests"] },
  scopes: ["openid", "offline_access", "stamps"],
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: Boolean(netra) },
    registration: { enabled: Boolean(netra) },
    revocation: { enabled: true },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (_, of) => ({
        scope: "stamps",
        audience: of,
        accessTokenFormat: "opaque",
        accessTokenTTL: life,
      }),
    },
  },
});
provider.on("server_error", (_, error) => console.error(error));
provider.on("client_credentials.saved", () => note("token"));
provider.on("access_token.saved", (token) => {
  note("person");
  note(`value ${token.jti}`);
  if (token.gty?.includes("refresh_token")) note("renewed");
});
provider.on("authorization_code.saved", (code) => note(`value ${code.jti}`));
provider.on("refresh_token.saved", (token) => {
  refreshing.add(token);
  note(`value ${token.jti}`);
});
provider.on("registration_create.success", () => note("registered"));
provider.on("refresh_token.destroyed", () => note("revoked"));
authorization.use(provider.callback());

let taken = 0;
let forgotten = 0;
const seen = new Map();

/** Who a token is of, as the provider that gave it out says. */
async function verifyAccessToken(token) {
  const found = (await provider.ClientCredentials.find(token)) ?? (await provider.AccessToken.find(token));
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
app.use(mcpAuthMetadataRouter({ oauthMetadata: metadata, resourceServerUrl: resource, scopesSupported: ["stamps"] }));
app.post("/test/forget", (_, response) => {
  forgotten = taken;
  response.end();
});
app.post("/test/life", (request, response) => {
  life = Number(request.query.seconds);
  response.end();
});
app.post("/test/revoke", async (_, response) => {
  for (const token of refreshing) await token.destroy();
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
