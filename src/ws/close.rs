//! Close codes (RFC 6455 §7.4). The hundreds say what a client should do, so that a client needs no table.

use crate::error::ErrorCode;

/// What a client does after a close.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// The end was wanted: stay closed.
    Stop,
    /// The server is going away: reconnect after a random pause and resume.
    Jitter,
    /// The same attempt would fail again: get a new token first, or show the reason.
    Change,
    /// A fault or a cut: reconnect with back-off and resume.
    BackOff,
}

/// Why a socket was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum CloseCode {
    /// The client is done.
    Normal = 1000,
    /// The page is going away.
    GoingAway = 1001,
    /// The server drains before a restart.
    ServiceRestart = 1012,
    /// Three malformed frames within ten seconds.
    Malformed = 4400,
    /// The token is no longer good: expired, or the user signed out.
    Unauthenticated = 4401,
    /// The user may not use the service.
    Forbidden = 4403,
    /// Another connection took this one's place.
    Replaced = 4409,
    /// A frame was larger than `max_frame_bytes`.
    FrameTooLarge = 4413,
    /// A hundred refused commands within a minute.
    RateLimited = 4429,
    /// A fault inside the server.
    Internal = 4500,
    /// No `heartbeat_ack` came in time.
    HeartbeatTimeout = 4501,
    /// The client reads slower than the thread is written.
    SlowConsumer = 4508,
}

impl CloseCode {
    /// Every code.
    pub const ALL: &[Self] = &[
        Self::Normal,
        Self::GoingAway,
        Self::ServiceRestart,
        Self::Malformed,
        Self::Unauthenticated,
        Self::Forbidden,
        Self::Replaced,
        Self::FrameTooLarge,
        Self::RateLimited,
        Self::Internal,
        Self::HeartbeatTimeout,
        Self::SlowConsumer,
    ];

    /// The number on the wire.
    pub const fn as_u16(self) -> u16 {
        self as u16
    }

    /// What a client does after any code, known here or not.
    pub const fn retry(code: u16) -> Retry {
        match code {
            1000 | 1001 => Retry::Stop,
            1012 => Retry::Jitter,
            4400..=4499 => Retry::Change,
            _ => Retry::BackOff,
        }
    }

    /// The error code that the `disconnect` frame carries.
    pub const fn error(self) -> ErrorCode {
        match self {
            Self::Normal | Self::GoingAway | Self::ServiceRestart => ErrorCode::Draining,
            Self::Malformed => ErrorCode::MalformedJson,
            Self::Unauthenticated => ErrorCode::Unauthenticated,
            Self::Forbidden => ErrorCode::Forbidden,
            Self::Replaced => ErrorCode::Conflict,
            Self::FrameTooLarge => ErrorCode::FrameTooLarge,
            Self::RateLimited => ErrorCode::RateLimited,
            Self::Internal => ErrorCode::Internal,
            Self::HeartbeatTimeout | Self::SlowConsumer => ErrorCode::ServerBusy,
        }
    }

    /// One phrase for the close frame and the log; at most 123 bytes (RFC 6455 §5.5).
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Normal => "done",
            Self::GoingAway => "going away",
            Self::ServiceRestart => "the server is restarting",
            Self::Malformed => "too many malformed frames",
            Self::Unauthenticated => "the token is no longer valid",
            Self::Forbidden => "forbidden",
            Self::Replaced => "replaced by another connection",
            Self::FrameTooLarge => "frame too large",
            Self::RateLimited => "too many refused commands",
            Self::Internal => "internal error",
            Self::HeartbeatTimeout => "no heartbeat_ack in time",
            Self::SlowConsumer => "the client reads too slowly",
        }
    }
}
