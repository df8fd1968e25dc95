//! Who is asking: one service for every way in.

mod accounts;
mod api_token;
mod closing;
mod common;
mod confirmation;
mod developer;
mod hashing;
mod letters;
mod limits;
mod names;
mod oidc;
mod password;
mod sealing;
mod second_factor;
mod secret;
mod throttle;
mod token;
mod visitor;

use std::{net::IpAddr, path::Path, sync::Arc, time::Duration};

use netra_ws::{ErrorCode, Timestamp, UserId, model::User};
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;

use super::{
    config::{AuthMode, Config, RegistrationPolicy},
    error::ApiError,
    mail::Mailer,
    store::{AccountStore, InvitationUse, KnownToken, NewUser, Purpose, Scope},
};
pub use accounts::{OneTimeLink, SignInInfo};
pub use api_token::{NewApiToken, WantedToken};
pub use confirmation::Shown;
pub use developer::DirectVisit;
use hashing::Hashing;
pub(crate) use limits::KeyedLimit;
pub(crate) use names::is_hidden;
use oidc::Provider;
pub use oidc::ProviderAnswer;
use sealing::Sealer;
use second_factor::{GUESSES_PER_HOUR, SecondStep, WRONG_CODE};
pub use second_factor::{NewSecondFactor, RecoveryCodes};
use throttle::{Pace, Throttle};
pub use token::TokenClaims;
use token::TokenKeys;
pub use visitor::Visitor;
pub(crate) use visitor::network;

/// How long a sign-in lasts.
pub const SESSION_LIFE: Duration = Duration::from_hours(30 * 24);

/// Sign-ins that one network may try in a minute, for all accounts together, and those that may come at once.
const ATTEMPTS_PER_MINUTE: u32 = 300;
const ATTEMPTS_AT_ONCE: u32 = 30;

/// Failed sign-ins of one account that the audit log takes in in an hour.
const NOTED_FAILURES_PER_HOUR: u32 = 120;

/// Failures that wait to be taken in.
const WAITING_NOTES: usize = 256;

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
    /// A program's token, and what it may do.
    ApiToken(Scope),
}

/// What somebody wants to register with.
#[derive(Clone, Copy, Debug)]
pub struct NewAccount<'a> {
    /// The address to sign in with.
    pub email: &'a str,
    /// The password.
    pub password: &'a str,
    /// The name that others see; the address's first part when absent.
    pub name: Option<&'a str>,
    /// The secret of an invitation.
    pub invitation: Option<&'a str>,
}

impl Identity {
    /// Refuses programs: whoever steals a token must not outlive it.
    pub fn require_person(&self) -> Result<(), ApiError> {
        match self.proof {
            Proof::SignIn => Ok(()),
            Proof::ApiToken(_) => {
                Err(ApiError::new(ErrorCode::Forbidden, "this is for a person who is signed in, not for a token"))
            }
        }
    }

    /// Refuses programs whose token allows less.
    pub fn require_scope(&self, scope: Scope) -> Result<(), ApiError> {
        match self.proof {
            Proof::ApiToken(granted) => require(granted, scope),
            Proof::SignIn => Ok(()),
        }
    }
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
    store: Arc<dyn AccountStore>,
    keys: TokenKeys,
    sealer: Sealer,
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
            sealer: Sealer::new(&secret)?,
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

