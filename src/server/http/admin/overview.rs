//! What goes on: sign-ins, connections, runs, and what is used.

use axum::{Json, extract::State, http::StatusCode};
use netra_ws::{
    ConnectionId, RunId, Timestamp, UserId,
    bus::Delivery,
    close::CloseCode,
    model::{Role, User},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Administrator, LISTED};
use crate::server::{
    config::Quota,
    error::ApiError,
    http::{ApiPath, ApiQuery},
    quotas::today,
    state::AppState,
    store::oversight::{OverseenRun, OverseenSignIn, Use},
};

/// `GET /api/admin/sign-ins`, `GET /api/admin/usage`
#[derive(Deserialize, JsonSchema)]
pub struct Looked {
    /// A part of a name or an address.
    query: Option<String>,
}

/// Sign-ins of everybody.
#[derive(JsonSchema, Serialize)]
pub struct AllSignIns {
    /// Those that were used last first; 500 at most.
    sign_ins: Vec<OverseenSignIn>,
}

/// Lists sign-ins.
pub async fn sign_ins(
    State(state): State<AppState>,
    _: Administrator,
    ApiQuery(looked): ApiQuery<Looked>,
) -> Result<Json<AllSignIns>, ApiError> {
    Ok(Json(AllSignIns { sign_ins: state.store.all_sign_ins(looked.query.as_deref(), LISTED).await? }))
}

/// Ends all sign-ins of somebody, and closes their sockets.
pub async fn end_sign_ins(
    State(state): State<AppState>,
    administrator: Administrator,
    ApiPath(id): ApiPath<UserId>,
) -> Result<StatusCode, ApiError> {
    state.security.end_sign_ins_of(administrator.0, id).await?;
    state.bus.publish(Delivery::Close { user_id: id, code: CloseCode::Unauthenticated });
    Ok(StatusCode::NO_CONTENT)
}

/// An open socket.
#[derive(JsonSchema, Serialize)]
pub struct OpenConnection {
    /// Which.
    id: ConnectionId,
    /// Whose.
    user: User,
    /// Since when it is open.
    connected_at: Timestamp,
    /// Threads that it watches.
    subscriptions: usize,
    /// Bytes that wait for it.
    queued_bytes: usize,
}

/// `GET /api/admin/connections`
#[derive(JsonSchema, Serialize)]
pub struct Connections {
    /// How many this process has.
    total: usize,
    /// Of how many people.
    users: usize,
    /// The newest first; 500 at most.
    connections: Vec<OpenConnection>,
}

/// Lists open sockets.
pub async fn connections(State(state): State<AppState>, _: Administrator) -> Json<Connections> {
    let census = state.manager.census();
    let seats = state.manager.newest(LISTED).into_iter().map(|seat| OpenConnection {
        id: seat.id,
        user: seat.user,
        connected_at: seat.connected_at,
        subscriptions: seat.subscriptions,
        queued_bytes: seat.queued_bytes,
    });
    Json(Connections { total: census.connections, users: census.users, connections: seats.collect() })
}

/// `GET /api/admin/runs`
#[derive(JsonSchema, Serialize)]
pub struct Runs {
    /// Those that have yet to end, the oldest first; 500 at most.
    runs: Vec<OverseenRun>,
}

/// Lists runs that have yet to end.
pub async fn runs(State(state): State<AppState>, _: Administrator) -> Result<Json<Runs>, ApiError> {
    Ok(Json(Runs { runs: state.store.unfinished_runs(LISTED).await? }))
}

/// Stops one, whosever it is.
pub async fn stop_run(
    State(state): State<AppState>,
    administrator: Administrator,
    ApiPath(id): ApiPath<RunId>,
) -> Result<StatusCode, ApiError> {
    state.threads.stop_any(id).await?;
    state.security.note_administration(administrator.0, "run.stopped", id.to_string()).await;
    Ok(StatusCode::NO_CONTENT)
}

/// What the people of a role may use.
#[derive(JsonSchema, Serialize)]
pub struct QuotaInfo {
    /// Which.
    role: Role,
    /// Runs that are worked on at a time.
    runs_at_once: usize,
    /// Runs that have yet to end, in one thread.
    queued_runs: u64,
    /// Connections at a time.
    connections: usize,
    /// Tokens of models in a day; without an end when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    tokens_a_day: Option<u64>,
    /// US dollars in a day; without an end when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    cost_a_day: Option<f64>,
    /// Bytes of one file.
    file_bytes: u64,
    /// Bytes of all files.
    storage_bytes: u64,
}

/// `GET /api/admin/usage`
#[derive(JsonSchema, Serialize)]
pub struct Usage {
    /// By role.
    quotas: Vec<QuotaInfo>,
    /// Those first who used most tokens today; 500 at most.
    users: Vec<Use>,
}

/// What people may use, and what they do use.
pub async fn usage(
    State(state): State<AppState>,
    _: Administrator,
    ApiQuery(looked): ApiQuery<Looked>,
) -> Result<Json<Usage>, ApiError> {
    let quota = |role| {
        let quota = *state.config.quotas.of(role);
        let Quota { runs_at_once, queued_runs, connections, tokens_a_day, cost_a_day, .. } = quota;
        let (file_bytes, storage_bytes) = state.attachments.limits_of(&quota);
        QuotaInfo { role, runs_at_once, queued_runs, connections, tokens_a_day, cost_a_day, file_bytes, storage_bytes }
    };
    let users = state.store.uses(today(), looked.query.as_deref(), LISTED).await?;
    Ok(Json(Usage { quotas: [Role::Admin, Role::User, Role::Guest].map(quota).into(), users }))
}
