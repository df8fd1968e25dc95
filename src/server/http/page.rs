//! Pages: who asks, what the page carries, and its content security policy.

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Redirect, Response},
};
use axum_extra::extract::{CookieJar, cookie::Cookie};
use leptos::{nonce::use_nonce, prelude::use_context};
use leptos_axum::ResponseOptions;
use netra_ws::{ErrorCode, ThreadId, Timestamp, session::Token};

use super::{
    extract::{has_signed_out, identify},
    session_cookie,
};
use crate::{
    app::boot::Boot,
    server::{
        auth::{Identity, SecurityService},
        config::AuthMode,
        error::ApiError,
        state::AppState,
        store::ThreadQuery,
    },
};

/// Where server functions live.
const SERVER_FUNCTIONS: &str = "/fn/";

/// Threads in the sidebar of a fresh page.
const SIDEBAR_THREADS: usize = 100;

/// The threads that a page lists.
pub(crate) fn sidebar_threads() -> ThreadQuery {
    ThreadQuery { limit: SIDEBAR_THREADS, ..ThreadQuery::default() }
}

/// Puts into the request what the page carries: discovery, the user, a token for the socket, and the thread it shows.
pub async fn boot(State(state): State<AppState>, mut request: Request, next: Next) -> Response {
    // Leptos serves its server functions beside the pages; they say themselves who may call them.
    if request.uri().path().starts_with(SERVER_FUNCTIONS) {
        return next.run(request).await;
    }
    match prepare(&state, request.headers(), request.uri().path()).await {
        Ok(Prepared::Page { boot, cookies, status }) => {
            request.extensions_mut().insert(*boot);
            let mut response = next.run(request).await;
            if status != StatusCode::OK {
                *response.status_mut() = status;
            }
            response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            let jar = cookies.into_iter().fold(CookieJar::new(), CookieJar::add);
            (jar, response).into_response()
        }
        Ok(Prepared::Elsewhere(path)) => Redirect::to(path).into_response(),
        Err(error) => error.into_response(),
    }
}

enum Prepared {
    Page { boot: Box<Boot>, cookies: Vec<Cookie<'static>>, status: StatusCode },
    Elsewhere(&'static str),
}

async fn prepare(state: &AppState, headers: &HeaderMap, path: &str) -> Result<Prepared, ApiError> {
    let mut cookies = Vec::new();
    let mut identity = identify(headers, state).await?;
    if identity.is_none() && path != "/login" && may_auto_login(state, headers) {
        let (fresh, cookie) = dev_login(&state.security, state.config.secure_cookies()).await?;
        identity = Some(fresh);
        cookies.extend(cookie);
    }
    let mut boot = Boot::new(state.discovery(), Timestamp::now());
    let Some(identity) = identity else {
        return Ok(if path == "/login" {
            Prepared::Page { boot: Box::new(boot), cookies, status: StatusCode::OK }
        } else {
            Prepared::Elsewhere("/login")
        });
    };
    if path == "/login" {
        return Ok(Prepared::Elsewhere("/"));
    }
    let user = identity.user.id;
    let token = state.security.issue_ws_token(&identity)?;
    boot.token = Some(Token { lives_ms: token.expires_at.millis_since(boot.now), token: token.token });
    boot.threads = state.threads.list(user, &sidebar_threads()).await?.0;
    boot.user = Some(identity.user);
    let mut status = StatusCode::OK;
    if let Some(thread) = path.strip_prefix("/t/") {
        match thread.parse::<ThreadId>() {
            Ok(id) => match state.threads.snapshot(user, id).await {
                Ok(snapshot) => boot.thread = Some(snapshot),
                Err(error) if error.code == ErrorCode::NotFound => {
                    boot.missing = Some(id);
                    status = StatusCode::NOT_FOUND;
                }
                Err(error) => return Err(error),
            },
            Err(_) => status = StatusCode::NOT_FOUND,
        }
    }
    Ok(Prepared::Page { boot: Box::new(boot), cookies, status })
}

/// Whether the first visit signs the developer in. The page must be asked for under a name of the server's own: a foreign name
/// that was made to lead here would hand its page the developer's conversations.
fn may_auto_login(state: &AppState, headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let own = || state.origins.iter().filter_map(|origin| origin.split_once("://")).any(|(_, own)| own == host);
    state.security.allows(AuthMode::Dev) && !has_signed_out(headers) && own()
}

async fn dev_login(security: &SecurityService, secure: bool) -> Result<(Identity, [Cookie<'static>; 2]), ApiError> {
    let (_, secret) = security.dev_login().await?;
    let identity = security.identify(&secret).await?.ok_or_else(ApiError::unauthenticated)?;
    Ok((identity, session_cookie(&secret, secure)))
}

/// Sets the page's content security policy: scripts with this page's nonce, WebAssembly, nothing from elsewhere. Runs inside
/// the rendering, where the nonce is known.
pub fn provide_policy(state: &AppState) {
    let (Some(nonce), Some(response)) = (use_nonce(), use_context::<ResponseOptions>()) else { return };
    let socket = state.config.socket_url();
    let socket = if socket.starts_with("ws") { format!(" {}", socket.trim_end_matches("/ws")) } else { String::new() };
    // `cargo leptos watch` reloads the page over a socket of its own.
    let reload = if state.leptos.env == leptos::config::Env::DEV {
        format!(" ws://127.0.0.1:{0} ws://localhost:{0}", state.leptos.reload_port)
    } else {
        String::new()
    };
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}' 'strict-dynamic' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' data:; \
         font-src 'self'; connect-src 'self'{socket}{reload}; manifest-src 'self'; form-action 'self'; base-uri 'none'; \
         frame-ancestors 'none'"
    );
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        response.insert_header(header::CONTENT_SECURITY_POLICY, policy);
    }
}
