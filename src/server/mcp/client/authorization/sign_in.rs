//! Servers that a person signs in to (OAuth 2.1's authorization code with PKCE): an administrator goes to the authorization server
//! and comes back with a code, and what that is exchanged for is used for all who may use the server.
//!
//! Discovery, registration, the exchange and the renewal are the protocol library's; what is here ties a round to the
//! administrator's sign-in, keeps what came of it, and knows when it is over for good.

mod issuer;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use netra_ws::Timestamp;
use openidconnect::OAuth2TokenResponse as _;
use reqwest::header::HeaderValue;
use rmcp::transport::auth::{AuthError, AuthorizationManager, AuthorizationMetadata, OAuthClientConfig};
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::sync::Notify;
use url::Url;

use super::{
    super::McpServices,
    connection::{Connection, Keeper, Kept},
    plain,
    round::{Round, Rounds},
};
use crate::server::{auth::SessionId, config::McpSignIn};

/// What is asked for so that a token can be renewed while the person is away (OpenID Connect, 11).
const OFFLINE: &str = "offline_access";

/// What the authorization server sends the browser back with.
#[derive(Default, Deserialize, JsonSchema)]
pub struct Answer {
    /// What is exchanged for tokens.
    pub code: Option<String>,
    /// What the browser was sent there with.
    pub state: Option<String>,
    /// Why there is no code.
    pub error: Option<String>,
    /// Who answers (RFC 9207).
    pub iss: Option<String>,
}

/// Why nothing came of a round.
#[derive(Debug)]
pub enum Refused {
    /// It was not begun by this sign-in, or too long ago, or is over.
    Stale,
    /// The person said no.
    Denied,
    /// It did not work.
    Failed(String),
}

/// A connection that is in use.
struct Live {
    manager: AuthorizationManager,
    metadata: AuthorizationMetadata,
    client: OAuthClientConfig,
}

/// The sign-in at one server.
pub struct SignIn {
    server: String,
    config: McpSignIn,
    resource: Url,
    /// Where the browser comes back to.
    redirect: String,
    http: reqwest::Client,
    kept: Arc<Kept>,
    /// One at a time renews a token: of two, the second would show one that was replaced, which ends the connection.
    live: tokio::sync::Mutex<Option<Live>>,
    /// A token that the server took no more, before its time was over.
    refused: Mutex<Option<String>>,
    rounds: Mutex<Rounds<Live>>,
    /// Somebody connected it, or took the connection back.
    pub(in crate::server::mcp::client) changed: Notify,
}

/// What the command line finds.
pub(in crate::server::mcp::client) enum Glimpse {
    /// No connection, and why.
    Missing(String),
    /// A token that is good now.
    Good(String),
    /// A token whose time is over; whoever serves renews it.
    Over,
}

impl SignIn {
    pub(super) fn new(server: &str, config: McpSignIn, resource: Url, services: &McpServices) -> Self {
        Self {
            kept: Kept::new(server, resource.as_str(), services.vault.clone()),
            server: server.to_owned(),
            redirect: format!("{}/api/tools/{server}/oauth/callback", services.base),
            config,
            resource,
            http: services.http.clone(),
            live: tokio::sync::Mutex::default(),
            refused: Mutex::default(),
            rounds: Mutex::default(),
            changed: Notify::new(),
        }
    }

    /// Begins a round for an administrator: where the browser goes.
    pub async fn begin(&self, session: &SessionId) -> Result<Url, String> {
        let (mut manager, metadata) = self.discover().await?;
        let mut scopes = self.config.scopes.clone();
        if scopes.is_empty() {
            scopes = manager.select_initial_scopes(&[]).await;
        }
        let offers = metadata.scopes_supported.iter().flatten().any(|scope| scope == OFFLINE);
        if offers && !scopes.is_empty() && !scopes.iter().any(|scope| scope == OFFLINE) {
            scopes.push(OFFLINE.to_owned());
        }
        let scopes: Vec<&str> = scopes.iter().map(String::as_str).collect();
        let client = self.client(&mut manager, &metadata, &scopes).await?;
        let client_secret = client.client_secret.clone();
        manager.set_credential_store(Keeper { kept: self.kept.clone(), client_secret });
        let address = manager.get_authorization_url(&scopes).await.map_err(|error| words(&error))?;
        let mut address = Url::parse(&address).map_err(|_| "its authorization server has no address".to_owned())?;
        if scopes.contains(&OFFLINE) {
            // Without it such a token is given to nobody (OpenID Connect, 11).
            address.query_pairs_mut().append_pair("prompt", "consent");
        }
        let state = address.query_pairs().find(|(name, _)| name == "state").map(|(_, state)| state.into_owned());
        let state = state.ok_or("the round has no state")?;
        let live = Live { manager, metadata, client };
        self.rounds().begin(state, Round { live, session: session.clone(), began: Timestamp::now() });
        Ok(address)
    }

