//! Every route of the server.

use axum::{
    Router,
    body::Body,
    extract::{DefaultBodyLimit, Request},
    http::{HeaderValue, Method, StatusCode, Uri, header},
    middleware::{Next, from_fn, from_fn_with_state, map_response},
    response::{IntoResponse, Response},
    routing::{delete, get, patch, post},
};
use leptos::prelude::provide_context;
use leptos_axum::{LeptosRoutes, render_app_to_stream_with_context};
use netra_ws::ErrorCode;
use tower::ServiceExt as _;
use tower_http::compression::CompressionLayer;

use super::{
    error::ApiError,
    http::{
        account, admin, ag_ui, attachments, auth, commands, connections, continuing, discovery, drain, export, guard,
        health, import, invitations, members, metrics, oidc, page, read_only_links, socket, thread_export, threads,
        tokens, unread,
    },
    mcp, reference, shared_page,
    site::Site,
    specification,
    state::AppState,
};
use crate::app::{CONVERSATION_STYLE, address::PATHS, shell};

/// The largest request body, in bytes.
const MAX_BODY: usize = 1 << 20;

/// The largest conversation that an AG-UI client may send with its question, in bytes.
const MAX_CONVERSATION: usize = 8 << 20;

/// The whole application.
pub(super) fn router(state: AppState, site: Site) -> Router {
    let api = Router::new()
        .route("/api/config", get(discovery::config))
        .route("/api/agents", get(discovery::agents))
        .route("/api/commands", get(commands::list))
        .route("/api/commands/{name}", post(commands::fill_in))
        .route("/api/tools/{server}/oauth/connect", post(connections::connect))
        .route("/api/tools/{server}/oauth/callback", get(connections::callback))
        .route("/api/tools/{server}/oauth", delete(connections::disconnect))
        .route("/api/me", get(auth::me))
        .route("/api/auth/dev", post(auth::dev))
        .route("/api/auth/register", post(auth::register))
        .route("/api/auth/login", post(auth::login))
        .route("/api/auth/logout", post(auth::logout))
        .route("/api/auth/confirm", post(auth::confirm))
        .route("/api/auth/oidc/start", get(oidc::start))
        .route("/api/auth/oidc/callback", get(oidc::callback))
        .route("/api/auth/oidc/logout", post(oidc::logout))
        .route("/api/auth/ws-token", post(auth::ws_token))
        .route("/api/auth/password", post(account::change_password))
        .route("/api/auth/reset", post(account::reset_password))
        .route("/api/auth/forgot", post(account::forgot))
        .route("/api/auth/confirm-address", post(account::confirm_address))
        .route("/api/account/address", post(account::ask_for_address))
        .route("/api/account", get(account::account).patch(account::change_account))
        .route("/api/account/export", get(export::export))
        .route("/api/account/close", post(account::close_account))
        .route("/api/account/second-factor", post(account::begin_second_factor).delete(account::end_second_factor))
        .route("/api/account/second-factor/confirm", post(account::confirm_second_factor))
        .route("/api/sessions", get(account::sessions).delete(account::end_others))
        .route("/api/sessions/{id}", delete(account::end_session))
        .route("/api/tokens", get(tokens::list).post(tokens::create))
        .route("/api/tokens/{id}", delete(tokens::revoke))
        .route("/api/threads", get(threads::list).post(threads::create))
        .route("/api/threads/import", post(import::import).layer(DefaultBodyLimit::max(import::MAX_FILE)))
        .route("/api/threads/{id}", get(threads::get).patch(threads::change).delete(threads::delete))
        .route("/api/threads/{id}/events", get(threads::events))
        .route("/api/threads/{id}/messages", get(threads::messages))
        .route("/api/threads/{id}/continue", post(continuing::go_on))
        .route("/api/threads/{id}/export", get(thread_export::export))
        .route("/api/threads/{id}/runs/{run_id}", get(threads::run))
        .route("/api/threads/{id}/links", get(read_only_links::list).post(read_only_links::make))
        .route("/api/threads/{id}/links/{link}", delete(read_only_links::remove))
        .route(
            "/api/threads/{id}/members",
            get(members::list).post(members::add).patch(members::change).delete(members::remove),
        )
        .route("/api/invitations", get(invitations::list))
        .route("/api/invitations/{id}", post(invitations::accept).delete(invitations::decline))
        .route("/api/blocks", get(invitations::blocked).post(invitations::block))
        .route("/api/blocks/{id}", delete(invitations::unblock))
        .route("/api/attachments", post(attachments::upload))
        .route("/api/attachments/{id}", get(attachments::get).delete(attachments::discard))
        .route("/ag-ui/{agent}", post(ag_ui::run).layer(DefaultBodyLimit::max(MAX_CONVERSATION)))
        .route("/api/admin/broadcast", post(admin::broadcast))
        .route("/api/unread", post(unread::report))
        .route("/mcp", post(mcp::server::http::serve))
        .route("/api/admin/invitations", post(admin::invite))
        .route("/api/admin/password-links", post(admin::password_link))
        .route("/api/admin/users", get(admin::users))
        .route("/api/admin/users/{id}", patch(admin::change_user))
        .route("/api/admin/users/{id}/sign-ins", delete(admin::overview::end_sign_ins))
        .route("/api/admin/sign-ins", get(admin::overview::sign_ins))
        .route("/api/admin/links", get(admin::links::list))
        .route("/api/admin/links/{id}", delete(admin::links::take_back))
        .route("/api/admin/connections", get(admin::overview::connections))
        .route("/api/admin/runs", get(admin::overview::runs))
        .route("/api/admin/runs/{id}", delete(admin::overview::stop_run))
        .route("/api/admin/usage", get(admin::overview::usage))
        .route("/api/admin/agents", get(admin::settings::agents))
        .route("/api/admin/settings", get(admin::settings::settings))
        .route("/api/admin/audit", get(admin::audit))
        .route("/api/admin/audit.jsonl", get(admin::audit_lines))
        .layer(map_response(no_store));
    let context = {
        let state = state.clone();
        move || {
            page::provide_policy(&state);
            provide_context(state.clone());
        }
    };
    let shell = {
        let options = state.leptos.clone();
        move || shell(options.clone())
    };
    // The page of addresses that lead nowhere is served behind the assets, which are looked for first.
    let page = render_app_to_stream_with_context(context.clone(), shell.clone());
    let unknown: Router = Router::new()
        .fallback(page.clone())
        .layer(from_fn_with_state(state.clone(), page::boot))
        .layer(map_response(not_found))
        .layer(from_fn_with_state(state.clone(), guard::know));
    let pages = PATHS.into_iter().fold(Router::new(), |pages, path| pages.route(path, get(page.clone())));
    let pages = pages
        // The server functions.
        .leptos_routes_with_context(&state, Vec::new(), context, shell)
        .layer(from_fn_with_state(state.clone(), page::boot))
        .layer(map_response(no_store));
    let site: Router = site.router().layer(map_response(restrict));
    let site = site.layer(from_fn(move |request: Request, next: Next| lead_back(unknown.clone(), request, next)));
    Router::new()
        .merge(api.merge(pages).layer(from_fn_with_state(state.clone(), guard::know)))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(CompressionLayer::new())
        // The page's files were compressed when they were built.
        .fallback_service(site)
        .route("/ws", get(socket::upgrade))
        .route("/docs", get(reference::serve))
        .route(reference::STYLE, get(reference::style))
        .route(CONVERSATION_STYLE, get(page::conversation_style))
        .route(&format!("{}{{secret}}", shared_page::PATH), get(shared_page::serve))
        .route("/asyncapi.json", get(specification::serve_asyncapi))
        .route("/openapi.json", get(specification::serve_openapi))
        .route("/metrics", get(metrics::guarded))
        .route("/healthz", get(health::live))
        .route("/readyz", get(health::ready))
        .method_not_allowed_fallback(wrong_method)
        .layer(from_fn_with_state(state.clone(), guard::check_origin))
        .layer(from_fn_with_state(state.clone(), guard::security_headers))
        .layer(from_fn(drain::read_whole))
        .with_state(state)
}

