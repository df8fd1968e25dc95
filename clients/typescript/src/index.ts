// A client for Netra's protocol, netra.v1.

export { NetraError, type Code } from "./error.js";
export { newId } from "./id.js";
export type { Link } from "./link.js";
export type * from "./messages.js";
export type { Command, OutboxStorage } from "./outbox.js";
export { Session, type CommandOptions, type Ephemeral, type SessionEvents, type SessionOptions } from "./session.js";
export type { Cursor, Durable, From, Watcher } from "./subscriptions.js";
export { ThreadState, hasEnded, type Applied } from "./thread.js";
