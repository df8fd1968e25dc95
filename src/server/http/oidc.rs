//! `/api/auth/oidc/*`: signing in with a provider of identities, and out by its word.

use axum::{
    Form,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Redirect, Response},
};
use axum_extra::extract::{
    CookieJar,
    cookie::{Cookie, SameSite},
};
use netra_ws::{bus::Delivery, close::CloseCode};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{ApiQuery, auth::replace_session, forms::REFUSED, session_cookie};
use crate::{
    app::next,
    server::{
        auth::{ProviderAnswer, SessionSecret, Visitor},
        error::ApiError,
        state::AppState,
    },
};

/// The cookie of a round to the provider.
const ROUND: &str = "netra_oidc";
const PATH: &str = "/api/auth/oidc";

/// `GET /api/auth/oidc/start`
#[derive(Deserialize, JsonSchema)]
pub struct Start {
    /// The page to go to afterwards; the first page when absent.
    next: Option<String>,
}

fn round(value: String, life: time::Duration, secure: bool) -> Cookie<'static> {
    Cookie::build((ROUND, value))
        .path(PATH)
        .http_only(true)
        // The provider leads back from another site.
        .same_site(SameSite::Lax)
        .secure(secure)
        .max_age(life)
        .build()
}

/// To the provider.
pub async fn start(State(state): State<AppState>, visitor: Visitor, ApiQuery(start): ApiQuery<Start>) -> Response {
    let wanted = next::accept(start.next.as_deref());
    match state.security.begin_with_provider(&visitor, wanted).await {
        Ok((url, cookie)) => {
            let cookie = round(cookie, time::Duration::minutes(10), state.config.secure_cookies());
            (CookieJar::new().add(cookie), Redirect::to(url.as_str())).into_response()
        }
        Err(error) => back_to_sign_in(&error).into_response(),
    }
}

/// Back from the provider.
pub async fn callback(
    State(state): State<AppState>,
    headers: HeaderMap,
    visitor: Visitor,
    ApiQuery(answer): ApiQuery<ProviderAnswer>,
) -> Response {
    let secure = state.config.secure_cookies();
    let over = round(String::new(), time::Duration::ZERO, secure);
    let cookie = CookieJar::from_headers(&headers).get(ROUND).map(|cookie| cookie.value().to_owned());
    let finished = async {
        let (user, secret, wanted): (_, SessionSecret, String) =
            state.security.finish_with_provider(&visitor, cookie.as_deref(), &answer).await?;
        replace_session(&state, &headers, user.id, &secret).await?;
        Ok::<_, ApiError>((secret, wanted))
    };
    match finished.await {
        Ok((secret, wanted)) => {
            let cookies = session_cookie(&secret, secure).into_iter().fold(CookieJar::new(), CookieJar::add);
            (cookies.add(over), Redirect::to(next::accept(Some(&wanted)))).into_response()
        }
        Err(error) => (CookieJar::new().add(over), back_to_sign_in(&error)).into_response(),
    }
}

/// The sign-in page with a sentence for this failure: no word comes out of an address.
fn back_to_sign_in(error: &ApiError) -> Redirect {
    tracing::info!(code = %error.code, reason = error.message, "sign-in with the provider refused");
    Redirect::to(&format!("/login?by=provider&{REFUSED}={}", error.code.http_status()))
}

/// `POST /api/auth/oidc/logout`
#[derive(Deserialize, JsonSchema)]
pub struct SignedOut {
    /// What the provider signed.
    logout_token: String,
}

/// Ends sign-ins on the provider's word.
pub async fn logout(
    State(state): State<AppState>,
    visitor: Visitor,
    form: Result<Form<SignedOut>, axum::extract::rejection::FormRejection>,
) -> Result<StatusCode, ApiError> {
    state.security.count_attempt(&visitor)?;
    let Form(form) =
        form.map_err(|_| ApiError::new(netra_ws::ErrorCode::InvalidPayload, "`logout_token` is missing in the form"))?;
    for user in state.security.end_by_provider(&form.logout_token).await? {
        state.bus.publish(Delivery::Close { user_id: user, code: CloseCode::Unauthenticated });
    }
    Ok(StatusCode::OK)
}
