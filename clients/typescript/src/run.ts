// How an event changes its run.

import { between } from "./frame.js";
import type { Author, ErrorCode, Question, Run, Step, ToolStep } from "./messages.js";
import type { Durable } from "./subscriptions.js";

/** A run that was asked for and did not start. */
export function queuedRun(runId: string, agent: string, answers: string | undefined): Run {
  const run: Run = { run_id: runId, agent, status: "queued", steps: [], text: "" };
  if (answers !== undefined) run.answers = answers;
  return run;
}

/** Folds an event of the run into it. */
export function applyToRun(run: Run, frame: Durable): void {
  if (frame.type !== "agent_thinking") endThought(run, frame.ts);
  switch (frame.type) {
    case "agent_started": {
      const { agent, model, parent_run_id, tool_call_id, answers } = frame.payload;
      run.status = "running";
      run.agent = agent;
      put(run, "model", model);
      put(run, "parent_run_id", parent_run_id);
      put(run, "parent_call_id", tool_call_id);
      put(run, "answers", answers ?? run.answers);
      run.started_at ??= frame.ts;
      return;
    }
    case "agent_thinking":
      return think(run, frame.payload.thought, frame.ts);
    case "tool_executing": {
      const { tool_call_id, decided_by } = frame.payload;
      const waiting = tool(run, tool_call_id);
      if (waiting) decide(waiting, decided_by);
      else {
        const begun = call(frame.payload);
        put(begun, "decided_by", decided_by);
        run.steps.push(begun);
      }
      return awaitPeople(run);
    }
    case "tool_approval_required": {
      const { expires_at, message, options, form } = frame.payload;
      const asked: ToolStep = { ...call(frame.payload), approval_expires_at: expires_at };
      const question: Question = {};
      put(question, "message", message);
      put(question, "options", options);
      put(question, "form", form);
      if (Object.keys(question).length > 0) asked.question = question;
      run.steps.push(asked);
      return awaitPeople(run);
    }
    case "tool_completed": {
      const called = tool(run, frame.payload.tool_call_id);
      if (called) {
        decide(called, frame.payload.decided_by);
        called.status = frame.payload.status;
        put(called, "result", frame.payload.result ?? undefined);
        called.duration_ms = frame.payload.duration_ms;
      }
      return awaitPeople(run);
    }
    case "agent_progress": {
      const step: Step = { kind: "progress", message: frame.payload.message };
      put(step, "fraction", frame.payload.fraction);
      if (run.steps.at(-1)?.kind === "progress") run.steps.pop();
      run.steps.push(step);
      return;
    }
    case "partial_result":
      if (frame.payload.reset) run.text = "";
      run.message_id = frame.payload.message_id;
      run.text += frame.payload.delta;
      return;
    case "agent_response":
      run.message_id = frame.payload.message_id;
      run.text = frame.payload.content;
      put(run, "usage", frame.payload.usage ?? run.usage);
      return;
    case "agent_completed":
      run.status = frame.payload.status;
      put(run, "usage", frame.payload.usage ?? run.usage);
      return end(run, frame.payload.duration_ms);
    case "agent_error": {
      const { code, message, retryable }: { code: ErrorCode; message: string; retryable: boolean } = frame.payload;
      run.status = "failed";
      run.error = { code, message, retryable };
      return end(run, between(run.started_at, frame.ts));
    }
  }
}

function call({ tool_call_id, tool, arguments: given }: Omit<ToolStep, "kind">): ToolStep {
  return { kind: "tool", tool_call_id, tool, arguments: given };
}

function tool(run: Run, id: string): ToolStep | undefined {
  return run.steps.find((step): step is ToolStep => step.kind === "tool" && step.tool_call_id === id);
}

/** Nobody is asked any more. */
function decide(called: ToolStep, by: Author | undefined): void {
  delete called.approval_expires_at;
  delete called.question;
  put(called, "decided_by", by ?? called.decided_by);
}

/** A run waits as long as one of its calls does. */
function awaitPeople(run: Run): void {
  const waits = run.steps.some((step) => step.kind === "tool" && (step as ToolStep).approval_expires_at !== undefined);
  if (run.status === "running" && waits) run.status = "waiting";
  else if (run.status === "waiting" && !waits) run.status = "running";
}

function think(run: Run, thought: string, at: string): void {
  const last = run.steps.at(-1);
  if (last?.kind === "thinking" && last.active) {
    last.text += thought;
    last.ended_at = at;
  } else {
    run.steps.push({ kind: "thinking", text: thought, started_at: at, ended_at: at, active: true });
  }
}

function endThought(run: Run, at: string): void {
  const last = run.steps.at(-1);
  if (last?.kind !== "thinking" || !last.active) return;
  last.ended_at = at;
  last.active = false;
}

/** A tool that never answered is not left spinning: the run's end is its end. */
function end(run: Run, durationMs: number): void {
  run.duration_ms = durationMs;
  for (const step of run.steps) {
    if (step.kind !== "tool" || step.status !== undefined) continue;
    decide(step, undefined);
    step.status = "interrupted";
  }
}

/** Sets a field, or leaves it out: an absent field is never `null` or `undefined`. */
function put<T extends object, K extends keyof T>(target: T, name: K, value: T[K] | undefined): void {
  if (value === undefined) delete target[name];
  else target[name] = value;
}
