//! Servers that want a token (OAuth 2.1): Netra asks for it with credentials of its own, or an administrator signs in once for all
//! who use the server.

mod connection;
mod credentials;
mod outgoing;
mod round;
mod sign_in;

use std::{sync::Arc, time::Duration};

use reqwest::Response;
use url::Url;

use super::McpServices;
use crate::server::config::McpOAuth;
pub use connection::Vault;
use credentials::Credentials;
pub(super) use sign_in::Glimpse;
pub use sign_in::{Answer, Refused, SignIn};

/// How long an authorization server may take for one answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// The longest answer of one, in bytes.
const LONGEST: usize = 64 << 10;

/// The tokens for one server.
pub(super) enum Tokens {
    /// Those of Netra itself.
    Credentials(Box<Credentials>),
    /// Those of a person's sign-in.
    SignIn(Arc<SignIn>),
    /// One that was there: for the command line, which renews none.
    Given(String),
}

impl Tokens {
    pub(super) fn new(server: &str, oauth: &McpOAuth, resource: &Url, services: &McpServices) -> Self {
        match oauth {
            McpOAuth::Credentials(config) => {
                let credentials = Credentials::new(config.clone(), resource.clone(), services.http.clone());
                Self::Credentials(Box::new(credentials))
            }
            McpOAuth::SignIn(config) => {
                Self::SignIn(Arc::new(SignIn::new(server, config.clone(), resource.clone(), services)))
            }
        }
    }

    /// A token that is good now.
    pub(super) async fn token(&self) -> Result<String, String> {
        match self {
            Self::Credentials(credentials) => credentials.token().await,
            Self::SignIn(sign_in) => sign_in.token().await,
            Self::Given(token) => Ok(token.clone()),
        }
    }

    /// The server takes this token no more.
    pub(super) fn forget(&self, token: &str) {
        match self {
            Self::Credentials(credentials) => credentials.forget(token),
            Self::SignIn(sign_in) => sign_in.forget(token),
            Self::Given(_) => {}
        }
    }
}

/// Metadata leads to HTTPS alone, unless the server itself is spoken to without.
fn check_place(resource: &Url, place: &Url) -> Result<(), String> {
    let plain = place.scheme() == "http" && resource.scheme() == "http";
    let named = place.username().is_empty() && place.password().is_none() && place.has_host();
    if (place.scheme() == "https" || plain) && named {
        return Ok(());
    }
    Err(format!("{} is no address for a secret", origin(place)))
}

/// Where something is, without what may be a secret.
fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

/// A stranger's word, as one line of log and page takes it.
fn plain(word: &str) -> String {
    word.chars().filter(|c| !c.is_control()).take(200).collect()
}

fn failed(at: &str, error: &reqwest::Error) -> String {
    let why = if error.is_timeout() { "does not answer in time" } else { "cannot be reached" };
    format!("{at} {why}")
}

async fn bounded(at: &str, mut response: Response) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(|error| failed(at, &error))? {
        if body.len() + piece.len() > LONGEST {
            return Err(format!("{at} answers with more than {LONGEST} bytes"));
        }
        body.extend_from_slice(&piece);
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_goes_to_https_alone() {
        for (resource, place, fits) in [
            ("https://a.example/mcp", "https://b.example/token", true),
            ("https://a.example/mcp", "http://a.example/token", false),
            ("http://127.0.0.1:1/mcp", "http://127.0.0.1:2/token", true),
            ("https://a.example/mcp", "https://user:word@b.example/token", false),
            ("https://a.example/mcp", "file:///etc/passwd", false),
        ] {
            let url = |text: &str| Url::parse(text).expect("an address");
            assert_eq!(check_place(&url(resource), &url(place)).is_ok(), fits, "{resource} {place}");
        }
    }
}
