// Text to frames. What this client does not know is not an error: a newer server may send it.

import type { ServerFrame } from "./messages.js";
import type { Durable } from "./subscriptions.js";

/** A frame, or undefined for what is none. */
export function decode(data: unknown): ServerFrame | undefined {
  if (typeof data !== "string") return undefined;
  let value: unknown;
  try {
    value = JSON.parse(data);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null) return undefined;
  const { v, type, payload } = value as Record<string, unknown>;
  const sound = v === 1 && typeof type === "string" && typeof payload === "object" && payload !== null;
  return sound ? (value as ServerFrame) : undefined;
}

/** Whether a frame has a place in a thread's log. A type that is not known can have one, and moves the cursor too. */
export function isDurable(frame: ServerFrame): frame is Durable {
  return "seq" in frame && typeof frame.seq === "number" && typeof frame.thread_id === "string";
}

/** Milliseconds between two of the server's times; the client's clock may be wrong. */
export function between(from: string | undefined, to: string): number {
  const passed = Date.parse(to) - Date.parse(from ?? to);
  return Number.isFinite(passed) ? Math.max(passed, 0) : 0;
}
