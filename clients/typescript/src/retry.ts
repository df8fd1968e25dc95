// When to connect again, and when not.

import { NetraError } from "./error.js";

/** The first pause before a reconnect, in milliseconds; doubled with each failure. */
const BASE = 500;

/** The longest pause. */
const MAX = 30_000;

/** What a close code asks for. */
export type AfterClose = "stop" | "jitter" | "new token" | "refused" | "back off";

/** The hundreds decide, so that codes added later need no new client. */
export function afterClose(code: number): AfterClose {
  if (code === 1000 || code === 1001) return "stop";
  if (code === 1012) return "jitter";
  if (code === 4401) return "new token";
  if (code >= 4400 && code <= 4499) return "refused";
  return "back off";
}

/** Full jitter: nearly nothing to the ceiling, so that clients do not come back in step. */
export function backOff(failures: number, random: () => number): number {
  const ceiling = Math.min(BASE * 2 ** Math.max(failures - 1, 0), MAX);
  return ceiling / 10 + random() * (ceiling - ceiling / 10);
}

/** What a close that is not retried means to the caller. */
export function refusal(code: number, reason: string): NetraError {
  switch (code) {
    case 1000:
    case 1001:
      return new NetraError("closed", reason || "the server closed the connection");
    case 4400:
      return new NetraError("malformed_json", "the server did not understand what was sent");
    case 4403:
      return new NetraError("forbidden", "this account may not connect");
    case 4409:
      return new NetraError("conflict", "another connection took this one's place");
    case 4413:
      return new NetraError("frame_too_large", "a frame was too large for the server");
    case 4429:
      return new NetraError("rate_limited", "too many requests; wait a minute", true, 60_000);
    default:
      return new NetraError("closed", `the server refused the connection (${code} ${reason})`);
  }
}
