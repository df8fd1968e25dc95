// What a program uses: commands, threads, and the state of the connection.

import { Connection } from "./connection.js";
import { Exchange } from "./exchange.js";
import { newId } from "./id.js";
import type { ConnectionOptions, Link } from "./link.js";
import type { Ack, ClientFrame, ServerFrame, StartAgent, UserMessage } from "./messages.js";
import { Outbox, type Command, type OutboxStorage } from "./outbox.js";
import { follow } from "./stream.js";
import type { Cursor, From, Watcher } from "./subscriptions.js";

/** How to reach a server. */
export interface SessionOptions extends ConnectionOptions {
  /** Where commands without an answer survive the end of the program; without it they are kept in memory. */
  storage?: OutboxStorage | undefined;
}

/** A frame that is not worth repeating. A room is left with the connection: join it again after each `connect`. */
export type Ephemeral = Extract<
  ClientFrame,
  { type: "join_room" | "leave_room" | "room_message" | "ping" | "jsonrpc_request" | "jsonrpc_notification" }
>;

/** Settings of one command. */
export interface CommandOptions {
  /** The thread to go to; without it, `startAgent` makes one. */
  threadId?: string;
  /** The idempotency key, a UUID: the same command with the same id is carried out once. Made when absent. */
  id?: string;
}

/** What a session reports. */
export interface SessionEvents {
  /** The state of the connection changed. */
  link: Link;
  /** A frame for the application came: every event of watched threads, `connect`, `thread_created`, notices. */
  frame: ServerFrame;
}

type Listeners = { [Name in keyof SessionEvents]: Set<(value: SessionEvents[Name]) => void> };

/** One user's connection to a server, kept up until it is closed. */
export class Session {
  readonly #listeners: Listeners = { link: new Set(), frame: new Set() };
  readonly #connection: Connection;
  readonly #exchange: Exchange;

  constructor(options: SessionOptions) {
    this.#connection = new Connection(options);
    this.#exchange = new Exchange(this.#connection, new Outbox(options.storage), {
      link: (link) => this.#emit("link", link),
      frame: (frame) => this.#emit("frame", frame),
    });
  }

  /** What the connection is doing. */
  get link(): Link {
    return this.#connection.link;
  }

  /** Connects, and stays connected. Resolves when live; rejects when the server refuses, not when it is away. */
  start(): Promise<void> {
    return this.#connection.start();
  }

  /** Closes for good. Commands without an answer are rejected with `closed`. */
  close(): void {
    this.#connection.stop();
  }

  /** Asks to try again now rather than at the end of the pause. */
  wake(): void {
    this.#connection.wake();
  }

  /** Calls `listener` for each event of a kind until the returned function is called. */
  on<Name extends keyof SessionEvents>(name: Name, listener: (value: SessionEvents[Name]) => void): () => void {
    this.#listeners[name].add(listener);
    return () => this.#listeners[name].delete(listener);
  }

  /** Has an agent answer `content`, in a new thread unless `threadId` names one. */
  startAgent(payload: StartAgent, options: CommandOptions = {}): Promise<Ack> {
    return this.command({ v: 1, type: "start_agent", ...head(options), payload });
  }

  /** Adds a message to a thread and has an agent answer it. */
  sendMessage(threadId: string, payload: UserMessage, options: CommandOptions = {}): Promise<Ack> {
    return this.command({ v: 1, type: "user_message", ...head(options), thread_id: threadId, payload });
  }

  /** Has a person's message answered once more. */
  regenerate(messageId: string, agent?: string, options: CommandOptions = {}): Promise<Ack> {
    const payload = agent === undefined ? { message_id: messageId } : { message_id: messageId, agent };
    return this.command({ v: 1, type: "regenerate", ...head(options), payload });
  }

  /** Stops a run. */
  stopAgent(runId: string, options: CommandOptions = {}): Promise<Ack> {
    return this.command({ v: 1, type: "stop_agent", ...head(options), payload: { run_id: runId } });
  }

  /** Sends any command, again after every cut, until it is answered. Rejects with a `NetraError`. */
  command(frame: Command): Promise<Ack> {
    return this.#exchange.command(frame);
  }

  /**
   * Sends a frame that matters now or not at all, such as `join_room` or `room_message`: it is not kept, and not sent
   * again. Says whether it went; the answer comes as a `frame`.
   */
  sendOnce(frame: Ephemeral): boolean {
    return this.#exchange.sendOnce(frame);
  }

  /** The events of a thread, for `for await`: from a cursor on, the whole log, or after a snapshot. */
  events(threadId: string, from: From = "snapshot"): AsyncGenerator<ServerFrame, void, void> {
    return follow((watcher) => this.watch(threadId, from, watcher));
  }

  /**
   * Tells `watcher` the events of a thread, also across cuts, until the returned function is called. A thread has one
   * watcher; another call for it ends the one before.
   */
  watch(threadId: string, from: From, watcher: Watcher): () => void {
    return this.#exchange.watch(threadId, from, watcher);
  }

  /** The last event that was handed over of a watched thread; `watch` goes on from there. */
  cursor(threadId: string): Cursor | undefined {
    return this.#exchange.subscriptions.cursor(threadId);
  }

  #emit<Name extends keyof SessionEvents>(name: Name, value: SessionEvents[Name]): void {
    for (const listener of [...this.#listeners[name]]) listener(value);
  }
}

function head({ threadId, id = newId() }: CommandOptions): { id: string; thread_id?: string } {
  return threadId === undefined ? { id } : { id, thread_id: threadId };
}
