//! An example of each message, for readers of the specification. A test reads each with the types.

use serde_json::{Value, json};

use super::frames::Direction;
use crate::VERSION;

const THREAD: &str = "01931a5e-7c00-7000-8000-000000000001";
const RUN: &str = "01931a5e-7c00-7000-8000-000000000002";
const USER: &str = "01931a5e-7c00-7000-8000-000000000003";
const COMMAND: &str = "01931a5e-7c00-7000-8000-000000000004";
const ANSWER: &str = "01931a5e-7c00-7000-8000-000000000005";
const FRAME: &str = "01931a5e-7c00-7000-8000-000000000006";
const AT: &str = "2026-11-20T10:00:00.123Z";
const EPOCH: &str = "5f3a9c01";

/// The example frame of a type; an empty payload for a type without an example.
pub fn example(direction: Direction, name: &str) -> Value {
    let mut frame = json!({ "v": VERSION, "type": name, "id": FRAME });
    let (envelope, payload) = match direction {
        Direction::Client => (client_envelope(name), client(name)),
        Direction::Server => {
            frame["ts"] = json!(AT);
            (server_envelope(name), server(name))
        }
    };
    if let (Some(frame), Value::Object(envelope)) = (frame.as_object_mut(), envelope) {
        frame.extend(envelope);
    }
    frame["payload"] = payload;
    frame
}

fn client_envelope(name: &str) -> Value {
    match name {
        "user_message" | "subscribe" | "unsubscribe" | "regenerate" | "stop_agent" | "tool_approval" => {
            json!({ "thread_id": THREAD })
        }
        "heartbeat_ack" => json!({ "reply_to": COMMAND }),
        _ => json!({}),
    }
}

fn client(name: &str) -> Value {
    match name {
        "user_message" => json!({ "content": "How much is 17.5 % of 2,480?" }),
        "start_agent" => json!({ "agent": "guide", "content": "How many days until 24 December?" }),
        "stop_agent" => json!({ "run_id": RUN }),
        "regenerate" => json!({ "message_id": COMMAND }),
        "tool_approval" => json!({ "tool_call_id": "call_1", "decision": "approve" }),
        "subscribe" => json!({ "after_seq": 17, "epoch": EPOCH }),
        "authenticate" => json!({ "token": "eyJhbGciOi…" }),
        "ping" => json!({ "nonce": "1" }),
        "join_room" | "leave_room" => json!({ "room": THREAD }),
        "room_message" => json!({ "room": THREAD, "body": { "typing": true } }),
        "jsonrpc_request" => json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" }),
        "jsonrpc_notification" => json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }),
        _ => json!({}),
    }
}

fn server_envelope(name: &str) -> Value {
    let event = |seq: u64| json!({ "thread_id": THREAD, "run_id": RUN, "epoch": EPOCH, "seq": seq });
    match name {
        "pong" | "authenticated" | "error_message" | "jsonrpc_response" => json!({ "reply_to": COMMAND }),
        "ack" | "subscribed" | "unsubscribed" => json!({ "thread_id": THREAD, "reply_to": COMMAND }),
        "thread_snapshot" | "thread_created" | "thread_update" | "thread_deleted" => json!({ "thread_id": THREAD }),
        "thread_message" => json!({ "thread_id": THREAD, "epoch": EPOCH, "seq": 1 }),
        "agent_started" => event(2),
        "agent_thinking" => event(3),
        "tool_executing" => event(4),
        "tool_approval_required" | "agent_progress" => event(5),
        "tool_completed" => event(6),
        "partial_result" => event(7),
        "agent_response" => event(8),
        "agent_completed" | "agent_error" => event(9),
        _ => json!({}),
    }
}

