//! The provider: what it says of itself, its keys, and its answers. What it says is bounded, and is read anew when its keys change.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use axum::http::{Response, StatusCode};
use futures::future::BoxFuture;
use openidconnect::{
    AuthType, AuthenticationFlow, AuthorizationCode, ClaimsVerificationError, ClientId, ClientSecret, CsrfToken,
    DiscoveryError, EndpointMaybeSet, EndpointNotSet, EndpointSet, HttpRequest, HttpResponse, IssuerUrl, Nonce,
    OAuth2TokenResponse, PkceCodeChallenge, PkceCodeVerifier, ProviderMetadataWithLogout, RedirectUrl,
    RequestTokenError, Scope, TokenResponse,
    core::{CoreClient, CoreClientAuthMethod, CoreIdToken, CoreResponseType, CoreTokenResponse},
    url::Url,
};
use serde_json::Value;

use super::{
    ProviderAnswer, Round,
    claims::{self, Person},
    subject,
};
use crate::server::config::OidcConfig;

/// How long the provider may take over one answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// The longest answer of a provider, in bytes.
const MAX_ANSWER: usize = 1 << 20;

/// How long what the provider says of itself is believed, and how soon it is asked again when a key is missing.
const KNOWN_FOR: Duration = Duration::from_hours(1);
const ASKED_AGAIN: Duration = Duration::from_secs(2);

/// A sign-in with the provider failed.
#[derive(Debug, thiserror::Error)]
pub(in crate::server::auth) enum ProviderError {
    /// It cannot be reached, or does not answer as HTTP does.
    #[error("the provider does not answer: {0}")]
    Unreachable(#[source] reqwest::Error),
    /// It says too much.
    #[error("the provider's answer is too long")]
    TooLong,
    /// It refuses.
    #[error("the provider refuses: {0}")]
    Refused(String),
    /// What it says does not fit.
    #[error("the provider's answer cannot be believed: {0}")]
    Unbelievable(String),
}

/// What the provider says of itself, keys included.
type Metadata = ProviderMetadataWithLogout;

/// What asks it.
type Client =
    CoreClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointMaybeSet, EndpointMaybeSet>;

/// One request; the answer is bounded in time and bytes.
async fn send(http: reqwest::Client, request: HttpRequest) -> Result<HttpResponse, ProviderError> {
    let (parts, body) = request.into_parts();
    let request = http.request(parts.method, parts.uri.to_string()).headers(parts.headers).body(body);
    let mut response = request.send().await.map_err(ProviderError::Unreachable)?;
    let (status, headers) = (response.status(), response.headers().clone());
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(ProviderError::Unreachable)? {
        if bytes.len() + chunk.len() > MAX_ANSWER {
            return Err(ProviderError::TooLong);
        }
        bytes.extend_from_slice(&chunk);
    }
    let mut answer = Response::new(bytes);
    *answer.status_mut() = status;
    *answer.headers_mut() = headers;
    Ok(answer)
}

/// What the library asks with. It borrows nothing: what it is part of can move between threads.
fn asking(http: reqwest::Client) -> impl Fn(HttpRequest) -> BoxFuture<'static, Result<HttpResponse, ProviderError>> {
    move |request| Box::pin(send(http.clone(), request))
}

/// Reads what the provider says of itself, and its keys.
fn discover(http: reqwest::Client, issuer: IssuerUrl) -> BoxFuture<'static, Result<Metadata, ProviderError>> {
    Box::pin(async move {
        let http = asking(http);
        Metadata::discover_async(issuer, &http).await.map_err(|error| match error {
            DiscoveryError::Request(error) => error,
            other => ProviderError::Unbelievable(other.to_string()),
        })
    })
}

/// Gives the code for tokens.
fn exchange(
    http: reqwest::Client,
    client: Client,
    code: AuthorizationCode,
    verifier: PkceCodeVerifier,
) -> BoxFuture<'static, Result<CoreTokenResponse, ProviderError>> {
    Box::pin(async move {
        let http = asking(http);
        let request = client.exchange_code(code).map_err(|error| ProviderError::Unbelievable(error.to_string()))?;
        request.set_pkce_verifier(verifier).request_async(&http).await.map_err(|error| match error {
            RequestTokenError::Request(error) => error,
            RequestTokenError::ServerResponse(_) => ProviderError::Refused("it takes no such code".to_owned()),
            other => ProviderError::Unbelievable(other.to_string()),
        })
    })
}

/// The provider.
pub(in crate::server::auth) struct Provider {
    config: OidcConfig,
    redirect: String,
    http: reqwest::Client,
    known: Mutex<Option<(Arc<Metadata>, Instant)>>,
}

/// Whether another set of keys may help.
fn key_is_missing(error: &ClaimsVerificationError) -> bool {
    matches!(error, ClaimsVerificationError::SignatureVerification(_))
}

