/** Conversations of many events, made through the doors that there are: agents that stream, and an import. */
import { mkdtempSync, writeFileSync } from "node:fs";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "@playwright/test";

/** Agents that work at the same time for the one that was asked: pieces of one answer alone would be joined for 25 ms each. */
const WRITERS = 8;

/** Pieces of what each of them writes, and the milliseconds from one to the next. */
const PIECES = 96;
const PAUSE = 4;

/** What a writer says: of everything a little. */
const SAID = [
  "## What was found\n\n",
  `A paragraph with **bold** and \`code\`. ${"Some more words here. ".repeat(5)}\n\n`,
  "- one\n- two\n- three\n\n",
  "| a | b |\n| - | - |\n| 1 | 2 |\n| 3 | 4 |\n\n",
  `\`\`\`rust\n${"let line = of_output(program);\n".repeat(4)}\`\`\`\n\n`,
  "Some more words here. ".repeat(5),
].join("");

interface Asked {
  model: string;
  messages: { role: string }[];
}

/** A model server for an agent that hands work to writers, and for the writers. */
export class Writers {
  private readonly server = createServer(async (request, response) => {
    let body = "";
    for await (const part of request) body += String(part);
    if (!request.url?.includes("chat/completions")) return void response.end('{"object":"list","data":[]}');
    const { model, messages } = JSON.parse(body) as Asked;
    response.writeHead(200, { "content-type": "text/event-stream" });
    if (model === "writer") await this.write(response);
    else if (messages.at(-1)?.role === "tool") this.send(response, { content: "All of them are **done**." });
    else this.handOver(response);
    response.end("data: [DONE]\n\n");
  });

  /** Starts it; a file with the settings of the agents. */
  async start(): Promise<string> {
    this.server.listen(0, "127.0.0.1");
    await new Promise((listening) => this.server.once("listening", listening));
    const url = `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/v1`;
    const agent = (name: string, more: string) =>
      `[[agents]]\nname = "${name}"\ntitle = "${name}"\nkind = "openai"\nbase_url = "${url}"\nmodel = "${name}"\ntools = []\n${more}`;
    const file = join(mkdtempSync(join(tmpdir(), "netra-bench-")), "netra.toml");
    writeFileSync(file, `${agent("lead", 'sub_agents = ["writer"]\n')}${agent("writer", "")}`);
    return file;
  }

  stop(): void {
    this.server.close();
  }

  private send(response: ServerResponse, delta: object, finish_reason: string | null = null): void {
    const chunk = { id: "c", object: "chat.completion.chunk", created: 1, model: "m" };
    response.write(`data: ${JSON.stringify({ ...chunk, choices: [{ index: 0, delta, finish_reason }] })}\n\n`);
  }

  private handOver(response: ServerResponse): void {
    for (let index = 0; index < WRITERS; index++) {
      const call = { name: "writer", arguments: JSON.stringify({ task: `Part ${index}` }) };
      this.send(response, { tool_calls: [{ index, id: `call_${index}`, type: "function", function: call }] });
    }
    this.send(response, {}, "tool_calls");
  }

  private async write(response: ServerResponse): Promise<void> {
    const length = Math.ceil(SAID.length / PIECES);
    for (let piece = 0; piece < PIECES && !response.destroyed; piece++) {
      this.send(response, { content: SAID.slice(piece * length, (piece + 1) * length) });
      await new Promise((wake) => setTimeout(wake, PAUSE));
    }
    this.send(response, {}, "stop");
  }
}

