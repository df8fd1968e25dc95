//! Who people are at a provider of identities (OpenID Connect), and the sign-ins that came from it.

use async_trait::async_trait;
use netra_ws::{
    UserId,
    model::{Role, User},
};

use super::StoreError;

/// A person at a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// The provider.
    pub issuer: String,
    /// The provider's own name for the person; it never changes.
    pub subject: String,
}

/// An account to be made for a person.
#[derive(Clone, Debug)]
pub struct NewPerson {
    /// The address, which the provider has verified.
    pub email: String,
    /// The name shown.
    pub name: String,
    /// What the person may do.
    pub role: Role,
}

/// A sign-in that came from a provider.
#[derive(Clone, Debug)]
pub struct ProviderSignIn {
    /// Whose.
    pub subject: Subject,
    /// The provider's own session.
    pub sid: Option<String>,
    /// What the provider said, for signing out there.
    pub id_token: String,
}

/// What a store does for them.
///
/// # Guarantees
/// Each call is one transaction: a person is known to one account, also when two sign-ins come at once, and what opened an account
/// before ends in the transaction that gives it to a person. [`Identities::known_person`] reads nothing stale. No clock counts.
#[async_trait]
pub trait Identities: Send + Sync {
    /// Whose account a person is known to.
    async fn known_person(&self, subject: &Subject) -> Result<Option<User>, StoreError>;
    /// Gives an account to a person. Everything that opened it before ends, for nobody had shown that the address was theirs:
    /// password, second factor, sign-ins and tokens.
    async fn link_person(&self, subject: &Subject, user: UserId) -> Result<(), StoreError>;
    /// Makes an account for a person; `None` when the address is taken.
    async fn add_person(&self, subject: &Subject, person: NewPerson) -> Result<Option<User>, StoreError>;
    /// Keeps where a sign-in came from.
    async fn describe_provider(&self, digest: &[u8], sign_in: &ProviderSignIn) -> Result<(), StoreError>;
    /// Where a sign-in came from.
    async fn provider_of(&self, digest: &[u8]) -> Result<Option<ProviderSignIn>, StoreError>;
    /// Ends the sign-ins of a session at the provider, or of a person there; whose they were.
    async fn end_provider_sign_ins(
        &self,
        issuer: &str,
        sid: Option<&str>,
        subject: Option<&str>,
    ) -> Result<Vec<UserId>, StoreError>;
}