async fn no_store(mut response: Response) -> Response {
    response.headers_mut().entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// The address is there and does not take this method; axum adds `Allow`.
pub(super) async fn wrong_method(method: Method, uri: Uri) -> Response {
    tracing::debug!(%method, path = uri.path(), "method not allowed");
    let error = ApiError::new(ErrorCode::NotFound, format!("this address does not take {method}"));
    (StatusCode::METHOD_NOT_ALLOWED, error).into_response()
}

/// A person at an address that leads nowhere gets a page with the way back.
async fn lead_back(unknown: Router, request: Request, next: Next) -> Response {
    let accepts = request.headers().get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let programs =
        ["/api/", "/ag-ui/", "/fn/", "/rich/", "/pkg/"].iter().any(|folder| request.uri().path().starts_with(folder));
    let person = request.method() == Method::GET && accepts.contains("text/html") && !programs;
    let (parts, body) = request.into_parts();
    let again = Request::from_parts(parts.clone(), Body::empty());
    let response = next.run(Request::from_parts(parts, body)).await;
    if !person || response.status() != StatusCode::NOT_FOUND {
        return response;
    }
    unknown.oneshot(again).await.unwrap_or_else(|never| match never {})
}

async fn not_found(mut response: Response) -> Response {
    if response.status() == StatusCode::OK {
        *response.status_mut() = StatusCode::NOT_FOUND;
    }
    response.headers_mut().entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// What some files may do: the service worker, and what diagrams are drawn with.
async fn restrict(uri: Uri, mut response: Response) -> Response {
    page::file_headers(uri.path(), response.headers_mut());
    response
}
