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
use serde::{Deserialize, Serialize};

use super::{call::Call, sentence::sentence};

/// Discovery as it stands now.
#[server(protocol = Call, prefix = "/fn", endpoint = "discovery")]
pub async fn read_discovery() -> Result<Discovery, ServerFnError> {
    let state = backend::state()?;
    let identity = backend::identity(&state).await?;
    Ok(state.discovery(identity.as_ref().map(|identity| &identity.user)))
}

/// A fresh token for the socket; nothing when the user is no longer signed in.
#[server(protocol = Call, prefix = "/fn", endpoint = "ws-token")]
pub async fn ws_token() -> Result<Option<Token>, ServerFnError> {
    let state = backend::state()?;
    let Some(identity) = backend::identity(&state).await? else { return Ok(None) };
    let token = state.security.issue_ws_token(&identity).map_err(backend::failed)?;
    let lives_ms = token.expires_at.millis_since(netra_ws::Timestamp::now());
    Ok(Some(Token { token: token.token, lives_ms }))
}

/// Signs an account in.
#[server(protocol = Call, prefix = "/fn", endpoint = "login")]
pub async fn login(email: String, password: String, code: Option<String>) -> Result<(), ServerFnError> {
    let state = backend::state()?;
    let visitor = backend::visitor(&state)?;
    backend::sign_in(&state, state.security.login(&visitor, &email, &password, code.as_deref()).await).await
}

/// Makes an account and signs it in.
#[server(protocol = Call, prefix = "/fn", endpoint = "register")]
pub async fn register(
    name: String,
    email: String,
    password: String,
    invitation: Option<String>,
) -> Result<(), ServerFnError> {
    let state = backend::state()?;
    let account = crate::server::auth::NewAccount {
        email: &email,
        password: &password,
        name: Some(name.as_str()),
        invitation: invitation.as_deref(),
    };
    backend::sign_in(&state, state.security.register(&backend::visitor(&state)?, account).await).await
}

/// Sets a password with a link that somebody was given.
#[server(protocol = Call, prefix = "/fn", endpoint = "reset")]
pub async fn reset_password(link: String, password: String) -> Result<(), ServerFnError> {
    let state = backend::state()?;
    let visitor = backend::visitor(&state)?;
    crate::server::http::account::reset_with(&state, &visitor, &link, &password).await.map_err(backend::failed)
}

/// Sends a link for a new password, if the address has an account.
#[server(protocol = Call, prefix = "/fn", endpoint = "forgot")]
pub async fn forgot(email: String) -> Result<(), ServerFnError> {
    let state = backend::state()?;
    state.security.forgot(&backend::visitor(&state)?, &email).await.map_err(backend::failed)
}

/// Takes the link that was sent to an address.
#[server(protocol = Call, prefix = "/fn", endpoint = "confirm-address")]
pub async fn confirm_address(link: String) -> Result<(), ServerFnError> {
    let state = backend::state()?;
    state.security.confirm_address(&backend::visitor(&state)?, &link).await.map_err(backend::failed)
}

/// Signs the developer in.
#[server(protocol = Call, prefix = "/fn", endpoint = "dev-login")]
pub async fn dev_login() -> Result<(), ServerFnError> {
    let state = backend::state()?;
    let visit = crate::server::auth::DirectVisit::of(&backend::headers(), &state.origins);
    backend::sign_in(&state, state.security.dev_login(&backend::visitor(&state)?, visit).await).await
}

/// Signs out, here and on the user's sockets; where to go to sign out at the provider too, if the sign-in came from one.
#[server(protocol = Call, prefix = "/fn", endpoint = "logout")]
pub async fn logout() -> Result<Option<String>, ServerFnError> {
    let state = backend::state()?;
    let mut elsewhere = None;
    if let Some(identity) = backend::identity(&state).await? {
        elsewhere = state.security.provider_sign_out(&identity.session).await.map(String::from);
        crate::server::http::auth::end_session(&state, &identity).await.map_err(backend::failed)?;
    }
    backend::set_cookies(crate::server::http::signed_out_cookie(state.config.secure_cookies()));
    backend::clear_site_data();
    Ok(elsewhere)
}

