//! The HTTP side as OpenAPI 3.1, from the types that the handlers read and write.
//!
//! Paths are named here and in the router, and tests hold one to the other, both ways. `utoipa-axum` would name them once, but
//! it reads types through a derive of its own: every type of the wire would be described twice, by schemars for AsyncAPI and JSON
//! Schema and by utoipa for this document, and nothing would keep the two alike. `aide` reads schemars' descriptions, and puts a
//! router of its own around axum's, which the page's routes would have to pass by; what is written by hand here, summaries and the
//! codes of refusals, would be written by hand there.

mod accounts;
mod administration;
mod operation;

use axum::http::Method;
use netra_ws::{
    ErrorCode,
    model::{Member, Run, Thread, User},
};
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::{
    admin, ag_ui, attachments, continuing, import, invitations, members, read_only_links, thread_export, threads,
    tokens, unread,
};
use crate::server::{auth::NewApiToken, error::ErrorBody, state::VERSION};
use accounts::{account, before_sign_in, own_account};
use administration::{administration, connecting};
use operation::{Operation, Types};

fn operations(types: &mut Types) -> Vec<Operation> {
    let mut all = before_sign_in(types);
    all.extend(account(types));
    all.extend(own_account(types));
    all.extend(for_programs(types));
    all.extend(conversations(types));
    all.extend(read_only(types));
    all.extend(files(types));
    all.extend(taking_part(types));
    all.extend(invited(types));
    all.push(asked_by_ag_ui(types));
    all.push(notices(types));
    all.push(reports(types));
    all.extend(administration(types));
    all.extend(connecting(types));
    all.push(for_agents());
    all.extend(for_machines());
    all
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
        on(Method::GET, "/api/threads/{id}/export", "exportThread", "The conversation as a file, Markdown or JSON")
            .query(types.query::<thread_export::ExportQuery>())
            .lines("The file")
            .fails(&[NotFound]),
        on(Method::GET, "/api/threads/{id}/runs/{run_id}", "run", "A run, its tools' arguments and results whole")
            .answers(200, "The run", types.written::<Run>())
            .fails(&[NotFound]),
    ]
}

fn read_only(types: &mut Types) -> Vec<Operation> {
    use ErrorCode::{Conflict, Forbidden, NotFound, OriginNotAllowed};
    let on = |method, path, id, summary| Operation::new(method, path, id, "threads", summary).signed_in();
    vec![
        on(Method::GET, "/api/threads/{id}/links", "listReadOnlyLinks", "Links by which anybody reads the thread")
            .answers(200, "The newest first", types.written::<read_only_links::ReadOnlyLinkList>())
            .fails(&[NotFound, Forbidden]),
        on(Method::POST, "/api/threads/{id}/links", "makeReadOnlyLink", "Makes one to what stands in the thread now")
            .body(types.read::<read_only_links::WantedLink>())
            .answers(201, "The link; its address is shown this once", types.written::<read_only_links::MadeLink>())
            .fails(&[NotFound, Forbidden, Conflict, OriginNotAllowed]),
        on(
            Method::POST,
            "/api/threads/import",
            "importThreads",
            "Conversations from a file of Netra, ChatGPT or Open WebUI",
        )
        .body(serde_json::from_value(json!({ "description": "The file as it is." })).unwrap_or_default())
        .answers(200, "What is here now, and what was left out", types.written::<import::Report>())
        .fails(&[Forbidden, ErrorCode::FrameTooLarge, ErrorCode::RateLimited, OriginNotAllowed]),
        on(
            Method::POST,
            "/api/threads/{id}/continue",
            "continueThread",
            "A new conversation of the user's with the way that leads to a message of this one",
        )
        .body(types.read::<continuing::ContinueFrom>())
        .answers(201, "The conversation, and its last message", types.written::<continuing::Continued>())
        .fails(&[NotFound, Forbidden, ErrorCode::FrameTooLarge, ErrorCode::RateLimited, OriginNotAllowed]),
        on(Method::DELETE, "/api/threads/{id}/links/{link}", "removeReadOnlyLink", "Takes one back")
            .done("Taken back")
            .fails(&[NotFound, Forbidden, OriginNotAllowed]),
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
