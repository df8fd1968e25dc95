//! Who is asking: one service for every way in.

mod api_token;
mod limits;
mod password;
mod secret;
mod token;

use std::{path::Path, time::Duration};

use netra_ws::{ErrorCode, Timestamp, UserId, model::User};
use sha2::{Digest, Sha256};

use super::{
    config::{AuthMode, Config},
    error::ApiError,
    store::{NewUser, SharedStore},
};
pub use api_token::NewApiToken;
use limits::KeyedLimit;
pub use token::TokenClaims;
use token::TokenKeys;

/// How long a sign-in lasts.
pub const SESSION_LIFE: Duration = Duration::from_hours(30 * 24);

/// Sign-ins that may be tried for one address in a minute.
const ATTEMPTS_PER_MINUTE: u32 = 20;

/// The longest name and the longest password, in characters.
const MAX_NAME: usize = 100;
const MAX_PASSWORD: usize = 1_000;

/// The secret value of a sign-in cookie. It is known to the browser; the store knows its digest.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionSecret(String);

impl SessionSecret {
    /// The secret that a cookie carries.
    pub fn from_cookie(value: &str) -> Self {
        Self(value.to_owned())
    }

    /// The cookie's value.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn digest(&self) -> SessionId {
        SessionId(Sha256::digest(self.0.as_bytes()).to_vec())
    }
}

/// Names a sign-in without opening it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SessionId(Vec<u8>);

/// A user, and what proves it.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Who.
    pub user: User,
    /// The sign-in or the token.
    pub session: SessionId,
    /// Which of both.
    pub proof: Proof,
}

/// What proves who is asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// A person's sign-in.
    SignIn,
    /// A program's token.
    ApiToken,
}

/// A token for the socket.
#[derive(Clone, Debug, schemars::JsonSchema, serde::Serialize)]
pub struct WsToken {
    /// The JWT.
    pub token: String,
    /// When its life ends.
    pub expires_at: Timestamp,
}

/// Signs people in and out, makes and checks tokens.
pub struct SecurityService {
    store: SharedStore,
    keys: TokenKeys,
    modes: Vec<AuthMode>,
    token_ttl: Duration,
    /// By digest of the address: what was typed may be of any length.
    attempts: KeyedLimit<[u8; 32]>,
    handshakes: KeyedLimit<UserId>,
}