/// Renames a thread, keeps it on top, or puts it away.
#[server(protocol = Call, prefix = "/fn", endpoint = "change-thread")]
pub async fn change_thread(
    id: ThreadId,
    title: Option<String>,
    pinned: Option<bool>,
    archived: Option<bool>,
) -> Result<Thread, ServerFnError> {
    let state = backend::state()?;
    let user = backend::user(&state).await?;
    let change = crate::server::store::ThreadChange { title, pinned, archived, agent: None };
    state.threads.change(user, id, change).await.map_err(backend::failed)
}

/// Deletes a thread.
#[server(protocol = Call, prefix = "/fn", endpoint = "delete-thread")]
pub async fn delete_thread(id: ThreadId) -> Result<(), ServerFnError> {
    let state = backend::state()?;
    let user = backend::user(&state).await?;
    state.threads.delete(user, id).await.map_err(backend::failed)?;
    state.attachments.sweep_soon();
    Ok(())
}

/// A part of a list of threads.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ThreadPage {
    /// Pinned ones first, then the newest.
    pub threads: Vec<Thread>,
    /// Where the list goes on; none at its end.
    pub next: Option<String>,
    /// Of a search, what stands around its words.
    pub found: Vec<(ThreadId, String)>,
}

/// A part of the list of threads: the archived ones or the others, from where a part before ended.
#[server(protocol = Call, prefix = "/fn", endpoint = "list-threads")]
pub async fn list_threads(archived: Option<bool>, cursor: Option<String>) -> Result<ThreadPage, ServerFnError> {
    backend::threads(None, archived, cursor).await
}

/// The same of the threads with these words in their title or messages.
#[server(protocol = Call, prefix = "/fn", endpoint = "search-threads")]
pub async fn search_threads(
    query: String,
    archived: Option<bool>,
    cursor: Option<String>,
) -> Result<ThreadPage, ServerFnError> {
    backend::threads(Some(query), archived, cursor).await
}

/// Who takes part in a thread.
#[server(protocol = Call, prefix = "/fn", endpoint = "members")]
pub async fn members(id: ThreadId) -> Result<Vec<Member>, ServerFnError> {
    let state = backend::state()?;
    let user = backend::user(&state).await?;
    state.threads.members(user, id).await.map_err(backend::failed)
}

/// Whether the user may do more in a thread than read.
#[server(protocol = Call, prefix = "/fn", endpoint = "may-write")]
pub async fn may_write(id: ThreadId) -> Result<bool, ServerFnError> {
    let state = backend::state()?;
    let user = backend::user(&state).await?;
    state.threads.may_write(user, id).await.map_err(backend::failed)
}

/// Invites somebody; who takes part then. They write unless `viewer` is set.
#[server(protocol = Call, prefix = "/fn", endpoint = "add-member")]
pub async fn add_member(id: ThreadId, email: String, viewer: Option<bool>) -> Result<Vec<Member>, ServerFnError> {
    use netra_ws::model::MemberRole;
    let state = backend::state()?;
    let user = backend::user(&state).await?;
    let role = if viewer.unwrap_or_default() { MemberRole::Viewer } else { MemberRole::Writer };
    state.threads.add_member(user, id, &email, role).await.map_err(backend::failed)?;
    state.threads.members(user, id).await.map_err(backend::failed)
}

/// Removes a member, the caller when none is named; who takes part then, as far as the caller may still know.
#[server(protocol = Call, prefix = "/fn", endpoint = "remove-member")]
pub async fn remove_member(id: ThreadId, email: Option<String>) -> Result<Vec<Member>, ServerFnError> {
    let state = backend::state()?;
    let user = backend::user(&state).await?;
    state.threads.remove_member(user, id, email.as_deref()).await.map_err(backend::failed)?;
    match state.threads.members(user, id).await {
        // Who left sees no more who is there.
        Err(error) if error.code == netra_ws::ErrorCode::NotFound => Ok(Vec::new()),
        members => members.map_err(backend::failed),
    }
}

