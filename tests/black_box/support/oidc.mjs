// A real provider of identities (npm `oidc-provider`) for the tests, on a port of its own. `POST /test/lie` makes what it says
// wrong from then on: the ID token is signed anew with another nonce, audience, issuer or key; its keys change; it dies.
import { createServer } from "node:http";
import { exportJWK, generateKeyPair, SignJWT, decodeJwt, importJWK } from "jose";
import Provider from "oidc-provider";

const back = process.argv[2];

async function newKey(kid) {
  const { privateKey } = await generateKeyPair("RS256", { extractable: true });
  return { ...(await exportJWK(privateKey)), kid, alg: "RS256", use: "sig" };
}

let key = await newKey("first");
let shown = key;
let lie = "";

const server = createServer();
server.listen(0, "127.0.0.1");
await new Promise((resolve) => server.once("listening", resolve));
const issuer = `http://127.0.0.1:${server.address().port}`;

const provider = new Provider(issuer, {
  clients: [
    {
      client_id: "netra",
      client_secret: "the secret of the client in the tests",
      redirect_uris: [`${back}/api/auth/oidc/callback`],
      post_logout_redirect_uris: [`${back}/login`],
      backchannel_logout_uri: `${back}/api/auth/oidc/logout`,
      backchannel_logout_session_required: true,
    },
  ],
  jwks: { keys: [key] },
  cookies: { keys: ["a key for the cookies of the tests"] },
  claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name", "groups"] },
  features: { devInteractions: { enabled: true }, backchannelLogout: { enabled: true } },
  // Who signs in as `name:group,group` is in these groups; who signs in as `unverified…` has no verified address.
  findAccount: (_, id) => ({
    accountId: id,
    claims: () => {
      const [name, groups] = id.split(":");
      return {
        sub: id,
        name: `Person ${name}`,
        email: `${name}@people.example.org`,
        email_verified: !name.startsWith("unverified") && lie !== "unverified",
        groups: groups ? groups.split(",") : [],
      };
    },
  }),
});
provider.on("server_error", (_, error) => console.error(error));

const handle = provider.callback();

/** The answer with its ID token signed anew. */
async function lied(text) {
  const answer = JSON.parse(text);
  if (!answer.id_token || !["nonce", "aud", "iss", "key", "expired", "rotated"].includes(lie)) return text;
  const claims = decodeJwt(answer.id_token);
  if (lie === "nonce") claims.nonce = "another round's";
  if (lie === "aud") claims.aud = "another client";
  if (lie === "iss") claims.iss = "http://127.0.0.1:1";
  if (lie === "expired") [claims.iat, claims.exp] = [claims.iat - 7200, claims.iat - 3600];
  const by = lie === "key" ? await newKey(key.kid) : lie === "rotated" ? shown : key;
  answer.id_token = await new SignJWT(claims)
    .setProtectedHeader({ alg: "RS256", kid: by.kid })
    .sign(await importJWK(by, "RS256"));
  return JSON.stringify(answer);
}

server.on("request", async (request, response) => {
  if (request.url.startsWith("/test/lie")) {
    lie = new URL(request.url, issuer).searchParams.get("kind") ?? "";
    if (lie === "rotated") shown = await newKey("second");
    response.end("ok");
    return;
  }
  if (request.url.startsWith("/test/logout-token")) {
    const wanted = new URL(request.url, issuer).searchParams;
    const claims = {
      iss: issuer,
      aud: "netra",
      iat: Math.floor(Date.now() / 1000) - Number(wanted.get("age") ?? 0),
      jti: crypto.randomUUID(),
      sub: wanted.get("sub"),
      events: { "http://schemas.openid.net/event/backchannel-logout": {} },
      ...(wanted.has("nonce") ? { nonce: "x" } : {}),
    };
    if (wanted.get("wrong") === "aud") claims.aud = "another client";
    if (wanted.get("wrong") === "event") claims.events = {};
    const by = wanted.get("wrong") === "key" ? await newKey(key.kid) : key;
    const token = await new SignJWT(claims)
      .setProtectedHeader({ alg: "RS256", kid: by.kid, typ: "logout+jwt" })
      .sign(await importJWK(by, "RS256"));
    response.end(token);
    return;
  }
  if (lie === "silent") return;
  if (request.url === "/jwks" && shown !== key) {
    const { kty, n, e, kid, alg, use } = shown;
    response.setHeader("content-type", "application/jwk-set+json");
    response.end(JSON.stringify({ keys: [{ kty, n, e, kid, alg, use }] }));
    return;
  }
  if (request.url !== "/token") return handle(request, response);
  const end = response.end.bind(response);
  response.end = (text) => {
    lied(String(text ?? "")).then((text) => {
      response.removeHeader("content-length");
      end(text);
    });
    return response;
  };
  handle(request, response);
});
console.log(`listening on ${issuer}`);
