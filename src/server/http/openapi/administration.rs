//! What administrators do.

use axum::http::Method;
use netra_ws::ErrorCode;

use super::{
    super::{admin, connections},
    operation::{Operation, Types},
};
use crate::server::{auth::OneTimeLink, mcp::client::Answer, store::closing::AccountInfo};

/// MCP servers that an administrator signs in at.
pub(super) fn connecting(types: &mut Types) -> Vec<Operation> {
    use ErrorCode::{Forbidden, NotFound, OriginNotAllowed, UpstreamUnavailable};
    let on = |method, path, id, summary| {
        Operation::new(method, path, id, "operation", summary).signed_in().fails(&[Forbidden, NotFound])
    };
    vec![
        on(Method::POST, "/api/tools/{server}/oauth/connect", "connectServer", "Begins a sign-in at an MCP server")
            .answers(200, "Where the browser goes", types.written::<connections::Entrance>())
            .fails(&[OriginNotAllowed, UpstreamUnavailable]),
        on(Method::GET, "/api/tools/{server}/oauth/callback", "finishConnecting", "Back from the authorization server")
            .query(types.query::<Answer>())
            .leads("To the settings page, which tells what came of it"),
        on(Method::DELETE, "/api/tools/{server}/oauth", "disconnectServer", "Takes the sign-in at an MCP server back")
            .done("Its tokens are forgotten")
            .fails(&[OriginNotAllowed]),
    ]
}

pub(super) fn administration(types: &mut Types) -> Vec<Operation> {
    use ErrorCode::{Conflict, Forbidden, NotFound, OriginNotAllowed};
    use admin::overview;
    let on = |method, path, id, summary| {
        Operation::new(method, path, id, "operation", summary).signed_in().fails(&[Forbidden])
    };
    vec![
        on(Method::POST, "/api/admin/invitations", "invite", "A link with which somebody makes an account")
            .body(types.read::<admin::Invitation>())
            .answers(201, "The link; it is shown this once", types.written::<OneTimeLink>())
            .fails(&[OriginNotAllowed]),
        on(Method::POST, "/api/admin/password-links", "passwordLink", "A link with which a user sets a new password")
            .body(types.read::<admin::Forgetful>())
            .answers(201, "The link; it is shown this once", types.written::<OneTimeLink>())
            .fails(&[NotFound, OriginNotAllowed]),
        on(Method::GET, "/api/admin/users", "listUsers", "Accounts, by address")
            .query(types.query::<admin::UserQuery>())
            .answers(200, "A part of them", types.written::<admin::Users>()),
        on(Method::PATCH, "/api/admin/users/{id}", "changeUser", "Changes an account's role, disables or enables it")
            .body(types.read::<admin::UserChange>())
            .answers(200, "The account", types.written::<AccountInfo>())
            .fails(&[NotFound, Conflict, OriginNotAllowed]),
        on(Method::DELETE, "/api/admin/users/{id}/sign-ins", "endSignInsOf", "Ends all sign-ins of somebody")
            .done("Ended, on open sockets too")
            .fails(&[NotFound, OriginNotAllowed]),
        on(Method::GET, "/api/admin/sign-ins", "allSignIns", "Sign-ins of everybody")
            .query(types.query::<overview::Looked>())
            .answers(200, "Those that were used last first", types.written::<overview::AllSignIns>()),
        on(Method::GET, "/api/admin/links", "openLinks", "Invitations and other links that can be used").answers(
            200,
            "The links, without their secrets",
            types.written::<admin::links::Links>(),
        ),
        on(Method::DELETE, "/api/admin/links/{id}", "takeLinkBack", "Makes a link good for nothing")
            .done("Taken back")
            .fails(&[NotFound, OriginNotAllowed]),
        on(Method::GET, "/api/admin/connections", "connections", "Open sockets").answers(
            200,
            "The newest first",
            types.written::<overview::Connections>(),
        ),
        on(Method::GET, "/api/admin/runs", "unfinishedRuns", "Runs that have yet to end").answers(
            200,
            "The oldest first",
            types.written::<overview::Runs>(),
        ),
        on(Method::DELETE, "/api/admin/runs/{id}", "stopAnyRun", "Stops a run, whosever it is")
            .done("It ends")
            .fails(&[NotFound, OriginNotAllowed]),
        on(Method::GET, "/api/admin/usage", "usage", "Quotas, and what people use today")
            .query(types.query::<overview::Looked>())
            .answers(200, "Those first who used most", types.written::<overview::Usage>()),
        on(Method::GET, "/api/admin/agents", "overseenAgents", "Agents, and who may use them").answers(
            200,
            "The default first",
            types.written::<admin::settings::OverseenAgents>(),
        ),
        on(Method::GET, "/api/admin/settings", "settings", "Settings in force, and where each came from").answers(
            200,
            "The settings; secrets are not shown",
            types.written::<admin::settings::Settings>(),
        ),
        on(Method::GET, "/api/admin/audit.jsonl", "auditLines", "The audit log as JSON lines")
            .query(types.query::<admin::AuditQuery>())
            .lines("One line of the log a line, oldest first"),
        on(Method::GET, "/api/admin/audit", "audit", "What was done to accounts, tokens and members")
            .query(types.query::<admin::AuditQuery>())
            .answers(200, "A part of the log, oldest first", types.written::<admin::Audit>()),
    ]
}
