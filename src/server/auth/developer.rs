//! The developer, who signs in without proof, and may therefore only come straight from the machine's own browser.

use axum::http::{HeaderMap, HeaderName, header};
use netra_ws::{ErrorCode, model::User};

use super::{SecurityService, SessionSecret, Visitor};
use crate::server::{config::AuthMode, error::ApiError};

/// What proxies add besides `X-Forwarded-*`.
const PROXIED: [HeaderName; 6] = [
    header::FORWARDED,
    header::VIA,
    HeaderName::from_static("x-real-ip"),
    HeaderName::from_static("x-client-ip"),
    HeaderName::from_static("cf-connecting-ip"),
    HeaderName::from_static("true-client-ip"),
];

/// Proof that a request names the server by a name of its own and did not come through a proxy. Behind a proxy loopback is
/// reached by everyone; a foreign name that was made to lead here belongs to someone else's page.
#[derive(Debug)]
pub struct DirectVisit(());

impl DirectVisit {
    /// The proof, when the headers give it. `origins` are the server's own.
    pub fn of(headers: &HeaderMap, origins: &[String]) -> Option<Self> {
        let proxied = |name: &HeaderName| PROXIED.contains(name) || name.as_str().starts_with("x-forwarded-");
        if headers.keys().any(proxied) {
            return None;
        }
        let host = headers.get(header::HOST)?.to_str().ok()?;
        let own = origins.iter().filter_map(|origin| origin.split_once("://")).any(|(_, own)| own == host);
        own.then_some(Self(()))
    }
}

impl SecurityService {
    /// Signs the developer in.
    pub async fn dev_login(
        &self,
        visitor: &Visitor,
        visit: Option<DirectVisit>,
    ) -> Result<(User, SessionSecret), ApiError> {
        self.require(AuthMode::Dev)?;
        let DirectVisit(()) = visit.ok_or_else(|| {
            ApiError::new(
                ErrorCode::Forbidden,
                "the developer signs in at this machine's own address, not through a proxy",
            )
        })?;
        let user = self.store.dev_user().await?;
        let secret = self.begin_session(user.id, visitor).await?;
        self.note(Some(user.id), "sign_in.made", None, Some(visitor)).await;
        Ok((user, secret))
    }

    /// Ends what the developer was given while `dev` sign-in was on, once it is off.
    pub async fn end_developer(&self) -> Result<(), ApiError> {
        if self.allows(AuthMode::Dev) {
            return Ok(());
        }
        let ended = self.store.end_developer().await?;
        if ended > 0 {
            tracing::warn!(ended, "dev sign-in is off: the developer's sign-ins and API tokens have ended");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxies_and_foreign_names_are_no_direct_visits() {
        let own = ["http://127.0.0.1:3000".to_owned(), "http://localhost:3000".to_owned()];
        let visit = |headers: &[(&'static str, &'static str)]| {
            let pairs = headers
                .iter()
                .map(|&(name, value)| (HeaderName::from_static(name), value.parse().expect("a header's value")));
            DirectVisit::of(&pairs.collect(), &own).is_some()
        };
        assert!(visit(&[("host", "127.0.0.1:3000")]) && visit(&[("host", "localhost:3000"), ("accept", "*/*")]));
        assert!(!visit(&[]) && !visit(&[("host", "evil.example:3000")]) && !visit(&[("host", "127.0.0.1")]));
        for name in ["forwarded", "via", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-port", "x-real-ip"] {
            assert!(!visit(&[("host", "127.0.0.1:3000"), (name, "")]), "{name}");
        }
    }
}
