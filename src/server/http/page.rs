//! Pages: who asks, what the page carries, and its content security policy.

use std::{collections::HashMap, sync::LazyLock};

use axum::{
    body::{Body, to_bytes},
    extract::{Query, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header, request::Parts, uri::PathAndQuery},
    middleware::Next,
    response::{IntoResponse, Redirect, Response},
};
use axum_extra::extract::{CookieJar, cookie::Cookie};
use leptos::{nonce::use_nonce, prelude::use_context};
use leptos_axum::ResponseOptions;
use netra_ws::{ErrorCode, ThreadId, Timestamp, UserId, session::Token};
use tokio::runtime::{Builder, Runtime};
use tokio_util::task::AbortOnDropHandle;

use super::{asker, extract::has_signed_out, forms, page_size, session_cookie};
use crate::{
    app::{api::ThreadPage, boot::Boot, next},
    server::{
        auth::{DirectVisit, Identity, SecurityService, Visitor},
        config::AuthMode,
        error::ApiError,
        state::AppState,
        store::{ThreadPlace, ThreadQuery},
    },
};

/// Where server functions live.
const SERVER_FUNCTIONS: &str = "/fn/";

/// Threads in a part of the sidebar's list.
const SIDEBAR_THREADS: usize = 100;

/// The style of what comes with conversations. Its address names the build that asks.
pub async fn conversation_style() -> impl IntoResponse {
    let text = concat!(
        include_str!("../../../style/approval.css"),
        include_str!("../../../style/plan.css"),
        include_str!("../../../style/diff.css"),
        include_str!("../../../style/instead.css"),
    );
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8"), (header::CACHE_CONTROL, "public, max-age=3600")], text)
}

/// A part of the list that the sidebar shows.
pub(crate) async fn thread_page(
    state: &AppState,
    user: UserId,
    text: Option<String>,
    archived: bool,
    after: Option<ThreadPlace>,
) -> Result<ThreadPage, ApiError> {
    let query = ThreadQuery { text, archived, limit: SIDEBAR_THREADS, after };
    let (threads, more) = state.threads.list(user, &query).await?;
    let next = threads.last().filter(|_| more).map(|thread| ThreadPlace::from(thread).to_string());
    let found = state.threads.excerpts(user, query.text.as_deref(), &threads).await?;
    Ok(ThreadPage { threads, next, found })
}

/// Puts into the request what the page carries: discovery, the user, a token for the socket, and the thread it shows.
pub async fn boot(State(state): State<AppState>, request: Request, next: Next) -> Response {
    // Leptos serves its server functions beside the pages; they say themselves who may call them.
    if request.uri().path().starts_with(SERVER_FUNCTIONS) {
        return forms::call(request, next, &state.origins).await;
    }
    let asked = request.uri().path_and_query().map(PathAndQuery::as_str);
    if let Some(clean) = asked.and_then(forms::without_words) {
        return Redirect::to(&clean).into_response();
    }
    let (parts, body) = request.into_parts();
    let prepared = prepare(&state, &parts).await;
    let mut request = Request::from_parts(parts, body);
    match prepared {
        Ok(Prepared::Page { boot, cookies, status }) => {
            request.extensions_mut().insert(*boot);
            let mut response = match render(request, next).await {
                Ok(response) => response,
                Err(error) => return ApiError::internal(&error).into_response(),
            };
            if status != StatusCode::OK {
                *response.status_mut() = status;
            }
            response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            let jar = cookies.into_iter().fold(CookieJar::new(), CookieJar::add);
            (jar, response).into_response()
        }
        Ok(Prepared::Elsewhere(address)) => Redirect::to(&address).into_response(),
        Err(error) => error.into_response(),
    }
}

