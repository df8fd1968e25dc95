//! The HTTP boundary: what a failed request is answered with. Each layer has its own error type; this is where they meet.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header::RETRY_AFTER},
    response::{IntoResponse, Response},
};
use netra_ws::{ErrorCode, log::LogError};
use schemars::JsonSchema;
use serde::Serialize;

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
            LogError::Store(_) => Self::internal(&error),
        }
    }
}

impl From<sqlx::Error> for ApiError {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::RowNotFound => Self::not_found(),
            error => Self::internal(&error),
        }
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
