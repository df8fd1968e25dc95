//! `/api/admin/*`: what administrators do.

pub mod links;
pub mod overview;
pub mod settings;

use axum::{
    Json,
    body::Body,
    extract::{FromRequestParts, State},
    http::{Method, StatusCode, header::CONTENT_TYPE, request::Parts},
    response::IntoResponse,
};
use futures::stream;
use netra_ws::{
    ErrorCode, UserId,
    bus::Delivery,
    close::CloseCode,
    frame::Frame,
    message::ServerMessage,
    model::Role,
    payload::{Level, Notice},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ApiJson, ApiPath, ApiQuery, bearer};
use crate::server::{
    auth::{Identity, OneTimeLink},
    error::ApiError,
    state::AppState,
    store::{
        AuditLine, Deed, Scope,
        closing::{AccountChange, AccountInfo},
    },
    whence,
};

/// An administrator who is signed in, or whoever runs the server, at its command line.
pub struct Administrator(Option<UserId>);

impl FromRequestParts<AppState> for Administrator {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        if bearer(&parts.headers).is_some_and(|token| state.security.is_operator(token)) {
            return Ok(Self(None));
        }
        let identity = Identity::from_request_parts(parts, state).await?;
        match identity.user.role {
            Role::Admin => {
                identity.require_scope(Scope::Admin)?;
                let wanted = state.config.administrators_need_second_factor;
                if wanted && state.security.has_second_factor(identity.user.id).await?.is_none() {
                    let problem = "administrators need a second factor here; set one up under /account";
                    return Err(ApiError::new(ErrorCode::Forbidden, problem));
                }
                if parts.method != Method::GET {
                    state.security.require_confirmed(&identity).await?;
                }
                Ok(Self(Some(identity.user.id)))
            }
            Role::User | Role::Guest | Role::Unknown(_) => {
                Err(ApiError::new(ErrorCode::Forbidden, "only administrators may do that"))
            }
        }
    }
}

/// How much is listed at most.
const LISTED: usize = 500;

/// The longest notice, in characters.
const MAX_NOTICE: usize = 2_000;

/// `POST /api/admin/broadcast`
#[derive(Deserialize, JsonSchema)]
pub struct Announcement {
    /// The text; 1 to 2,000 characters.
    message: String,
    /// How much it matters; `info` when absent.
    #[serde(default = "info")]
    level: Level,
    /// The address of the one user who is to see it, as a `system_message`; everyone sees a `broadcast` when absent.
    email: Option<String>,
}

fn info() -> Level {
    Level::Info
}

