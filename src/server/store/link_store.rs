//! One-time links: invitations, and new passwords.

use async_trait::async_trait;
use netra_ws::{
    Timestamp, UserId,
    model::{Role, User},
};

use super::{NewUser, StoreError};

/// Keeps one-time links, under the digests of their secrets.
///
/// # Guarantees
/// A link is used up in the transaction that does what it is good for: of two who use it at once, one finds it gone, and one
/// that did nothing is still good. Whether its time is over is told by the store's clock.
#[async_trait]
pub trait LinkStore: Send + Sync {
    /// Keeps a link under the digest of its secret.
    async fn add_link(
        &self,
        digest: &[u8],
        purpose: Purpose,
        made_by: Option<UserId>,
        expires_at: Timestamp,
    ) -> Result<(), StoreError>;
    /// What a link is good for; `None` when it was used or its time is over. It stays as it is.
    async fn link_purpose(&self, digest: &[u8]) -> Result<Option<Purpose>, StoreError>;
    /// Makes an account with an invitation, which is used up by it.
    async fn add_invited(&self, user: NewUser, invitation: &[u8]) -> Result<InvitationUse, StoreError>;
    /// Sets a password with a link, which is used up by it, and ends all of the user's sign-ins, API tokens and other password
    /// links; `None` when it is not good.
    async fn reset_password(&self, link: &[u8], hash: &str) -> Result<Option<User>, StoreError>;
}

/// What a link is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Making an account with a role.
    Invitation {
        /// The role.
        role: Role,
    },
    /// Giving an account a new password.
    Password {
        /// Whose.
        user: UserId,
    },
}

/// What became of an account that somebody wanted to make with an invitation.
#[derive(Clone, Debug)]
pub enum InvitationUse {
    /// It was made.
    Added(User),
    /// The address has an account; the invitation is still good.
    AddressTaken,
    /// There is no such invitation: it was used, or its time is over.
    NoInvitation,
}
