//! Error codes: one enum for frames and HTTP alike, and the error a bad frame is answered with.

use crate::{id::FrameId, open_enum::open_enum};

macro_rules! codes {
    ($($(#[doc = $doc:literal])* $variant:ident = $wire:literal, $http:literal, $retryable:literal;)*) => {
        open_enum! {
            /// What went wrong, in one word that a program can act on.
            ErrorCode { $($(#[doc = $doc])* $variant = $wire,)* }
        }

        impl ErrorCode {
            /// The HTTP status that goes with the code.
            pub const fn http_status(self) -> u16 {
                match self { $(Self::$variant => $http,)* Self::Unknown(_) => 500 }
            }

            /// Whether the same request may succeed later without being changed. Of a later server's code only `retryable`
            /// beside it tells.
            pub const fn retryable(self) -> bool {
                match self { $(Self::$variant => $retryable,)* Self::Unknown(_) => false }
            }

            /// What the code means, for people.
            pub const fn description(self) -> &'static str {
                match self { $(Self::$variant => concat!($($doc),*),)* Self::Unknown(_) => " A code of a later server." }
            }
        }
    };
}

codes! {
    /// The frame or body is not JSON.
    MalformedJson = "malformed_json", 400, false;
    /// The frame is a JSON string that holds JSON: it was encoded twice.
    DoubleEncoded = "double_encoded", 400, false;
    /// `payload` is missing or is not an object.
    PayloadNotObject = "payload_not_object", 400, false;
    /// `v` is missing or is a version this server does not speak.
    UnsupportedVersion = "unsupported_version", 400, false;
    /// The frame is binary; the protocol is text.
    UnsupportedFrame = "unsupported_frame", 400, false;
    /// No such message type.
    UnknownType = "unknown_type", 400, false;
    /// The payload or the body does not have the shape that its type asks for.
    InvalidPayload = "invalid_payload", 400, false;
    /// The frame is larger than `max_frame_bytes`.
    FrameTooLarge = "frame_too_large", 413, false;
    /// The handshake does not offer the subprotocol `netra.v1`.
    UnsupportedProtocol = "unsupported_protocol", 400, false;
    /// A token stands in the query string, where logs would keep it.
    TokenInQuery = "token_in_query", 400, false;
    /// Nobody is signed in, or the credentials are wrong.
    Unauthenticated = "unauthenticated", 401, false;
    /// The token's life is over; get a new one.
    TokenExpired = "token_expired", 401, true;
    /// The token was made for something else.
    WrongAudience = "wrong_audience", 401, false;
    /// Signed in, but not allowed to do this.
    Forbidden = "forbidden", 403, false;
    /// The request comes from a page that is not on the list of allowed origins.
    OriginNotAllowed = "origin_not_allowed", 403, false;
    /// It does not exist, or it belongs to someone else.
    NotFound = "not_found", 404, false;
    /// It clashes with what is there already.
    Conflict = "conflict", 409, false;
    /// A command with this id and another body was accepted before.
    IdConflict = "id_conflict", 409, false;
    /// Too many requests; `retry_after_ms` says when to go on.
    RateLimited = "rate_limited", 429, true;
    /// The connection watches as many threads as it may.
    TooManySubscriptions = "too_many_subscriptions", 429, false;
    /// The server holds as many connections as it may, or its disk takes nothing now.
    ServerBusy = "server_busy", 503, true;
    /// The server is stopping; another one, or the same one restarted, takes over.
    Draining = "draining", 503, true;
    /// No agent has this name.
    AgentUnknown = "agent_unknown", 400, false;
    /// The agent could not finish.
    AgentFailed = "agent_failed", 500, true;
    /// The run was cut off by a crash and could not go on.
    RunInterrupted = "run_interrupted", 500, true;
    /// A tool failed.
    ToolFailed = "tool_failed", 500, false;
    /// Nobody approved the tool call in time.
    ApprovalExpired = "approval_expired", 409, false;
    /// The model's server cannot be reached, refuses, or stays silent.
    UpstreamUnavailable = "upstream_unavailable", 502, true;
    /// The model's server answered something that is not its protocol.
    UpstreamProtocol = "upstream_protocol", 502, true;
    /// A fault inside Netra. It is in the log.
    Internal = "internal", 500, true;
}

/// The longest message about what somebody sent, in characters: it may quote that, and that may be long.
const LONGEST: usize = 400;

/// The message, of bounded length.
pub fn clipped(mut message: String) -> String {
    if let Some((end, _)) = message.char_indices().nth(LONGEST) {
        message.truncate(end);
        message.push_str("...");
    }
    message
}

/// Why a frame could not be decoded, and the id to answer to when that much could be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct FrameError {
    /// The code that the answer carries.
    pub code: ErrorCode,
    /// One sentence for the client's author.
    pub message: String,
    /// The `id` of the bad frame.
    pub reply_to: Option<FrameId>,
}

impl FrameError {
    pub(crate) fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: clipped(message.into()), reply_to: None }
    }

    pub(crate) fn answering(mut self, id: Option<FrameId>) -> Self {
        self.reply_to = id;
        self
    }

    /// Whether the frame breaks the framing itself. The third such frame in ten seconds closes the connection; a well-formed
    /// frame with an unknown type or a wrong payload does not count.
    pub fn is_malformed(&self) -> bool {
        matches!(
            self.code,
            ErrorCode::MalformedJson
                | ErrorCode::DoubleEncoded
                | ErrorCode::PayloadNotObject
                | ErrorCode::UnsupportedVersion
                | ErrorCode::UnsupportedFrame
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_described() {
        for code in ErrorCode::KNOWN {
            assert!(!code.description().trim().is_empty(), "{code}");
        }
    }
}
