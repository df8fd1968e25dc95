//! Server functions: discovery, signing in and out, and threads, over the same services as `/api`.

// The macro makes a struct of each function's arguments, with fields that cannot carry docs.
#![allow(missing_docs)]

use leptos::prelude::*;
use netra_ws::{
    ThreadId,
    discovery::Discovery,
    model::{Member, Thread},
    session::Token,
};

/// Discovery as it stands now.
#[allow(clippy::unused_async)]
#[server(prefix = "/fn", endpoint = "discovery")]
pub async fn read_discovery() -> Result<Discovery, ServerFnError> {
    Ok(backend::state()?.discovery())
}

/// A fresh token for the socket; nothing when the user is no longer signed in.
#[server(prefix = "/fn", endpoint = "ws-token")]
pub async fn ws_token() -> Result<Option<Token>, ServerFnError> {
    let state = backend::state()?;
    let Some(identity) = backend::identity(&state).await? else { return Ok(None) };
    let token = state.security.issue_ws_token(&identity).map_err(backend::failed)?;
    let lives_ms = token.expires_at.millis_since(netra_ws::Timestamp::now());
    Ok(Some(Token { token: token.token, lives_ms }))
}

/// Signs an account in.
#[server(prefix = "/fn", endpoint = "login")]
pub async fn login(email: String, password: String) -> Result<(), ServerFnError> {
    let state = backend::state()?;
    backend::sign_in(&state, state.security.login(&email, &password).await)
}

/// Makes an account and signs it in.
#[server(prefix = "/fn", endpoint = "register")]
pub async fn register(name: String, email: String, password: String) -> Result<(), ServerFnError> {
    let state = backend::state()?;
    backend::sign_in(&state, state.security.register(&email, &password, Some(&name)).await)
}

/// Signs the developer in.
#[server(prefix = "/fn", endpoint = "dev-login")]
pub async fn dev_login() -> Result<(), ServerFnError> {
    let state = backend::state()?;
    backend::sign_in(&state, state.security.dev_login().await)
}

/// Signs out, here and on the user's sockets.
#[server(prefix = "/fn", endpoint = "logout")]
pub async fn logout() -> Result<(), ServerFnError> {
    let state = backend::state()?;
    if let Some(identity) = backend::identity(&state).await? {
        crate::server::http::auth::end_session(&state, &identity).await.map_err(backend::failed)?;
    }
    backend::set_cookies(crate::server::http::signed_out_cookie(state.config.secure_cookies()));
    Ok(())
}

/// Renames a thread, or keeps it on top.
#[server(prefix = "/fn", endpoint = "change-thread")]
pub async fn change_thread(id: ThreadId, title: Option<String>, pinned: Option<bool>) -> Result<Thread, ServerFnError> {
    let state = backend::state()?;
    let user = backend::user(&state).await?;
    let change = crate::server::store::ThreadChange { title, pinned, archived: None, agent: None };
    state.threads.change(user, id, change).await.map_err(backend::failed)
}

/// Deletes a thread.
#[server(prefix = "/fn", endpoint = "delete-thread")]
pub async fn delete_thread(id: ThreadId) -> Result<(), ServerFnError> {
    let state = backend::state()?;
    let user = backend::user(&state).await?;
    state.threads.delete(user, id).await.map_err(backend::failed)
}

/// The newest threads, as the page lists them.
#[server(prefix = "/fn", endpoint = "list-threads")]
pub async fn list_threads() -> Result<Vec<Thread>, ServerFnError> {
    let state = backend::state()?;
    let user = backend::user(&state).await?;
    let query = crate::server::http::page::sidebar_threads();
    state.threads.list(user, &query).await.map(|(threads, _)| threads).map_err(backend::failed)
}

/// Threads with these words in their title or messages.
#[server(prefix = "/fn", endpoint = "search-threads")]
pub async fn search_threads(query: String) -> Result<Vec<Thread>, ServerFnError> {
    let state = backend::state()?;
    let user = backend::user(&state).await?;
    let query = crate::server::store::ThreadQuery { text: Some(query), limit: 50, ..Default::default() };
    state.threads.list(user, &query).await.map(|(threads, _)| threads).map_err(backend::failed)
}

