/** An agent that speaks AG-UI, for tests that say when it goes on: `Plan` has it tell of a plan, a step at a time. */
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

const TASKS = ["Read what is there", "Change it", "See that it works"];

export class Planner {
  private readonly server = createServer((request, response) => {
    request.resume().on("end", () => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      this.run = response;
      this.send({ type: "RUN_STARTED", threadId: "t", runId: "r" });
      this.send({
        type: "STATE_SNAPSHOT",
        snapshot: { steps: TASKS.map((description) => ({ description, status: "pending" })) },
      });
    });
  });
  private run: ServerResponse | undefined;

  /** Starts it; where it listens. */
  async start(): Promise<string> {
    this.server.listen(0, "127.0.0.1");
    await new Promise((listening) => this.server.once("listening", listening));
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/`;
  }

  private send(event: object): void {
    this.run?.write(`data: ${JSON.stringify(event)}\n\n`);
  }

  /** A task of the plan is that far. */
  task(at: number, status: "in_progress" | "completed"): void {
    this.send({ type: "STATE_DELTA", delta: [{ op: "replace", path: `/steps/${at}/status`, value: status }] });
  }

  /** A tool is called and gives this. */
  tool(name: string, fields: object, result: unknown): void {
    const toolCallId = `call-${name}`;
    this.send({ type: "TOOL_CALL_START", toolCallId, toolCallName: name });
    this.send({ type: "TOOL_CALL_ARGS", toolCallId, delta: JSON.stringify(fields) });
    this.send({ type: "TOOL_CALL_END", toolCallId });
    this.send({
      type: "TOOL_CALL_RESULT",
      messageId: `result-${name}`,
      toolCallId,
      content: JSON.stringify(result),
      role: "tool",
    });
  }

  /** It says something and is done. */
  end(text: string): void {
    this.send({ type: "TEXT_MESSAGE_START", messageId: "m", role: "assistant" });
    this.send({ type: "TEXT_MESSAGE_CONTENT", messageId: "m", delta: text });
    this.send({ type: "TEXT_MESSAGE_END", messageId: "m" });
    this.send({ type: "RUN_FINISHED", threadId: "t", runId: "r" });
    this.run?.end();
  }

  stop(): void {
    this.server.closeAllConnections();
    this.server.close();
  }
}
