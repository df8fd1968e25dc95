//! Sign-ins: the cookies of browsers.

use async_trait::async_trait;
use netra_ws::{Timestamp, UserId, model::User};

use super::StoreError;

/// Sign-ins that one user may have at a time.
pub const MAX_SESSIONS: usize = 50;

/// Keeps sign-ins, under the digests of their secrets.
///
/// # Guarantees
/// A sign-in that was ended is good for nobody who asks after the call returned: [`SignInStore::session`] reads nothing stale.
/// Whether its time is over is told by the store's clock. Each call that writes is one transaction; that a sign-in was used
/// is noted beside, and may be lost.
#[async_trait]
pub trait SignInStore: Send + Sync {
    /// Keeps a sign-in under the digest of its secret; the oldest of a user who has [`MAX_SESSIONS`] ends in the same
    /// transaction. With the hash of the password that was shown for it: `false`, and nothing is kept, when the user has another
    /// by now.
    async fn add_session(
        &self,
        digest: &[u8],
        user: UserId,
        expires_at: Timestamp,
        shown: Option<&str>,
    ) -> Result<bool, StoreError>;
    /// Whether somebody is signed in, to the account with this e-mail address, who came from this network address.
    async fn signed_in_from(&self, email: &str, address: &str) -> Result<bool, StoreError>;
    /// Whose sign-in it is, if it is still good.
    async fn session(&self, digest: &[u8]) -> Result<Option<User>, StoreError>;
    /// Ends a sign-in.
    async fn end_session(&self, digest: &[u8]) -> Result<(), StoreError>;
    /// Keeps where a sign-in was made and with what.
    async fn describe_sign_in(&self, digest: &[u8], address: &str, device: Option<&str>) -> Result<(), StoreError>;
    /// The user's sign-ins, the newest first.
    async fn sign_ins(&self, user: UserId) -> Result<Vec<SignIn>, StoreError>;
    /// Ends the user's sign-ins but one; how many.
    async fn end_sign_ins(&self, user: UserId, except: Option<&[u8]>) -> Result<u64, StoreError>;
    /// Ends the developer's sign-ins and tokens, all or none; how many there were.
    async fn end_developer(&self) -> Result<u64, StoreError>;
}

/// A sign-in, as its user sees it.
#[derive(Clone, Debug)]
pub struct SignIn {
    /// The digest under which it is kept.
    pub digest: Vec<u8>,
    /// When it began.
    pub created_at: Timestamp,
    /// When it was used last, to the minute.
    pub seen_at: Timestamp,
    /// From which address it was made.
    pub address: Option<String>,
    /// What the browser called itself.
    pub device: Option<String>,
}
