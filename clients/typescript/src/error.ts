// The one error of this package.

import type { ErrorCode, ErrorMessage } from "./messages.js";

/** The server's codes, two of the client's own, and any that a newer server adds. */
export type Code = ErrorCode | "closed" | "unreachable" | (string & {});

/** Why something was not done. */
export class NetraError extends Error {
  override readonly name = "NetraError";

  constructor(
    /** For programs. */
    readonly code: Code,
    message: string,
    /** Whether the same request may succeed later. */
    readonly retryable = false,
    /** How long to wait before that, where the server says it. */
    readonly retryAfterMs?: number,
  ) {
    super(message);
  }

  /** What an `error_message` says. */
  static from(payload: ErrorMessage): NetraError {
    return new NetraError(payload.code, payload.message, payload.retryable, payload.retry_after_ms);
  }
}
