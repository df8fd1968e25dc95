//! Why a turn failed, and whether it is asked for again. Of failures that a server tells within a stream that began well, their
//! type and code say whether they pass.

use std::time::Duration;

use netra_ws::ErrorCode;
use serde_json::Value;

use super::{json, words};

/// Whether a failed turn may be asked for again without a person's word, as long as nothing of it was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// No: it would only fail again, or it took too long already.
    No,
    /// After a pause of our own choice.
    Soon,
    /// After the pause that the server asked for.
    After(Duration),
    /// No: the server was not asked, because it failed too often.
    NotAsked,
}

/// Why a turn failed.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{code}: {message}")]
pub struct ModelError {
    /// For programs.
    pub code: ErrorCode,
    /// For people.
    pub message: String,
    /// Whether asking again may help.
    pub retryable: bool,
    /// Whether it may be asked again by itself.
    pub again: Again,
}

impl ModelError {
    /// The model's server cannot be reached, refuses or is silent.
    pub fn unavailable(message: impl Into<String>, retryable: bool, again: Again) -> Self {
        Self { code: ErrorCode::UpstreamUnavailable, message: message.into(), retryable, again }
    }

    /// The model's server does not speak its protocol.
    pub fn protocol(message: impl Into<String>) -> Self {
        Self { code: ErrorCode::UpstreamProtocol, message: message.into(), retryable: true, again: Again::No }
    }

    /// Whether it was the server's: out of reach, silent, failing, or cutting its answers off.
    pub(in crate::server::agent) fn is_servers(&self) -> bool {
        self.retryable && (self.code == ErrorCode::UpstreamUnavailable || self.again == Again::Soon)
    }

    /// The answer ended before its end.
    pub(in crate::server::agent) fn broke_off(why: impl std::fmt::Display) -> Self {
        Self { again: Again::Soon, ..Self::protocol(format!("the model's answer broke off{why}")) }
    }
}

/// Words in a type or code that tell of a fault of the request, or of its account: it would only fail again.
const LASTING: [&str; 14] = [
    "invalid",
    "bad_request",
    "badrequest",
    "authentication",
    "permission",
    "unauthorized",
    "forbidden",
    "not_found",
    "billing",
    "insufficient_quota",
    "too_large",
    "context_length",
    "content_filter",
    "unsupported",
];

/// Words that tell of a server that may work in a moment.
const PASSING: [&str; 13] = [
    "overloaded",
    "rate_limit",
    "ratelimit",
    "too_many_requests",
    "api_error",
    "server_error",
    "servererror",
    "internal",
    "unavailable",
    "resource_exhausted",
    "timeout",
    "busy",
    "network_error",
];

/// A failure that a server tells within its stream.
pub(super) fn failed(value: &Value) -> ModelError {
    let said = words::of_body(value.as_str().map_or_else(|| value.to_string(), str::to_owned).as_bytes());
    let said = said.unwrap_or_else(|| "no reason given".to_owned());
    let (retryable, again) = judge(value);
    ModelError::unavailable(format!("the model's server failed: {said}"), retryable, again)
}

/// Whether asking again may help, and whether that is done by itself.
fn judge(value: &Value) -> (bool, Again) {
    let places = [
        &value["error"]["code"],
        &value["error"]["status"],
        &value["error"]["type"],
        &value["code"],
        &value["status"],
        &value["error_type"],
        &value["type"],
    ];
    // Numbers of HTTP; servers have numbers of their own, too, which tell nothing.
    let status = places.iter().filter_map(|place| json::count(place)).find(|code| (400..600).contains(code));
    let kinds: Vec<String> = places.iter().filter_map(|place| place.as_str()).map(str::to_lowercase).collect();
    let has = |words: &[&str]| kinds.iter().any(|kind| words.iter().any(|word| kind.contains(word)));
    if has(&["insufficient_quota"]) {
        return (false, Again::No);
    }
    match status {
        // It took long already.
        Some(504 | 524) => (true, Again::No),
        Some(429 | 500..) => (true, Again::Soon),
        Some(_) => (false, Again::No),
        None if has(&LASTING) => (false, Again::No),
        None if has(&["timeout"]) => (true, Again::No),
        None if has(&PASSING) => (true, Again::Soon),
        None => (true, Again::No),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn failures_that_pass_and_those_that_last() {
        let check = |value: Value, retryable: bool, again: Again| {
            let error = failed(&value);
            assert_eq!((error.retryable, error.again), (retryable, again), "{value}");
        };
        let of_type = |kind: &str| json!({ "type": "error", "error": { "type": kind, "message": "x" } });
        // tailcallhq/forgecode#2595, huggingface/tau#556, lsdefine/GenericAgent#753
        check(of_type("overloaded_error"), true, Again::Soon);
        check(of_type("rate_limit_error"), true, Again::Soon);
        check(of_type("api_error"), true, Again::Soon);
        check(of_type("timeout_error"), true, Again::No);
        check(of_type("invalid_request_error"), false, Again::No);
        check(of_type("authentication_error"), false, Again::No);
        check(of_type("something_new"), true, Again::No);
        check(json!({ "error": { "code": "server_error", "message": "x" } }), true, Again::Soon);
        check(json!({ "type": "error", "code": "rate_limit_exceeded", "message": "x" }), true, Again::Soon);
        check(json!({ "error": { "code": "insufficient_quota", "status": 429, "message": "x" } }), false, Again::No);
        check(json!({ "error": { "code": 503, "message": "x" } }), true, Again::Soon);
        check(json!({ "error": { "code": "429", "message": "x" } }), true, Again::Soon);
        check(json!({ "error": { "code": 400, "type": "server_error" } }), false, Again::No);
        check(json!({ "error": { "code": 504 } }), true, Again::No);
        check(json!({ "error": { "status": "UNAVAILABLE", "message": "x" } }), true, Again::Soon);
        // A number of the server's own.
        check(json!({ "code": 1211, "msg": "no such model" }), true, Again::No);
        check(json!({ "error": "Stream error" }), true, Again::No);
        check(json!("upstream connect error"), true, Again::No);
    }
}
