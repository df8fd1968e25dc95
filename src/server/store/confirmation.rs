//! When whoever holds a sign-in showed last that it is them.

use async_trait::async_trait;
use netra_ws::Timestamp;

use super::StoreError;

/// What a store does for what is asked again before it matters.
///
/// # Guarantees
/// Each call is one transaction. [`Confirmations::confirmed_at`] reads nothing stale: a sign-in that has ended confirms nothing. Both
/// when it was confirmed and whether it has ended is told by the store's clock.
#[async_trait]
pub trait Confirmations: Send + Sync {
    /// When the sign-in was made, or confirmed after that; `None` when it has ended.
    async fn confirmed_at(&self, digest: &[u8]) -> Result<Option<Timestamp>, StoreError>;
    /// Notes that it was confirmed now.
    async fn confirm_sign_in(&self, digest: &[u8]) -> Result<(), StoreError>;
}
