//! Who may have a password hashed. A hash takes a core for a moment: each network has a few at a time and a line of its own, so
//! that others wait for it briefly, and all together have a bounded number.

use std::{net::IpAddr, sync::Arc};

use netra_ws::ErrorCode;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{SecurityService, Visitor, password};
use crate::server::{
    error::ApiError,
    turns::{TurnPermit, Turns},
};

/// Passwords of one network that are looked at, and those that wait.
const AT_ONCE: usize = 2;
const IN_LINE: usize = 64;

/// Passwords that are looked at for all networks together.
const IN_ALL: usize = 64;

/// When to try again, in milliseconds.
const RETRY_AFTER: u64 = 2_000;

/// Leave to hash.
pub(super) struct Hashing {
    networks: Turns<IpAddr>,
    all: Arc<Semaphore>,
}

/// It ends when this is dropped.
struct Place {
    _turn: TurnPermit,
    _permit: OwnedSemaphorePermit,
}

impl Hashing {
    pub(super) fn new() -> Self {
        Self { networks: Turns::new(AT_ONCE, IN_LINE), all: Arc::new(Semaphore::new(IN_ALL)) }
    }

    async fn place(&self, visitor: &Visitor) -> Result<Place, ApiError> {
        let busy = || {
            tracing::warn!(address = %visitor.address, "too many sign-ins at once");
            ApiError::new(ErrorCode::ServerBusy, "too many people sign in at once; try again in a moment")
                .retry_after_ms(RETRY_AFTER)
        };
        let turn = self.networks.take(visitor.network()).await.map_err(|_| busy())?;
        let permit = self.all.clone().try_acquire_owned().map_err(|_| busy())?;
        Ok(Place { _turn: turn, _permit: permit })
    }
}

impl SecurityService {
    /// The hash to keep of a visitor's password.
    pub(super) async fn hash(&self, visitor: &Visitor, password: &str) -> Result<String, ApiError> {
        let _place = self.hashing.place(visitor).await?;
        password::hash(password.to_owned()).await
    }

    /// Whether a visitor's password belongs to the hash; without a hash, the same work and `false`.
    pub(super) async fn verify(
        &self,
        visitor: &Visitor,
        password: &str,
        hash: Option<String>,
    ) -> Result<bool, ApiError> {
        let _place = self.hashing.place(visitor).await?;
        password::verify(password.to_owned(), hash).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn visitor(last: u8) -> Visitor {
        Visitor { address: [203, 0, 113, last].into(), device: None }
    }

    #[tokio::test]
    async fn a_network_has_its_share() {
        let hashing = Hashing::new();
        let first = hashing.place(&visitor(1)).await.ok();
        let second = hashing.place(&visitor(1)).await.ok();
        assert!(first.is_some() && second.is_some());
        let again = visitor(1);
        let mut third = Box::pin(hashing.place(&again));
        assert!(futures::poll!(&mut third).is_pending(), "the network waits for itself");
        assert!(hashing.place(&visitor(2)).await.is_ok(), "others do not");
        drop(first);
        assert!(third.await.is_ok());
    }

    #[tokio::test]
    async fn all_together_are_bounded() {
        let hashing = Hashing::new();
        let mut held = Vec::new();
        for last in 0..=u8::MAX {
            match hashing.place(&visitor(last)).await {
                Ok(place) => held.push(place),
                Err(error) => {
                    assert_eq!((error.code, error.retry_after_ms), (ErrorCode::ServerBusy, Some(RETRY_AFTER)));
                    break;
                }
            }
        }
        assert_eq!(held.len(), IN_ALL);
    }
}
