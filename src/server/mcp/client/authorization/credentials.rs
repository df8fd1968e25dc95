//! Tokens that Netra asks for with credentials of its own (OAuth 2.1's `client_credentials`). Whom to ask is found by the server's
//! metadata or named in the configuration; it is asked anew before a token is over or when the server takes it no more.
//!
//! The secret goes to the authorization server that is configured, or to the server's own origin, wherever metadata points.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use serde::{Deserialize, de::DeserializeOwned};
use url::{Url, form_urlencoded};

use super::{PATIENCE, bounded, check_place, failed, origin, plain};
use crate::server::config::McpCredentials;

/// How long a token is kept whose end nobody tells, and the longest that any is.
const LONGEST_LIFE: Duration = Duration::from_hours(1);

/// How long before its end a token is replaced, unless it lives shorter than that.
const MARGIN: Duration = Duration::from_secs(30);

/// The tokens for one server.
pub(in crate::server::mcp::client) struct Credentials {
    oauth: McpCredentials,
    /// The server that they are for.
    resource: Url,
    http: reqwest::Client,
    endpoint: Mutex<Option<Arc<Endpoint>>>,
    token: Mutex<Option<Arc<Token>>>,
}

/// A token of an authorization server.
struct Token {
    value: String,
    renew_at: Instant,
}

/// Where tokens are given out, and how the client says who it is.
struct Endpoint {
    url: Url,
    /// Its secret in the body, where the server takes it in no header.
    in_body: bool,
}

/// What a server says about itself (RFC 9728).
#[derive(Deserialize)]
struct ResourceMetadata {
    #[serde(default)]
    authorization_servers: Vec<Url>,
}

/// What an authorization server says about itself (RFC 8414).
#[derive(Deserialize)]
struct IssuerMetadata {
    issuer: String,
    token_endpoint: Url,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Vec<String>,
}

#[derive(Deserialize)]
struct Granted {
    access_token: String,
    token_type: String,
    expires_in: Option<u64>,
}

#[derive(Deserialize)]
struct Refused {
    error: String,
}

impl Credentials {
    pub(super) fn new(oauth: McpCredentials, resource: Url, http: reqwest::Client) -> Self {
        Self { oauth, resource, http, endpoint: Mutex::default(), token: Mutex::default() }
    }

    /// A token that is good now.
    pub(super) async fn token(&self) -> Result<String, String> {
        let kept = self.token.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(token) = kept.filter(|token| token.renew_at > Instant::now()) {
            return Ok(token.value.clone());
        }
        // Two who find none at the same time ask twice, which does no harm.
        let token = Arc::new(self.ask().await.map_err(|why| format!("no token for it: {why}"))?);
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = Some(token.clone());
        Ok(token.value.clone())
    }

    /// The server takes this token no more.
    pub(super) fn forget(&self, token: &str) {
        let mut kept = self.token.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.as_ref().is_some_and(|kept| kept.value == token) {
            *kept = None;
        }
    }

    async fn ask(&self) -> Result<Token, String> {
        let endpoint = self.endpoint().await?;
        let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let mut request = self.http.post(endpoint.url.clone()).timeout(PATIENCE).header(ACCEPT, "application/json");
        if !endpoint.in_body {
            let McpCredentials { client_id, client_secret, .. } = &self.oauth;
            request = request.basic_auth(encoded(client_id), Some(encoded(client_secret)));
        }
        let body = self.request_of(&endpoint);
        let request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(body);
        let at = origin(&endpoint.url);
        let response = request.send().await.map_err(|error| failed(&at, &error))?;
        let status = response.status();
        let body = bounded(&at, response).await?;
        if !status.is_success() {
            let refused = serde_json::from_slice::<Refused>(&body).ok();
            let code = refused.map(|refused| plain(&refused.error)).filter(|code| !code.is_empty());
            return Err(format!("{at} refuses: {}", code.unwrap_or_else(|| format!("status {}", status.as_u16()))));
        }
        let granted: Granted =
            serde_json::from_slice(&body).map_err(|_| format!("{at} answers with something that is no token"))?;
        if !granted.token_type.eq_ignore_ascii_case("bearer") {
            return Err(format!("{at} gives tokens of a type that is not known: {}", plain(&granted.token_type)));
        }
        if HeaderValue::from_str(&granted.access_token).is_err() || granted.access_token.is_empty() {
            return Err(format!("{at} gives a token that fits no header"));
        }
        tracing::debug!(authorization_server = at, "a token for an MCP server");
        Ok(Token { value: granted.access_token, renew_at: Instant::now() + kept_for(granted.expires_in) })
    }

    /// The body of the request for a token.
    fn request_of(&self, endpoint: &Endpoint) -> String {
        let McpCredentials { client_id, client_secret, scopes, .. } = &self.oauth;
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", "client_credentials").append_pair("resource", self.resource.as_str());
        if !scopes.is_empty() {
            form.append_pair("scope", &scopes.join(" "));
        }
        if endpoint.in_body {
            form.append_pair("client_id", client_id).append_pair("client_secret", client_secret);
        }
        form.finish()
    }

