//! Tokens for programs.

use async_trait::async_trait;
use netra_ws::{Timestamp, UserId, model::User};
use uuid::Uuid;

use super::StoreError;

/// Tokens that one user may have.
pub const MAX_API_TOKENS: usize = 100;

/// Keeps programs' tokens, under the digests of their secrets.
///
/// # Guarantees
/// A token that was revoked is good for nobody who asks after the call returned: [`TokenStore::api_token_user`] reads nothing
/// stale. Whether its time is over is told by the store's clock. Each call that writes is one transaction; that a token was
/// used is noted beside, and may be lost.
#[async_trait]
pub trait TokenStore: Send + Sync {
    /// Keeps a program's token under its digest; `None` when the user has [`MAX_API_TOKENS`] already, which is counted in the
    /// same transaction.
    async fn add_api_token(
        &self,
        user: UserId,
        name: &str,
        digest: &[u8],
        scope: Scope,
        expires_at: Option<Timestamp>,
    ) -> Result<Option<ApiToken>, StoreError>;
    /// The user's tokens, oldest first.
    async fn api_tokens(&self, user: UserId) -> Result<Vec<ApiToken>, StoreError>;
    /// Revokes a token; `false` when it is not the user's.
    async fn remove_api_token(&self, user: UserId, id: Uuid) -> Result<bool, StoreError>;
    /// Whose token it is and what it may do, if it was not revoked and has not ended; notes that it was used, and from where.
    async fn api_token_user(&self, digest: &[u8], from: Option<&str>) -> Result<Option<KnownToken>, StoreError>;
}

/// Whose a token is, and what it may do.
#[derive(Clone, Debug)]
pub struct KnownToken {
    /// Whose.
    pub user: User,
    /// What it may do.
    pub scope: Scope,
    /// When it ends; absent when it does not.
    pub expires_at: Option<Timestamp>,
}

/// A program's token, as far as it is kept.
#[derive(Clone, Debug, schemars::JsonSchema, serde::Serialize)]
pub struct ApiToken {
    /// Names it when it is to be revoked.
    #[schemars(with = "String")]
    pub id: Uuid,
    /// What it is for.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was used last, to the minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<Timestamp>,
    /// The network address that it was used from last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_used_from: Option<String>,
    /// What it may do.
    pub scope: Scope,
    /// When it ends; absent when it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

/// What a program's token may do; each allows what those before it do.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    schemars::JsonSchema,
    serde::Deserialize,
    serde::Serialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Read over HTTP what its user may read.
    Read,
    /// Take part, over the socket, too.
    #[default]
    Chat,
    /// What its user may do as an administrator, too.
    Admin,
}

impl Scope {
    /// Its name in requests and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Chat => "chat",
            Self::Admin => "admin",
        }
    }

    /// The scope of this name.
    pub(crate) fn named(name: &str) -> Self {
        match name {
            "admin" => Self::Admin,
            "chat" => Self::Chat,
            // What a newer version wrote allows the least here.
            _ => Self::Read,
        }
    }
}
