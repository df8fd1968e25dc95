// The reducer: what a thread is, from its events. A snapshot is the same, made by the server.

import { isDurable } from "./frame.js";
import type { Message, Run, RunStatus, ServerFrame, Thread, ThreadSnapshot } from "./messages.js";
import { applyToRun, queuedRun } from "./run.js";
import type { Durable } from "./subscriptions.js";

/** What a frame did: nothing, or to what. A `gap` means that something is missing before it. */
export type Applied = "nothing" | "gap" | "thread" | "structure" | "run";

/** Whether nothing of the run follows. A run in a state of a later server has ended once it says how long it took. */
export function hasEnded(run: Run | undefined): boolean {
  const ended: (RunStatus | undefined)[] = ["completed", "stopped", "failed"];
  const going: (RunStatus | undefined)[] = [undefined, "queued", "running", "waiting"];
  return ended.includes(run?.status) || (!going.includes(run?.status) && run?.duration_ms !== undefined);
}

/** Whether what is known of a thread is newer than what came. A server of 0.1 does not say; its last word holds. */
function isNewer(known: Thread | undefined, come: Thread): boolean {
  return known !== undefined && known.id === come.id && (known.version ?? 0) > (come.version ?? 0);
}

/** A thread as far as its events are known. */
export class ThreadState {
  /** Title and settings; absent until a snapshot or an update came. */
  thread: Thread | undefined;
  /** The log's epoch; empty until known. */
  epoch = "";
  /** The last event applied. */
  seq = 0;
  /** Oldest first. */
  messages: Message[] = [];
  /** Where older messages begin on the server; absent when `messages` holds all. */
  earlierCursor: string | undefined;
  /** In the order they were asked for. */
  runs: Run[] = [];

  /** Applies a frame of this thread. Applying an event again changes nothing. */
  apply(frame: ServerFrame): Applied {
    if (isDurable(frame)) return this.#next(frame);
    switch (frame.type) {
      case "thread_snapshot": {
        const known = this.epoch === frame.payload.epoch ? this.thread : undefined;
        this.#replace(structuredClone(frame.payload));
        if (known && isNewer(known, frame.payload.thread)) this.thread = known;
        return "structure";
      }
      case "thread_created":
      case "thread_update":
        // An older word, overtaken on its way, does not win.
        if (isNewer(this.thread, frame.payload)) return "nothing";
        this.thread = structuredClone(frame.payload);
        return "thread";
      default:
        return "nothing";
    }
  }

  /** The run with this id. */
  run(id: string | undefined): Run | undefined {
    return this.runs.findLast((run) => run.run_id === id);
  }

  /** The message with this id. */
  message(id: string): Message | undefined {
    return this.messages.findLast((message) => message.message_id === id);
  }

  /** The runs that have not ended. */
  get activeRuns(): Run[] {
    return this.runs.filter((run) => !hasEnded(run));
  }

  #replace(snapshot: ThreadSnapshot): void {
    this.thread = snapshot.thread;
    this.epoch = snapshot.epoch;
    this.seq = snapshot.as_of_seq;
    this.messages = snapshot.messages;
    this.earlierCursor = snapshot.earlier_cursor;
    this.runs = snapshot.runs;
  }

  #next(frame: Durable): Applied {
    if (this.epoch === "") this.epoch = frame.epoch;
    if (frame.epoch !== this.epoch || frame.seq > this.seq + 1) return "gap";
    if (frame.seq <= this.seq) return "nothing";
    this.seq = frame.seq;
    if (this.thread) this.thread.head_seq = Math.max(this.thread.head_seq, frame.seq);
    return this.#fold(structuredClone(frame));
  }

  #fold(frame: Durable): Applied {
    if (frame.type === "thread_message") {
      const { message_id, role, content, author, attachments, answered_by, agent, parent_id } = frame.payload;
      const message: Message = { message_id, role, content, seq: frame.seq, created_at: frame.ts };
      if (parent_id !== undefined) message.parent_id = parent_id;
      if (frame.run_id !== undefined) message.run_id = frame.run_id;
      if (author !== undefined) message.author = author;
      if (attachments.length > 0) message.attachments = attachments;
      this.messages.push(message);
      if (answered_by !== undefined) this.runs.push(queuedRun(answered_by, agent ?? "", message_id));
      return "structure";
    }
    const runId = frame.run_id;
    if (runId === undefined) return "nothing";
    let run = this.run(runId);
    const known = run !== undefined;
    if (!run) {
      run = queuedRun(runId, "", undefined);
      this.runs.push(run);
    }
    // Of a run that works for another, the call of that run tells it.
    if (frame.type === "agent_response" && run.parent_run_id === undefined) {
      const { message_id, content } = frame.payload;
      const written = { run_id: runId, seq: frame.seq, created_at: frame.ts };
      this.messages.push({ message_id, role: "assistant", content, ...written });
    }
    applyToRun(run, frame);
    return known ? "run" : "structure";
  }
}