    /// Ends a round with what the browser came back with.
    pub(in crate::server::mcp::client) async fn finish(
        &self,
        session: &SessionId,
        answer: &Answer,
    ) -> Result<(), Refused> {
        let state = answer.state.as_deref().unwrap_or_default();
        let live = self.rounds().take(state, session).ok_or(Refused::Stale)?;
        if let Some(error) = &answer.error {
            if error == "access_denied" {
                return Err(Refused::Denied);
            }
            return Err(self.failed(format!("the authorization server says {}", plain(error))));
        }
        let code = answer.code.as_deref().filter(|code| !code.is_empty());
        let code = code.ok_or_else(|| self.failed("the authorization server sent no code".to_owned()))?;
        let mut now = self.live.lock().await;
        let exchanged = live.manager.exchange_code_for_token_with_issuer(code, state, answer.iss.as_deref()).await;
        let token = exchanged.map_err(|error| self.failed(words(&error)))?;
        let kind: &str = token.token_type().as_ref();
        if !kind.eq_ignore_ascii_case("bearer") || HeaderValue::from_str(token.access_token().secret()).is_err() {
            *now = None;
            let why = "the authorization server gives tokens that Netra cannot use".to_owned();
            self.kept.end(why.clone()).await.map_err(Refused::Failed)?;
            return Err(Refused::Failed(why));
        }
        *now = Some(live);
        *self.refused() = None;
        Ok(())
    }

    /// Takes the connection back, at the authorization server too where that can be told.
    pub async fn disconnect(&self) -> Result<(), String> {
        let mut live = self.live.lock().await;
        let connection = self.kept.connection().await.unwrap_or_default();
        let ended = live.take();
        let forgotten = self.kept.end(String::new()).await;
        drop(live);
        self.changed.notify_one();
        if let (Some(live), Some(connection)) = (ended, connection) {
            self.revoke(&live, &connection).await;
        }
        forgotten
    }

    /// Whether there is a connection, for all that is known.
    pub fn is_connected(&self) -> bool {
        self.kept.missing().is_none()
    }

    /// Why tokens are not to be had before somebody signs in.
    pub(in crate::server::mcp::client) fn missing(&self) -> Option<String> {
        self.kept.missing().map(|why| not_connected(&why))
    }

    /// Finds out whether there is a connection.
    pub(in crate::server::mcp::client) async fn look(&self) -> Result<(), String> {
        match self.kept.connection().await? {
            Some(_) => Ok(()),
            None => Err(self.missing().unwrap_or_else(|| not_connected(""))),
        }
    }

    /// What is there, without renewing it.
    pub(in crate::server::mcp::client) async fn glimpse(&self) -> Result<Glimpse, String> {
        let Some(connection) = self.kept.connection().await? else {
            return Ok(Glimpse::Missing(self.missing().unwrap_or_else(|| not_connected(""))));
        };
        let credentials = connection.credentials;
        let Some(token) = credentials.token_response else { return Ok(Glimpse::Missing(not_connected(""))) };
        let life = token.expires_in().zip(credentials.token_received_at);
        let now = Timestamp::now().as_millis() / 1_000;
        if life.is_some_and(|(life, since)| since.saturating_add(life.as_secs()) <= now) {
            return Ok(Glimpse::Over);
        }
        Ok(Glimpse::Good(token.access_token().secret().clone()))
    }

    /// A token that is good now.
    pub(super) async fn token(&self) -> Result<String, String> {
        let mut live = self.live.lock().await;
        self.look().await?;
        if live.is_none() {
            *live = self.resume().await?;
        }
        let Some(now) = &*live else { return Err(self.missing().unwrap_or_else(|| not_connected(""))) };
        let refused = self.refused().take();
        let found = self.good(now, refused.as_deref()).await;
        let error = match found {
            Ok(token) => return Ok(token),
            Err(error) => error,
        };
        if let Some(why) = self.over(&error).await {
            *live = None;
            return Err(self.lose(why).await);
        }
        *self.refused() = refused;
        Err(format!("no token for it: {}", words(&error)))
    }

