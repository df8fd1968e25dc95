//! The HTTP boundary: what a failed request is answered with. Each layer has its own error type; this is where they meet.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header::RETRY_AFTER},
    response::{IntoResponse, Response},
};
use netra_ws::{ErrorCode, branch::MAX_BRANCHES, log::LogError, watch::WatchError};
use schemars::JsonSchema;
use serde::Serialize;

use super::store::StoreError;

/// When to try again while the disk takes nothing.
const DISK_PAUSE_MS: u64 = 5_000;

/// When to try again after somebody else wrote for longer than anyone waits.
const BUSY_PAUSE_MS: u64 = 1_000;

/// A refusal or a failure, as HTTP says it: `{ "error": { "code", "message", "retryable" } }`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct ApiError {
    /// For programs; it decides the status.
    pub code: ErrorCode,
    /// For people.
    pub message: String,
    /// When to try again, in milliseconds.
    pub retry_after_ms: Option<u64>,
}

impl ApiError {
    /// An error with a sentence of its own.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), retry_after_ms: None }
    }

    /// It does not exist, or is someone else's.
    pub fn not_found() -> Self {
        Self::new(ErrorCode::NotFound, "not found")
    }

    /// Nobody is signed in.
    pub fn unauthenticated() -> Self {
        Self::new(ErrorCode::Unauthenticated, "sign in first")
    }

    /// A fault of ours: logged here, told without details.
    pub fn internal(error: &dyn std::error::Error) -> Self {
        let causes: Vec<String> =
            std::iter::successors(error.source(), |cause| cause.source()).map(ToString::to_string).collect();
        tracing::error!(%error, ?causes, "request failed");
        Self::new(ErrorCode::Internal, "something broke on the server; it is in its log")
    }

    /// What comes of a store that failed: a fault of ours, or something that passes or that who runs the server can change.
    pub(super) fn store(error: &(dyn std::error::Error + 'static)) -> Self {
        let (message, pause) = match StoreError::among(error) {
            Some(StoreError::Gone(_)) => return Self::not_found(),
            Some(StoreError::Disk(fault, _)) => (format!("nothing can be stored now: {fault}"), DISK_PAUSE_MS),
            Some(StoreError::Busy(_)) => ("the database is busy".to_owned(), BUSY_PAUSE_MS),
            Some(StoreError::TooSlow(_)) => ("this takes the database too long".to_owned(), BUSY_PAUSE_MS),
            Some(StoreError::Refused(_) | StoreError::Corrupt(_) | StoreError::Other(_)) | None => {
                return Self::internal(error);
            }
        };
        tracing::error!(%error, "{message}");
        Self::new(ErrorCode::ServerBusy, message).retry_after_ms(pause)
    }

    /// The same error with advice when to try again.
    #[must_use]
    pub fn retry_after_ms(mut self, millis: u64) -> Self {
        self.retry_after_ms = Some(millis);
        self
    }
}

impl From<ErrorCode> for ApiError {
    fn from(code: ErrorCode) -> Self {
        Self::new(code, code.description().trim())
    }
}

impl From<LogError> for ApiError {
    fn from(error: LogError) -> Self {
        match error {
            LogError::NotFound => Self::not_found(),
            LogError::IdConflict => ErrorCode::IdConflict.into(),
            LogError::Fenced => ErrorCode::Conflict.into(),
            LogError::AttachmentGone => Self::new(
                ErrorCode::InvalidPayload,
                "a file of this message is not there: it was removed or sent before, or nobody uploaded it; attach it again",
            ),
            LogError::ParentGone => Self::new(
                ErrorCode::InvalidPayload,
                "`parent_id` names no message of this conversation: nothing was sent",
            ),
            LogError::TooManyBranches => Self::new(
                ErrorCode::Conflict,
                format!(
                    "{MAX_BRANCHES} other ways go on from here already, which is the most; write a new message instead"
                ),
            ),
            LogError::Refused(_) | LogError::Store(_) => Self::store(&error),
        }
    }
}

impl From<WatchError> for ApiError {
    fn from(error: WatchError) -> Self {
        match error {
            WatchError::Log(error) => error.into(),
            WatchError::Manager(code) => code.into(),
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        Self::store(&error)
    }
}

impl From<ApiError> for netra_ws::payload::ErrorMessage {
    fn from(error: ApiError) -> Self {
        Self { retry_after_ms: error.retry_after_ms, ..Self::new(error.code, error.message) }
    }
}

/// What a refused or failed request is answered with.
#[derive(JsonSchema, Serialize)]
pub struct ErrorBody {
    error: ErrorDetail,
}

#[derive(JsonSchema, Serialize)]
struct ErrorDetail {
    /// For programs.
    code: ErrorCode,
    /// For people.
    message: String,
    /// Whether the same request may succeed later.
    retryable: bool,
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.code.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let error = ErrorDetail { code: self.code, message: self.message, retryable: self.code.retryable() };
        let body = ErrorBody { error };
        let mut response = (status, Json(body)).into_response();
        let seconds = self.retry_after_ms.map(|millis| millis.div_ceil(1000));
        if let Some(value) = seconds.and_then(|seconds| HeaderValue::from_str(&seconds.to_string()).ok()) {
            response.headers_mut().insert(RETRY_AFTER, value);
        }
        response
    }
}
