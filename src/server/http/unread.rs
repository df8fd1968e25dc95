//! `POST /api/unread`: a page says that it cannot read frames of this server. It is counted by code, and within a rate: what is
//! counted must not depend on one page that asks again and again.

use std::sync::LazyLock;

use axum::{body::Bytes, http::StatusCode};
use netra_ws::{ErrorCode, UserId};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::server::{
    auth::{Identity, KeyedLimit},
    error::ApiError,
    metrics::{PAGE_CODES, metrics},
};

/// Reports of one user that are taken in a minute. A page sends two.
const REPORTS_PER_MINUTE: u32 = 20;

/// The most frames that one report may be about.
const MOST_FRAMES: u64 = 10_000;

static REPORTS: LazyLock<KeyedLimit<UserId>> = LazyLock::new(|| KeyedLimit::per_minute(REPORTS_PER_MINUTE));

/// What a page could not read. It comes as text, because that is what a page can send while it goes away.
#[derive(Deserialize, JsonSchema)]
pub struct Unread {
    /// Why: `malformed_json`, `double_encoded`, `payload_not_object`, `unsupported_version`, `unknown_type` or `invalid_payload`.
    code: String,
    /// How many frames; 1 to 10,000.
    frames: u64,
}

/// Counts it.
pub async fn report(identity: Identity, body: Bytes) -> Result<StatusCode, ApiError> {
    let invalid = |message: String| ApiError::new(ErrorCode::InvalidPayload, message);
    if let Some(wait) = REPORTS.spend(&identity.user.id) {
        let seconds = wait.div_ceil(1_000);
        return Err(ApiError::new(ErrorCode::RateLimited, format!("too many reports; come back in {seconds} s")));
    }
    let Unread { code, frames } = serde_json::from_slice(&body).map_err(|error| {
        let code = if error.is_data() { ErrorCode::InvalidPayload } else { ErrorCode::MalformedJson };
        ApiError::new(code, error.to_string())
    })?;
    let known = PAGE_CODES.into_iter().find(|known| known.as_str() == code);
    let known = known.ok_or_else(|| invalid(format!("{code:?} is no reason why a frame cannot be read")))?;
    if !(1..=MOST_FRAMES).contains(&frames) {
        return Err(invalid(format!("`frames` is 1 to {MOST_FRAMES}")));
    }
    metrics().unread(known, frames);
    tracing::warn!(code = %known, frames, user_id = %identity.user.id, "a page cannot read frames");
    Ok(StatusCode::NO_CONTENT)
}