    /// Where tokens are given out; looked for once.
    async fn endpoint(&self) -> Result<Arc<Endpoint>, String> {
        let kept = self.endpoint.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(endpoint) = kept {
            return Ok(endpoint);
        }
        let issuer = match &self.oauth.issuer {
            Some(issuer) => issuer.clone(),
            None => self.own_issuer().await?,
        };
        let endpoint = Arc::new(self.endpoint_of(&issuer).await?);
        *self.endpoint.lock().unwrap_or_else(PoisonError::into_inner) = Some(endpoint.clone());
        Ok(endpoint)
    }

    /// The authorization server that the server names, which must be at its own origin: anyone else would be given our secret.
    async fn own_issuer(&self) -> Result<Url, String> {
        for place in well_known(&self.resource, "oauth-protected-resource") {
            let Some(metadata) = self.read::<ResourceMetadata>(&place).await? else { continue };
            let Some(issuer) = metadata.authorization_servers.into_iter().next() else { continue };
            if issuer.origin() != self.resource.origin() {
                return Err(format!(
                    "its authorization server is {}; name that as `issuer` in `oauth` if the client's secret may go there",
                    origin(&issuer)
                ));
            }
            return Ok(issuer);
        }
        let mut issuer = self.resource.clone();
        issuer.set_path("/");
        issuer.set_query(None);
        Ok(issuer)
    }

    async fn endpoint_of(&self, issuer: &Url) -> Result<Endpoint, String> {
        let mut places = well_known(issuer, "oauth-authorization-server");
        places.extend(well_known(issuer, "openid-configuration"));
        // OpenID Connect has it behind the path.
        if let Ok(behind) = Url::parse(&format!("{}/.well-known/openid-configuration", trimmed(issuer.as_str()))) {
            places.push(behind);
        }
        for place in places {
            let Some(found) = self.read::<IssuerMetadata>(&place).await? else { continue };
            if trimmed(&found.issuer) != trimmed(issuer.as_str()) {
                return Err(format!("{} says that it is {}", origin(issuer), plain(&found.issuer)));
            }
            check_place(&self.resource, &found.token_endpoint)?;
            let methods = &found.token_endpoint_auth_methods_supported;
            let takes = |method: &str| methods.iter().any(|known| known == method);
            let in_body = takes("client_secret_post") && !takes("client_secret_basic");
            return Ok(Endpoint { url: found.token_endpoint, in_body });
        }
        Err(format!("{} does not say where it gives out tokens", origin(issuer)))
    }

    /// Metadata of this place; nothing where there is none.
    async fn read<T: DeserializeOwned>(&self, place: &Url) -> Result<Option<T>, String> {
        check_place(&self.resource, place)?;
        let at = origin(place);
        let request = self.http.get(place.clone()).timeout(PATIENCE).header(ACCEPT, "application/json");
        let response = request.send().await.map_err(|error| failed(&at, &error))?;
        if !response.status().is_success() {
            return Ok(None);
        }
        let body = bounded(&at, response).await?;
        Ok(serde_json::from_slice(&body).ok())
    }
}

/// How long a token is kept.
fn kept_for(expires_in: Option<u64>) -> Duration {
    let lives = expires_in.map_or(LONGEST_LIFE, Duration::from_secs).min(LONGEST_LIFE);
    lives.saturating_sub(MARGIN.min(lives / 4))
}

/// The places of a well-known document: with the path, and without.
fn well_known(of: &Url, name: &str) -> Vec<Url> {
    let path = trimmed(of.path());
    let paths = if path.is_empty() { vec![""] } else { vec![path, ""] };
    let place = |path: &&str| {
        let mut place = of.clone();
        place.set_path(&format!("/.well-known/{name}{path}"));
        place.set_query(None);
        place.set_fragment(None);
        place
    };
    paths.iter().map(place).collect()
}

fn trimmed(text: &str) -> &str {
    text.trim_end_matches('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_looked_for_with_the_path_and_without() {
        let of = |text: &str| -> Vec<String> {
            let url = Url::parse(text).expect("an address");
            well_known(&url, "oauth-protected-resource").iter().map(Url::to_string).collect()
        };
        assert_eq!(of("https://a.example"), ["https://a.example/.well-known/oauth-protected-resource"]);
        let both = [
            "https://a.example/.well-known/oauth-protected-resource/v1/mcp",
            "https://a.example/.well-known/oauth-protected-resource",
        ];
        assert_eq!(of("https://a.example/v1/mcp/?key=1#x"), both);
    }

    #[test]
    fn a_token_is_replaced_before_its_end() {
        for (expires_in, kept) in
            [(Some(3_600), 3_570), (Some(40), 30), (Some(0), 0), (None, 3_570), (Some(u64::MAX), 3_570)]
        {
            assert_eq!(kept_for(expires_in), Duration::from_secs(kept), "{expires_in:?}");
        }
    }
}
