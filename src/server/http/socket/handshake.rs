//! The handshake: everything that can be refused is refused before the upgrade, as an HTTP status with a reason.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    extract::{ConnectInfo, RawQuery, State, WebSocketUpgrade, ws::rejection::WebSocketUpgradeRejection},
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use netra_ws::{CloseCode, ErrorCode, PROTOCOL, TOKEN_PREFIX, Timestamp, connection::Peer, model::User};

use super::{duplex, inbound::read_limit};
use crate::server::{
    auth::{SecurityService, Visitor},
    error::ApiError,
    http::{bearer, guard::allowed_origin},
    metrics::metrics,
    state::AppState,
    whence,
};

/// Bytes that are read at a time, held by every connection from its first moment on; the library's default is 128 KiB. Clients
/// say little at a time, and a larger frame gets the room that it needs.
const READ_BUFFER: usize = 1024;

/// Bytes that are gathered before they are written.
const WRITE_BUFFER: usize = 4 * 1024;

/// Opens the socket or says why not.
pub async fn upgrade(
    State(state): State<AppState>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    visitor: Visitor,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let closings = state.manager.closings();
    let admitted = admit(&state, query.as_deref(), &headers).await;
    let admitted = admitted.and_then(|user| match upgrade {
        Ok(upgrade) => Ok((user, upgrade)),
        Err(_) => Err(ApiError::new(ErrorCode::UnsupportedProtocol, "this address takes WebSocket handshakes")),
    });
    let ((user, token_expires_at), upgrade) = match admitted {
        Ok(admitted) => {
            metrics().handshake(None);
            admitted
        }
        Err(error) => {
            metrics().handshake(Some(error.code));
            tracing::warn!(
                code = %error.code,
                reason = error.message,
                %peer,
                origin = ?headers.get(header::ORIGIN),
                "handshake refused"
            );
            return error.into_response();
        }
    };
    let token = offered_token(&headers).unwrap_or_default().to_owned();
    let max = read_limit(&state);
    upgrade
        .protocols([PROTOCOL])
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(WRITE_BUFFER)
        .max_message_size(max)
        .max_frame_size(max)
        .on_upgrade(move |socket| {
            let at_most = state.config.quotas.of(user.role).connections;
            let connection = state.manager.connect_of(user, token_expires_at, at_most);
            if state.manager.closings() != closings {
                tokio::spawn(recheck(state.security.clone(), token, connection.peer().clone()));
            }
            Box::pin(whence::from(visitor.address, duplex::run(state, socket, connection, peer)))
        })
}

/// Somebody signed out, revoked a token or was given another role between the check and the connection: had it been this one,
/// nobody would have told the connection.
async fn recheck(security: Arc<SecurityService>, token: String, peer: Arc<Peer>) {
    match security.verify_ws_token(&token).await {
        Ok((user, _)) if user.role == peer.user.role => {}
        Ok(_) => {
            tracing::info!(connection_id = %peer.id, "the role changed during the handshake");
            peer.outbound.close(CloseCode::Unauthenticated);
        }
        Err(error) => {
            tracing::info!(code = %error.code, connection_id = %peer.id, "the token ended during the handshake");
            peer.outbound.close(CloseCode::Unauthenticated);
        }
    }
}

async fn admit(state: &AppState, query: Option<&str>, headers: &HeaderMap) -> Result<(User, Timestamp), ApiError> {
    if query.is_some_and(names_token) {
        return Err(ErrorCode::TokenInQuery.into());
    }
    allowed_origin(headers, &state.origins)?;
    if !offered_protocols(headers).any(|entry| entry == PROTOCOL) {
        return Err(ErrorCode::UnsupportedProtocol.into());
    }
    let token =
        offered_token(headers).ok_or_else(|| ApiError::new(ErrorCode::Unauthenticated, "no token was offered"))?;
    let (user, expires_at) = state.security.verify_ws_token(token).await?;
    state.manager.admits().map_err(|code| ApiError::from(code).retry_after_ms(1_000))?;
    state.security.count_handshake(user.id).map_err(|wait| {
        ApiError::new(ErrorCode::RateLimited, "too many handshakes; wait a little").retry_after_ms(wait)
    })?;
    Ok((user, expires_at))
}

fn names_token(query: &str) -> bool {
    url::form_urlencoded::parse(query.as_bytes()).any(|(name, _)| matches!(&*name, "token" | "jwt" | "access_token"))
}

fn offered_token(headers: &HeaderMap) -> Option<&str> {
    offered_protocols(headers).find_map(|entry| entry.strip_prefix(TOKEN_PREFIX)).or_else(|| bearer(headers))
}

fn offered_protocols(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    headers
        .get_all(header::SEC_WEBSOCKET_PROTOCOL)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
}