/** Asks `agent` in one conversation until this is enough of its events or of its messages; which conversation. */
export async function ask(page: Page, agent: string, enough: { events?: number; answers?: number }): Promise<string> {
  return page.evaluate(
    async ({ agent, enough }) => {
      const { token } = (await (await fetch("/api/auth/ws-token", { method: "POST" })).json()) as { token: string };
      const socket = new WebSocket("/ws", ["netra.v1", `jwt.${token}`]);
      await new Promise((opened) => (socket.onopen = opened));
      const frame = (type: string, payload: object, thread_id?: string, reply_to?: string) =>
        socket.send(JSON.stringify({ v: 1, type, id: crypto.randomUUID(), thread_id, reply_to, payload }));
      let [thread, run, answers] = ["", "", 0];
      const question = () => `What is ${answers} + ${answers}?`;
      await new Promise<void>((done, failed) => {
        socket.onclose = ({ code }) => failed(new Error(`the socket closed with ${code}`));
        socket.onmessage = ({ data }) => {
          const heard = JSON.parse(String(data)) as {
            id: string;
            type: string;
            seq?: number;
            run_id?: string;
            payload: { thread_id?: string; parent_run_id?: string };
          };
          const { id, type, payload, seq = 0, run_id = "" } = heard;
          if (type === "heartbeat") frame("heartbeat_ack", {}, undefined, id);
          if (type === "error_message" || type === "agent_error") failed(new Error(String(data)));
          if (type === "ack" && !thread) {
            thread = payload.thread_id!;
            frame("subscribe", { after_seq: 0 }, thread);
          }
          if (type === "agent_started" && !payload.parent_run_id) run = run_id;
          if (type !== "agent_completed" || run_id !== run) return;
          answers += 1;
          // One at a time: a queue of thousands would be another bench.
          if (seq >= (enough.events ?? Infinity) || answers >= (enough.answers ?? Infinity)) done();
          else frame("user_message", { content: question(), agent }, thread);
        };
        frame("start_agent", { agent, content: question() });
      });
      socket.onclose = null;
      socket.close();
      return thread;
    },
    { agent, enough },
  );
}

/** Imports a conversation of so many events, as Netra exports them: questions that took a dozen calls of tools each. */
export async function imported(page: Page, events: number): Promise<string> {
  // No import has more messages. An answer has three events beside its calls, a question one, a call two.
  const turns = Math.min(2_500, Math.ceil(events / 40));
  const calls = Math.max(1, Math.round((events / turns - 4) / 2));
  const at = (second: number) => new Date(Date.UTC(2026, 0, 1) + second * 1_000).toISOString();
  const id = (kind: number, turn: number) =>
    `00000000-0000-7000-8${String(kind).padStart(3, "0")}-${String(turn).padStart(12, "0")}`;
  const call = (turn: number, step: number) => ({
    kind: "tool",
    tool_call_id: `${turn}-${step}`,
    tool: "read_file",
    arguments: { path: `src/part_${step}/mod.rs`, from: step, lines: 40 },
    status: "ok",
    result: { result: "let line = of_output(program);\n".repeat(4) },
    duration_ms: 12,
  });
  const turn = (turn: number) => {
    const [asked, run, said] = [id(1, turn), id(2, turn), id(3, turn)];
    const steps = Array.from({ length: calls }, (_, step) => call(turn, step));
    const content = `${SAID}\n\nThat was number ${turn}.`;
    const question = { message_id: asked, role: "user", content: `Do number ${turn}.`, created_at: at(turn * 60) };
    const answer = { message_id: said, role: "assistant", content, run_id: run, created_at: at(turn * 60 + 30) };
    const work = { run_id: run, answers: asked, agent: "coder", status: "completed", started_at: at(turn * 60 + 1) };
    return [
      { message: { ...question, seq: turn * 2 + 1 } },
      { message: { ...answer, seq: turn * 2 + 2 }, run: { ...work, steps, text: content, duration_ms: 29_000 } },
    ];
  };
  const thread = { title: "A long one", created_at: at(0) };
  const file = {
    netra: "conversation",
    version: 1,
    thread,
    turns: Array.from({ length: turns }, (_, n) => turn(n)).flat(),
  };
  const answer = await page.request.post("/api/threads/import", { data: file, timeout: 300_000 });
  const { threads, left_out } = (await answer.json()) as { threads: { id: string }[]; left_out: unknown[] };
  if (!threads[0] || left_out.length > 0) throw new Error(`imported: ${JSON.stringify({ threads, left_out })}`);
  return threads[0].id;
}
