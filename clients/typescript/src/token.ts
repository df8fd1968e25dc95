// The short-lived token that opens a socket.

import { NetraError } from "./error.js";

/** How long the server may take to answer, in milliseconds. */
const PATIENCE = 10_000;

/** Asks for a token, as the owner of `apiToken` or, without one, with the page's cookie. */
export async function fetchToken(base: URL, apiToken: string | undefined, ask: typeof fetch): Promise<string> {
  const address = new URL("api/auth/ws-token", base);
  const headers: Record<string, string> = apiToken === undefined ? {} : { authorization: `Bearer ${apiToken}` };
  let response: Response;
  let body: unknown;
  try {
    response = await ask(address, { method: "POST", headers, signal: AbortSignal.timeout(PATIENCE) });
    body = parse(await response.text());
  } catch (error) {
    throw new NetraError("unreachable", `${base.origin} cannot be reached: ${reason(error)}`, true);
  }
  if (response.ok) {
    const token = field(body, "token");
    if (typeof token === "string") return token;
    throw new NetraError("unreachable", `${address} is not a Netra server`);
  }
  throw refused(response, body, apiToken !== undefined);
}

function refused(response: Response, body: unknown, withApiToken: boolean): NetraError {
  const error = field(body, "error");
  const code = String(field(error, "code") ?? "unreachable");
  const said = String(field(error, "message") ?? `status ${response.status}`);
  // A status that is not Netra's own comes from something in between, which may be put right without this client.
  const retryable = error === undefined ? response.status >= 500 : field(error, "retryable") === true;
  const seconds = Number(response.headers.get("retry-after") ?? Number.NaN);
  const wait = Number.isFinite(seconds) ? seconds * 1_000 : undefined;
  const whose = withApiToken ? "the API token was not accepted" : "nobody is signed in";
  const message = response.status === 401 ? `${whose}: ${said}` : `no token for the socket: ${said}`;
  return new NetraError(code, message, retryable, wait);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function field(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}

function reason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message || error.message : error.message;
}