/// Shows a notice on every page that is open now, or on those of one user.
pub async fn broadcast(
    State(state): State<AppState>,
    administrator: Administrator,
    ApiJson(announcement): ApiJson<Announcement>,
) -> Result<StatusCode, ApiError> {
    let Announcement { message, level, email } = announcement;
    let message = message.trim().to_owned();
    if message.is_empty() || message.chars().count() > MAX_NOTICE {
        return Err(ApiError::new(ErrorCode::InvalidPayload, format!("`message` has 1 to {MAX_NOTICE} characters")));
    }
    // Only what comes from a server may be unknown.
    if let Level::Unknown(word) = level {
        return Err(ApiError::new(ErrorCode::InvalidPayload, format!("`level` has no value \"{word}\"")));
    }
    let notice = Notice { level, message };
    match email {
        None => state.announcer.to_everyone(ServerMessage::Broadcast(notice)),
        Some(email) => {
            let user = state.store.user_by_address(&email.trim().to_lowercase()).await?;
            let user = user.ok_or_else(|| ApiError::new(ErrorCode::NotFound, "nobody has this e-mail address here"))?;
            state.announcer.to_users(&[user.id], Frame::new(ServerMessage::SystemMessage(notice)));
        }
    }
    tracing::info!(by = ?administrator.0, "notice sent");
    let deed = Deed { actor: administrator.0, action: "notice.sent", subject: None, address: whence::address() };
    state.security.note_deed(deed).await;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /api/admin/invitations`
#[derive(Default, Deserialize, JsonSchema)]
pub struct Invitation {
    /// Whether the account is to administer the server.
    #[serde(default)]
    administrator: bool,
    /// Whether it is a guest's, who reads what is shared and begins nothing.
    #[serde(default)]
    guest: bool,
}

/// Makes a link with which somebody makes an account.
pub async fn invite(
    State(state): State<AppState>,
    administrator: Administrator,
    ApiJson(invitation): ApiJson<Invitation>,
) -> Result<(StatusCode, Json<OneTimeLink>), ApiError> {
    let role = match (invitation.administrator, invitation.guest) {
        (false, false) => Role::User,
        (true, false) => Role::Admin,
        (false, true) => Role::Guest,
        (true, true) => {
            return Err(ApiError::new(ErrorCode::InvalidPayload, "an administrator is no guest; choose one of both"));
        }
    };
    Ok((StatusCode::CREATED, Json(state.security.invite(administrator.0, role).await?)))
}

/// `POST /api/admin/password-links`
#[derive(Deserialize, JsonSchema)]
pub struct Forgetful {
    /// The address of the account.
    email: String,
}

/// Makes a link with which a user sets a new password.
pub async fn password_link(
    State(state): State<AppState>,
    administrator: Administrator,
    ApiJson(forgetful): ApiJson<Forgetful>,
) -> Result<(StatusCode, Json<OneTimeLink>), ApiError> {
    let user = state.store.user_by_address(&forgetful.email.trim().to_lowercase()).await?;
    let user = user.ok_or_else(|| ApiError::new(ErrorCode::NotFound, "nobody has this e-mail address here"))?;
    Ok((StatusCode::CREATED, Json(state.security.password_link(administrator.0, user.id).await?)))
}

/// Accounts in a page unless asked otherwise, and at most.
const ACCOUNTS: (usize, usize) = (100, 500);

/// `GET /api/admin/users`
#[derive(Deserialize, JsonSchema)]
pub struct UserQuery {
    /// A part of the name or the address.
    query: Option<String>,
    /// Only addresses after this one, as they are sorted.
    after: Option<String>,
    /// How many; 100 unless asked otherwise, 500 at most.
    limit: Option<usize>,
}

/// A part of the accounts.
#[derive(JsonSchema, Serialize)]
pub struct Users {
    /// By address.
    users: Vec<AccountInfo>,
}

/// Lists accounts.
pub async fn users(
    State(state): State<AppState>,
    _: Administrator,
    ApiQuery(asked): ApiQuery<UserQuery>,
) -> Result<Json<Users>, ApiError> {
    let limit = asked.limit.unwrap_or(ACCOUNTS.0).clamp(1, ACCOUNTS.1);
    let users = state.security.accounts(asked.query.as_deref(), asked.after.as_deref(), limit).await?;
    Ok(Json(Users { users }))
}

/// `PATCH /api/admin/users/{id}`
#[derive(Deserialize, JsonSchema)]
pub struct UserChange {
    /// `admin`, `user` or `guest`.
    role: Option<Role>,
    /// Whether the account signs in nowhere.
    disabled: Option<bool>,
}

/// Changes an account. What its role opens or closes does so with the user's next connection: those that are open close.
pub async fn change_user(
    State(state): State<AppState>,
    administrator: Administrator,
    ApiPath(id): ApiPath<UserId>,
    ApiJson(change): ApiJson<UserChange>,
) -> Result<Json<AccountInfo>, ApiError> {
    let change = AccountChange { role: change.role, disabled: change.disabled };
    let account = state.security.change_account(administrator.0, id, change).await?;
    if account.disabled_at.is_some() {
        state.threads.stop_all_of(id).await?;
    }
    state.bus.publish(Delivery::Close { user_id: id, code: CloseCode::Unauthenticated });
    Ok(Json(account))
}

/// Lines of the audit log in a page unless asked otherwise, and at most.
const AUDIT: (usize, usize) = (100, 1_000);

/// `GET /api/admin/audit`
#[derive(Deserialize, JsonSchema)]
pub struct AuditQuery {
    /// Only lines after this one; 0 for all.
    #[serde(default)]
    after: i64,
    /// How many; 100 unless asked otherwise, 1,000 at most.
    limit: Option<usize>,
    /// Whether the newest come first; `after` is then passed over.
    #[serde(default)]
    newest: bool,
    /// Only lines that hold this in their action, subject or address.
    query: Option<String>,
}

/// A part of the audit log.
#[derive(JsonSchema, Serialize)]
pub struct Audit {
    /// Oldest first, unless asked otherwise.
    lines: Vec<AuditLine>,
}

/// What was done to accounts, tokens and members, and by whom.
pub async fn audit(
    State(state): State<AppState>,
    _: Administrator,
    ApiQuery(asked): ApiQuery<AuditQuery>,
) -> Result<Json<Audit>, ApiError> {
    let limit = asked.limit.unwrap_or(AUDIT.0).clamp(1, AUDIT.1);
    let query = asked.query.as_deref();
    let lines = if asked.newest {
        state.store.newest_audit(limit, query).await?
    } else {
        state.security.audit(asked.after, limit, query).await?
    };
    Ok(Json(Audit { lines }))
}

/// The audit log after a line as JSON lines, for other programs.
pub async fn audit_lines(
    State(state): State<AppState>,
    _: Administrator,
    ApiQuery(asked): ApiQuery<AuditQuery>,
) -> impl IntoResponse {
    let AuditQuery { after, query, .. } = asked;
    let pages = stream::try_unfold(after, move |after| {
        let (state, query) = (state.clone(), query.clone());
        async move {
            let lines = state.security.audit(after, AUDIT.1, query.as_deref()).await?;
            let Some(last) = lines.last().map(|line| line.id) else { return Ok(None) };
            let mut text = String::new();
            for line in &lines {
                text += &serde_json::to_string(line).map_err(|error| ApiError::internal(&error))?;
                text.push('\n');
            }
            Ok::<_, ApiError>(Some((text, last)))
        }
    });
    ([(CONTENT_TYPE, "application/jsonl")], Body::from_stream(pages))
}
