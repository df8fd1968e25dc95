// The cursor of each watched thread, and what it says about an event.

import type { NetraError } from "./error.js";
import type { ClientSubscribe, ServerFrame, ServerSubscribed, ServerThreadSnapshot } from "./messages.js";

/** The last event that was applied: where to go on after a cut. */
export interface Cursor {
  epoch: string;
  seq: number;
}

/** Where to begin: after a cursor, with the whole log, or with the thread as it stands. */
export type From = Cursor | "start" | "snapshot";

/** Who is told about a thread. */
export interface Watcher {
  /** The next frame, in order and once: an event, `thread_snapshot`, `thread_update` or `thread_deleted`. */
  frame(frame: ServerFrame): void;
  /** Nothing follows: the thread is gone, or (with an error) it cannot be watched. */
  end(error?: NetraError): void;
}

/** A frame with its place in the log. */
export type Durable = Extract<ServerFrame, { seq: number }>;

interface Subscription {
  readonly watcher: Watcher;
  /** Absent until the first snapshot. */
  at: Cursor | undefined;
  /** The `subscribe` that waits for its answer and, if that is a snapshot, for the snapshot. */
  asked: string | undefined;
  /** Whether `subscribe` has to be sent when the server allows it. */
  deferred: boolean;
}

/** The watched threads. */
export class Subscriptions {
  readonly #threads = new Map<string, Subscription>();

  get ids(): string[] {
    return [...this.#threads.keys()];
  }

  get deferred(): string[] {
    return this.ids.filter((id) => this.#threads.get(id)?.deferred);
  }

  add(threadId: string, from: From, watcher: Watcher): void {
    const at = from === "snapshot" ? undefined : from === "start" ? { epoch: "", seq: 0 } : { ...from };
    this.#threads.get(threadId)?.watcher.end();
    this.#threads.set(threadId, { watcher, at, asked: undefined, deferred: false });
  }

  /** Forgets a thread, if it is still watched by this watcher. */
  remove(threadId: string, watcher: Watcher | undefined): boolean {
    const known = this.#threads.get(threadId);
    return known !== undefined && known.watcher === watcher && this.#threads.delete(threadId);
  }

  watcher(threadId: string): Watcher | undefined {
    return this.#threads.get(threadId)?.watcher;
  }

  cursor(threadId: string): Cursor | undefined {
    const at = this.#threads.get(threadId)?.at;
    return at && { ...at };
  }

  /** The thread whose `subscribe` this is. */
  askedBy(id: string | undefined): string | undefined {
    return id === undefined ? undefined : this.ids.find((thread) => this.#threads.get(thread)?.asked === id);
  }

  /** The frame that asks for everything after the cursor. */
  ask(threadId: string, id: string): ClientSubscribe | undefined {
    const known = this.#threads.get(threadId);
    if (!known) return undefined;
    known.asked = id;
    known.deferred = false;
    const payload: ClientSubscribe["payload"] = {};
    if (known.at) payload.after_seq = known.at.seq;
    if (known.at?.epoch) payload.epoch = known.at.epoch;
    return { v: 1, type: "subscribe", id, thread_id: threadId, payload };
  }

  defer(threadId: string): void {
    const known = this.#threads.get(threadId);
    if (!known) return;
    known.asked = undefined;
    known.deferred = true;
  }

  /** The connection is gone: what was asked on it is not answered. */
  lost(): void {
    for (const known of this.#threads.values()) known.asked = undefined;
  }

  subscribed(frame: ServerSubscribed): void {
    const known = this.#threads.get(frame.thread_id ?? "");
    if (known?.asked === undefined || known.asked !== frame.reply_to) return;
    if (frame.payload.mode === "snapshot") {
      known.at = undefined;
    } else {
      known.asked = undefined;
      known.at = { epoch: frame.payload.epoch, seq: known.at?.seq ?? 0 };
    }
  }

  /** Whether the snapshot is of a watched thread. */
  snapshot(frame: ServerThreadSnapshot): boolean {
    const known = this.#threads.get(frame.payload.thread.id);
    if (!known) return false;
    known.at = { epoch: frame.payload.epoch, seq: frame.payload.as_of_seq };
    known.asked = undefined;
    return true;
  }

  /** Moves the cursor if the event is the next one; says whether it is, or that something is missing before it. */
  take(frame: Durable): "next" | "ignored" | "gap" {
    const known = this.#threads.get(frame.thread_id);
    // While a `subscribe` is open, events belong to the subscription that it replaces.
    if (!known?.at || known.asked !== undefined) return "ignored";
    if (frame.epoch !== known.at.epoch || frame.seq > known.at.seq + 1) return "gap";
    if (frame.seq <= known.at.seq) return "ignored";
    known.at.seq = frame.seq;
    return "next";
  }
}
