//! `/api/account`, `/api/sessions`, `/api/auth/password` and `/api/auth/reset`: one's own account.

use axum::{Json, extract::State, http::StatusCode};
use netra_ws::{Timestamp, bus::Delivery, close::CloseCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ApiJson, ApiPath};
use crate::server::{
    auth::{Identity, NewSecondFactor, RecoveryCodes, SignInInfo, Visitor},
    error::ApiError,
    state::AppState,
    store::closing::AccountInfo,
};

/// The user's sign-ins.
#[derive(JsonSchema, Serialize)]
pub struct Sessions {
    /// The newest first.
    sessions: Vec<SignInInfo>,
}

/// `POST /api/auth/password`
#[derive(Deserialize, JsonSchema)]
pub struct PasswordChange {
    /// The password that the account has.
    current: String,
    /// The one that it is to have: 8 to 1,000 characters, and none of those that everybody tries.
    new: String,
}

/// `POST /api/auth/reset`
#[derive(Deserialize, JsonSchema)]
pub struct PasswordReset {
    /// What the link carries.
    link: String,
    /// The password that the account is to have.
    password: String,
}

/// `POST /api/auth/forgot`
#[derive(Deserialize, JsonSchema)]
pub struct Forgotten {
    /// The address of the account.
    email: String,
}

/// `POST /api/auth/confirm-address`
#[derive(Deserialize, JsonSchema)]
pub struct AddressLink {
    /// What the link carries.
    link: String,
}

