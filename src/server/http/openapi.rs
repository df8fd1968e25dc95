//! The HTTP side as OpenAPI 3.1, from the types that the handlers read and write.
//!
//! Paths are named here and in the router, and tests hold one to the other, both ways. `utoipa-axum` would name them once, but
//! it reads types through a derive of its own: every type of the wire would be described twice, by schemars for AsyncAPI and JSON
//! Schema and by utoipa for this document, and nothing would keep the two alike. `aide` reads schemars' descriptions, and puts a
//! router of its own around axum's, which the page's routes would have to pass by; what is written by hand here, summaries and the
//! codes of refusals, would be written by hand there.

use axum::http::Method;
use netra_ws::{
    ErrorCode,
    discovery::Discovery,
    model::{Member, Run, Thread, User},
};
use schemars::{JsonSchema, Schema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use super::{account, admin, ag_ui, attachments, auth, discovery, invitations, members, oidc, threads, tokens, unread};
use crate::server::{
    auth::{NewApiToken, NewSecondFactor, OneTimeLink, ProviderAnswer, RecoveryCodes, WsToken},
    error::ErrorBody,
    state::VERSION,
    store::closing::AccountInfo,
};

/// Types as requests hold them, and as answers do.
struct Types {
    read: SchemaGenerator,
    written: SchemaGenerator,
}

/// An operation as it is built up.
struct Operation {
    method: Method,
    path: &'static str,
    value: Value,
}

impl Operation {
    fn new(method: Method, path: &'static str, id: &str, tag: &str, summary: &str) -> Self {
        let value = json!({ "operationId": id, "tags": [tag], "summary": summary, "security": [], "responses": {} });
        Self { method, path, value }.id_in_path()
    }

    /// `{id}` is what the path is about.
    fn id_in_path(mut self) -> Self {
        if self.path.contains("{id}") {
            let (what, schema) = match self.path.split('/').nth(2) {
                Some("tokens") => ("The token.", json!({ "type": "string", "format": "uuid" })),
                Some("blocks") => ("The person.", json!({ "type": "string", "format": "uuid" })),
                Some("admin") if self.path.contains("/links/") => ("The link.", json!({ "type": "string" })),
                Some("admin") if self.path.contains("/runs/") => {
                    ("The run.", json!({ "type": "string", "format": "uuid" }))
                }
                Some("admin") => ("The person.", json!({ "type": "string", "format": "uuid" })),
                Some("attachments") => ("The file.", json!({ "type": "string", "format": "uuid" })),
                Some("sessions") => ("The sign-in.", json!({ "type": "string" })),
                _ => ("The thread.", json!({ "type": "string", "format": "uuid" })),
            };
            self.value["parameters"] = json!([{
                "name": "id", "in": "path", "required": true, "description": what, "schema": schema,
            }]);
        }
        if self.path.contains("{agent}") {
            self.value["parameters"] = json!([{
                "name": "agent", "in": "path", "required": true, "description": "The agent's name.",
                "schema": { "type": "string" },
            }]);
        }
        if self.path.contains("{run_id}")
            && let Some(parameters) = self.value["parameters"].as_array_mut()
        {
            parameters.push(json!({
                "name": "run_id", "in": "path", "required": true, "description": "The run.",
                "schema": { "type": "string", "format": "uuid" },
            }));
        }
        self
    }

    /// Needs a sign-in.
    fn signed_in(mut self) -> Self {
        self.value["security"] = json!([{ "session": [] }, { "token": [] }]);
        self.fails(&[ErrorCode::Unauthenticated])
    }

    fn query(mut self, schema: Schema) -> Self {
        let required = schema.get("required").cloned().unwrap_or_default();
        let properties = schema.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
        let mut parameters = self.value["parameters"].as_array().cloned().unwrap_or_default();
        for (name, mut schema) in properties {
            let description = schema.as_object_mut().and_then(|schema| schema.remove("description"));
            let needed = required.as_array().is_some_and(|required| required.contains(&json!(name)));
            parameters.push(json!({
                "name": name, "in": "query", "required": needed, "description": description, "schema": schema,
            }));
        }
        self.value["parameters"] = Value::Array(parameters);
        self.fails(&[ErrorCode::InvalidPayload])
    }

    fn body(mut self, schema: Schema) -> Self {
        let content = json!({ "application/json": { "schema": schema } });
        self.value["requestBody"] = json!({ "required": true, "content": content });
        self.fails(&[ErrorCode::InvalidPayload, ErrorCode::MalformedJson])
    }

    /// The body is a form.
    fn form(mut self, schema: Schema) -> Self {
        let content = json!({ "application/x-www-form-urlencoded": { "schema": schema } });
        self.value["requestBody"] = json!({ "required": true, "content": content });
        self
    }

    /// Answers with the address of another page.
    fn leads(mut self, description: &str) -> Self {
        self.value["responses"]["303"] = json!({ "description": description });
        self
    }

    fn may_carry(mut self, schema: Schema) -> Self {
        self = self.body(schema);
        self.value["requestBody"]["required"] = json!(false);
        self
    }

    fn answers(mut self, status: u16, description: &str, schema: Schema) -> Self {
        let content = json!({ "application/json": { "schema": schema } });
        self.value["responses"][status.to_string()] = json!({ "description": description, "content": content });
        self
    }

    /// Answers without a body.
    fn done(mut self, description: &str) -> Self {
        self.value["responses"]["204"] = json!({ "description": description });
        self
    }

    fn text(mut self, status: u16, description: &str) -> Self {
        let content = json!({ "text/plain": { "schema": { "type": "string" } } });
        self.value["responses"][status.to_string()] = json!({ "description": description, "content": content });
        self
    }

    fn lines(mut self, description: &str) -> Self {
        let content = json!({ "application/jsonl": { "schema": { "type": "string" } } });
        self.value["responses"]["200"] = json!({ "description": description, "content": content });
        self
    }

    fn events(mut self, description: &str) -> Self {
        let content = json!({ "text/event-stream": { "schema": { "type": "string" } } });
        self.value["responses"]["200"] = json!({ "description": description, "content": content });
        self
    }

    /// The body is a file.
    fn carries_file(mut self) -> Self {
        self.value["requestBody"] = json!({ "required": true, "content": { "*/*": {} } });
        self
    }

    /// Answers with a file.
    fn file(mut self, status: u16, description: &str) -> Self {
        self.value["responses"][status.to_string()] = json!({ "description": description, "content": { "*/*": {} } });
        self
    }

    /// May be refused with these codes.
    fn fails(mut self, codes: &[ErrorCode]) -> Self {
        for code in codes {
            let response = &mut self.value["responses"][code.http_status().to_string()];
            let before = response["description"].as_str().map(|before| format!("{before}, ")).unwrap_or_default();
            *response = json!({
                "description": format!("{before}`{code}`"),
                "content": { "application/json": { "schema": { "$ref": "#/components/schemas/ErrorBody" } } },
            });
        }
        self
    }
}

impl Types {
    fn read<T: JsonSchema>(&mut self) -> Schema {
        self.read.subschema_for::<T>()
    }

    fn query<T: JsonSchema>(&mut self) -> Schema {
        self.read.root_schema_for::<T>()
    }

    fn written<T: JsonSchema>(&mut self) -> Schema {
        self.written.subschema_for::<T>()
    }
}

fn operations(types: &mut Types) -> Vec<Operation> {
    let mut all = before_sign_in(types);
    all.extend(account(types));
    all.extend(own_account(types));
    all.extend(for_programs(types));
    all.extend(conversations(types));
    all.extend(files(types));
    all.extend(taking_part(types));
    all.extend(invited(types));
    all.push(asked_by_ag_ui(types));
    all.push(notices(types));
    all.push(reports(types));
    all.extend(administration(types));
    all.push(for_agents());
    all.extend(for_machines());
    all
}

fn before_sign_in(types: &mut Types) -> Vec<Operation> {
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

fn account(types: &mut Types) -> Vec<Operation> {
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
    ]
}

fn own_account(types: &mut Types) -> Vec<Operation> {
    use ErrorCode::{Conflict, Forbidden, NotFound, OriginNotAllowed, RateLimited};
    let on = |method, path, id, summary| Operation::new(method, path, id, "auth", summary).fails(&[Forbidden]);
    vec![
        on(Method::GET, "/api/account", "account", "The account of whoever asks").signed_in().answers(
            200,
            "The account",
            types.written::<account::Account>(),
        ),
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
        .body(types.read::<account::Confirmation>())
        .answers(200, "Closed; signing in before that time keeps it", types.written::<account::Closed>())
        .fails(&[Conflict, RateLimited, OriginNotAllowed]),
        on(Method::POST, "/api/account/second-factor", "beginSecondFactor", "Begins to set up a second factor")
            .signed_in()
            .body(types.read::<account::Confirmation>())
            .answers(201, "The secret; it is shown this once", types.written::<NewSecondFactor>())
            .fails(&[Conflict, RateLimited, OriginNotAllowed]),
        on(Method::POST, "/api/account/second-factor/confirm", "confirmSecondFactor", "Confirms the second factor")
            .signed_in()
            .body(types.read::<account::Code>())
            .answers(200, "The recovery codes; they are shown this once", types.written::<RecoveryCodes>())
            .fails(&[Conflict, RateLimited, OriginNotAllowed]),
        on(Method::DELETE, "/api/account/second-factor", "endSecondFactor", "Ends the second factor")
            .signed_in()
            .body(types.read::<account::Confirmation>())
            .done("Ended")
            .fails(&[Conflict, RateLimited, OriginNotAllowed]),
        on(Method::GET, "/api/sessions", "listSignIns", "The user's sign-ins").signed_in().answers(
            200,
            "The newest first",
            types.written::<account::Sessions>(),
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
            .body(types.read::<account::PasswordChange>())
            .done("Changed")
            .fails(&[Conflict, RateLimited, OriginNotAllowed]),
        on(Method::POST, "/api/auth/forgot", "forgotPassword", "Sends a link for a new password, where mail is sent")
            .body(types.read::<account::Forgotten>())
            .done("Sent, if the address has an account here")
            .fails(&[ErrorCode::Forbidden, RateLimited, OriginNotAllowed]),
        on(Method::POST, "/api/auth/confirm-address", "confirmAddress", "Takes the link that was sent to an address")
            .body(types.read::<account::AddressLink>())
            .done("Confirmed")
            .fails(&[NotFound, RateLimited, OriginNotAllowed]),
        on(Method::POST, "/api/account/address", "askForAddress", "Sends that link again")
            .signed_in()
            .done("Sent")
            .fails(&[ErrorCode::Forbidden, Conflict, RateLimited, OriginNotAllowed]),
        on(Method::POST, "/api/auth/reset", "resetPassword", "Sets a password with a link and ends all sign-ins")
            .body(types.read::<account::PasswordReset>())
            .done("Set")
            .fails(&[NotFound, RateLimited, OriginNotAllowed]),
    ]
}

fn administration(types: &mut Types) -> Vec<Operation> {
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

fn for_programs(types: &mut Types) -> Vec<Operation> {
    use ErrorCode::{Conflict, Forbidden, NotFound, OriginNotAllowed};
    let on =
        |method, path, id, summary| Operation::new(method, path, id, "tokens", summary).signed_in().fails(&[Forbidden]);
    vec![
        on(Method::GET, "/api/tokens", "listTokens", "Tokens for programs").answers(
            200,
            "The user's tokens, without their secrets",
            types.written::<tokens::Tokens>(),
        ),
        on(Method::POST, "/api/tokens", "makeToken", "Makes a token for a program")
            .body(types.read::<tokens::Wanted>())
            .answers(201, "The token; its secret is shown this once", types.written::<NewApiToken>())
            .fails(&[Conflict, OriginNotAllowed]),
        on(Method::DELETE, "/api/tokens/{id}", "revokeToken", "Revokes a token and closes the user's sockets")
            .done("Revoked")
            .fails(&[NotFound, OriginNotAllowed]),
    ]
}

fn conversations(types: &mut Types) -> Vec<Operation> {
    use ErrorCode::{AgentUnknown, Forbidden, NotFound, OriginNotAllowed};
    let on = |method, path, id, summary| Operation::new(method, path, id, "threads", summary).signed_in();
    vec![
        on(Method::GET, "/api/threads", "listThreads", "Threads, pinned ones first")
            .query(types.query::<threads::ListQuery>())
            .answers(200, "A page", types.written::<threads::ThreadList>()),
        on(Method::POST, "/api/threads", "makeThread", "Makes an empty thread")
            .body(types.read::<threads::NewThread>())
            .answers(201, "The thread", types.written::<Thread>())
            .fails(&[AgentUnknown, OriginNotAllowed]),
        on(Method::GET, "/api/threads/{id}", "thread", "A thread")
            .answers(200, "The thread", types.written::<Thread>())
            .fails(&[NotFound]),
        on(
            Method::PATCH,
            "/api/threads/{id}",
            "changeThread",
            "Changes title and agent (the owner alone), and the user's own pin and archive",
        )
        .body(types.read::<threads::Change>())
        .answers(200, "The thread", types.written::<Thread>())
        .fails(&[NotFound, Forbidden, AgentUnknown, OriginNotAllowed]),
        on(Method::DELETE, "/api/threads/{id}", "deleteThread", "Deletes a thread with all that belongs to it")
            .done("Gone")
            .fails(&[NotFound, OriginNotAllowed]),
        on(Method::GET, "/api/threads/{id}/events", "events", "The thread's log, in order")
            .query(types.query::<threads::EventsQuery>())
            .answers(200, "A page", types.written::<threads::Events>())
            .fails(&[NotFound]),
        on(Method::GET, "/api/threads/{id}/messages", "messages", "The thread's messages, the newest page first")
            .query(types.query::<threads::MessagesQuery>())
            .answers(200, "A page", types.written::<threads::Messages>())
            .fails(&[NotFound]),
        on(Method::GET, "/api/threads/{id}/runs/{run_id}", "run", "A run, its tools' arguments and results whole")
            .answers(200, "The run", types.written::<Run>())
            .fails(&[NotFound]),
    ]
}

fn invited(types: &mut Types) -> Vec<Operation> {
    use ErrorCode::{Conflict, NotFound, OriginNotAllowed};
    let on = |method, path, id, summary| Operation::new(method, path, id, "members", summary).signed_in();
    vec![
        on(Method::GET, "/api/invitations", "listInvitations", "Invitations to conversations that wait for an answer")
            .answers(200, "The newest first", types.written::<invitations::Invitations>()),
        on(Method::POST, "/api/invitations/{id}", "acceptInvitation", "Takes an invitation to a thread")
            .answers(200, "The thread", types.written::<Thread>())
            .fails(&[NotFound, OriginNotAllowed]),
        on(Method::DELETE, "/api/invitations/{id}", "declineInvitation", "Declines an invitation to a thread")
            .query(types.query::<invitations::Declined>())
            .done("Declined")
            .fails(&[NotFound, OriginNotAllowed]),
        on(Method::GET, "/api/blocks", "listBlocks", "People from whom the user takes no invitations").answers(
            200,
            "By name",
            types.written::<invitations::Blocks>(),
        ),
        on(Method::POST, "/api/blocks", "block", "Takes no more invitations from somebody")
            .body(types.read::<invitations::Block>())
            .done("Blocked")
            .fails(&[NotFound, Conflict, OriginNotAllowed]),
        on(Method::DELETE, "/api/blocks/{id}", "unblock", "Takes invitations from somebody again")
            .done("No longer blocked")
            .fails(&[NotFound, OriginNotAllowed]),
    ]
}

fn files(types: &mut Types) -> Vec<Operation> {
    use ErrorCode::{Forbidden, FrameTooLarge, InvalidPayload, NotFound, OriginNotAllowed, RateLimited};
    let on = |method, path, id, summary| Operation::new(method, path, id, "files", summary).signed_in();
    vec![
        on(Method::POST, "/api/attachments", "upload", "Takes a file in that goes with a message")
            .query(types.query::<attachments::UploadQuery>())
            .carries_file()
            .answers(
                201,
                "The file; its id goes into `attachments` of a message",
                types.written::<attachments::Uploaded>(),
            )
            .fails(&[Forbidden, FrameTooLarge, InvalidPayload, OriginNotAllowed, RateLimited]),
        on(Method::GET, "/api/attachments/{id}", "file", "A file, for who may read its thread")
            .file(200, "The file as it came")
            .fails(&[NotFound]),
        on(Method::DELETE, "/api/attachments/{id}", "takeBack", "Takes a file back that was not sent")
            .done("Gone")
            .fails(&[NotFound, Forbidden, OriginNotAllowed]),
    ]
}

fn taking_part(types: &mut Types) -> Vec<Operation> {
    use ErrorCode::{Conflict, Forbidden, NotFound, OriginNotAllowed, RateLimited};
    let path = "/api/threads/{id}/members";
    let on = |method, id, summary| Operation::new(method, path, id, "members", summary).signed_in();
    vec![
        on(Method::GET, "members", "Who may read the thread and take part in it")
            .answers(200, "The members, the owner first", types.written::<members::Members>())
            .fails(&[NotFound]),
        on(
            Method::POST,
            "addMember",
            "Invites somebody by e-mail address: they may read, and take part once they accept",
        )
        .body(types.read::<members::Invited>())
        .answers(201, "The member", types.written::<Member>())
        .fails(&[NotFound, Forbidden, Conflict, RateLimited, OriginNotAllowed]),
        on(Method::PATCH, "changeMember", "Changes what a member may do")
            .body(types.read::<members::Changed>())
            .answers(200, "The member", types.written::<Member>())
            .fails(&[NotFound, Forbidden, OriginNotAllowed]),
        on(Method::DELETE, "removeMember", "Removes a member, on open sockets too")
            .query(types.query::<members::Removed>())
            .may_carry(types.read::<members::Removed>())
            .done("Removed")
            .fails(&[NotFound, Forbidden, Conflict, OriginNotAllowed]),
    ]
}

fn notices(types: &mut Types) -> Operation {
    use ErrorCode::{Forbidden, NotFound, OriginNotAllowed};
    let summary = "Shows a notice on open pages; for administrators";
    Operation::new(Method::POST, "/api/admin/broadcast", "broadcast", "operation", summary)
        .signed_in()
        .body(types.read::<admin::Announcement>())
        .done("Sent")
        .fails(&[Forbidden, NotFound, OriginNotAllowed])
}

fn asked_by_ag_ui(types: &mut Types) -> Operation {
    use ErrorCode::{
        AgentUnknown, Conflict, Forbidden, FrameTooLarge, IdConflict, NotFound, OriginNotAllowed, RateLimited,
        ServerBusy,
    };
    let summary = "Asks an agent by AG-UI, and tells its run as it goes";
    Operation::new(Method::POST, "/ag-ui/{agent}", "runAgent", "threads", summary)
        .signed_in()
        .body(types.read::<ag_ui::RunAgentInput>())
        .events("AG-UI events; `Last-Event-ID` with the same body goes on behind that event")
        .fails(&[AgentUnknown, Conflict, Forbidden, FrameTooLarge, IdConflict, NotFound, OriginNotAllowed])
        .fails(&[RateLimited, ServerBusy])
}

fn reports(types: &mut Types) -> Operation {
    let summary = "Counts frames that a page cannot read";
    Operation::new(Method::POST, "/api/unread", "reportUnread", "operation", summary)
        .signed_in()
        .body(types.read::<unread::Unread>())
        .done("Counted")
        .fails(&[ErrorCode::RateLimited, ErrorCode::OriginNotAllowed])
}

/// Protocols of others. What they carry, their own documents say.
fn for_agents() -> Operation {
    let summary = "Speaks the Model Context Protocol: agents as tools, conversations as resources";
    let message = schemars::json_schema!({ "type": "object", "description": "A message of JSON-RPC 2.0." });
    let mut operation = Operation::new(Method::POST, "/mcp", "mcp", "agents", summary)
        .body(message.clone())
        .answers(200, "The answer, or a stream of events that ends with it", message)
        .fails(&[ErrorCode::Unauthenticated, ErrorCode::Forbidden, ErrorCode::RateLimited]);
    operation.value["security"] = json!([{ "token": [] }]);
    operation.value["responses"]["200"]["content"]["text/event-stream"] = json!({ "schema": { "type": "string" } });
    operation.value["responses"]["202"] = json!({ "description": "A notification was taken" });
    operation
}

fn for_machines() -> Vec<Operation> {
    let get = |path, id, summary| Operation::new(Method::GET, path, id, "operation", summary);
    vec![
        get("/healthz", "alive", "The process lives").text(200, "`ok`"),
        get("/readyz", "ready", "New work is welcome")
            .text(200, "`ready`")
            .text(503, "The server drains, or its database does not answer"),
        get("/metrics", "metrics", "What the server counts")
            .text(200, "OpenMetrics")
            .fails(&[ErrorCode::Unauthenticated, ErrorCode::Forbidden]),
        get("/asyncapi.json", "asyncapi", "The socket's specification").answers(
            200,
            "AsyncAPI 3",
            schemars::json_schema!({ "type": "object" }),
        ),
        get("/openapi.json", "openapi", "This document").answers(
            200,
            "OpenAPI 3.1",
            schemars::json_schema!({ "type": "object" }),
        ),
    ]
}

/// `openapi.json`.
pub fn openapi() -> Value {
    let settings = || {
        SchemaSettings::draft2020_12().with(|settings| {
            settings.definitions_path = "/components/schemas".into();
            settings.meta_schema = None;
        })
    };
    let mut types = Types {
        read: settings().for_deserialize().into_generator(),
        written: settings().for_serialize().into_generator(),
    };
    // Named by every error.
    types.written::<ErrorBody>();
    types.written::<User>();
    let mut paths = Map::new();
    for operation in operations(&mut types) {
        let path = paths.entry(operation.path).or_insert_with(|| json!({}));
        path[operation.method.as_str().to_lowercase()] = operation.value;
    }
    let mut schemas = types.read.take_definitions(true);
    schemas.extend(types.written.take_definitions(true));
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Netra",
            "version": VERSION,
            "description": "HTTP beside the socket. Errors are `{ \"error\": { \"code\", \"message\", \"retryable\" } }`. \
                Writes with a cookie need an allowed `Origin` whenever one is sent.",
            "license": { "name": "MIT", "identifier": "MIT" },
        },
        "servers": [{ "url": "/" }],
        "tags": [
            { "name": "discovery", "description": "What there is" },
            { "name": "auth", "description": "Signing in and out" },
            { "name": "tokens", "description": "Tokens for programs" },
            { "name": "threads", "description": "Conversations and their logs" },
            { "name": "files", "description": "Files that go with messages" },
            { "name": "agents", "description": "Agents for other programs" },
            { "name": "members", "description": "Who takes part in a conversation" },
            { "name": "operation", "description": "For those who run it" },
        ],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "session": { "type": "apiKey", "in": "cookie", "name": "netra_session" },
                "token": { "type": "http", "scheme": "bearer", "description": "An API token: `netra_…`." },
            },
        },
    })
}