    /// Makes an account and signs it in.
    pub async fn register(&self, visitor: &Visitor, form: NewAccount<'_>) -> Result<(User, SessionSecret), ApiError> {
        self.require(AuthMode::Password)?;
        let invitation = form.invitation.filter(|secret| !secret.is_empty());
        if !self.registration.allows(invitation.is_some()) {
            return Err(ApiError::new(ErrorCode::Forbidden, self.registration.refusal()));
        }
        let email = names::address(form.email)
            .ok_or_else(|| ApiError::new(ErrorCode::InvalidPayload, "that is not an e-mail address"))?;
        let name = form.name.filter(|name| !name.trim().is_empty());
        let (name, advice) = match name {
            Some(name) => (name, ""),
            None => (email.split('@').next().unwrap_or_default(), "; give another `name`"),
        };
        let name = names::name(name, &self.reserved_names)
            .map_err(|error| ApiError::new(ErrorCode::InvalidPayload, error.sentence() + advice))?;
        password::check(form.password, &[&email, &name])?;
        if let Some(wait) = self.registrations.spend(&visitor.network()) {
            tracing::warn!(address = %visitor.address, "too many registrations");
            let error =
                ApiError::new(ErrorCode::RateLimited, "too many new accounts from this network; try again later");
            return Err(error.retry_after_ms(wait));
        }
        // A link that is good for nothing costs no hash.
        if let Some(secret) = invitation {
            let purpose = self.store.link_purpose(&Self::invitation(secret)).await?;
            if !matches!(purpose, Some(Purpose::Invitation { .. })) {
                return Err(bad_invitation());
            }
        }
        let password_hash = self.hash(visitor, form.password).await?;
        let user = NewUser { name, email, password_hash, first_administers: self.first_administers };
        let taken = || ApiError::new(ErrorCode::Conflict, "there is an account with this e-mail address already");
        let user = match invitation {
            None => self.store.add_user(user).await?.ok_or_else(taken)?,
            Some(secret) => match self.store.add_invited(user, &Self::invitation(secret)).await? {
                InvitationUse::Added(user) => user,
                InvitationUse::AddressTaken => return Err(taken()),
                InvitationUse::NoInvitation => return Err(bad_invitation()),
            },
        };
        tracing::info!(user_id = %user.id, address = %visitor.address, "user registered");
        self.note(Some(user.id), "account.made", Some(user.id.to_string()), Some(visitor)).await;
        self.ask_for_address(&user).await?;
        let secret = self.begin_session(user.id, visitor).await?;
        Ok((user, secret))
    }