/// Who takes part in a thread.
#[server(prefix = "/fn", endpoint = "members")]
pub async fn members(id: ThreadId) -> Result<Vec<Member>, ServerFnError> {
    let state = backend::state()?;
    let user = backend::user(&state).await?;
    state.threads.members(user, id).await.map_err(backend::failed)
}

/// Adds a member; who takes part then.
#[server(prefix = "/fn", endpoint = "add-member")]
pub async fn add_member(id: ThreadId, email: String) -> Result<Vec<Member>, ServerFnError> {
    let state = backend::state()?;
    let user = backend::user(&state).await?;
    state.threads.add_member(user, id, &email).await.map_err(backend::failed)?;
    state.threads.members(user, id).await.map_err(backend::failed)
}

/// Removes a member, the caller when none is named; who takes part then, as far as the caller may still know.
#[server(prefix = "/fn", endpoint = "remove-member")]
pub async fn remove_member(id: ThreadId, email: Option<String>) -> Result<Vec<Member>, ServerFnError> {
    let state = backend::state()?;
    let user = backend::user(&state).await?;
    state.threads.remove_member(user, id, email.as_deref()).await.map_err(backend::failed)?;
    if email.is_none() {
        return Ok(Vec::new());
    }
    state.threads.members(user, id).await.map_err(backend::failed)
}

/// A failure as people read it: the server's own sentence when there is one.
pub(crate) fn reason(error: &ServerFnError) -> String {
    match error {
        ServerFnError::ServerError(message) => message.clone(),
        ServerFnError::Request(_) => "the server does not answer; try again".to_owned(),
        error => error.to_string(),
    }
}

#[cfg(feature = "ssr")]
mod backend {
    use axum::http::{HeaderValue, StatusCode, header::SET_COOKIE, request::Parts};
    use axum_extra::extract::cookie::Cookie;
    use leptos::prelude::*;
    use leptos_axum::ResponseOptions;
    use netra_ws::{UserId, model::User};

    use crate::server::{
        AppState,
        auth::{Identity, SessionSecret},
        error::ApiError,
        http,
    };

    pub(super) fn state() -> Result<AppState, ServerFnError> {
        use_context::<AppState>().ok_or_else(|| ServerFnError::new("no application state"))
    }

    pub(super) async fn identity(state: &AppState) -> Result<Option<Identity>, ServerFnError> {
        let Some(parts) = use_context::<Parts>() else { return Ok(None) };
        http::identify(&parts.headers, state).await.map_err(failed)
    }

    pub(super) async fn user(state: &AppState) -> Result<UserId, ServerFnError> {
        let identity = identity(state).await?;
        identity.map(|identity| identity.user.id).ok_or_else(|| failed(ApiError::unauthenticated()))
    }

    /// A failure as the page shows it: the sentence for people, and the status.
    pub(super) fn failed(error: ApiError) -> ServerFnError {
        if let (Some(response), Ok(status)) =
            (use_context::<ResponseOptions>(), StatusCode::from_u16(error.code.http_status()))
        {
            response.set_status(status);
        }
        ServerFnError::ServerError(error.message)
    }

    pub(super) fn sign_in(
        state: &AppState,
        signed_in: Result<(User, SessionSecret), ApiError>,
    ) -> Result<(), ServerFnError> {
        let (_, secret) = signed_in.map_err(failed)?;
        set_cookies(http::session_cookie(&secret, state.config.secure_cookies()));
        Ok(())
    }

    pub(super) fn set_cookies(cookies: [Cookie<'static>; 2]) {
        let Some(response) = use_context::<ResponseOptions>() else { return };
        for value in cookies.iter().filter_map(|cookie| HeaderValue::from_str(&cookie.to_string()).ok()) {
            response.append_header(SET_COOKIE, value);
        }
    }
}
