//! Accounts as a whole: listed, disabled, given another role, deleted.

use async_trait::async_trait;
use netra_ws::{Timestamp, UserId, model::Role};

use super::StoreError;

/// An account, as administrators see it.
#[derive(Clone, Debug, PartialEq, Eq, schemars::JsonSchema, serde::Serialize)]
pub struct AccountInfo {
    /// Whose.
    pub id: UserId,
    /// The name shown.
    pub name: String,
    /// The sign-in address; absent for the developer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// What the person may do.
    pub role: Role,
    /// When it was made.
    pub created_at: Timestamp,
    /// When a sign-in of it was used last, to the minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_seen_at: Option<Timestamp>,
    /// Since when it is disabled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disabled_at: Option<Timestamp>,
    /// When it is to be deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delete_at: Option<Timestamp>,
    /// Whether signing in takes a second factor.
    pub second_factor: bool,
}

/// What is to change about an account.
#[derive(Clone, Copy, Debug, Default)]
pub struct AccountChange {
    /// The role that it is to have.
    pub role: Option<Role>,
    /// Whether it is to be disabled.
    pub disabled: Option<bool>,
}

/// What became of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changed {
    /// It was made.
    Done,
    /// There is no such account.
    Unknown,
    /// Nobody would administer the server any more.
    LastAdministrator,
}

/// What a store does for accounts that come to an end.
///
/// # Guarantees
/// Each call is one transaction. That somebody still administers the server is looked up in the transaction that takes an
/// administrator away, so that two of them cannot remove each other at once; and what an account loses with a change, its sign-ins
/// and links, goes with it: nobody signs in between. [`Closing::account`] reads nothing stale, for it is asked before somebody is
/// let in; a list may miss what is changed while it is read. Whether a time is over, and when an account was disabled, is told by
/// the store's clock; when one is to be deleted is the caller's.
#[async_trait]
pub trait Closing: Send + Sync {
    /// Accounts by address, after this one, whose name or address holds the text.
    async fn accounts(
        &self,
        text: Option<&str>,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<AccountInfo>, StoreError>;
    /// One account.
    async fn account(&self, user: UserId) -> Result<Option<AccountInfo>, StoreError>;
    /// Changes an account; one that is disabled loses its sign-ins, and one that is disabled or administers no more the links that
    /// it made.
    async fn change_account(&self, user: UserId, change: AccountChange) -> Result<Changed, StoreError>;
    /// Sets when an account is to be deleted, and ends its sign-ins; nothing keeps it.
    async fn set_deletion(&self, user: UserId, at: Option<Timestamp>) -> Result<Changed, StoreError>;
    /// Accounts whose time is over.
    async fn accounts_to_delete(&self) -> Result<Vec<UserId>, StoreError>;
    /// Removes an account that has no threads any more, if its time is still over.
    async fn remove_account(&self, user: UserId) -> Result<bool, StoreError>;
}
