//! `/api/attachments*`: files that go with messages.

use axum::{
    Json,
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures::StreamExt as _;
use netra_ws::{AttachmentId, model::Attachment};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ApiPath, ApiQuery};
use crate::server::{attachments::Offered, auth::Identity, error::ApiError, quotas::may_begin, state::AppState};

/// `POST /api/attachments`
#[derive(Deserialize, JsonSchema)]
pub struct UploadQuery {
    /// The file's name, as people know it.
    name: Option<String>,
}

/// A file that was kept.
#[derive(JsonSchema, Serialize)]
pub struct Uploaded {
    /// The file; its id goes into `attachments` of a message.
    attachment: Attachment,
}

/// Nothing in a file may run, load or ask for anything where it is opened.
static SANDBOX: [(HeaderName, HeaderValue); 2] = [
    (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox; default-src 'none'; frame-ancestors 'none'")),
    // It is asked for again each time: who may read it changes.
    (header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache")),
];

/// Takes a file in; the body is the file.
pub async fn upload(
    State(state): State<AppState>,
    identity: Identity,
    ApiQuery(asked): ApiQuery<UploadQuery>,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<Uploaded>), ApiError> {
    may_begin(identity.user.role)?;
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let offered = Offered {
        name: asked.name.unwrap_or_default(),
        declared: text(header::CONTENT_TYPE),
        length: text(header::CONTENT_LENGTH).and_then(|length| length.parse().ok()),
    };
    let quota = state.config.quotas.of(identity.user.role);
    let body = body.into_data_stream().boxed();
    let attachment = state.attachments.keep(identity.user.id, quota, offered, body).await?;
    Ok((StatusCode::CREATED, Json(Uploaded { attachment })))
}

/// A file. Pictures are shown where they stand; everything else is saved.
pub async fn get(
    State(state): State<AppState>,
    identity: Identity,
    ApiPath(id): ApiPath<AttachmentId>,
    asked: HeaderMap,
) -> Result<Response, ApiError> {
    let file = state.attachments.find(identity.user.id, id).await?;
    let tag = format!("\"{}\"", file.digest);
    let known = asked.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes());
    let mut response = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let mut response = Body::from_stream(state.attachments.read(id).await?).into_response();
        let text = file.told.media_type.starts_with("text/");
        let kind = format!("{}{}", file.told.media_type, if text { "; charset=utf-8" } else { "" });
        put(&mut response, header::CONTENT_TYPE, &kind);
        put(&mut response, header::CONTENT_LENGTH, &file.told.bytes.unwrap_or_default().to_string());
        response
    };
    put(&mut response, header::ETAG, &tag);
    let how = if file.told.is_picture() { "inline" } else { "attachment" };
    put(&mut response, header::CONTENT_DISPOSITION, &disposition(how, &file.told.name));
    response.headers_mut().extend(SANDBOX.iter().cloned());
    Ok(response)
}

/// Takes a file back that was not sent.
pub async fn discard(
    State(state): State<AppState>,
    identity: Identity,
    ApiPath(id): ApiPath<AttachmentId>,
) -> Result<StatusCode, ApiError> {
    state.attachments.discard(identity.user.id, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn put(response: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

/// The name in both forms (RFC 6266): old programs read the first, all others the second.
fn disposition(how: &str, name: &str) -> String {
    let plain: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || "-_. ".contains(c) { c } else { '_' }).collect();
    let exact: String = name
        .bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect();
    format!("{how}; filename=\"{plain}\"; filename*=UTF-8''{exact}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_headers() {
        assert_eq!(
            disposition("attachment", "Ü \"x\".txt"),
            "attachment; filename=\"_ _x_.txt\"; filename*=UTF-8''%C3%9C%20%22x%22.txt"
        );
    }
}