/// An invitation to a conversation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InvitedTo {
    /// Which.
    pub thread: ThreadId,
    /// Its title.
    pub title: String,
    /// The name of whoever invites.
    pub from: String,
    /// Whether it is to be read only.
    pub viewer: bool,
}

/// The invitations that the user has yet to answer, the newest first.
#[server(protocol = Call, prefix = "/fn", endpoint = "invitations")]
pub async fn invitations() -> Result<Vec<InvitedTo>, ServerFnError> {
    let state = backend::state()?;
    let user = backend::user(&state).await?;
    let invitations = state.threads.invitations(user).await.map_err(backend::failed)?;
    let told = |invitation: crate::server::store::taking_part::ThreadInvitation| InvitedTo {
        thread: invitation.thread_id,
        title: invitation.title,
        from: invitation.invited_by.name,
        viewer: invitation.role != netra_ws::model::MemberRole::Writer,
    };
    Ok(invitations.into_iter().map(told).collect())
}

/// Takes an invitation, or declines it, and with it further ones of the same person; what waits for an answer then.
#[server(protocol = Call, prefix = "/fn", endpoint = "answer-invitation")]
pub async fn answer_invitation(
    id: ThreadId,
    accept: bool,
    block: Option<bool>,
) -> Result<Vec<InvitedTo>, ServerFnError> {
    let state = backend::state()?;
    let user = backend::user(&state).await?;
    if accept {
        state.threads.accept(user, id).await.map_err(backend::failed)?;
    } else {
        state.threads.decline(user, id, block.unwrap_or_default()).await.map_err(backend::failed)?;
    }
    invitations().await
}

/// What is known of an agent and its model.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AgentState {
    /// Its name.
    pub name: String,
    /// Its name for people.
    pub title: String,
    /// Whether it asks a model, which can be checked.
    pub has_model: bool,
    /// Whether it worked when it was checked last; unknown before the first check.
    pub works: Option<bool>,
    /// What was found, in one line.
    pub said: String,
    /// When.
    pub at: Option<netra_ws::Timestamp>,
    /// Of an MCP server that an administrator signs in at: whether somebody did.
    pub signed_in: Option<bool>,
}

/// The agents as they were found last; for administrators.
#[server(protocol = Call, prefix = "/fn", endpoint = "agent-states")]
pub async fn agent_states() -> Result<Vec<AgentState>, ServerFnError> {
    let state = backend::state()?;
    backend::administrator(&state).await?;
    Ok(state.checks.states())
}

/// Asks an agent's model what works there; for administrators.
#[server(protocol = Call, prefix = "/fn", endpoint = "check-agent")]
pub async fn check_agent(name: String) -> Result<AgentState, ServerFnError> {
    let state = backend::state()?;
    backend::administrator(&state).await?;
    state.checks.check(&name).await.map_err(backend::failed)
}

/// A failure as people read it: the server's own sentence when there is one.
pub(crate) fn reason(error: &ServerFnError) -> String {
    match error {
        ServerFnError::ServerError(message) => sentence(message),
        ServerFnError::Request(_) => "The server does not answer; try again.".to_owned(),
        error => sentence(&error.to_string()),
    }
}

#[cfg(feature = "ssr")]
pub(super) mod backend {
    use axum::http::{HeaderMap, HeaderValue, StatusCode, header::SET_COOKIE, request::Parts};
    use axum_extra::extract::cookie::Cookie;
    use leptos::prelude::*;
    use leptos_axum::ResponseOptions;
    use netra_ws::{
        ErrorCode, UserId,
        bus::Delivery,
        close::CloseCode,
        model::{Role, User},
    };

    use super::ThreadPage;
    use crate::server::{
        AppState,
        auth::{Identity, SessionSecret, Visitor},
        error::ApiError,
        http,
        store::Scope,
    };

    pub(in crate::app) fn state() -> Result<AppState, ServerFnError> {
        use_context::<AppState>().ok_or_else(|| ServerFnError::new("no application state"))
    }

