//! The authorization server of a sign-in: finding it, being known to it, and telling it that a token is used no more.

use std::sync::Arc;

use openidconnect::OAuth2TokenResponse as _;
use reqwest::header::CONTENT_TYPE;
use rmcp::transport::auth::{AuthorizationManager, AuthorizationMetadata, OAuthClientConfig};
use url::{Url, form_urlencoded};

use super::{
    super::{PATIENCE, check_place, connection::Connection, origin, outgoing::Outgoing, plain},
    Live, SignIn, words,
};

/// What Netra calls itself where it registers.
const CLIENT_NAME: &str = "Netra";

impl SignIn {
    /// Whom to ask: the authorization server that the settings name, or the one that the server does.
    pub(super) async fn discover(&self) -> Result<(AuthorizationManager, AuthorizationMetadata), String> {
        let mut manager = self.asking(&self.resource).await?;
        let named = manager.resolve_metadata().await;
        let is_of = |metadata: &AuthorizationMetadata, issuer: &Url| {
            let said = metadata.issuer.as_deref().unwrap_or_default();
            said.trim_end_matches('/') == issuer.as_str().trim_end_matches('/')
        };
        let found = match (&self.config.issuer, named) {
            (None, named) => named.map_err(|error| words(&error))?,
            (Some(issuer), Ok(named)) if is_of(&named.metadata, issuer) => named,
            (Some(issuer), _) => {
                let found = self.asking(issuer).await?.resolve_metadata().await.map_err(|error| words(&error))?;
                if found.source.is_discovered() && !is_of(&found.metadata, issuer) {
                    let said = plain(found.metadata.issuer.as_deref().unwrap_or("nobody"));
                    return Err(format!("{} says that it is {said}", origin(issuer)));
                }
                found
            }
        };
        if !found.source.is_discovered() {
            let at = origin(self.config.issuer.as_ref().unwrap_or(&self.resource));
            return Err(format!("{at} does not say where one signs in"));
        }
        let metadata = found.metadata;
        check_entrance(&metadata.authorization_endpoint)?;
        let endpoint = Url::parse(&metadata.token_endpoint).map_err(|_| "tokens have no address".to_owned())?;
        check_place(&self.resource, &endpoint)?;
        manager.set_metadata(metadata.clone());
        Ok((manager, metadata))
    }

    async fn asking(&self, at: &Url) -> Result<AuthorizationManager, String> {
        let outgoing = Outgoing { resource: self.resource.clone(), http: self.http.clone() };
        let manager = AuthorizationManager::new_with_oauth_http_client(at.clone(), Arc::new(outgoing)).await;
        manager.map_err(|error| words(&error))
    }

    /// Who Netra is there: as the settings say, or as it is registered now.
    pub(super) async fn client(
        &self,
        manager: &mut AuthorizationManager,
        metadata: &AuthorizationMetadata,
        scopes: &[&str],
    ) -> Result<OAuthClientConfig, String> {
        if let Some(client) = &self.config.client_id {
            let client = self.client_of(client.clone(), self.config.client_secret.clone(), metadata)?;
            manager.configure_client(client.clone()).map_err(|error| words(&error))?;
            return Ok(client);
        }
        if metadata.registration_endpoint.is_none() {
            return Err(
                "its authorization server registers no clients; name a client_id in the server's oauth".to_owned()
            );
        }
        // A client of the web has an address over TLS; one on this machine is a native one (OpenID Connect Registration, 2).
        let kind = if self.redirect.starts_with("https:") { "web" } else { "native" };
        let unnamed = OAuthClientConfig::new("", &self.redirect).with_application_type(kind);
        manager.configure_client(unnamed).map_err(|error| words(&error))?;
        manager.register_client(CLIENT_NAME, &self.redirect, scopes).await.map_err(|error| words(&error))
    }

    /// A client of the settings, or one that registered itself. The settings' secret goes to the server's own origin, or to whom
    /// the settings name.
    pub(super) fn client_of(
        &self,
        id: String,
        secret: Option<String>,
        metadata: &AuthorizationMetadata,
    ) -> Result<OAuthClientConfig, String> {
        let client = OAuthClientConfig::new(id, &self.redirect);
        let Some(secret) = secret else { return Ok(client) };
        if self.config.client_secret.is_some() && self.config.issuer.is_none() {
            let at = Url::parse(&metadata.token_endpoint).map_err(|_| "tokens have no address".to_owned())?;
            if at.origin() != self.resource.origin() {
                return Err(format!(
                    "its authorization server is {}; name that as `issuer` in `oauth` if the client's secret may go there",
                    plain(metadata.issuer.as_deref().unwrap_or(&origin(&at)))
                ));
            }
        }
        Ok(client.with_client_secret(secret))
    }

    /// Has the authorization server forget the tokens, where it says how (RFC 7009).
    pub(super) async fn revoke(&self, live: &Live, connection: &Connection) {
        let endpoint = live.metadata.additional_fields.get("revocation_endpoint").and_then(|at| at.as_str());
        let Some(endpoint) = endpoint.and_then(|at| Url::parse(at).ok()) else { return };
        let Some(tokens) = &connection.credentials.token_response else { return };
        if check_place(&self.resource, &endpoint).is_err() {
            return;
        }
        let token = match tokens.refresh_token() {
            Some(token) => token.secret(),
            None => tokens.access_token().secret(),
        };
        let form = {
            let mut form = form_urlencoded::Serializer::new(String::new());
            form.append_pair("token", token).append_pair("client_id", &live.client.client_id);
            form.finish()
        };
        let mut request = self.http.post(endpoint).timeout(PATIENCE);
        if let Some(secret) = &live.client.client_secret {
            let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
            request = request.basic_auth(encoded(&live.client.client_id), Some(encoded(secret)));
        }
        let request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(form);
        let told = request.send().await.is_ok_and(|answer| answer.status().is_success());
        tracing::debug!(
            server = self.server,
            told,
            "the authorization server was told that its tokens are used no more"
        );
    }
}

/// Where people are sent: over TLS, or on this machine.
fn check_entrance(address: &str) -> Result<(), String> {
    let url = Url::parse(address).ok().filter(|url| url.username().is_empty() && url.password().is_none());
    let Some(url) = url else { return Err("its sign-in page has no address".to_owned()) };
    let local = match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    };
    if url.scheme() == "https" || url.scheme() == "http" && local {
        return Ok(());
    }
    Err(format!("nobody is sent to {}: it is not https", origin(&url)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_sent_to_https_or_this_machine() {
        for (address, fits) in [
            ("https://login.example/auth", true),
            ("http://127.0.0.1:1/auth", true),
            ("http://[::1]:1/auth", true),
            ("http://localhost/auth", true),
            ("http://login.example/auth", false),
            ("http://127.0.0.1.example/auth", false),
            ("https://user:word@login.example/auth", false),
            ("javascript:alert(1)", false),
            ("//login.example", false),
        ] {
            assert_eq!(check_entrance(address).is_ok(), fits, "{address}");
        }
    }
}