impl Provider {
    pub(in crate::server::auth) fn new(config: OidcConfig, base: &str) -> Result<Self, reqwest::Error> {
        let http = reqwest::Client::builder()
            .connect_timeout(PATIENCE)
            .timeout(PATIENCE)
            // It may lead nowhere else, such as into the network of this server.
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("netra/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self { config, redirect: format!("{base}/api/auth/oidc/callback"), http, known: Mutex::default() })
    }

    pub(in crate::server::auth) fn config(&self) -> &OidcConfig {
        &self.config
    }

    fn client(&self, metadata: &Metadata) -> Result<Client, ProviderError> {
        let unbelievable = |error: openidconnect::url::ParseError| ProviderError::Unbelievable(error.to_string());
        let id = ClientId::new(self.config.client_id.clone());
        let secret = self.config.client_secret.clone().map(ClientSecret::new);
        // Where nothing is said, a provider takes what HTTP has for it.
        let in_body = metadata.token_endpoint_auth_methods_supported().is_some_and(|methods| {
            methods.contains(&CoreClientAuthMethod::ClientSecretPost)
                && !methods.contains(&CoreClientAuthMethod::ClientSecretBasic)
        });
        let client = CoreClient::from_provider_metadata(metadata.clone(), id, secret)
            .set_redirect_uri(RedirectUrl::new(self.redirect.clone()).map_err(unbelievable)?);
        Ok(if in_body { client.set_auth_type(AuthType::RequestBody) } else { client })
    }

    /// What the provider says of itself. `fresh` asks again, unless it was asked just now.
    pub(super) async fn metadata(&self, fresh: bool) -> Result<Arc<Metadata>, ProviderError> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let good_for = if fresh { ASKED_AGAIN } else { KNOWN_FOR };
        if let Some((metadata, at)) = known
            && at.elapsed() < good_for
        {
            return Ok(metadata);
        }
        let issuer = IssuerUrl::new(self.config.issuer.clone())
            .map_err(|error| ProviderError::Unbelievable(error.to_string()))?;
        let found = discover(self.http.clone(), issuer).await?;
        let found = Arc::new(found);
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some((found.clone(), Instant::now()));
        Ok(found)
    }

    /// Where the browser goes, and what it keeps.
    pub(super) async fn begin(&self, next: &str) -> Result<(Url, Round), ProviderError> {
        let metadata = self.metadata(false).await?;
        let client = self.client(&metadata)?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let flow = AuthenticationFlow::<CoreResponseType>::AuthorizationCode;
        let mut request = client.authorize_url(flow, CsrfToken::new_random, Nonce::new_random);
        for scope in ["email", "profile"].into_iter().chain(self.config.scopes.iter().map(String::as_str)) {
            request = request.add_scope(Scope::new(scope.to_owned()));
        }
        let (url, state, nonce) = request.set_pkce_challenge(challenge).url();
        let round =
            Round::new(state.secret().clone(), nonce.secret().clone(), verifier.secret().clone(), next.to_owned());
        Ok((url, round))
    }

    /// Who came back.
    pub(super) async fn finish(&self, round: &Round, answer: &ProviderAnswer) -> Result<Person, ProviderError> {
        let unbelievable = |what: &str| ProviderError::Unbelievable(what.to_owned());
        if answer.state.as_deref() != Some(&round.state) {
            return Err(unbelievable("the answer is to another browser's question"));
        }
        if answer.iss.as_ref().is_some_and(|issuer| *issuer != self.config.issuer) {
            return Err(unbelievable("another provider answers"));
        }
        if let Some(error) = &answer.error {
            return Err(ProviderError::Refused(error.chars().take(100).filter(|c| !c.is_control()).collect()));
        }
        let code = answer.code.clone().ok_or_else(|| unbelievable("there is no code"))?;
        let metadata = self.metadata(false).await?;
        let verifier = PkceCodeVerifier::new(round.verifier.clone());
        let code = AuthorizationCode::new(code);
        let tokens = exchange(self.http.clone(), self.client(&metadata)?, code, verifier).await?;
        let id_token = tokens.id_token().ok_or_else(|| unbelievable("there is no ID token"))?;
        let named = self.verified(&metadata, id_token, &round.nonce).await?;
        let text = id_token.to_string();
        let mut told = claims::of_verified(&text).ok_or_else(|| unbelievable("the ID token cannot be read"))?;
        let wants_more =
            told.get("email").is_none() || self.config.decides_roles() && told.get(&self.config.groups_claim).is_none();
        if wants_more && let Some(endpoint) = metadata.userinfo_endpoint() {
            let more = self.userinfo(endpoint.url(), tokens.access_token().secret()).await?;
            if more.get("sub").and_then(Value::as_str) != Some(&named) {
                return Err(unbelievable("it says something of another person"));
            }
            claims::complete(&mut told, &more);
        }
        Ok(Person::new(subject(&self.config.issuer, &named), &told, &self.config.groups_claim, text))
    }

    /// The person whom a token names, if it is the provider's, for this server, of this round, and still good.
    async fn verified(
        &self,
        metadata: &Arc<Metadata>,
        id_token: &CoreIdToken,
        nonce: &str,
    ) -> Result<String, ProviderError> {
        let nonce = Nonce::new(nonce.to_owned());
        let check = |metadata: &Arc<Metadata>| {
            let client = self.client(metadata)?;
            let verifier = client.id_token_verifier();
            let claims = id_token.claims(&verifier, &nonce);
            Ok::<_, ProviderError>(claims.map(|claims| claims.subject().to_string()))
        };
        let mut found = check(metadata)?;
        if found.as_ref().is_err_and(key_is_missing) {
            // Providers change their keys.
            found = check(&self.metadata(true).await?)?;
        }
        found.map_err(|error| ProviderError::Unbelievable(error.to_string()))
    }

    async fn userinfo(&self, url: &Url, token: &str) -> Result<Value, ProviderError> {
        let unbelievable = |error: &dyn std::fmt::Display| ProviderError::Unbelievable(error.to_string());
        let request = axum::http::Request::get(url.as_str())
            .header("authorization", format!("Bearer {token}"))
            .header("accept", "application/json")
            .body(Vec::new())
            .map_err(|error| unbelievable(&error))?;
        let answer = send(self.http.clone(), request).await?;
        if answer.status() != StatusCode::OK {
            return Err(ProviderError::Refused(format!("userinfo answers {}", answer.status())));
        }
        serde_json::from_slice(answer.body()).map_err(|error| unbelievable(&error))
    }
}