/// Sends a link for a new password, if the address has an account.
pub async fn forgot(
    State(state): State<AppState>,
    visitor: Visitor,
    ApiJson(forgotten): ApiJson<Forgotten>,
) -> Result<StatusCode, ApiError> {
    state.security.forgot(&visitor, &forgotten.email).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes the link that was sent to an address.
pub async fn confirm_address(
    State(state): State<AppState>,
    visitor: Visitor,
    ApiJson(shown): ApiJson<AddressLink>,
) -> Result<StatusCode, ApiError> {
    state.security.confirm_address(&visitor, &shown.link).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Sends that link again.
pub async fn ask_for_address(State(state): State<AppState>, identity: Identity) -> Result<StatusCode, ApiError> {
    state.security.ask_for_address_again(&identity).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lists the sign-ins.
pub async fn sessions(State(state): State<AppState>, identity: Identity) -> Result<Json<Sessions>, ApiError> {
    Ok(Json(Sessions { sessions: state.security.sign_ins(&identity).await? }))
}

/// Ends one. All of the user's sockets close; those of other sign-ins come back.
pub async fn end_session(
    State(state): State<AppState>,
    identity: Identity,
    visitor: Visitor,
    ApiPath(id): ApiPath<String>,
) -> Result<StatusCode, ApiError> {
    state.security.end_sign_in(&identity, &visitor, &id).await?;
    close(&state, &identity);
    Ok(StatusCode::NO_CONTENT)
}

/// Ends all but the one that asks.
pub async fn end_others(
    State(state): State<AppState>,
    identity: Identity,
    visitor: Visitor,
) -> Result<StatusCode, ApiError> {
    state.security.end_other_sign_ins(&identity, &visitor).await?;
    close(&state, &identity);
    Ok(StatusCode::NO_CONTENT)
}

/// Changes the password, and ends all other sign-ins.
pub async fn change_password(
    State(state): State<AppState>,
    identity: Identity,
    visitor: Visitor,
    ApiJson(change): ApiJson<PasswordChange>,
) -> Result<StatusCode, ApiError> {
    state.security.change_password(&identity, &visitor, &change.current, &change.new).await?;
    close(&state, &identity);
    Ok(StatusCode::NO_CONTENT)
}

/// Sets a password with a link, and ends all sign-ins.
pub async fn reset_password(
    State(state): State<AppState>,
    visitor: Visitor,
    ApiJson(reset): ApiJson<PasswordReset>,
) -> Result<StatusCode, ApiError> {
    reset_with(&state, &visitor, &reset.link, &reset.password).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Sets a password with a link; all of the user's sockets close.
pub(crate) async fn reset_with(
    state: &AppState,
    visitor: &Visitor,
    link: &str,
    password: &str,
) -> Result<(), ApiError> {
    let user = state.security.reset_password(visitor, link, password).await?;
    state.bus.publish(Delivery::Close { user_id: user.id, code: CloseCode::Unauthenticated });
    Ok(())
}

fn close(state: &AppState, identity: &Identity) {
    state.bus.publish(Delivery::Close { user_id: identity.user.id, code: CloseCode::Unauthenticated });
}

/// `GET /api/account`
#[derive(JsonSchema, Serialize)]
pub struct Account {
    /// The account.
    account: AccountInfo,
    /// Whether the owner has yet to show that the address is theirs.
    address_due: bool,
    /// Until when the sign-in may make tokens and administer without being asked again; absent where it is asked first.
    #[serde(skip_serializing_if = "Option::is_none")]
    confirmed_until: Option<Timestamp>,
    /// Recovery codes that are left, where signing in takes a second factor.
    #[serde(skip_serializing_if = "Option::is_none")]
    recovery_codes_left: Option<u64>,
}

/// `PATCH /api/account`
#[derive(Deserialize, JsonSchema)]
pub struct AccountChange {
    /// What others are to see: 1 to 100 characters, none of them invisible, and no name that is reserved.
    name: String,
}

/// The password of whoever is signed in, asked once more.
#[derive(Deserialize, JsonSchema)]
pub struct Confirmation {
    /// The password that the account has.
    password: String,
}

/// `POST /api/account/second-factor/confirm`
#[derive(Deserialize, JsonSchema)]
pub struct Code {
    /// Six digits of the authenticator app.
    code: String,
}

/// `POST /api/account/close`
#[derive(JsonSchema, Serialize)]
pub struct Closed {
    /// When everything is deleted, unless the owner signs in before.
    delete_at: Timestamp,
}

/// The account of whoever asks.
pub async fn account(State(state): State<AppState>, identity: Identity) -> Result<Json<Account>, ApiError> {
    identity.require_person()?;
    let account = state.security.account(identity.user.id).await?;
    let address_due = state.security.address_is_due(identity.user.id).await?;
    let confirmed_until = state.security.confirmed_until(&identity).await?;
    let recovery_codes_left = state.security.has_second_factor(identity.user.id).await?;
    Ok(Json(Account { account, address_due, confirmed_until, recovery_codes_left }))
}

/// Gives the account another name.
pub async fn change_account(
    state: State<AppState>,
    identity: Identity,
    ApiJson(change): ApiJson<AccountChange>,
) -> Result<Json<Account>, ApiError> {
    identity.require_person()?;
    state.security.rename(&identity, &change.name).await?;
    account(state, identity).await
}

/// Begins to set up a second factor.
pub async fn begin_second_factor(
    State(state): State<AppState>,
    identity: Identity,
    visitor: Visitor,
    ApiJson(confirmation): ApiJson<Confirmation>,
) -> Result<(StatusCode, Json<NewSecondFactor>), ApiError> {
    let begun = state.security.begin_second_factor(&identity, &visitor, &confirmation.password).await?;
    Ok((StatusCode::CREATED, Json(begun)))
}

/// Confirms it.
pub async fn confirm_second_factor(
    State(state): State<AppState>,
    identity: Identity,
    visitor: Visitor,
    ApiJson(code): ApiJson<Code>,
) -> Result<Json<RecoveryCodes>, ApiError> {
    Ok(Json(state.security.confirm_second_factor(&identity, &visitor, &code.code).await?))
}

/// Ends it.
pub async fn end_second_factor(
    State(state): State<AppState>,
    identity: Identity,
    visitor: Visitor,
    ApiJson(confirmation): ApiJson<Confirmation>,
) -> Result<StatusCode, ApiError> {
    state.security.end_second_factor(&identity, &visitor, &confirmation.password).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Closes the account: its sign-ins end now, and it is deleted after a while.
pub async fn close_account(
    State(state): State<AppState>,
    identity: Identity,
    visitor: Visitor,
    ApiJson(confirmation): ApiJson<Confirmation>,
) -> Result<Json<Closed>, ApiError> {
    let grace = state.config.account_grace;
    let delete_at = state.security.close_account(&identity, &visitor, &confirmation.password, grace).await?;
    close(&state, &identity);
    Ok(Json(Closed { delete_at }))
}
