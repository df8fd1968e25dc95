//! `POST /mcp`: streamable HTTP for programs with an API token. It keeps no session: each request stands for itself, on any node.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use rmcp::transport::streamable_http_server::{
    session::never::NeverSessionManager,
    tower::{StreamableHttpServerConfig, StreamableHttpService},
};

use super::Offer;
use crate::server::{
    auth::{Identity, Proof},
    error::ApiError,
    state::AppState,
};

/// The largest request, in bytes.
const MAX_BODY: usize = 1 << 20;

/// Serves the protocol to a program.
pub async fn serve(State(state): State<AppState>, identity: Option<Identity>, request: Request) -> Response {
    let Some(identity) = identity.filter(|identity| matches!(identity.proof, Proof::ApiToken(_))) else {
        let refusal = ApiError::new(
            netra_ws::ErrorCode::Unauthenticated,
            "send an API token as `Authorization: Bearer`; people make them under Settings",
        );
        let mut response = (StatusCode::UNAUTHORIZED, refusal).into_response();
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        return response;
    };
    // The origin was checked like that of every write, and a token is no cookie: the host says nothing more.
    let config = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(false)
        .with_max_request_body_bytes(MAX_BODY)
        .disable_allowed_hosts();
    let offer = Offer::new(state, identity.user);
    let service =
        StreamableHttpService::new(move || Ok(offer.clone()), Arc::new(NeverSessionManager::default()), config);
    let mut response = service.handle(request).await.map(Body::new);
    response.headers_mut().entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}
