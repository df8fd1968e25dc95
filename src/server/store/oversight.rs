//! What administrators see of everybody: sign-ins, links that are open, runs, and what is used. No words of anybody's.

use async_trait::async_trait;
use netra_ws::{
    RunId, ThreadId, Timestamp, UserId,
    model::{Role, RunStatus},
};
use schemars::JsonSchema;
use serde::Serialize;

use super::{AuditLine, StoreError};

/// A sign-in of anybody's.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub struct OverseenSignIn {
    /// Whose.
    pub user_id: UserId,
    /// The name shown.
    pub name: String,
    /// The sign-in address; absent for the developer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// When it began.
    pub created_at: Timestamp,
    /// When it was used last, to the minute.
    pub last_used_at: Timestamp,
    /// The network address that it was made from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// What the browser called itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
}

/// A link that was not used yet. Its secret is not kept.
#[derive(Clone, Debug)]
pub struct OpenLink {
    /// The digest under which it is kept.
    pub digest: Vec<u8>,
    /// What it is good for: `invitation`, `password`, or `address`.
    pub purpose: String,
    /// The role that an invitation gives.
    pub role: Role,
    /// Whose password or address it is about.
    pub for_email: Option<String>,
    /// Who made it; whoever runs the server when absent.
    pub made_by: Option<String>,
    /// When.
    pub created_at: Timestamp,
    /// When its time is over.
    pub expires_at: Timestamp,
}

/// A run that has yet to end.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub struct OverseenRun {
    /// Which.
    pub id: RunId,
    /// In which thread.
    pub thread_id: ThreadId,
    /// Who works.
    pub agent: String,
    /// How far it is.
    pub status: RunStatus,
    /// For whom; absent for runs of an older version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<UserId>,
    /// That person's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Since when it waits or works.
    pub created_at: Timestamp,
}

/// What somebody uses.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub struct Use {
    /// Who.
    pub user_id: UserId,
    /// The name shown.
    pub name: String,
    /// The sign-in address; absent for the developer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Whose quota counts.
    pub role: Role,
    /// Tokens of models since midnight UTC.
    pub tokens_today: u64,
    /// What models cost since midnight UTC, in US dollars, as far as prices are known.
    pub cost_today: f64,
    /// Runs that have yet to end.
    pub runs: u64,
    /// Bytes of files.
    pub file_bytes: u64,
}

/// What a store does for them.
///
/// # Guarantees
/// A read sees what was committed before it began, and may miss what comes beside it; a link that was removed is good for nobody
/// after the call returned. Whether a link or a sign-in is over is told by the store's clock; `since` is the caller's.
#[async_trait]
pub trait Oversight: Send + Sync {
    /// Sign-ins, those that were used last first, of people whose name, address or network address holds the text.
    async fn all_sign_ins(&self, text: Option<&str>, limit: usize) -> Result<Vec<OverseenSignIn>, StoreError>;
    /// The newest lines of the audit log, those first; only those that hold the text, when there is one.
    async fn newest_audit(&self, limit: usize, text: Option<&str>) -> Result<Vec<AuditLine>, StoreError>;
    /// Links that can be used, the newest first.
    async fn open_links(&self, limit: usize) -> Result<Vec<OpenLink>, StoreError>;
    /// Makes a link good for nothing; `false` when there is none.
    async fn remove_link(&self, digest: &[u8]) -> Result<bool, StoreError>;
    /// Runs that have yet to end, the oldest first.
    async fn unfinished_runs(&self, limit: usize) -> Result<Vec<OverseenRun>, StoreError>;
    /// What people use, whose name or address holds the text: those first who used most tokens since then.
    async fn uses(&self, since: Timestamp, text: Option<&str>, limit: usize) -> Result<Vec<Use>, StoreError>;
}
