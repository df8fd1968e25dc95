//! The HTTP side as OpenAPI 3.1, from the types that the handlers read and write.

use axum::http::Method;
use netra_ws::{
    ErrorCode,
    discovery::Discovery,
    model::{Member, Thread, User},
};
use schemars::{JsonSchema, Schema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use super::{admin, auth, discovery, members, threads, tokens};
use crate::server::{
    auth::{NewApiToken, WsToken},
    error::ErrorBody,
    state::VERSION,
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
            let what = if self.path.starts_with("/api/tokens") { "The token." } else { "The thread." };
            self.value["parameters"] = json!([{
                "name": "id", "in": "path", "required": true, "description": what,
                "schema": { "type": "string", "format": "uuid" },
            }]);
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
    all.extend(for_programs(types));
    all.extend(conversations(types));
    all.extend(taking_part(types));
    all.push(notices(types));
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
    use ErrorCode::{AgentUnknown, NotFound, OriginNotAllowed};
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
        on(Method::PATCH, "/api/threads/{id}", "changeThread", "Changes title and settings")
            .body(types.read::<threads::Change>())
            .answers(200, "The thread", types.written::<Thread>())
            .fails(&[NotFound, AgentUnknown, OriginNotAllowed]),
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
    ]
}

fn taking_part(types: &mut Types) -> Vec<Operation> {
    use ErrorCode::{Conflict, Forbidden, NotFound, OriginNotAllowed};
    let path = "/api/threads/{id}/members";
    let on = |method, id, summary| Operation::new(method, path, id, "members", summary).signed_in();
    vec![
        on(Method::GET, "members", "Who may read the thread and take part in it")
            .answers(200, "The members, the owner first", types.written::<members::Members>())
            .fails(&[NotFound]),
        on(Method::POST, "addMember", "Adds a member by e-mail address")
            .body(types.read::<members::Invited>())
            .answers(201, "The member", types.written::<Member>())
            .fails(&[NotFound, Forbidden, Conflict, OriginNotAllowed]),
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
