//! What the tests stand on.

pub(crate) mod answer;
pub(crate) mod frame;
pub(crate) mod handshake;
pub(crate) mod order;
pub(crate) mod port;
pub(crate) mod provider;
pub(crate) mod rules;
pub(crate) mod script;
pub(crate) mod server;
pub(crate) mod socket;
pub(crate) mod stalled;
pub(crate) mod user;

use std::time::Duration;

/// How long anything may take before a test gives up on it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Every error code of the contract.
pub(crate) const ERROR_CODES: [&str; 30] = [
    "malformed_json",
    "double_encoded",
    "payload_not_object",
    "unsupported_version",
    "unsupported_frame",
    "unsupported_protocol",
    "unknown_type",
    "invalid_payload",
    "frame_too_large",
    "token_in_query",
    "unauthenticated",
    "token_expired",
    "wrong_audience",
    "forbidden",
    "origin_not_allowed",
    "not_found",
    "conflict",
    "id_conflict",
    "rate_limited",
    "too_many_subscriptions",
    "server_busy",
    "draining",
    "agent_unknown",
    "agent_failed",
    "run_interrupted",
    "tool_failed",
    "approval_expired",
    "upstream_unavailable",
    "upstream_protocol",
    "internal",
];
