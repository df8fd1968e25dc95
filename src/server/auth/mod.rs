//! Who is asking: one service for every way in.

mod accounts;
mod api_token;
mod closing;
mod common;
mod confirmation;
mod developer;
mod hashing;
mod identity;
mod letters;
mod limits;
mod names;
mod oidc;
mod password;
mod sealing;
mod second_factor;
mod secret;
mod socket_tokens;
mod throttle;
mod token;
mod visitor;
mod with_password;

use std::{net::IpAddr, path::Path, sync::Arc, time::Duration};

use netra_ws::{ErrorCode, Timestamp, UserId};
use tokio::sync::Semaphore;

use super::{
    config::{AuthMode, Config, RegistrationPolicy},
    error::ApiError,
    mail::Mailer,
    store::AccountStore,
};
pub(crate) use accounts::digest as link_digest;
pub use accounts::{OneTimeLink, SignInInfo};
pub use api_token::{NewApiToken, WantedToken};
pub use confirmation::Shown;
pub use developer::DirectVisit;
use hashing::Hashing;
pub use identity::{Identity, Proof, SessionId, SessionSecret};
pub(crate) use limits::KeyedLimit;
pub(crate) use names::is_hidden;
use oidc::Provider;
pub use oidc::ProviderAnswer;
use sealing::For;
pub(crate) use sealing::Sealer;
use second_factor::GUESSES_PER_HOUR;
pub use second_factor::{NewSecondFactor, RecoveryCodes};
pub(crate) use secret::random_text as link_secret;
pub use socket_tokens::WsToken;
use throttle::{Pace, Throttle};
pub use token::TokenClaims;
use token::TokenKeys;
pub use visitor::Visitor;
pub(crate) use visitor::network;
pub use with_password::NewAccount;

/// How long a sign-in lasts.
pub const SESSION_LIFE: Duration = Duration::from_hours(30 * 24);

/// Sign-ins that one network may try in a minute, for all accounts together, and those that may come at once.
const ATTEMPTS_PER_MINUTE: u32 = 300;
const ATTEMPTS_AT_ONCE: u32 = 30;

/// Failed sign-ins of one account that the audit log takes in in an hour.
const NOTED_FAILURES_PER_HOUR: u32 = 120;

/// Failures that wait to be taken in.
const WAITING_NOTES: usize = 256;

/// Signs people in and out, makes and checks tokens.
pub struct SecurityService {
    store: Arc<dyn AccountStore>,
    keys: TokenKeys,
    sealer: Sealer,
    connection_sealer: Arc<Sealer>,
    /// Sends mail, where it is sent.
    mailer: Option<Mailer>,
    /// Letters with links, by account.
    letters: KeyedLimit<UserId>,
    /// The provider of identities, where people sign in with one.
    provider: Option<Provider>,
    modes: Vec<AuthMode>,
    token_ttl: Duration,
    /// How long a sign-in may do what matters before it is asked again.
    confirmation_life: Duration,
    /// Names that are the system's or an agent's, in small letters.
    reserved_names: Vec<String>,
    registration: RegistrationPolicy,
    /// Whether the first account with a password administers: only where nobody else can reach the server.
    first_administers: bool,
    /// Where people find the server, for links.
    base: String,
    /// By digest of the account's address and of the network: what was typed may be of any length.
    guesses: Arc<Throttle<[u8; 32]>>,
    /// By digest of the account's address, over all networks that the account was never signed in to from.
    strangers: Arc<Throttle<[u8; 32]>>,
    hashing: Hashing,
    attempts: KeyedLimit<IpAddr>,
    /// Codes that are tried with a right password, by account.
    code_guesses: KeyedLimit<UserId>,
    /// Failures that the audit log takes in, by account: a million guesses do not fill the disk.
    noted_failures: KeyedLimit<UserId>,
    waiting_notes: Arc<Semaphore>,
    registrations: KeyedLimit<IpAddr>,
    handshakes: KeyedLimit<UserId>,
}

impl SecurityService {
    /// A service over the store; the signing secret comes from the configuration or is kept in `data_dir`.
    pub fn new(store: Arc<dyn AccountStore>, config: &Config, data_dir: &Path) -> std::io::Result<Self> {
        let secret = match &config.jwt_secret {
            Some(secret) => secret.clone().into_bytes(),
            None => secret::load_or_create(&data_dir.join("jwt.key"))?,
        };
        let base = config.base();
        let provider = config.oidc.clone().map(|oidc| Provider::new(oidc, &base)).transpose();
        Ok(Self {
            store,
            keys: TokenKeys::new(&secret),
            sealer: Sealer::new(&secret, For::SecondFactors)?,
            connection_sealer: Arc::new(Sealer::new(&secret, For::McpConnections)?),
            provider: provider.map_err(std::io::Error::other)?,
            mailer: config.mail.as_ref().map(Mailer::start).transpose().map_err(std::io::Error::other)?,
            letters: KeyedLimit::steady_per_hour(letters::LETTERS_PER_HOUR),
            modes: config.auth.clone(),
            token_ttl: config.ws_token_ttl,
            confirmation_life: config.confirmation_life,
            reserved_names: reserved_names(config),
            registration: config.registration,
            first_administers: config.first_administers(),
            base,
            guesses: Throttle::new(Pace::LINE),
            strangers: Throttle::new(Pace::ACCOUNT),
            hashing: Hashing::new(),
            attempts: KeyedLimit::bursting(ATTEMPTS_PER_MINUTE, ATTEMPTS_AT_ONCE),
            code_guesses: KeyedLimit::steady_per_hour(GUESSES_PER_HOUR),
            noted_failures: KeyedLimit::steady_per_hour(NOTED_FAILURES_PER_HOUR),
            waiting_notes: Arc::new(Semaphore::new(WAITING_NOTES)),
            registrations: KeyedLimit::steady_per_hour(config.registrations_per_hour),
            handshakes: KeyedLimit::per_minute(config.handshakes_per_minute),
        })
    }