impl SecurityService {
    /// A service over the store; the signing secret comes from the configuration or is kept in `data_dir`.
    pub fn new(store: SharedStore, config: &Config, data_dir: &Path) -> std::io::Result<Self> {
        let secret = match &config.jwt_secret {
            Some(secret) => secret.clone().into_bytes(),
            None => secret::load_or_create(&data_dir.join("jwt.key"))?,
        };
        Ok(Self {
            store,
            keys: TokenKeys::new(&secret),
            modes: config.auth.clone(),
            token_ttl: config.ws_token_ttl,
            attempts: KeyedLimit::per_minute(ATTEMPTS_PER_MINUTE),
            handshakes: KeyedLimit::per_minute(config.handshakes_per_minute),
        })
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

    /// Signs the developer in.
    pub async fn dev_login(&self) -> Result<(User, SessionSecret), ApiError> {
        self.require(AuthMode::Dev)?;
        let user = self.store.dev_user().await?;
        let secret = self.begin_session(user.id).await?;
        Ok((user, secret))
    }

    /// Makes an account and signs it in.
    pub async fn register(
        &self,
        email: &str,
        password: &str,
        name: Option<&str>,
    ) -> Result<(User, SessionSecret), ApiError> {
        self.require(AuthMode::Password)?;
        let email = valid_email(email)?;
        let length = password.chars().count();
        if !(password::MIN_LENGTH..=MAX_PASSWORD).contains(&length) {
            return Err(ApiError::new(
                ErrorCode::InvalidPayload,
                format!("a password has {} to {MAX_PASSWORD} characters", password::MIN_LENGTH),
            ));
        }
        let name = name.map(str::trim).filter(|name| !name.is_empty());
        let name = name.unwrap_or_else(|| email.split('@').next().unwrap_or_default());
        if name.chars().count() > MAX_NAME {
            return Err(ApiError::new(ErrorCode::InvalidPayload, format!("a name has at most {MAX_NAME} characters")));
        }
        let password_hash = password::hash(password.to_owned()).await?;
        let user = NewUser { name: name.to_owned(), email, password_hash };
        let user = self.store.add_user(user).await?;
        let user = user.ok_or_else(|| {
            ApiError::new(ErrorCode::Conflict, "there is an account with this e-mail address already")
        })?;
        tracing::info!(user_id = %user.id, "user registered");
        let secret = self.begin_session(user.id).await?;
        Ok((user, secret))
    }

    /// Signs an account in.
    pub async fn login(&self, email: &str, password: &str) -> Result<(User, SessionSecret), ApiError> {
        self.require(AuthMode::Password)?;
        let email = email.trim().to_lowercase();
        // Every attempt counts, so that guessing is slow whatever the answers are.
        if let Some(wait) = self.attempts.spend(&Sha256::digest(&email).into()) {
            return Err(ApiError::new(ErrorCode::RateLimited, "too many sign-ins for this address; wait a little")
                .retry_after_ms(wait));
        }
        let known = self.store.user_by_email(&email).await?;
        let (user, hash) = known.unzip();
        // An unknown address costs the same time as a wrong password.
        let right = password.chars().count() <= MAX_PASSWORD && password::verify(password.to_owned(), hash).await?;
        let Some(user) = user.filter(|_| right) else {
            tracing::warn!("sign-in failed: wrong address or password");
            return Err(ApiError::new(ErrorCode::Unauthenticated, "the e-mail address or the password is wrong"));
        };
        let secret = self.begin_session(user.id).await?;
        Ok((user, secret))
    }

    async fn begin_session(&self, user: UserId) -> Result<SessionSecret, ApiError> {
        let secret = SessionSecret(secret::random_text().map_err(|error| ApiError::internal(&error))?);
        let expires_at = Timestamp::now().plus(SESSION_LIFE);
        self.store.add_session(&secret.digest().0, user, expires_at).await?;
        Ok(secret)
    }

    /// Whose cookie it is.
    pub async fn identify(&self, secret: &SessionSecret) -> Result<Option<Identity>, ApiError> {
        let session = secret.digest();
        Ok(self.store.session(&session.0).await?.map(|user| Identity { user, session, proof: Proof::SignIn }))
    }

    /// Whose API token it is.
    pub async fn identify_program(&self, token: &str) -> Result<Option<Identity>, ApiError> {
        if !token.starts_with(api_token::PREFIX) {
            return Ok(None);
        }
        let session = SessionSecret(token.to_owned()).digest();
        let user = self.store.api_token_user(&session.0).await?;
        Ok(user.map(|user| Identity { user, session, proof: Proof::ApiToken }))
    }

    /// Ends a sign-in.
    pub async fn logout(&self, session: &SessionId) -> Result<(), ApiError> {
        Ok(self.store.end_session(&session.0).await?)
    }

    /// A token for the socket.
    pub fn issue_ws_token(&self, identity: &Identity) -> Result<WsToken, ApiError> {
        // JWT counts in whole seconds; the announced end is the token's own.
        let expires_at = Timestamp::now().plus(self.token_ttl);
        let expires_at = Timestamp::from_millis(expires_at.as_millis() / 1000 * 1000);
        let token = self
            .keys
            .sign(identity.user.id, &identity.session.0, expires_at)
            .map_err(|error| ApiError::internal(&error))?;
        Ok(WsToken { token, expires_at })
    }

    /// Who a token stands for: it must be ours, alive, made for the socket, and its sign-in must not have ended.
    pub async fn verify_ws_token(&self, token: &str) -> Result<(User, Timestamp), ApiError> {
        if token.starts_with(api_token::PREFIX) {
            let identity = self.identify_program(token).await?;
            let identity = identity.ok_or_else(|| ApiError::new(ErrorCode::Unauthenticated, "no such API token"))?;
            return Ok((identity.user, Timestamp::now().plus(api_token::LIFE)));
        }
        let claims = self.keys.verify(token)?;
        let proof = claims.session();
        let identity = match self.store.session(&proof).await? {
            Some(user) => Some(user),
            None => self.store.api_token_user(&proof).await?,
        };
        match identity {
            Some(user) if user.id == claims.sub => Ok((user, claims.expires_at())),
            Some(_) | None => Err(ApiError::new(ErrorCode::Unauthenticated, "the sign-in behind this token has ended")),
        }
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

fn valid_email(email: &str) -> Result<String, ApiError> {
    let email = email.trim().to_lowercase();
    let valid = email.len() <= 254
        && email.split_once('@').is_some_and(|(local, domain)| {
            !local.is_empty() && !domain.is_empty() && !domain.contains('@') && !email.contains(char::is_whitespace)
        });
    if valid { Ok(email) } else { Err(ApiError::new(ErrorCode::InvalidPayload, "that is not an e-mail address")) }
}
