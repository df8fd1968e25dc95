//! Server functions of one's own account, over the same services as `/api/account`, `/api/sessions` and `/api/tokens`.

// The macro makes a struct of each function's arguments, with fields that cannot carry docs.
#![allow(missing_docs)]

use leptos::prelude::*;
use netra_ws::Timestamp;
use serde::{Deserialize, Serialize};

use super::call::Call;
#[cfg(feature = "ssr")]
use super::{api::backend, device::device};

/// An account as its owner sees it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AccountView {
    /// The sign-in address; empty for the developer, who has no password.
    pub email: String,
    /// Recovery codes that are left, where signing in takes a second factor.
    pub codes_left: Option<u64>,
    /// Whether the owner has yet to show that the address is theirs.
    pub address_due: bool,
    /// Whether it was shown lately that it is still the person who signed in.
    pub confirmed: bool,
    /// The newest first.
    pub sign_ins: Vec<SignInView>,
    /// The oldest first.
    pub tokens: Vec<TokenView>,
}

/// A sign-in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SignInView {
    /// Names it.
    pub id: String,
    /// Whether it is the one that asks.
    pub current: bool,
    /// Which browser on which system, and where it was.
    pub place: String,
    /// When it was used last.
    pub last_used_at: Timestamp,
}

/// A program's token.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TokenView {
    /// Names it.
    pub id: String,
    /// What it is for, and what it may do.
    pub about: String,
}

/// A second factor that is being set up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SecretView {
    /// To be typed into the app.
    pub secret: String,
    /// For apps on this device.
    pub uri: String,
}

/// The account of whoever asks.
#[server(protocol = Call, prefix = "/fn", endpoint = "account")]
pub async fn account() -> Result<AccountView, ServerFnError> {
    let state = backend::state()?;
    let identity = backend::person(&state).await?;
    let security = &state.security;
    let sign_ins = security.sign_ins(&identity).await.map_err(backend::failed)?;
    let tokens = security.api_tokens(&identity).await.map_err(backend::failed)?;
    Ok(AccountView {
        email: identity.user.email.clone().unwrap_or_default(),
        address_due: security.address_is_due(identity.user.id).await.map_err(backend::failed)?,
        confirmed: security.confirmed_until(&identity).await.map_err(backend::failed)?.is_some(),
        codes_left: security.has_second_factor(identity.user.id).await.map_err(backend::failed)?,
        sign_ins: sign_ins
            .into_iter()
            .map(|sign_in| SignInView {
                id: sign_in.id,
                current: sign_in.current,
                place: [sign_in.device.as_deref().map(device), sign_in.address]
                    .into_iter()
                    .flatten()
                    .collect::<Vec<_>>()
                    .join(" · "),
                last_used_at: sign_in.last_used_at,
            })
            .collect(),
        tokens: tokens
            .into_iter()
            .map(|token| TokenView {
                id: token.id.to_string(),
                about: format!("{} · {}", token.name, token.scope.as_str()),
            })
            .collect(),
    })
}

/// Changes the password, and ends all other sign-ins.
#[server(protocol = Call, prefix = "/fn", endpoint = "change-password")]
pub async fn change_password(current: String, new: String) -> Result<(), ServerFnError> {
    let state = backend::state()?;
    let identity = backend::person(&state).await?;
    let visitor = backend::visitor(&state)?;
    state.security.change_password(&identity, &visitor, &current, &new).await.map_err(backend::failed)?;
    backend::close_sockets(&state, &identity);
    Ok(())
}

/// Ends a sign-in, or all but the one that asks.
#[server(protocol = Call, prefix = "/fn", endpoint = "end-sign-in")]
pub async fn end_sign_in(id: Option<String>) -> Result<(), ServerFnError> {
    let state = backend::state()?;
    let identity = backend::person(&state).await?;
    let visitor = backend::visitor(&state)?;
    match id {
        Some(id) => state.security.end_sign_in(&identity, &visitor, &id).await,
        None => state.security.end_other_sign_ins(&identity, &visitor).await.map(drop),
    }
    .map_err(backend::failed)?;
    backend::close_sockets(&state, &identity);
    Ok(())
}