    /// Signs an account in.
    pub async fn login(
        &self,
        visitor: &Visitor,
        email: &str,
        password: &str,
        code: Option<&str>,
    ) -> Result<(User, SessionSecret), ApiError> {
        self.require(AuthMode::Password)?;
        if let Some(wait) = self.attempts.spend(&visitor.network()) {
            return Err(too_many(wait));
        }
        // Nobody has such a password; it is refused before anything depends on the account.
        if password.chars().count() > password::MAX_LENGTH {
            return Err(wrong_credentials());
        }
        let email = email.trim().to_lowercase();
        // A place that the account was signed in to from waits for nobody who guesses elsewhere.
        let place = if self.store.signed_in_from(&email, &visitor.address.to_string()).await? {
            GuessPlace::Known
        } else {
            GuessPlace::New
        };
        let (line, anywhere) = (guess_line(visitor, &email, place), account_line(&email));
        let attempt = self.guesses.begin(&line).await.map_err(|_| too_many(self.guesses.retry_after_ms(&line)))?;
        let slowed = match place {
            GuessPlace::Known => attempt.slowed,
            GuessPlace::New => self.strangers.slow_down(&anywhere).await || attempt.slowed,
        };
        let known = self.store.user_by_email(&email).await?;
        let (user, hash) = known.unzip();
        // An unknown address costs the same time as a wrong password.
        let right = self.verify(visitor, password, hash.clone()).await?;
        let known_id = user.as_ref().map(|user| user.id);
        let account = known_id.map(|id| id.to_string());
        let Some(user) = user.filter(|_| right) else {
            self.guesses.failed(line);
            if place == GuessPlace::New {
                self.strangers.failed(anywhere);
            }
            tracing::warn!(address = %visitor.address, account, "sign-in failed: wrong address or password");
            if let Some(id) = known_id {
                self.note_failure("sign_in.failed", id, visitor);
            }
            let wait = self.guesses.retry_after_ms(&line).max(self.strangers.retry_after_ms(&anywhere));
            return Err(if slowed { too_many(wait) } else { wrong_credentials() });
        };
        match self.second_factor(&user, visitor, code).await? {
            SecondStep::Passed => {}
            SecondStep::Missing => return Err(ApiError::new(ErrorCode::Unauthenticated, CODE_WANTED)),
            SecondStep::Wrong => {
                self.guesses.failed(line);
                tracing::warn!(address = %visitor.address, user_id = %user.id, "sign-in failed: wrong code");
                self.note_failure("second_factor.failed", user.id, visitor);
                return Err(ApiError::new(ErrorCode::Unauthenticated, WRONG_CODE));
            }
        }
        self.guesses.succeeded(&line);
        self.reopen(user.id, visitor).await?;
        // A password that was reset meanwhile signs nobody in.
        let secret = self.begin_session_with(user.id, visitor, hash.as_deref()).await?;
        tracing::info!(user_id = %user.id, address = %visitor.address, "signed in");
        self.note(Some(user.id), "sign_in.made", None, Some(visitor)).await;
        Ok((user, secret))
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

    /// Who a token stands for, and until when: it must be ours, alive, made for the socket, and its sign-in must not have ended.
    /// What a program's token allows and how long it lives counts for the tokens that it made, too.
    pub async fn verify_ws_token(&self, token: &str) -> Result<(User, Timestamp), ApiError> {
        if token.starts_with(api_token::PREFIX) {
            let digest = SessionSecret(token.to_owned()).digest();
            let known = self.store.api_token_user(&digest.0, None).await?;
            let known = known.ok_or_else(|| ApiError::new(ErrorCode::Unauthenticated, "no such API token"))?;
            return opened_by(known, Timestamp::now().plus(api_token::LIFE));
        }
        let claims = self.keys.verify(token)?;
        let proof = claims.session();
        let ended = || ApiError::new(ErrorCode::Unauthenticated, "the sign-in behind this token has ended");
        let (user, expires_at) = match self.store.session(&proof).await? {
            Some(user) => (user, claims.expires_at()),
            None => {
                let known = self.store.api_token_user(&proof, None).await?.ok_or_else(ended)?;
                opened_by(known, claims.expires_at())?
            }
        };
        if user.id == claims.sub { Ok((user, expires_at)) } else { Err(ended()) }
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

/// Said to who knows the password of an account with a second factor.
const CODE_WANTED: &str = "enter the code of your authenticator app, or a recovery code, too";

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

fn bad_invitation() -> ApiError {
    let problem = "this invitation was used already, or its time is over; ask for a new one";
    ApiError::new(ErrorCode::Forbidden, problem)
}

/// Whose socket a program's token opens, and until when: its own end counts where it comes first.
fn opened_by(token: KnownToken, until: Timestamp) -> Result<(User, Timestamp), ApiError> {
    require(token.scope, Scope::Chat)?;
    Ok((token.user, token.expires_at.map_or(until, |end| end.min(until))))
}

fn require(granted: Scope, wanted: Scope) -> Result<(), ApiError> {
    if granted >= wanted {
        return Ok(());
    }
    let problem = format!("this token allows `{}`; that needs `{}`", granted.as_str(), wanted.as_str());
    Err(ApiError::new(ErrorCode::Forbidden, problem))
}

/// Where a password is tried from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum GuessPlace {
    /// From an address that somebody who is still signed in to the account came from.
    Known,
    /// From elsewhere.
    New,
}

/// What a guess is counted under.
fn guess_line(visitor: &Visitor, email: &str, place: GuessPlace) -> [u8; 32] {
    let (from, kind) = match place {
        GuessPlace::Known => (visitor.address, 1),
        GuessPlace::New => (visitor.network(), 0),
    };
    let mut digest = Sha256::new();
    digest.update(from.to_string());
    digest.update([kind]);
    digest.update(email);
    digest.finalize().into()
}

/// What guesses of an account are counted under, wherever they come from.
fn account_line(email: &str) -> [u8; 32] {
    Sha256::digest(email).into()
}