    /// The server takes this token no more.
    pub(super) fn forget(&self, token: &str) {
        *self.refused() = Some(token.to_owned());
    }

    fn refused(&self) -> MutexGuard<'_, Option<String>> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn rounds(&self) -> MutexGuard<'_, Rounds<Live>> {
        self.rounds.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The token, renewed when its time is over or it is the one that was refused.
    async fn good(&self, live: &Live, refused: Option<&str>) -> Result<String, AuthError> {
        let token = live.manager.get_access_token().await?;
        if refused == Some(token.as_str()) {
            return Ok(live.manager.refresh_token().await?.access_token().secret().clone());
        }
        Ok(token)
    }

    /// Why a failure is the end of the connection; nothing when it may pass.
    async fn over(&self, error: &AuthError) -> Option<String> {
        match error {
            AuthError::AuthorizationRequired | AuthError::TokenRefreshRejected(_) => {
                let connection = self.kept.connection().await.ok().flatten();
                let token = connection.and_then(|connection| connection.credentials.token_response);
                let renews = token.is_some_and(|token| token.refresh_token().is_some());
                Some(if renews {
                    "the authorization server renews its token no more".to_owned()
                } else {
                    "its token is over, and it gave none to renew it with".to_owned()
                })
            }
            AuthError::TokenRefreshFailed(said)
                if ["invalid_client", "unauthorized_client"].iter().any(|code| said.contains(code)) =>
            {
                Some("the authorization server does not know Netra any more".to_owned())
            }
            _ => None,
        }
    }

    /// The connection is over; what to say of it.
    async fn lose(&self, why: String) -> String {
        tracing::warn!(server = self.server, why, "an MCP server is not connected any more");
        let said = not_connected(&why);
        if let Err(error) = self.kept.end(why).await {
            tracing::error!(server = self.server, error, "the end of a connection could not be kept");
        }
        said
    }

    /// A round that did not work, told to whoever looks at the server's state.
    fn failed(&self, why: String) -> Refused {
        self.kept.explain(format!("the last try failed: {why}"));
        Refused::Failed(why)
    }

    /// What is kept, made ready for use; nothing when it is good for nothing any more.
    async fn resume(&self) -> Result<Option<Live>, String> {
        let Some(Connection { credentials, client_secret }) = self.kept.connection().await? else { return Ok(None) };
        if self.config.client_id.as_ref().is_some_and(|client| *client != credentials.client_id) {
            self.lose("the settings name another client_id now".to_owned()).await;
            return Ok(None);
        }
        let (mut manager, metadata) = self.discover().await.map_err(|why| format!("no token for it: {why}"))?;
        manager.set_credential_store(Keeper { kept: self.kept.clone(), client_secret: client_secret.clone() });
        if !manager.initialize_from_store().await.map_err(|error| words(&error))? {
            return Ok(None);
        }
        let client =
            self.client_of(credentials.client_id, self.config.client_secret.clone().or(client_secret), &metadata)?;
        manager.configure_client(client.clone()).map_err(|error| words(&error))?;
        Ok(Some(Live { manager, metadata, client }))
    }
}

fn not_connected(why: &str) -> String {
    let said = "Not connected: an administrator has to connect it";
    if why.is_empty() { said.to_owned() } else { format!("{said} ({why})") }
}

/// What the library's failure comes down to, in one line.
fn words(error: &AuthError) -> String {
    match error {
        // What our own requests say.
        AuthError::DiscoveryRequestFailed { source, .. } => plain(&source.to_string()),
        AuthError::TokenExchangeFailed(said) | AuthError::TokenRefreshFailed(said) => {
            format!("the authorization server gives no token: {}", plain(said))
        }
        AuthError::RegistrationFailed(said) => {
            format!("the authorization server does not register Netra: {}", plain(said))
        }
        AuthError::AuthorizationServerMismatch { received_issuer, .. } => {
            format!("the answer is of another authorization server, {}", plain(received_issuer))
        }
        other => plain(&other.to_string()),
    }
}
