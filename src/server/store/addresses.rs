//! Whether people have shown that their addresses are theirs.

use async_trait::async_trait;
use netra_ws::{Timestamp, UserId, model::User};

use super::StoreError;

/// What a store does for that.
///
/// # Guarantees
/// Each call is one transaction: an account never waits for a link that is not there, and a link is used once, also by two who come
/// at once. [`Addresses::address_is_due`] reads nothing stale. When a link ends is the caller's to say, whether it has the store's clock.
#[async_trait]
pub trait Addresses: Send + Sync {
    /// A user has to show it with a link, which is kept under its digest; links before it are good for nothing.
    async fn await_address(&self, user: UserId, digest: &[u8], expires_at: Timestamp) -> Result<(), StoreError>;
    /// Whether the user has yet to show it.
    async fn address_is_due(&self, user: UserId) -> Result<bool, StoreError>;
    /// Uses a link up: whose address is shown; `None` when the link is not good.
    async fn confirm_address(&self, digest: &[u8]) -> Result<Option<User>, StoreError>;
}