enum Prepared {
    Page { boot: Box<Boot>, cookies: Vec<Cookie<'static>>, status: StatusCode },
    Elsewhere(String),
}

async fn prepare(state: &AppState, parts: &Parts) -> Result<Prepared, ApiError> {
    let (headers, uri) = (&parts.headers, &parts.uri);
    let path = uri.path();
    let mut cookies = Vec::new();
    let mut identity = asker(parts, state).await?;
    if identity.is_none()
        && path != "/login"
        && let Some(visit) = may_auto_login(state, headers)
    {
        let visitor = Visitor::of(parts, &state.config.trusted_proxies);
        let (fresh, cookie) = dev_login(&state.security, &visitor, visit, state.config.secure_cookies()).await?;
        identity = Some(fresh);
        cookies.extend(cookie);
    }
    let mut boot = Boot::new(state.discovery(identity.as_ref().map(|identity| &identity.user)), Timestamp::now());
    boot.mail = state.security.sends_mail();
    let Some(identity) = identity else {
        return Ok(if path == "/login" {
            Prepared::Page { boot: Box::new(boot), cookies, status: StatusCode::OK }
        } else {
            let wanted = uri.path_and_query().map_or("/", |wanted| wanted.as_str());
            Prepared::Elsewhere(next::login("", wanted))
        });
    };
    // Links that were sent or handed over are used by whoever is signed in, too.
    let with_link =
        |query: &HashMap<String, String>| matches!(query.get("mode").map(String::as_str), Some("confirm" | "reset"));
    if path == "/login" {
        let query: HashMap<String, String> = Query::try_from_uri(uri).map(|Query(query)| query).unwrap_or_default();
        if !with_link(&query) {
            return Ok(Prepared::Elsewhere(next::accept(query.get(next::NAME).map(String::as_str)).to_owned()));
        }
    }
    let user = identity.user.id;
    // A program asks for one itself, where its scope is looked at.
    if identity.require_person().is_ok() {
        let token = state.security.issue_ws_token(&identity)?;
        boot.token = Some(Token { lives_ms: token.expires_at.millis_since(boot.now), token: token.token });
    }
    boot.threads = thread_page(state, user, None, false, None).await?;
    boot.user = Some(identity.user);
    let mut status = StatusCode::OK;
    if let Some(thread) = path.strip_prefix("/t/") {
        match thread.parse::<ThreadId>() {
            Ok(id) => match state.threads.snapshot(user, id).await {
                Ok(snapshot) => {
                    boot.reads_only = !state.threads.may_write(user, id).await?;
                    boot.thread = page_size::fit(snapshot);
                }
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

/// Threads that render pages: none of those that serve sockets.
const RENDERERS: usize = 2;

/// The largest page, in bytes; what it shows of a thread is bounded so that it stays far below.
const MAX_PAGE: usize = 16 << 20;

static RENDERING: LazyLock<std::io::Result<Runtime>> = LazyLock::new(|| {
    Builder::new_multi_thread().worker_threads(RENDERERS).enable_all().thread_name("rendering").build()
});

#[derive(Debug, thiserror::Error)]
enum RenderError {
    #[error("the threads that render could not be started")]
    Threads,
    #[error("rendering was cut off")]
    Cut,
    #[error("the page is too large")]
    Size(#[source] axum::Error),
}

/// Renders a page as a whole, apart. Nobody's socket waits for it, and nothing is kept for it while it travels but its bytes.
async fn render(request: Request, next: Next) -> Result<Response, RenderError> {
    let runtime = RENDERING.as_ref().map_err(|_| RenderError::Threads)?;
    let rendering = runtime.spawn(async move {
        let (parts, body) = next.run(request).await.into_parts();
        let page = to_bytes(body, MAX_PAGE).await.map_err(RenderError::Size)?;
        Ok(Response::from_parts(parts, Body::from(page)))
    });
    // A visitor who goes away ends it.
    AbortOnDropHandle::new(rendering).await.map_err(|_| RenderError::Cut)?
}

/// Whether the first visit signs the developer in, and may.
fn may_auto_login(state: &AppState, headers: &HeaderMap) -> Option<DirectVisit> {
    let wanted = state.security.allows(AuthMode::Dev) && !has_signed_out(headers);
    if wanted { DirectVisit::of(headers, &state.origins) } else { None }
}

async fn dev_login(
    security: &SecurityService,
    visitor: &Visitor,
    visit: DirectVisit,
    secure: bool,
) -> Result<(Identity, [Cookie<'static>; 2]), ApiError> {
    let (_, secret) = security.dev_login(visitor, Some(visit)).await?;
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
         frame-src 'self'; font-src 'self'; connect-src 'self'{socket}{reload}; manifest-src 'self'; worker-src 'self'; form-action 'self'; base-uri 'none'; \
         frame-ancestors 'none'"
    );
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        response.insert_header(header::CONTENT_SECURITY_POLICY, policy);
    }
}

/// The page in whose frame diagrams are drawn.
const DIAGRAM: &str = "/rich/diagram.html";

/// The service worker, which asks for documents and for the files that they need.
const SERVICE_WORKER: &str = "/service-worker.js";

/// Lets the service worker ask this server. Shuts the page of diagrams into an origin of its own: a diagram comes from a message,
/// and the library that draws it must reach nothing of this page. What it loads is then loaded across origins, which the folder of
/// these libraries allows; it holds nothing else.
pub(crate) fn file_headers(path: &str, headers: &mut HeaderMap) {
    if path == SERVICE_WORKER {
        let policy = HeaderValue::from_static("default-src 'none'; connect-src 'self'");
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    if !path.starts_with("/rich/") {
        return;
    }
    let cross_origin = HeaderName::from_static("cross-origin-resource-policy");
    headers.insert(cross_origin, HeaderValue::from_static("cross-origin"));
    if path == DIAGRAM {
        headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("SAMEORIGIN"));
        headers.insert(
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static(
                "sandbox allow-scripts; default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; form-action 'none'; \
                 base-uri 'none'; frame-ancestors 'self'",
            ),
        );
    }
}
