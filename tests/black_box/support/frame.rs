//! Frames as a client writes them, and the envelope rules for those it reads.

use serde_json::{Value, json};
use uuid::Uuid;

use super::ERROR_CODES;

/// Types that stand in a thread's log and carry `seq`.
const DURABLE: [&str; 11] = [
    "thread_message",
    "agent_started",
    "agent_thinking",
    "tool_executing",
    "tool_approval_required",
    "tool_completed",
    "agent_progress",
    "partial_result",
    "agent_response",
    "agent_completed",
    "agent_error",
];

const EPHEMERAL: [&str; 18] = [
    "connect",
    "disconnect",
    "heartbeat",
    "pong",
    "authenticated",
    "subscribed",
    "thread_snapshot",
    "ack",
    "unsubscribed",
    "error_message",
    "thread_created",
    "thread_update",
    "thread_deleted",
    "system_message",
    "broadcast",
    "room_message",
    "jsonrpc_response",
    "jsonrpc_notification",
];

/// A frame with a new id.
pub(crate) fn frame(kind: &str, payload: Value) -> Value {
    json!({ "v": 1, "type": kind, "id": Uuid::now_v7().to_string(), "payload": payload })
}

/// A frame about a thread.
pub(crate) fn on(thread: &str, kind: &str, payload: Value) -> Value {
    let mut frame = frame(kind, payload);
    frame["thread_id"] = json!(thread);
    frame
}

/// Whether the frame is an event of this thread's log.
pub(crate) fn is_event_of(frame: &Value, thread: &str) -> bool {
    frame["thread_id"] == thread && frame.get("seq").is_some()
}

/// Whether the frame ends the run.
pub(crate) fn ends(frame: &Value, run: &str) -> bool {
    frame["run_id"] == run && matches!(frame["type"].as_str(), Some("agent_completed" | "agent_error"))
}

/// The code of an `error_message`, whose shape is checked.
pub(crate) fn error_code(frame: &Value) -> &str {
    assert_eq!(frame["type"], "error_message", "not an error: {frame}");
    let payload = &frame["payload"];
    let code = payload["code"].as_str().unwrap_or_else(|| panic!("no code in {frame}"));
    assert!(ERROR_CODES.contains(&code), "unknown code {code}");
    assert!(payload["message"].as_str().is_some_and(|m| !m.is_empty()), "no message in {frame}");
    assert!(payload["retryable"].is_boolean(), "no retryable in {frame}");
    code
}

/// The envelope rules for a frame of the server.
pub(crate) fn check_envelope(frame: &Value) {
    let object = frame.as_object().unwrap_or_else(|| panic!("not an object: {frame}"));
    assert!(object.values().all(|v| !v.is_null()), "a null in {frame}");
    assert_eq!(frame["v"], 1, "{frame}");
    assert!(frame["payload"].is_object(), "payload is not an object: {frame}");
    let id: Uuid = frame["id"].as_str().and_then(|id| id.parse().ok()).unwrap_or_else(|| panic!("no id: {frame}"));
    assert_eq!(id.get_version_num(), 7, "id is not a uuid v7: {frame}");
    let ts = frame["ts"].as_str().unwrap_or_else(|| panic!("no ts: {frame}"));
    assert!(ts.ends_with('Z') && ts.parse::<jiff::Timestamp>().is_ok(), "ts: {frame}");

    let kind = frame["type"].as_str().unwrap_or_else(|| panic!("no type: {frame}"));
    if DURABLE.contains(&kind) {
        assert!(frame["seq"].as_u64().is_some_and(|seq| seq >= 1), "no seq: {frame}");
        let epoch = frame["epoch"].as_str().unwrap_or_else(|| panic!("no epoch: {frame}"));
        assert!(epoch.len() == 8 && epoch.bytes().all(|b| b.is_ascii_hexdigit()), "epoch: {frame}");
        assert!(frame["thread_id"].is_string(), "no thread_id: {frame}");
        assert!(kind == "thread_message" || frame["run_id"].is_string(), "no run_id: {frame}");
    } else {
        assert!(EPHEMERAL.contains(&kind), "unknown type: {frame}");
        assert!(frame.get("seq").is_none(), "seq on an ephemeral frame: {frame}");
    }
}
