//! Passwords: Argon2id with the crate's recommended parameters (OWASP's second choice: 19 MiB, two passes).

use std::sync::LazyLock;

use argon2::{
    Argon2, PasswordHash, PasswordHasher, PasswordVerifier,
    password_hash::{SaltString, rand_core::OsRng},
};
use tokio::runtime::{Builder, Runtime};

use crate::server::error::ApiError;

/// The shortest password, in characters (NIST SP 800-63B).
pub(super) const MIN_LENGTH: usize = 8;

/// Threads that hash. Each hash takes 19 MiB and a core, and the allocator keeps that memory for each thread that ever took it:
/// so it is always the same few.
const THREADS: usize = 2;

static HASHING: LazyLock<std::io::Result<Runtime>> =
    LazyLock::new(|| Builder::new_multi_thread().worker_threads(THREADS).thread_name("hashing").build());

/// Verified against when there is no such account.
static NOBODY: LazyLock<String> = LazyLock::new(|| hash_now("nobody has this password").unwrap_or_default());

#[derive(Debug, thiserror::Error)]
enum PasswordError {
    #[error("hashing failed: {0}")]
    Hash(argon2::password_hash::Error),
    #[error("hashing was cut off")]
    Cut,
    #[error("the threads that hash could not be started")]
    Threads,
}

fn hash_now(password: &str) -> Result<String, PasswordError> {
    let salt = SaltString::generate(&mut OsRng);
    let hash = Argon2::default().hash_password(password.as_bytes(), &salt).map_err(PasswordError::Hash)?;
    Ok(hash.to_string())
}

/// Off the async threads, a few at a time.
async fn apart<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, PasswordError> + Send + 'static,
) -> Result<T, ApiError> {
    let hashing = HASHING.as_ref().map_err(|_| ApiError::internal(&PasswordError::Threads))?;
    let done = hashing.spawn(async { work() }).await.map_err(|_| PasswordError::Cut).flatten();
    done.map_err(|error| ApiError::internal(&error))
}

/// The hash to keep, in PHC form.
pub(super) async fn hash(password: String) -> Result<String, ApiError> {
    apart(move || hash_now(&password)).await
}

/// Whether the password belongs to the hash; without a hash, the same work and `false`.
pub(super) async fn verify(password: String, hash: Option<String>) -> Result<bool, ApiError> {
    apart(move || {
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| NOBODY.clone());
        let parsed = PasswordHash::new(&hash).map_err(PasswordError::Hash)?;
        Ok(Argon2::default().verify_password(password.as_bytes(), &parsed).is_ok() && known)
    })
    .await
}
