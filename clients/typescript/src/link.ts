// What a connection is given, and what it tells.

import type { NetraError } from "./error.js";
import type { ServerConnect, ServerFrame } from "./messages.js";

/** The state of a session's connection. */
export type Link =
  /** Not started. */
  | { state: "idle" }
  /** The first connection is being made, or one that nothing failed before. */
  | { state: "connecting" }
  /** Events flow. */
  | { state: "live" }
  /** The connection was lost; the next attempt comes in `retryInMs`. */
  | { state: "reconnecting"; failures: number; retryInMs: number; reason?: NetraError }
  /** The device has no network. */
  | { state: "offline" }
  /** No attempt follows: `close` was called, or `error` says why. */
  | { state: "stopped"; error?: NetraError };

/** How to connect. */
export interface ConnectionOptions {
  /** The server's address, `https://chat.example.org`. */
  url: string | URL;
  /** An API token, `netra_…`. Without it the page's cookie counts. */
  apiToken?: string | undefined;
  /** In place of the global one. */
  fetch?: typeof fetch | undefined;
  /** In place of the global one. */
  WebSocket?: typeof WebSocket | undefined;
  /** In place of `Math.random`, for tests. */
  random?: (() => number) | undefined;
}

/** Who is told what happens. */
export interface Reports {
  /** Called before the first attempt, which waits for it. */
  prepare(): Promise<void>;
  link(link: Link): void;
  /** The connection is live. */
  opened(frame: ServerConnect): void;
  /** A frame that is not about the connection itself. */
  frame(frame: ServerFrame): void;
  /** The socket is gone; what it has not answered has to be sent again. */
  lost(): void;
  /** No attempt follows. Without an error the end was wanted. */
  stopped(error: NetraError | undefined): void;
}
