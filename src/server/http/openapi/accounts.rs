//! Ways in, and one's own account.

use axum::http::Method;
use netra_ws::{ErrorCode, discovery::Discovery};

use super::{
    super::{account as own, auth, commands, discovery, oidc},
    operation::{Operation, Types},
};
use crate::server::auth::{NewSecondFactor, ProviderAnswer, RecoveryCodes, WsToken};

pub(super) fn before_sign_in(types: &mut Types) -> Vec<Operation> {
    use ErrorCode::{Conflict, Forbidden, OriginNotAllowed, RateLimited, Unauthenticated};
    let post = |path, id, summary| {
        Operation::new(Method::POST, path, id, "auth", summary).fails(&[OriginNotAllowed, Forbidden])
    };
    vec![
        Operation::new(Method::GET, "/api/config", "config", "discovery", "What a client reads before it connects")
            .answers(200, "Discovery", types.written::<Discovery>()),
        post("/api/auth/dev", "signInAsDeveloper", "Signs the developer in, where that is allowed").answers(
            200,
            "Signed in; the cookie is set",
            types.written::<auth::SignedIn>(),
        ),
        post("/api/auth/register", "register", "Makes an account and signs it in")
            .body(types.read::<auth::Registration>())
            .answers(201, "Made and signed in; the cookie is set", types.written::<auth::SignedIn>())
            .fails(&[Conflict, RateLimited]),
        post("/api/auth/login", "signIn", "Signs an account in")
            .body(types.read::<auth::Credentials>())
            .answers(200, "Signed in; the cookie is set", types.written::<auth::SignedIn>())
            .fails(&[Unauthenticated, RateLimited]),
        post("/api/auth/logout", "signOut", "Ends the sign-in and closes the user's sockets").done("Signed out"),
    ]
}

pub(super) fn account(types: &mut Types) -> Vec<Operation> {
    vec![
        Operation::new(Method::POST, "/api/auth/ws-token", "wsToken", "auth", "A token for the socket")
            .signed_in()
            .answers(200, "A JWT with audience `netra:ws`", types.written::<WsToken>())
            .fails(&[ErrorCode::OriginNotAllowed]),
        Operation::new(
            Method::GET,
            "/api/auth/oidc/start",
            "beginWithProvider",
            "auth",
            "To the provider of identities",
        )
        .query(types.query::<oidc::Start>())
        .leads("To the provider, with a cookie for the way back; to the sign-in page when that cannot be"),
        Operation::new(Method::GET, "/api/auth/oidc/callback", "finishWithProvider", "auth", "Back from the provider")
            .query(types.query::<ProviderAnswer>())
            .leads("To the page that was asked for, with the cookie; to the sign-in page when nobody signed in"),
        Operation::new(
            Method::POST,
            "/api/auth/oidc/logout",
            "endByProvider",
            "auth",
            "Sign-outs by the provider's word",
        )
        .form(types.read::<oidc::SignedOut>())
        .text(200, "The sign-ins have ended")
        .fails(&[ErrorCode::InvalidPayload, ErrorCode::Forbidden, ErrorCode::RateLimited]),
        Operation::new(Method::POST, "/api/auth/confirm", "confirm", "auth", "Shows that it is still the same person")
            .signed_in()
            .body(types.read::<auth::Confirmation>())
            .done("For the next ten minutes, unless the settings say otherwise")
            .fails(&[ErrorCode::Forbidden, ErrorCode::Conflict, ErrorCode::RateLimited, ErrorCode::OriginNotAllowed]),
        Operation::new(Method::GET, "/api/me", "me", "auth", "Who is signed in").signed_in().answers(
            200,
            "The user",
            types.written::<auth::SignedIn>(),
        ),
        Operation::new(Method::GET, "/api/agents", "agents", "discovery", "The agents").signed_in().answers(
            200,
            "The agents, the default first",
            types.written::<discovery::Agents>(),
        ),
        Operation::new(Method::GET, "/api/commands", "commands", "discovery", "An agent's commands for the composer")
            .signed_in()
            .query(types.query::<commands::CommandsQuery>())
            .answers(200, "The commands", types.written::<commands::Commands>())
            .fails(&[ErrorCode::AgentUnknown]),
        Operation::new(Method::POST, "/api/commands/{name}", "fillInCommand", "discovery", "A command as text")
            .signed_in()
            .body(types.read::<commands::FillIn>())
            .answers(200, "The text", types.written::<commands::FilledIn>())
            .fails(&[
                ErrorCode::AgentUnknown,
                ErrorCode::NotFound,
                ErrorCode::AgentFailed,
                ErrorCode::OriginNotAllowed,
            ]),
    ]
}

