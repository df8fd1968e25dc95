// An agent written with the Agent Client Protocol's own SDK. What it does stands in the question; its sessions are files in its home.
import * as acp from "@agentclientprotocol/sdk";
import { mkdirSync, readFileSync, readdirSync, writeFileSync, appendFileSync, existsSync } from "node:fs";
import { spawn } from "node:child_process";
import { homedir } from "node:os";
import { join } from "node:path";
import { Readable, Writable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";

const sessions = join(homedir(), "sessions");
mkdirSync(sessions, { recursive: true });
const file = (id) => join(sessions, `${id}.json`);
const read = (id) => JSON.parse(readFileSync(file(id), "utf8"));
const cancelled = new Map();
const canLoad = process.env.NO_LOAD === undefined;

const modes = (currentModeId) => ({
  currentModeId,
  availableModes: [
    { id: "ask", name: "Ask" },
    { id: "code", name: "Code" },
  ],
});

const app = acp
  .agent({ name: "scripted" })
  .onRequest(acp.methods.agent.initialize, () => ({
    protocolVersion: acp.PROTOCOL_VERSION,
    agentInfo: { name: "scripted", version: "1.0.0" },
    agentCapabilities: { loadSession: canLoad, promptCapabilities: { image: true } },
  }))
  .onRequest(acp.methods.agent.session.new, async ({ params, client }) => {
    const id = `s${readdirSync(sessions).length + 1}-${process.pid}`;
    writeFileSync(file(id), JSON.stringify({ cwd: params.cwd, heard: [] }));
    const availableCommands = [{ name: "plan", description: "Make a plan" }];
    await client.notify("session/update", {
      sessionId: id,
      update: { sessionUpdate: "available_commands_update", availableCommands },
    });
    return { sessionId: id, modes: modes("ask") };
  })
  .onRequest(acp.methods.agent.session.setMode, ({ params }) => {
    if (!["ask", "code"].includes(params.modeId)) throw acp.RequestError.invalidParams();
    const session = read(params.sessionId);
    writeFileSync(file(params.sessionId), JSON.stringify({ ...session, mode: params.modeId }));
    return {};
  })
  .onRequest(acp.methods.agent.session.load, async ({ params, client }) => {
    if (!existsSync(file(params.sessionId))) throw acp.RequestError.resourceNotFound(params.sessionId);
    for (const text of read(params.sessionId).heard) {
      const update = { sessionUpdate: "user_message_chunk", content: { type: "text", text } };
      await client.notify("session/update", { sessionId: params.sessionId, update });
      const answer = { sessionUpdate: "agent_message_chunk", content: { type: "text", text: "REPLAYED" } };
      await client.notify("session/update", { sessionId: params.sessionId, update: answer });
    }
    return {};
  })
  .onRequest(acp.methods.agent.session.prompt, async ({ params, client }) => {
    const text = params.prompt.map((block) => block.text ?? `[${block.type}]`).join("\n");
    const session = read(params.sessionId);
    session.heard.push(text);
    writeFileSync(file(params.sessionId), JSON.stringify(session));
    const stop = new AbortController();
    cancelled.set(params.sessionId, stop);
    try {
      await turn(text, session, params.sessionId, client, stop.signal);
      return { stopReason: "end_turn" };
    } catch (error) {
      if (stop.signal.aborted) return { stopReason: "cancelled" };
      throw error;
    }
  })
  .onNotification(acp.methods.agent.session.cancel, ({ params }) => cancelled.get(params.sessionId)?.abort());

async function turn(text, session, sessionId, client, signal) {
  const update = (update) => client.notify("session/update", { sessionId, update });
  const say = (text, kind = "agent_message_chunk") => update({ sessionUpdate: kind, content: { type: "text", text } });
  const question = text.split("\n").findLast((line) => line.trim() !== "") ?? "";
  const pause = (ms) => sleep(ms, undefined, { signal });
  if (text.includes("Go on from there")) {
    await say("I go on.");
  } else if (question.includes("story")) {
    for (let k = 0; k < 120; k++) {
      await say(`w${k} `);
      await pause(5);
    }
  } else if (question.includes("which mode")) {
    await say(session.mode ?? "ask");
  } else if (question.includes("change by yourself")) {
    await update({ sessionUpdate: "current_mode_update", currentModeId: "ask" });
    await say("Changed.");
  } else if (question.includes("heard")) {
    await say(JSON.stringify(session.heard));
  } else if (question.includes("edit")) {
    const path = join(session.cwd, "notes.txt");
    const call = { toolCallId: "edit-1", title: "Edit notes.txt", kind: "edit", rawInput: { path } };
    await say("I should ask. ", "agent_thought_chunk");
    await say("Let me edit.");
    await update({ sessionUpdate: "tool_call", status: "pending", ...call });
    const diff = { type: "diff", path, oldText: "one\ntwo", newText: "one\nthree" };
    const { outcome } = await client.request("session/request_permission", {
      sessionId,
      toolCall: { toolCallId: "edit-1", content: [diff] },
      options: [
        { optionId: "yes", name: "Allow", kind: "allow_once" },
        { optionId: "no", name: "Reject", kind: "reject_once" },
      ],
    });
    if (outcome.outcome === "cancelled") throw signal.reason ?? new Error("cancelled");
    if (outcome.optionId === "yes") {
      await update({ sessionUpdate: "tool_call_update", toolCallId: "edit-1", status: "in_progress" });
      appendFileSync(join(homedir(), "edits"), "x");
      await client.request("fs/write_text_file", { sessionId, path, content: "one\nthree\n" });
      await update({ sessionUpdate: "tool_call_update", toolCallId: "edit-1", status: "completed", content: [diff] });
      const { content } = await client.request("fs/read_text_file", { sessionId, path, line: 2 });
      await say(`Edited: ${content.trim()}.`);
    } else {
      await update({ sessionUpdate: "tool_call_update", toolCallId: "edit-1", status: "failed" });
      await say("Then not.");
    }
  } else if (question.includes("slow tool")) {
    await update({
      sessionUpdate: "tool_call",
      toolCallId: "slow-1",
      title: "slow",
      kind: "execute",
      status: "in_progress",
    });
    writeFileSync(join(homedir(), "slow"), "x");
    await pause(60_000);
  } else if (question.includes("plan")) {
    const entry = (content, status) => ({ content, status, priority: "medium" });
    await update({ sessionUpdate: "plan", entries: [entry("Look", "completed"), entry("Leap", "in_progress")] });
    await say("Planned.");
  } else if (question.includes("outside")) {
    const tried = [];
    for (const path of ["/etc/passwd", join(session.cwd, "..", "session.json"), process.env.SECRET_FILE]) {
      const asked = await client.request("fs/read_text_file", { sessionId, path }).then(
        () => "READ",
        () => "refused",
      );
      let own = "refused";
      try {
        if (path !== "/etc/passwd") own = (readFileSync(path), "READ");
      } catch {}
      tried.push(`${asked} ${own}`);
    }
    let written = "refused";
    try {
      written = (writeFileSync(`${process.env.SECRET_FILE}.new`, "x"), "WRITTEN");
    } catch {}
    const env = Object.keys(process.env).filter((name) => name.startsWith("NETRA_"));
    await say(`${tried.join(", ")}, ${written}, env ${env.length}`);
  } else if (question.includes("fork")) {
    const child = spawn("setsid", ["sleep", "4242"], { detached: true, stdio: "ignore" });
    await say(`pid ${child.pid}`);
    process.exit(7);
  } else if (question.includes("fill")) {
    for (let k = 0; ; k++) {
      writeFileSync(join(session.cwd, `f${k}`), Buffer.alloc(4 << 20, 1));
      await pause(20);
    }
  } else {
    await say(`You said: ${question}`);
  }
}

app.connect(acp.ndJsonStream(Writable.toWeb(process.stdout), Readable.toWeb(process.stdin)));
