//! Every route of the server.

use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::{HeaderValue, Method, StatusCode, Uri, header},
    middleware::{from_fn, from_fn_with_state, map_response},
    response::{IntoResponse, Response},
    routing::{delete, get, post},
};
use leptos::prelude::provide_context;
use leptos_axum::{LeptosRoutes, generate_route_list};
use netra_ws::ErrorCode;
use tower_http::{compression::CompressionLayer, services::ServeDir};

use super::{
    error::ApiError,
    http::{admin, auth, discovery, guard, health, members, metrics, page, socket, threads, tokens},
    reference, specification,
    state::AppState,
};
use crate::app::{App, shell};

/// The largest request body, in bytes.
const MAX_BODY: usize = 1 << 20;

/// The whole application.
pub(super) fn router(state: AppState) -> Router {
    let api = Router::new()
        .route("/api/config", get(discovery::config))
        .route("/api/agents", get(discovery::agents))
        .route("/api/me", get(auth::me))
        .route("/api/auth/dev", post(auth::dev))
        .route("/api/auth/register", post(auth::register))
        .route("/api/auth/login", post(auth::login))
        .route("/api/auth/logout", post(auth::logout))
        .route("/api/auth/ws-token", post(auth::ws_token))
        .route("/api/tokens", get(tokens::list).post(tokens::create))
        .route("/api/tokens/{id}", delete(tokens::revoke))
        .route("/api/threads", get(threads::list).post(threads::create))
        .route("/api/threads/{id}", get(threads::get).patch(threads::change).delete(threads::delete))
        .route("/api/threads/{id}/events", get(threads::events))
        .route("/api/threads/{id}/messages", get(threads::messages))
        .route("/api/threads/{id}/members", get(members::list).post(members::add).delete(members::remove))
        .route("/api/admin/broadcast", post(admin::broadcast))
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
    let pages = Router::new()
        .leptos_routes_with_context(&state, generate_route_list(App), context, shell)
        .layer(from_fn_with_state(state.clone(), page::boot))
        .layer(map_response(no_store));
    let site = ServeDir::new(&*state.leptos.site_root).precompressed_br().precompressed_gzip();
    Router::new()
        .merge(api)
        .merge(pages)
        .fallback_service(Router::new().fallback_service(site).layer(map_response(revalidate)))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(CompressionLayer::new())
        .route("/ws", get(socket::upgrade))
        .route("/docs", get(reference::serve))
        .route("/asyncapi.json", get(specification::serve_asyncapi))
        .route("/openapi.json", get(specification::serve_openapi))
        .route("/metrics", get(metrics::guarded))
        .route("/healthz", get(health::live))
        .route("/readyz", get(health::ready))
        .method_not_allowed_fallback(wrong_method)
        .layer(from_fn_with_state(state.clone(), guard::check_origin))
        .layer(from_fn(guard::security_headers))
        .with_state(state)
}

async fn no_store(mut response: Response) -> Response {
    response.headers_mut().entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// The address is there and does not take this method; axum adds `Allow`.
async fn wrong_method(method: Method, uri: Uri) -> Response {
    tracing::debug!(%method, path = uri.path(), "method not allowed");
    let error = ApiError::new(ErrorCode::NotFound, format!("this address does not take {method}"));
    (StatusCode::METHOD_NOT_ALLOWED, error).into_response()
}

/// Assets keep their names between builds, so a browser asks whether its copy is still good. What is no asset is not found,
/// in the API's own shape.
async fn revalidate(uri: Uri, mut response: Response) -> Response {
    if response.status() == StatusCode::NOT_FOUND {
        tracing::debug!(path = uri.path(), "not found");
        return ApiError::not_found().into_response();
    }
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}
