//! The second factor of a sign-in.

use async_trait::async_trait;
use netra_ws::UserId;

use super::StoreError;

/// A TOTP secret, and how far it was used.
#[derive(Clone)]
pub struct SecondFactor {
    /// The secret that the user's app has, too, in the form in which it was given to be kept.
    pub secret: Vec<u8>,
    /// Whether the user has shown that the app has it.
    pub confirmed: bool,
    /// Recovery codes that are left.
    pub codes_left: u64,
}

/// What a store does for second factors.
///
/// # Guarantees
/// Each call is one transaction. A step and a recovery code are used once, by whoever comes first: looking whether it is there and
/// taking it is one statement, also for two who ask at once. A factor is confirmed together with its new codes, and old ones are good
/// for nothing from then on; one that has ended has no codes. [`SecondFactors::second_factor`] reads nothing stale. Steps count by the
/// clock of whoever checks a code, and only ever forwards; the store's clock says when a factor was confirmed, and decides nothing.
#[async_trait]
pub trait SecondFactors: Send + Sync {
    /// The user's second factor, confirmed or not.
    async fn second_factor(&self, user: UserId) -> Result<Option<SecondFactor>, StoreError>;
    /// Keeps a secret that has yet to be confirmed; `false` when the user has a confirmed one.
    async fn begin_second_factor(&self, user: UserId, secret: &[u8]) -> Result<bool, StoreError>;
    /// Confirms the secret, with the step of the code that showed it, and keeps digests of recovery codes.
    async fn confirm_second_factor(&self, user: UserId, step: u64, codes: &[Vec<u8>]) -> Result<bool, StoreError>;
    /// Uses a step; `false` when it or a later one was used before.
    async fn use_step(&self, user: UserId, step: u64) -> Result<bool, StoreError>;
    /// Uses a recovery code up; `false` when there is none like it.
    async fn use_recovery_code(&self, user: UserId, digest: &[u8]) -> Result<bool, StoreError>;
    /// Secrets that an older version kept as they are: those of this length.
    async fn plain_secrets(&self, length: usize) -> Result<Vec<(UserId, Vec<u8>)>, StoreError>;
    /// Keeps a secret in another form, unless it changed meanwhile.
    async fn replace_secret(&self, user: UserId, old: &[u8], new: &[u8]) -> Result<(), StoreError>;
    /// Ends the second factor.
    async fn end_second_factor(&self, user: UserId) -> Result<(), StoreError>;
}