/// Sends the link to one's own address again.
#[server(protocol = Call, prefix = "/fn", endpoint = "ask-for-address")]
pub async fn ask_for_address() -> Result<(), ServerFnError> {
    let state = backend::state()?;
    let identity = backend::person(&state).await?;
    state.security.ask_for_address_again(&identity).await.map_err(backend::failed)
}

/// Shows that it is still the person who signed in: by the password, or a code of the second factor.
#[server(protocol = Call, prefix = "/fn", endpoint = "confirm")]
pub async fn confirm(shown: String) -> Result<(), ServerFnError> {
    let state = backend::state()?;
    let identity = backend::person(&state).await?;
    let visitor = backend::visitor(&state)?;
    // Six digits are no password here: those have eight characters.
    let is_code = shown.len() == 6 && shown.bytes().all(|byte| byte.is_ascii_digit());
    let shown = crate::server::auth::Shown {
        password: (!is_code).then_some(shown.as_str()),
        code: is_code.then_some(shown.as_str()),
    };
    state.security.confirm(&identity, &visitor, shown).await.map_err(backend::failed)
}

/// Begins to set up a second factor.
#[server(protocol = Call, prefix = "/fn", endpoint = "begin-second-factor")]
pub async fn begin_second_factor(password: String) -> Result<SecretView, ServerFnError> {
    let state = backend::state()?;
    let identity = backend::person(&state).await?;
    let visitor = backend::visitor(&state)?;
    let begun = state.security.begin_second_factor(&identity, &visitor, &password).await.map_err(backend::failed)?;
    Ok(SecretView { secret: begun.secret, uri: begun.uri })
}

/// Confirms it; the recovery codes.
#[server(protocol = Call, prefix = "/fn", endpoint = "confirm-second-factor")]
pub async fn confirm_second_factor(code: String) -> Result<Vec<String>, ServerFnError> {
    let state = backend::state()?;
    let identity = backend::person(&state).await?;
    let visitor = backend::visitor(&state)?;
    let codes = state.security.confirm_second_factor(&identity, &visitor, &code).await.map_err(backend::failed)?;
    Ok(codes.recovery_codes)
}

/// Ends it.
#[server(protocol = Call, prefix = "/fn", endpoint = "end-second-factor")]
pub async fn end_second_factor(password: String) -> Result<(), ServerFnError> {
    let state = backend::state()?;
    let identity = backend::person(&state).await?;
    let visitor = backend::visitor(&state)?;
    state.security.end_second_factor(&identity, &visitor, &password).await.map_err(backend::failed)
}

/// Makes a token that may take part; its secret.
#[server(protocol = Call, prefix = "/fn", endpoint = "make-token")]
pub async fn make_token(name: String) -> Result<String, ServerFnError> {
    let state = backend::state()?;
    let identity = backend::person(&state).await?;
    let visitor = backend::visitor(&state)?;
    let wanted =
        crate::server::auth::WantedToken { name: &name, scope: crate::server::store::Scope::Chat, days: Some(90) };
    let made = state.security.make_api_token(&identity, &visitor, wanted).await.map_err(backend::failed)?;
    Ok(made.token)
}

/// Revokes a token.
#[server(protocol = Call, prefix = "/fn", endpoint = "revoke-token")]
pub async fn revoke_token(id: uuid::Uuid) -> Result<(), ServerFnError> {
    let state = backend::state()?;
    let identity = backend::person(&state).await?;
    let visitor = backend::visitor(&state)?;
    state.security.revoke_api_token(&identity, &visitor, id).await.map_err(backend::failed)?;
    backend::close_sockets(&state, &identity);
    Ok(())
}

/// Closes the account; when it is deleted.
#[server(protocol = Call, prefix = "/fn", endpoint = "close-account")]
pub async fn close_account(password: String) -> Result<Timestamp, ServerFnError> {
    let state = backend::state()?;
    let identity = backend::person(&state).await?;
    let visitor = backend::visitor(&state)?;
    let grace = state.config.account_grace;
    let at = state.security.close_account(&identity, &visitor, &password, grace).await.map_err(backend::failed)?;
    backend::close_sockets(&state, &identity);
    Ok(at)
}
