//! The audit log: what was done to accounts and threads, and by whom.

use async_trait::async_trait;
use netra_ws::{Timestamp, UserId};

use super::StoreError;

/// Keeps what was done.
///
/// # Guarantees
/// Lines are numbered in the order of their commits, and none is changed or goes. The time is the store's.
#[async_trait]
pub trait AuditLog: Send + Sync {
    /// Adds a line, in a transaction of its own.
    async fn note(&self, deed: Deed) -> Result<(), StoreError>;
    /// The lines after one, oldest first; only those that hold the text, when there is one.
    async fn audit(&self, after: i64, limit: usize, text: Option<&str>) -> Result<Vec<AuditLine>, StoreError>;
}

/// Something that was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deed {
    /// By whom; whoever runs the server when absent.
    pub actor: Option<UserId>,
    /// What, as `what.happened`.
    pub action: &'static str,
    /// To whom or what: an id.
    pub subject: Option<String>,
    /// From which address.
    pub address: Option<String>,
}

/// A line of the audit log.
#[derive(Clone, Debug, schemars::JsonSchema, serde::Serialize)]
pub struct AuditLine {
    /// Its number; they grow.
    pub id: i64,
    /// When.
    pub at: Timestamp,
    /// By whom; whoever runs the server when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<UserId>,
    /// What that person is called today.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor_name: Option<String>,
    /// What, as `what.happened`.
    pub action: String,
    /// To whom or what: an id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// What the subject is called today, where it is a person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject_name: Option<String>,
    /// From which address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
}
