/** A thread as the server has it: the truth that pages are compared with. */
import { type APIRequestContext, expect } from "@playwright/test";
import type { Frame } from "./sockets.ts";

/** The thread's whole event log, in order. */
export async function eventLog(request: APIRequestContext, thread: string): Promise<Frame[]> {
  const events: Frame[] = [];
  for (;;) {
    const response = await request.get(`/api/threads/${thread}/events?limit=1000&after_seq=${events.length}`);
    expect(response.status()).toBe(200);
    const page = (await response.json()) as { head_seq: number; events: Frame[] };
    events.push(...page.events);
    expect(events.map((event) => event.seq)).toEqual(events.map((_, i) => i + 1));
    if (events.length === page.head_seq) return events;
    expect(page.events).not.toEqual([]);
  }
}

/** What people said in the thread, and how each run of it ended. */
export async function story(request: APIRequestContext, thread: string): Promise<{ said: string[]; ended: string[] }> {
  const events = await eventLog(request, thread);
  const of = (type: string) => events.filter((event) => event.type === type);
  return {
    said: of("thread_message").flatMap(({ payload }) => (payload.role === "user" ? [String(payload.content)] : [])),
    ended: [
      ...of("agent_completed").map(({ payload }) => String(payload.status)),
      ...of("agent_error").map(() => "failed"),
    ],
  };
}