fn server(name: &str) -> Value {
    match name {
        "connect" => json!({
            "connection_id": FRAME,
            "user": { "id": USER, "name": "Ada", "role": "user", "email": "ada@example.org" },
            "token_expires_at": "2026-11-20T10:05:00.000Z",
            "server_version": "0.1.0",
            "heartbeat_interval_ms": 25000,
            "heartbeat_timeout_ms": 10000,
            "max_frame_bytes": 65536,
            "max_subscriptions": 200,
            "commands_per_minute": 600,
        }),
        "disconnect" => json!({ "code": 1012, "reason": "the server restarts", "retry_after_ms": 700 }),
        "pong" => json!({ "nonce": "1" }),
        "authenticated" => json!({ "token_expires_at": "2026-11-20T10:09:00.000Z" }),
        "subscribed" => json!({ "epoch": EPOCH, "head_seq": 21, "mode": "resumed" }),
        "thread_snapshot" => json!({
            "as_of_seq": 9, "epoch": EPOCH, "thread": thread(), "messages": [question(), answer()], "runs": [run()],
        }),
        "ack" => json!({ "thread_id": THREAD, "message_id": COMMAND, "run_id": RUN, "seq": 1, "duplicate": false }),
        "error_message" => json!({
            "code": "rate_limited", "message": "too many frames", "retryable": true, "retry_after_ms": 400,
        }),
        "thread_created" | "thread_update" => thread(),
        "thread_deleted" => json!({ "id": THREAD }),
        "thread_message" => json!({
            "message_id": COMMAND, "role": "user", "content": "How much is 17.5 % of 2,480?",
            "answered_by": RUN, "agent": "guide", "attachments": [],
        }),
        "agent_started" => json!({ "agent": "guide", "answers": COMMAND, "iteration": 1 }),
        "agent_thinking" => json!({ "agent": "guide", "thought": "A percentage: I can calculate that.", "step": 1 }),
        "tool_executing" => json!({
            "tool_call_id": "call_1", "tool": "calculate", "agent": "guide", "arguments": { "expression": "17.5% of 2480" },
        }),
        "tool_approval_required" => json!({
            "tool_call_id": "call_1", "tool": "mcp:files/write", "agent": "assistant", "arguments": { "path": "notes.txt" },
            "expires_at": "2026-11-20T10:10:00.000Z",
        }),
        "tool_completed" => json!({
            "tool_call_id": "call_1", "tool": "calculate", "status": "ok", "result": { "result": "434" }, "duration_ms": 2,
        }),
        "agent_progress" => json!({ "agent": "guide", "message": "Reading page 3 of 12", "fraction": 0.25 }),
        "partial_result" => json!({ "message_id": ANSWER, "pos": 0, "delta": "17.5 % of 2,480 is " }),
        "agent_response" => json!({ "message_id": ANSWER, "content": "17.5 % of 2,480 is **434**." }),
        "agent_completed" => json!({ "agent": "guide", "status": "completed", "duration_ms": 41 }),
        "agent_error" => json!({
            "agent": "assistant", "code": "upstream_unavailable", "message": "the model's server does not answer",
            "retryable": true,
        }),
        "system_message" | "broadcast" => json!({ "level": "info", "message": "Maintenance at 18:00 UTC." }),
        "room_message" => {
            json!({ "room": THREAD, "from": { "id": USER, "name": "Ada", "role": "user" }, "body": { "typing": true } })
        }
        "jsonrpc_response" => json!({ "jsonrpc": "2.0", "id": 1, "result": { "tools": [] } }),
        "jsonrpc_notification" => json!({ "jsonrpc": "2.0", "method": "notifications/tools/list_changed" }),
        _ => json!({}),
    }
}

fn thread() -> Value {
    json!({
        "id": THREAD, "title": "How much is 17.5 % of 2,480?", "agent": "guide", "owner_id": USER, "shared": false,
        "pinned": false, "archived": false,
        "running": false, "head_seq": 9, "created_at": AT, "updated_at": AT,
    })
}

fn question() -> Value {
    json!({
        "message_id": COMMAND, "role": "user", "content": "How much is 17.5 % of 2,480?", "seq": 1, "created_at": AT,
    })
}

fn answer() -> Value {
    json!({
        "message_id": ANSWER, "role": "assistant", "content": "17.5 % of 2,480 is **434**.", "run_id": RUN, "seq": 8,
        "created_at": AT,
    })
}

fn run() -> Value {
    let tool = json!({
        "kind": "tool", "tool_call_id": "call_1", "tool": "calculate", "arguments": { "expression": "17.5% of 2480" },
        "status": "ok", "result": { "result": "434" }, "duration_ms": 2,
    });
    json!({
        "run_id": RUN, "answers": COMMAND, "agent": "guide", "status": "completed", "started_at": AT, "steps": [tool],
        "message_id": ANSWER, "text": "17.5 % of 2,480 is **434**.", "duration_ms": 41,
    })
}