    /// A part of the user's list of threads.
    pub(super) async fn threads(
        query: Option<String>,
        archived: Option<bool>,
        cursor: Option<String>,
    ) -> Result<ThreadPage, ServerFnError> {
        let state = state()?;
        let user = user(&state).await?;
        let after = cursor.and_then(|cursor| cursor.parse().ok());
        let archived = archived.unwrap_or_default();
        http::page::thread_page(&state, user, query, archived, after).await.map_err(failed)
    }

    /// A person who is signed in, and no program.
    pub(in crate::app) async fn person(state: &AppState) -> Result<Identity, ServerFnError> {
        let identity = identity(state).await?.ok_or_else(|| failed(ApiError::unauthenticated()))?;
        identity.require_person().map_err(failed)?;
        Ok(identity)
    }

    /// The user's sockets close; those of sign-ins that are still good come back.
    pub(in crate::app) fn close_sockets(state: &AppState, identity: &Identity) {
        state.bus.publish(Delivery::Close { user_id: identity.user.id, code: CloseCode::Unauthenticated });
    }

    pub(super) async fn identity(state: &AppState) -> Result<Option<Identity>, ServerFnError> {
        let Some(parts) = use_context::<Parts>() else { return Ok(None) };
        http::asker(&parts, state).await.map_err(failed)
    }

    pub(super) async fn user(state: &AppState) -> Result<UserId, ServerFnError> {
        let identity = identity(state).await?;
        identity.map(|identity| identity.user.id).ok_or_else(|| failed(ApiError::unauthenticated()))
    }

    /// Refuses everyone but administrators.
    pub(super) async fn administrator(state: &AppState) -> Result<(), ServerFnError> {
        let identity = identity(state).await?.ok_or_else(|| failed(ApiError::unauthenticated()))?;
        identity.require_scope(Scope::Admin).map_err(failed)?;
        if identity.user.role == Role::Admin {
            let wanted = state.config.administrators_need_second_factor;
            if wanted && state.security.has_second_factor(identity.user.id).await.map_err(failed)?.is_none() {
                let problem = "administrators need a second factor here; set one up under /account";
                return Err(failed(ApiError::new(ErrorCode::Forbidden, problem)));
            }
            return Ok(());
        }
        Err(failed(ApiError::new(ErrorCode::Forbidden, "only administrators may do that")))
    }

    /// A failure as the page shows it: the sentence for people, and the status.
    pub(in crate::app) fn failed(error: ApiError) -> ServerFnError {
        if let (Some(response), Ok(status)) =
            (use_context::<ResponseOptions>(), StatusCode::from_u16(error.code.http_status()))
        {
            response.set_status(status);
        }
        ServerFnError::ServerError(error.message)
    }

    /// The headers of the request under way.
    pub(super) fn headers() -> HeaderMap {
        use_context::<Parts>().map(|parts| parts.headers).unwrap_or_default()
    }

    /// Who sent it.
    pub(in crate::app) fn visitor(state: &AppState) -> Result<Visitor, ServerFnError> {
        let parts = use_context::<Parts>().ok_or_else(|| ServerFnError::new("no request"))?;
        Ok(Visitor::of(&parts, &state.config.trusted_proxies))
    }

    pub(super) async fn sign_in(
        state: &AppState,
        signed_in: Result<(User, SessionSecret), ApiError>,
    ) -> Result<(), ServerFnError> {
        let (user, secret) = signed_in.map_err(failed)?;
        http::auth::replace_session(state, &headers(), user.id, &secret).await.map_err(failed)?;
        set_cookies(http::session_cookie(&secret, state.config.secure_cookies()));
        Ok(())
    }

    /// The browser forgets what it kept for the user.
    pub(super) fn clear_site_data() {
        let (name, value) = http::guard::CLEAR_SITE_DATA;
        if let Some(response) = use_context::<ResponseOptions>() {
            response.insert_header(name, value);
        }
    }

    pub(super) fn set_cookies(cookies: [Cookie<'static>; 2]) {
        let Some(response) = use_context::<ResponseOptions>() else { return };
        for value in cookies.iter().filter_map(|cookie| HeaderValue::from_str(&cookie.to_string()).ok()) {
            response.append_header(SET_COOKIE, value);
        }
    }
}