    /// Seals tokens of MCP servers.
    pub(crate) fn connection_sealer(&self) -> Arc<Sealer> {
        self.connection_sealer.clone()
    }

    /// Counts something that a visitor tries.
    pub fn count_attempt(&self, visitor: &Visitor) -> Result<(), ApiError> {
        self.attempts.spend(&visitor.network()).map_or(Ok(()), |wait| Err(too_many(wait)))
    }

    /// Whether people sign in this way here.
    pub fn allows(&self, mode: AuthMode) -> bool {
        self.modes.contains(&mode)
    }

    fn require(&self, mode: AuthMode) -> Result<(), ApiError> {
        if self.allows(mode) {
            return Ok(());
        }
        Err(ApiError::new(ErrorCode::Forbidden, format!("{} sign-in is switched off on this server", mode.as_str())))
    }

    async fn begin_session(&self, user: UserId, visitor: &Visitor) -> Result<SessionSecret, ApiError> {
        self.begin_session_with(user, visitor, None).await
    }

    /// The same for who showed a password with this hash.
    async fn begin_session_with(
        &self,
        user: UserId,
        visitor: &Visitor,
        hash: Option<&str>,
    ) -> Result<SessionSecret, ApiError> {
        let secret = SessionSecret(secret::random_text().map_err(|error| ApiError::internal(&error))?);
        let expires_at = Timestamp::now().plus(SESSION_LIFE);
        if !self.store.add_session(&secret.digest().0, user, expires_at, hash).await? {
            return Err(wrong_credentials());
        }
        self.describe(&secret, visitor).await?;
        Ok(secret)
    }

    /// Whose cookie it is.
    pub async fn identify(&self, secret: &SessionSecret) -> Result<Option<Identity>, ApiError> {
        let session = secret.digest();
        Ok(self.store.session(&session.0).await?.map(|user| Identity { user, session, proof: Proof::SignIn }))
    }

    /// Whose API token it is. `from` is the address that it is used from.
    pub async fn identify_program(&self, token: &str, from: Option<&str>) -> Result<Option<Identity>, ApiError> {
        if !token.starts_with(api_token::PREFIX) {
            return Ok(None);
        }
        let session = SessionSecret(token.to_owned()).digest();
        let found = self.store.api_token_user(&session.0, from).await?;
        Ok(found.map(|known| Identity { user: known.user, session, proof: Proof::ApiToken(known.scope) }))
    }

    /// Ends a sign-in.
    pub async fn logout(&self, identity: &Identity) -> Result<(), ApiError> {
        self.store.end_session(&identity.session.0).await?;
        self.note(Some(identity.user.id), "sign_in.left", None, None).await;
        Ok(())
    }

    /// Ends the sign-in of a cookie, if it is one.
    pub async fn forget(&self, secret: &SessionSecret) -> Result<(), ApiError> {
        Ok(self.store.end_session(&secret.digest().0).await?)
    }

    /// A token that lives a minute, for a command of whoever runs the server.
    pub fn issue_operator_token(&self) -> Result<String, ApiError> {
        self.keys.sign_operator().map_err(|error| ApiError::internal(&error))
    }

    /// Whether a token came from [`Self::issue_operator_token`].
    pub fn is_operator(&self, token: &str) -> bool {
        self.keys.verify_operator(token)
    }

    /// Counts a handshake; the pause in milliseconds when the user makes too many.
    pub fn count_handshake(&self, user: UserId) -> Result<(), u64> {
        self.handshakes.spend(&user).map_or(Ok(()), Err)
    }
}

fn reserved_names(config: &Config) -> Vec<String> {
    let agents = config.agents.iter().flat_map(|agent| [agent.name.as_str(), agent.title.as_str()]);
    agents.chain(["Netra", "System", "Administrator"]).map(str::to_lowercase).collect()
}

fn too_many(wait: u64) -> ApiError {
    ApiError::new(ErrorCode::RateLimited, "too many tries; wait a little").retry_after_ms(wait)
}

fn wrong_credentials() -> ApiError {
    ApiError::new(ErrorCode::Unauthenticated, "the e-mail address or the password is wrong")
}
