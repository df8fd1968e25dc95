// A server played by the test, for what a real one does rarely: gaps, refusals, each close code.

import { Session } from "../../dist/index.js";

export const THREAD = "01931a5e-7c00-7000-8000-000000000001";
const EPOCH = "5f3a9c01";
const USER = { id: "01931a5e-7c00-7000-8000-000000000002", name: "Ada", role: "user" };

/** A session whose sockets are in `sockets`, newest last, and whose tokens are `token1`, `token2`, … */
export function play(context, options = {}) {
  const sockets = [];
  let tokens = 0;
  class Fake {
    sent = [];
    constructor(address, protocols) {
      this.token = protocols[1];
      sockets.push(this);
      queueMicrotask(() => this.onopen?.());
    }
    send(text) {
      this.sent.push(JSON.parse(text));
    }
    close() {}
    /** What the session sent of a type. */
    all(type) {
      return this.sent.filter((frame) => frame.type === type);
    }
    say(type, payload, fields = {}) {
      const frame = { v: 1, type, id: crypto.randomUUID(), ts: "2026-11-20T10:00:00.000Z", payload, ...fields };
      this.onmessage?.({ data: JSON.stringify(frame) });
    }
    connect() {
      const limits = { max_frame_bytes: 65536, max_subscriptions: 200, commands_per_minute: 600 };
      const heartbeat = { heartbeat_interval_ms: 25000, heartbeat_timeout_ms: 10000 };
      const token_expires_at = "2026-11-20T10:05:00.000Z";
      this.say("connect", { connection_id: THREAD, user: USER, token_expires_at, ...limits, ...heartbeat });
    }
    /** Answers the newest `subscribe`. */
    subscribed(mode = "resumed", head_seq = 0, epoch = EPOCH) {
      const reply_to = this.all("subscribe").at(-1).id;
      this.say("subscribed", { epoch, head_seq, mode }, { thread_id: THREAD, reply_to });
    }
    event(seq, epoch = EPOCH) {
      const payload = { message_id: crypto.randomUUID(), role: "user", content: `${seq}`, attachments: [] };
      this.say("thread_message", payload, { thread_id: THREAD, epoch, seq });
    }
    shut(code) {
      this.onclose?.({ code, reason: "" });
    }
  }
  const answer = async () => new Response(JSON.stringify({ token: `token${(tokens += 1)}` }));
  const url = "http://netra.test";
  const session = new Session({
    url,
    apiToken: "netra_x",
    fetch: answer,
    WebSocket: Fake,
    random: () => 0,
    ...options,
  });
  context.after(() => session.close());
  return { session, sockets };
}

/** Waits for what comes after promises and short timers. */
export async function until(holds) {
  for (const end = Date.now() + 5_000; !holds();) {
    if (Date.now() > end) throw new Error(`not within five seconds: ${holds}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
