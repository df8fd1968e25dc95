//! Users: who has an account, and the password to it.

use async_trait::async_trait;
use netra_ws::{UserId, model::User};

use super::StoreError;

/// Keeps users.
///
/// # Guarantees
/// An e-mail address belongs to one user: of two who take it at once, one gets it. Each call that writes is one transaction.
/// A read sees what was committed before it began.
#[async_trait]
pub trait UserStore: Send + Sync {
    /// Adds a user; `None` when the e-mail address is taken. Whether it is the first is looked at in the same transaction.
    async fn add_user(&self, user: NewUser) -> Result<Option<User>, StoreError>;
    /// The user with this address and the password's hash.
    async fn user_by_email(&self, email: &str) -> Result<Option<(User, String)>, StoreError>;
    /// The user with this address.
    async fn user_by_address(&self, email: &str) -> Result<Option<User>, StoreError>;
    /// The developer, made when missing.
    async fn dev_user(&self) -> Result<User, StoreError>;
    /// The hash of the user's password.
    async fn password_hash(&self, user: UserId) -> Result<Option<String>, StoreError>;
    /// Sets the password, and ends the user's sign-ins but one and all password links: all or nothing.
    async fn set_password(&self, user: UserId, hash: &str, except: Option<&[u8]>) -> Result<(), StoreError>;
    /// Gives the user another name; what was said under the former keeps it.
    async fn rename_user(&self, user: UserId, name: &str) -> Result<(), StoreError>;
    /// Whether somebody with a password administers the server.
    async fn has_administrator(&self) -> Result<bool, StoreError>;
}

/// A user to be added.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// Sign-in address.
    pub email: String,
    /// Name shown.
    pub name: String,
    /// Argon2id hash in PHC form.
    pub password_hash: String,
    /// Whether the first user with a password becomes an administrator: only where nobody else can reach the server.
    pub first_administers: bool,
}
