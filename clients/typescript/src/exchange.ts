// What goes over an open connection: commands and subscriptions out, answers and events in.

import { Allowance } from "./allowance.js";
import type { Connection } from "./connection.js";
import { NetraError } from "./error.js";
import { isDurable } from "./frame.js";
import { newId } from "./id.js";
import type { Link, Reports } from "./link.js";
import type { Ack, ClientFrame, ServerConnect, ServerErrorMessage, ServerFrame } from "./messages.js";
import type { Command, Outbox } from "./outbox.js";
import { Subscriptions, type From, type Watcher } from "./subscriptions.js";

/** The pause after a refusal that names none. */
const PAUSE = 1_000;

/** Who is told what the application is to know. */
export interface Audience {
  link(link: Link): void;
  frame(frame: ServerFrame): void;
}

/** Keeps what has to be sent again, and hands on what came for the first time. */
export class Exchange implements Reports {
  readonly subscriptions = new Subscriptions();

  readonly #connection: Connection;
  readonly #outbox: Outbox;
  readonly #audience: Audience;
  #maxFrameBytes = 65_536;
  #allowance = new Allowance(0, 600);
  /** Set while no command may be sent, by the server's word or by the client's own count. */
  #pause: ReturnType<typeof setTimeout> | undefined;
  #stopped: NetraError | undefined;

  constructor(connection: Connection, outbox: Outbox, audience: Audience) {
    this.#connection = connection;
    this.#outbox = outbox;
    this.#audience = audience;
    connection.report(this);
  }

  command(frame: Command): Promise<Ack> {
    if (this.#stopped) return Promise.reject(this.#stopped);
    const answered = this.#outbox.add(frame);
    this.flush();
    return answered;
  }

  watch(threadId: string, from: From, watcher: Watcher): () => void {
    if (this.#stopped) {
      watcher.end(this.#stopped);
      return () => {};
    }
    this.subscriptions.add(threadId, from, watcher);
    this.#connection.check();
    this.#ask(threadId);
    return () => {
      if (!this.subscriptions.remove(threadId, watcher) || !this.#connection.isOpen) return;
      this.#connection.send({ v: 1, type: "unsubscribe", id: newId(), thread_id: threadId, payload: {} });
    };
  }

  /** Sends a frame now or not at all; says whether it went. */
  sendOnce(frame: ClientFrame): boolean {
    this.#connection.check();
    if (!this.#connection.isOpen || this.#mayNotSend()) return false;
    this.#connection.send(frame);
    return true;
  }

  /** Sends what this connection has not sent yet. */
  flush(): void {
    this.#connection.check();
    if (!this.#connection.isOpen || this.#pause !== undefined) return;
    for (const thread of this.subscriptions.deferred) this.#ask(thread);
    const { attempt } = this.#connection;
    for (const frame of [...this.#outbox.unsent(attempt)]) {
      if (new TextEncoder().encode(JSON.stringify(frame)).length > this.#maxFrameBytes) {
        // The server would close the connection over it, and again after every reconnect.
        this.#outbox.settle(frame.id, new NetraError("frame_too_large", "this command is too large for the server"));
      } else if (this.#mayNotSend()) {
        return;
      } else {
        this.#outbox.sent(frame.id, attempt);
        this.#connection.send(frame);
      }
    }
  }

  async prepare(): Promise<void> {
    this.#stopped = undefined;
    await this.#outbox.load();
    this.flush();
  }

  link(link: Link): void {
    this.#audience.link(link);
  }

  opened(frame: ServerConnect): void {
    this.#maxFrameBytes = frame.payload.max_frame_bytes;
    this.#allowance = new Allowance(performance.now(), frame.payload.commands_per_minute);
    const threads = this.subscriptions.ids;
    // Being let in proves nothing while the reason for the cut may be in what is subscribed to.
    if (threads.length === 0) this.#connection.proved();
    for (const thread of threads) this.#ask(thread);
    this.flush();
    this.#audience.frame(frame);
  }

  lost(): void {
    clearTimeout(this.#pause);
    this.#pause = undefined;
    this.subscriptions.lost();
  }

  stopped(error: NetraError | undefined): void {
    this.#stopped = error ?? new NetraError("closed", "the session was closed");
    this.#outbox.abandon(this.#stopped);
    for (const thread of this.subscriptions.ids) this.#end(thread, error);
  }

  frame(frame: ServerFrame): void {
    if (isDurable(frame)) {
      const place = this.subscriptions.take(frame);
      if (place === "gap") this.#ask(frame.thread_id);
      if (place === "next") this.#tell(frame.thread_id, frame);
      return;
    }
    switch (frame.type) {
      case "subscribed":
        this.#connection.proved();
        return this.subscriptions.subscribed(frame);
      case "thread_snapshot":
        if (this.subscriptions.snapshot(frame)) this.#tell(frame.payload.thread.id, frame);
        return;
      case "ack":
        if (!this.#outbox.settle(frame.reply_to, frame.payload)) this.#audience.frame(frame);
        return;
      case "error_message":
        return this.#refused(frame);
      case "thread_created":
      case "thread_update":
        return this.#tell(frame.payload.id, frame);
      case "thread_deleted":
        this.#tell(frame.payload.id, frame);
        return this.#end(frame.payload.id);
      case "system_message":
      case "broadcast":
      case "room_message":
      case "jsonrpc_response":
      case "jsonrpc_notification":
        return this.#audience.frame(frame);
    }
  }

  #tell(threadId: string, frame: ServerFrame): void {
    this.subscriptions.watcher(threadId)?.frame(frame);
    this.#audience.frame(frame);
  }

  #end(threadId: string, error?: NetraError): void {
    const watcher = this.subscriptions.watcher(threadId);
    this.subscriptions.remove(threadId, watcher);
    watcher?.end(error);
  }

  /** Sends `subscribe` with the cursor, now or when the server allows it. */
  #ask(threadId: string): void {
    if (!this.#connection.isOpen) return;
    if (this.#mayNotSend()) return this.subscriptions.defer(threadId);
    const frame = this.subscriptions.ask(threadId, newId());
    if (frame) this.#connection.send(frame);
  }

  #refused(frame: ServerErrorMessage): void {
    const { reply_to: id, payload } = frame;
    if (id === undefined) return;
    const limited = payload.code === "rate_limited";
    if (limited) this.#pauseFor(payload.retry_after_ms ?? PAUSE);
    const thread = this.subscriptions.askedBy(id);
    if (thread !== undefined) {
      // What may succeed later is asked again later: the thread is there all the same.
      if (!limited && payload.retryable) this.#pauseFor(payload.retry_after_ms ?? PAUSE);
      if (limited || payload.retryable) this.subscriptions.defer(thread);
      else this.#end(thread, NetraError.from(payload));
    } else if (limited) {
      this.#outbox.unsend(id);
    } else if (!this.#outbox.settle(id, NetraError.from(payload))) {
      this.#audience.frame(frame);
    }
  }

  #mayNotSend(): boolean {
    if (this.#pause !== undefined) return true;
    const wait = this.#allowance.take(performance.now());
    if (wait > 0) this.#pauseFor(wait);
    return wait > 0;
  }

  #pauseFor(milliseconds: number): void {
    clearTimeout(this.#pause);
    this.#pause = setTimeout(() => {
      this.#pause = undefined;
      this.flush();
    }, milliseconds);
  }
}
