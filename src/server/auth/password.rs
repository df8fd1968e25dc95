//! Passwords: Argon2id with the crate's recommended parameters (OWASP's second choice: 19 MiB, two passes).

use std::{cell::RefCell, sync::LazyLock};

use argon2::{
    Algorithm, Argon2, Block, Params, PasswordHash, PasswordHasher, PasswordVerifier, Version,
    password_hash::{Decimal, Error, Ident, Output, ParamsString, Salt, SaltString, rand_core::OsRng},
};
use netra_ws::ErrorCode;
use tokio::runtime::{Builder, Runtime};

use super::common::is_common;
use crate::server::error::ApiError;

/// The shortest password, in characters (NIST SP 800-63B).
pub(super) const MIN_LENGTH: usize = 8;

/// The longest password, in characters.
pub(super) const MAX_LENGTH: usize = 1_000;

/// Whether a password may be taken; `own` are words that belong to its owner. Length counts, and what everybody tries first;
/// no rule asks for signs or capitals (NIST SP 800-63B, 3.1.1.2).
pub(super) fn check(password: &str, own: &[&str]) -> Result<(), ApiError> {
    let refuse = |message: String| Err(ApiError::new(ErrorCode::InvalidPayload, message));
    if !(MIN_LENGTH..=MAX_LENGTH).contains(&password.chars().count()) {
        return refuse(format!("a password has {MIN_LENGTH} to {MAX_LENGTH} characters"));
    }
    if is_common(password, own) {
        return refuse("this password is among the first that anybody tries; take another".to_owned());
    }
    Ok(())
}

/// Threads that hash: each takes a core for a moment, and keeps 19 MiB.
const THREADS: usize = 2;

static HASHING: LazyLock<std::io::Result<Runtime>> =
    LazyLock::new(|| Builder::new_multi_thread().worker_threads(THREADS).thread_name("hashing").build());

/// Verified against when there is no such account.
static NOBODY: LazyLock<String> = LazyLock::new(|| hash_now("nobody has this password").unwrap_or_default());

#[derive(Debug, thiserror::Error)]
enum PasswordError {
    #[error("hashing failed: {0}")]
    Hash(Error),
    #[error("hashing was cut off")]
    Cut,
    #[error("the threads that hash could not be started")]
    Threads,
}

/// Argon2id in memory that its thread keeps. The allocator does not reuse a block of 19 MiB for the next of the same size, so
/// that a fresh one for each hash leaves a server at hundreds of megabytes.
struct Argon2id;

thread_local! {
    static MEMORY: RefCell<Vec<Block>> = const { RefCell::new(Vec::new()) };
}

impl PasswordHasher for Argon2id {
    type Params = Params;

    fn hash_password_customized<'a>(
        &self,
        password: &[u8],
        algorithm: Option<Ident<'a>>,
        version: Option<Decimal>,
        params: Params,
        salt: impl Into<Salt<'a>>,
    ) -> Result<PasswordHash<'a>, Error> {
        let algorithm = algorithm.map(Algorithm::try_from).transpose()?.unwrap_or_default();
        let version = version.map(Version::try_from).transpose()?.unwrap_or_default();
        let salt = salt.into();
        let mut salt_bytes = [0; Salt::MAX_LENGTH];
        let salt_bytes = salt.decode_b64(&mut salt_bytes)?;
        let length = params.output_len().unwrap_or(Params::DEFAULT_OUTPUT_LEN);
        let argon2 = Argon2::new(algorithm, version, params.clone());
        let hash = MEMORY.with_borrow_mut(|memory| {
            // Grows at the first hash, and again only for one that was made with other parameters.
            if memory.len() < params.block_count() {
                memory.resize(params.block_count(), Block::default());
            }
            let blocks = &mut memory[..params.block_count()];
            Output::init_with(length, |out| {
                Ok(argon2.hash_password_into_with_memory(password, salt_bytes, out, blocks)?)
            })
        })?;
        Ok(PasswordHash {
            algorithm: algorithm.ident(),
            version: Some(version.into()),
            params: ParamsString::try_from(&params)?,
            salt: Some(salt),
            hash: Some(hash),
        })
    }

    fn hash_password<'a>(&self, password: &[u8], salt: impl Into<Salt<'a>>) -> Result<PasswordHash<'a>, Error> {
        self.hash_password_customized(password, None, None, Params::default(), salt)
    }
}

fn hash_now(password: &str) -> Result<String, PasswordError> {
    let salt = SaltString::generate(&mut OsRng);
    let hash = Argon2id.hash_password(password.as_bytes(), &salt).map_err(PasswordError::Hash)?;
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
        Ok(Argon2id.verify_password(password.as_bytes(), &parsed).is_ok() && known)
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What other programs and earlier versions stored is read, and what is stored here is read by them.
    #[test]
    fn hashes_are_those_of_the_crate() {
        let salt = SaltString::encode_b64(b"sixteen bytes of").expect("a salt");
        let theirs = Argon2::default().hash_password(b"correct horse", &salt).expect("a hash").to_string();
        let ours = Argon2id.hash_password(b"correct horse", &salt).expect("a hash").to_string();
        assert_eq!(ours, theirs);
        let smaller = Params::new(64, 1, 1, None).expect("parameters");
        let stored = Argon2::from(smaller).hash_password(b"correct horse", &salt).expect("a hash").to_string();
        let parsed = PasswordHash::new(&stored).expect("PHC form");
        assert!(Argon2id.verify_password(b"correct horse", &parsed).is_ok());
        assert!(Argon2id.verify_password(b"wrong horse", &parsed).is_err());
        assert!(ours.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{ours}");
    }
}