pub(super) fn own_account(types: &mut Types) -> Vec<Operation> {
    use ErrorCode::{Conflict, Forbidden, InvalidPayload, NotFound, OriginNotAllowed, RateLimited};
    let on = |method, path, id, summary| Operation::new(method, path, id, "auth", summary).fails(&[Forbidden]);
    vec![
        on(Method::GET, "/api/account", "account", "The account of whoever asks").signed_in().answers(
            200,
            "The account",
            types.written::<own::Account>(),
        ),
        on(Method::PATCH, "/api/account", "changeAccount", "Gives the account another name")
            .signed_in()
            .body(types.read::<own::AccountChange>())
            .answers(200, "The account as it is now", types.written::<own::Account>())
            .fails(&[InvalidPayload, OriginNotAllowed]),
        on(Method::GET, "/api/account/export", "exportAccount", "Everything that the user owns, as JSON lines")
            .signed_in()
            .lines("One object a line; the last is of kind `end`"),
        on(
            Method::POST,
            "/api/account/close",
            "closeAccount",
            "Ends all sign-ins, and deletes the account after a while",
        )
        .signed_in()
        .body(types.read::<own::Confirmation>())
        .answers(200, "Closed; signing in before that time keeps it", types.written::<own::Closed>())
        .fails(&[Conflict, RateLimited, OriginNotAllowed]),
        on(Method::POST, "/api/account/second-factor", "beginSecondFactor", "Begins to set up a second factor")
            .signed_in()
            .body(types.read::<own::Confirmation>())
            .answers(201, "The secret; it is shown this once", types.written::<NewSecondFactor>())
            .fails(&[Conflict, RateLimited, OriginNotAllowed]),
        on(Method::POST, "/api/account/second-factor/confirm", "confirmSecondFactor", "Confirms the second factor")
            .signed_in()
            .body(types.read::<own::Code>())
            .answers(200, "The recovery codes; they are shown this once", types.written::<RecoveryCodes>())
            .fails(&[Conflict, RateLimited, OriginNotAllowed]),
        on(Method::DELETE, "/api/account/second-factor", "endSecondFactor", "Ends the second factor")
            .signed_in()
            .body(types.read::<own::Confirmation>())
            .done("Ended")
            .fails(&[Conflict, RateLimited, OriginNotAllowed]),
        on(Method::GET, "/api/sessions", "listSignIns", "The user's sign-ins").signed_in().answers(
            200,
            "The newest first",
            types.written::<own::Sessions>(),
        ),
        on(Method::DELETE, "/api/sessions", "endOtherSignIns", "Ends all sign-ins but the one that asks")
            .signed_in()
            .done("Ended")
            .fails(&[OriginNotAllowed]),
        on(Method::DELETE, "/api/sessions/{id}", "endSignIn", "Ends a sign-in and closes the user's sockets")
            .signed_in()
            .done("Ended")
            .fails(&[NotFound, OriginNotAllowed]),
        on(Method::POST, "/api/auth/password", "changePassword", "Changes the password and ends all other sign-ins")
            .signed_in()
            .body(types.read::<own::PasswordChange>())
            .done("Changed")
            .fails(&[Conflict, RateLimited, OriginNotAllowed]),
        on(Method::POST, "/api/auth/forgot", "forgotPassword", "Sends a link for a new password, where mail is sent")
            .body(types.read::<own::Forgotten>())
            .done("Sent, if the address has an account here")
            .fails(&[ErrorCode::Forbidden, RateLimited, OriginNotAllowed]),
        on(Method::POST, "/api/auth/confirm-address", "confirmAddress", "Takes the link that was sent to an address")
            .body(types.read::<own::AddressLink>())
            .done("Confirmed")
            .fails(&[NotFound, RateLimited, OriginNotAllowed]),
        on(Method::POST, "/api/account/address", "askForAddress", "Sends that link again")
            .signed_in()
            .done("Sent")
            .fails(&[ErrorCode::Forbidden, Conflict, RateLimited, OriginNotAllowed]),
        on(Method::POST, "/api/auth/reset", "resetPassword", "Sets a password with a link and ends all sign-ins")
            .body(types.read::<own::PasswordReset>())
            .done("Set")
            .fails(&[NotFound, RateLimited, OriginNotAllowed]),
    ]
}
