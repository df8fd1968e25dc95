/** The order rules, held against what each page hears: logs are dense, runs begin once and end once. */

interface Heard {
  type: string;
  thread_id?: string;
  run_id?: string;
  epoch?: string;
  seq?: number;
  payload: {
    epoch?: string;
    as_of_seq?: number;
    id?: string;
    tool_call_id?: string;
    status?: string;
    iteration?: number;
  };
}

interface Run {
  started: boolean;
  /** Whether its first event was heard, and not only that another process took it up. */
  whole: boolean;
  over: boolean;
  /** Calls that did not complete yet. */
  calls: Set<string>;
  /** Calls that wait for a person. */
  asked: Set<string>;
}

interface Watched {
  epoch: string | undefined;
  /** The event before the next one; unknown until the first event or the snapshot. */
  last?: number | undefined;
  /** Whether the log was heard from its first event on. */
  whole: boolean;
  runs: Map<string, Run>;
}

/** One socket's threads. */
export class Order {
  private readonly watched = new Map<string, Watched>();

  /** Takes the next frame; answers the rule that it breaks. */
  hear(frame: Heard): string | undefined {
    const thread = frame.thread_id ?? "";
    switch (frame.type) {
      case "subscribed":
        this.watched.set(thread, { epoch: frame.payload.epoch, whole: false, runs: new Map() });
        break;
      case "thread_snapshot": {
        const place = this.watched.get(thread);
        if (!place) return "a snapshot that nobody asked for";
        place.last = frame.payload.as_of_seq;
        break;
      }
      case "unsubscribed":
        this.watched.delete(thread);
        break;
      case "thread_deleted":
        this.watched.delete(frame.payload.id ?? "");
        break;
    }
    return frame.seq === undefined ? undefined : this.event(frame, frame.seq);
  }

  private event(frame: Heard, seq: number): string | undefined {
    const place = this.watched.get(frame.thread_id ?? "");
    if (!place) return "an event of a thread that is not watched";
    if (place.last !== undefined && seq !== place.last + 1) return `event ${seq} follows event ${place.last}`;
    if (frame.epoch !== place.epoch) return "another epoch than `subscribed` said";
    place.whole ||= seq === 1;
    place.last = seq;
    if (frame.run_id === undefined || frame.type === "thread_message") return undefined;
    const run = place.runs.get(frame.run_id) ?? {
      started: false,
      whole: false,
      over: false,
      calls: new Set<string>(),
      asked: new Set<string>(),
    };
    place.runs.set(frame.run_id, run);
    return step(run, place.whole, frame);
  }
}

function step(run: Run, whole: boolean, frame: Heard): string | undefined {
  if (run.over) return "an event after the run's end";
  if (whole && !run.started && frame.type !== "agent_started") return "a run that begins without `agent_started`";
  const call = frame.payload.tool_call_id ?? "";
  switch (frame.type) {
    case "agent_started":
      if (run.started && (frame.payload.iteration ?? 1) < 2) return "a run that starts twice";
      run.whole ||= (frame.payload.iteration ?? 1) < 2;
      run.started = true;
      return undefined;
    case "tool_approval_required":
      if (run.calls.has(call) || run.asked.has(call)) return "a call that is asked about twice, or too late";
      run.asked.add(call);
      return undefined;
    case "tool_executing":
      run.asked.delete(call);
      if (run.calls.has(call)) return "a call that begins twice";
      run.calls.add(call);
      return undefined;
    case "tool_completed":
      // What nobody allowed never begins.
      if (run.asked.delete(call) && frame.payload.status === "denied") return undefined;
      if (!run.calls.delete(call) && run.whole) return "a call that completes without having begun, or twice";
      return undefined;
    case "agent_completed":
    case "agent_error":
      run.over = true;
      return run.calls.size + run.asked.size > 0 ? "the run ends and a call never completed" : undefined;
    default:
      return undefined;
  }
}
