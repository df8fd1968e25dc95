//! Signing in with a provider of identities: OpenID Connect with code flow, PKCE and a nonce.
//!
//! Accounts and people are linked by an address that the provider has verified, and from then on by the provider's own name for
//! the person, which does not change when the address does.

mod claims;
mod logout;
mod provider;
mod round;

use netra_ws::{
    ErrorCode,
    model::{Role, User},
};
use openidconnect::url::Url;

use super::{AuthMode, SecurityService, SessionSecret, Visitor, names, too_many};
use crate::server::{
    config::RegistrationPolicy,
    error::ApiError,
    store::{
        closing::{AccountChange, Changed},
        identities::{NewPerson, ProviderSignIn, Subject},
    },
};
use claims::Person;
pub(super) use provider::Provider;
use provider::ProviderError;
pub(super) use round::AUDIENCE;
use round::Round;

/// What the provider sends the browser back with.
#[derive(Clone, Debug, Default, serde::Deserialize, schemars::JsonSchema)]
pub struct ProviderAnswer {
    /// What is exchanged for tokens.
    pub code: Option<String>,
    /// What the browser was sent there with.
    pub state: Option<String>,
    /// Why there is no code.
    pub error: Option<String>,
    /// Who answers (RFC 9207).
    pub iss: Option<String>,
}

impl From<ProviderError> for ApiError {
    fn from(error: ProviderError) -> Self {
        let causes: Vec<String> = std::iter::successors(std::error::Error::source(&error), |cause| cause.source())
            .map(ToString::to_string)
            .collect();
        tracing::warn!(%error, ?causes, "signing in with the provider failed");
        match error {
            ProviderError::Unreachable(_) | ProviderError::TooLong => {
                Self::new(ErrorCode::ServerBusy, "the sign-in service does not answer; try again").retry_after_ms(5_000)
            }
            ProviderError::Refused(_) | ProviderError::Unbelievable(_) => Self::new(
                ErrorCode::Unauthenticated,
                "the sign-in service said nothing that can be believed; sign in again",
            ),
        }
    }
}

impl SecurityService {
    fn provider(&self) -> Result<&Provider, ApiError> {
        self.require(AuthMode::Oidc)?;
        self.provider.as_ref().ok_or_else(|| ErrorCode::Internal.into())
    }

    /// Where a browser goes to sign in, and the cookie that it comes back with.
    pub async fn begin_with_provider(&self, visitor: &Visitor, next: &str) -> Result<(Url, String), ApiError> {
        let provider = self.provider()?;
        if let Some(wait) = self.attempts.spend(&visitor.network()) {
            return Err(too_many(wait));
        }
        let (url, round) = provider.begin(next).await?;
        let cookie = self.keys.sign_round(&round).map_err(|error| ApiError::internal(&error))?;
        Ok((url, cookie))
    }

    /// Signs in whoever came back: who it is, and where they wanted to.
    pub async fn finish_with_provider(
        &self,
        visitor: &Visitor,
        cookie: Option<&str>,
        answer: &ProviderAnswer,
    ) -> Result<(User, SessionSecret, String), ApiError> {
        let provider = self.provider()?;
        if let Some(wait) = self.attempts.spend(&visitor.network()) {
            return Err(too_many(wait));
        }
        let round = cookie.and_then(|cookie| self.keys.verify_round(cookie)).ok_or_else(|| {
            ApiError::new(ErrorCode::Unauthenticated, "this sign-in was begun elsewhere, or long ago; begin it again")
        })?;
        let person = provider.finish(&round, answer).await?;
        let user = self.person(visitor, provider, &person).await?;
        self.reopen(user.id, visitor).await?;
        let secret = self.begin_session(user.id, visitor).await?;
        let from = ProviderSignIn { subject: person.subject, sid: person.sid, id_token: person.id_token };
        self.store.describe_provider(&secret.digest().0, &from).await?;
        tracing::info!(user_id = %user.id, address = %visitor.address, "signed in with the provider");
        self.note(Some(user.id), "sign_in.made_with_provider", None, Some(visitor)).await;
        Ok((user, secret, round.next))
    }

    /// The account of a person: known, linked by a verified address, or new; with the role that groups give.
    async fn person(&self, visitor: &Visitor, provider: &Provider, person: &Person) -> Result<User, ApiError> {
        let role = if provider.config().decides_roles() {
            let role = provider.config().role_of(&person.groups);
            Some(role.ok_or_else(|| {
                tracing::warn!(address = %visitor.address, "sign-in refused: none of the person's groups is let in");
                ApiError::new(ErrorCode::Forbidden, "none of your groups is let in here; ask whoever runs the server")
            })?)
        } else {
            None
        };
        let user = match self.store.known_person(&person.subject).await? {
            Some(user) => user,
            None => self.meet(visitor, person, role).await?,
        };
        match role {
            Some(role) if role != user.role => self.take_role(user, role).await,
            _ => Ok(user),
        }
    }

    /// Somebody who was never here by this provider's name.
    async fn meet(&self, visitor: &Visitor, person: &Person, role: Option<Role>) -> Result<User, ApiError> {
        let email = person.verified_email.as_deref().and_then(names::address).ok_or_else(|| {
            tracing::warn!(address = %visitor.address, "sign-in refused: the provider has verified no address");
            ApiError::new(ErrorCode::Forbidden, "the sign-in service has not verified your e-mail address")
        })?;
        if let Some(user) = self.store.user_by_address(&email).await? {
            self.store.link_person(&person.subject, user.id).await?;
            tracing::info!(user_id = %user.id, "account linked to the provider");
            self.note(Some(user.id), "identity.linked", Some(person.subject.issuer.clone()), Some(visitor)).await;
            return Ok(user);
        }
        if self.registration == RegistrationPolicy::Closed {
            return Err(ApiError::new(ErrorCode::Forbidden, self.registration.refusal()));
        }
        // Nobody is named as an agent is, not by the provider either; a whole address is no agent's name.
        let wanted = [person.name.as_deref(), email.split('@').next()];
        let name = wanted.into_iter().flatten().find_map(|name| names::name(name, &self.reserved_names).ok());
        let name = name.unwrap_or_else(|| email.clone());
        let wanted = NewPerson { name, email, role: role.unwrap_or(Role::User) };
        let user = self.store.add_person(&person.subject, wanted).await?.ok_or_else(|| {
            // Somebody took the address this very moment; the next try links it.
            ApiError::new(ErrorCode::Conflict, "there is an account with this e-mail address already; sign in again")
        })?;
        tracing::info!(user_id = %user.id, address = %visitor.address, "account made for a person of the provider");
        self.note(Some(user.id), "account.made", Some(user.id.to_string()), Some(visitor)).await;
        Ok(user)
    }

    async fn take_role(&self, user: User, role: Role) -> Result<User, ApiError> {
        let change = AccountChange { role: Some(role), disabled: None };
        match self.store.change_account(user.id, change).await? {
            Changed::Done => {
                tracing::info!(user_id = %user.id, %role, "groups at the provider changed the role");
                self.note(None, "account.role_changed", Some(format!("{} {role}", user.id)), None).await;
                Ok(User { role, ..user })
            }
            Changed::LastAdministrator => {
                tracing::warn!(user_id = %user.id, "groups would take the last administrator's role; it stays");
                Ok(user)
            }
            Changed::Unknown => Err(ApiError::not_found()),
        }
    }
}

/// A person's name at this provider.
fn subject(issuer: &str, subject: &str) -> Subject {
    Subject { issuer: issuer.to_owned(), subject: subject.to_owned() }
}
