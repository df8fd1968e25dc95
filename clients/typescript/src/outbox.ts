// Commands that were not answered yet. The server keeps the answer to each id, so sending one again is safe.

import { NetraError } from "./error.js";
import type { Ack, ClientFrame } from "./messages.js";

/** A frame that changes something and is answered with `ack`. */
export type Command = Extract<
  ClientFrame,
  { type: "user_message" | "start_agent" | "regenerate" | "stop_agent" | "tool_approval" }
>;

/** Where commands survive the end of the program. */
export interface OutboxStorage {
  /** The commands that were saved last. */
  load(): Command[] | Promise<Command[]>;
  /** Called after every change with all commands without an answer, oldest first. */
  save(commands: Command[]): void | Promise<void>;
}

interface Entry {
  readonly frame: Command;
  /** The connection it was sent on, by number. */
  sentOn?: number | undefined;
  resolve: (ack: Ack) => void;
  reject: (error: NetraError) => void;
}

/** Whether two frames with one id ask for the same. */
function same(one: Command, other: Command): boolean {
  const asked = ({ type, thread_id, payload }: Command) => JSON.stringify([type, thread_id, payload]);
  return asked(one) === asked(other);
}

/** The commands of a session, oldest first. */
export class Outbox {
  readonly #entries = new Map<string, Entry>();
  readonly #storage: OutboxStorage | undefined;
  /** Until the storage was read, saving would overwrite what it holds. */
  #loaded = false;

  constructor(storage: OutboxStorage | undefined) {
    this.#storage = storage;
  }

  /** Takes up what an earlier session left. */
  async load(): Promise<void> {
    const kept = (await this.#storage?.load()) ?? [];
    const nobodyWaits = () => {};
    const added = [...this.#entries.values()];
    this.#entries.clear();
    for (const frame of kept) this.#entries.set(frame.id, { frame, resolve: nobodyWaits, reject: nobodyWaits });
    for (const entry of added) this.#entries.set(entry.frame.id, entry);
    this.#loaded = true;
    if (added.length > 0) this.#save();
  }

  /** Keeps a command until it is answered. */
  add(frame: Command): Promise<Ack> {
    const earlier = this.#entries.get(frame.id);
    if (earlier && !same(earlier.frame, frame)) {
      return Promise.reject(new NetraError("id_conflict", "another command with this id waits for its answer"));
    }
    const answered = new Promise<Ack>((resolve, reject) => {
      if (!earlier) {
        this.#entries.set(frame.id, { frame, resolve, reject });
        return;
      }
      // Said twice, answered twice.
      const { resolve: resolveEarlier, reject: rejectEarlier } = earlier;
      earlier.resolve = (ack) => (resolveEarlier(ack), resolve(ack));
      earlier.reject = (error) => (rejectEarlier(error), reject(error));
    });
    this.#save();
    return answered;
  }

  /** What was not sent on this connection. */
  *unsent(connection: number): Generator<Command> {
    for (const entry of this.#entries.values()) if (entry.sentOn !== connection) yield entry.frame;
  }

  /** Notes that a command went out. */
  sent(id: string, connection: number): void {
    const entry = this.#entries.get(id);
    if (entry) entry.sentOn = connection;
  }

  /** Notes that a command was not acted on and has to go out again. */
  unsend(id: string): void {
    const entry = this.#entries.get(id);
    if (entry) entry.sentOn = undefined;
  }

  /** Ends a command with its answer; says whether there is such a command. */
  settle(id: string, outcome: Ack | NetraError): boolean {
    const entry = this.#entries.get(id);
    if (!entry) return false;
    this.#entries.delete(id);
    this.#save();
    if (outcome instanceof NetraError) entry.reject(outcome);
    else entry.resolve(outcome);
    return true;
  }

  /** Ends every wait; the storage keeps the commands for the next session. */
  abandon(error: NetraError): void {
    const entries = [...this.#entries.values()];
    this.#entries.clear();
    this.#loaded = false;
    for (const entry of entries) entry.reject(error);
  }

  #save(): void {
    if (this.#loaded) void this.#storage?.save(Array.from(this.#entries.values(), (entry) => entry.frame));
  }
}
