//! Who may do what over HTTP: every route of the OpenAPI document and every server function, for every kind of caller. A route
//! without a row fails.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::json;

use crate::{
    roles::join,
    support::{
        answer::{Answer, http},
        server::{Server, Setup},
        user::{PASSWORD, User, fresh_email},
    },
};

/// Callers, in the order of the rows' statuses.
const CALLERS: [&str; 9] =
    ["nobody", "stranger", "member", "owner", "administrator", "read token", "chat token", "viewer", "guest"];

/// An id that nothing has.
const NO_ID: &str = "019a0000-0000-7000-8000-000000000000";

/// A route, what is sent, and the status for each caller. `{id}` is a fresh thread of the owner's, with the member and the viewer in it; the guest has nothing shared with them.
/// What changes a sign-in or ends something comes on an account of its own.
struct Row(&'static str, &'static str, &'static str, [u16; 9]);

/// The read and the chat token are the owner's.
fn rows() -> Vec<Row> {
    [administration(), all_but_administration()].into_iter().flatten().collect()
}

fn administration() -> Vec<Row> {
    vec![
        Row("POST", "/api/admin/broadcast", r#"{"message":"hello"}"#, [401, 403, 403, 403, 204, 403, 403, 403, 403]),
        Row("POST", "/api/admin/invitations", "{}", [401, 403, 403, 403, 201, 403, 403, 403, 403]),
        Row(
            "POST",
            "/api/admin/password-links",
            r#"{"email":"{member}"}"#,
            [401, 403, 403, 403, 201, 403, 403, 403, 403],
        ),
        Row("GET", "/api/admin/users", "", [401, 403, 403, 403, 200, 403, 403, 403, 403]),
        Row("PATCH", "/api/admin/users/{id}", "{}", [401, 403, 403, 403, 404, 403, 403, 403, 403]),
        Row("DELETE", "/api/admin/users/{id}/sign-ins", "", [401, 403, 403, 403, 404, 403, 403, 403, 403]),
        Row("GET", "/api/admin/sign-ins", "", [401, 403, 403, 403, 200, 403, 403, 403, 403]),
        Row("GET", "/api/admin/links", "", [401, 403, 403, 403, 200, 403, 403, 403, 403]),
        Row("DELETE", "/api/admin/links/{id}", "", [401, 403, 403, 403, 404, 403, 403, 403, 403]),
        Row("GET", "/api/admin/connections", "", [401, 403, 403, 403, 200, 403, 403, 403, 403]),
        Row("GET", "/api/admin/runs", "", [401, 403, 403, 403, 200, 403, 403, 403, 403]),
        Row("DELETE", "/api/admin/runs/{id}", "", [401, 403, 403, 403, 404, 403, 403, 403, 403]),
        Row("GET", "/api/admin/usage", "", [401, 403, 403, 403, 200, 403, 403, 403, 403]),
        Row("GET", "/api/admin/agents", "", [401, 403, 403, 403, 200, 403, 403, 403, 403]),
        Row("GET", "/api/admin/settings", "", [401, 403, 403, 403, 200, 403, 403, 403, 403]),
        Row("GET", "/api/admin/audit.jsonl", "", [401, 403, 403, 403, 200, 403, 403, 403, 403]),
        // There is no server of this name.
        Row("POST", "/api/tools/{server}/oauth/connect", "", [401, 403, 403, 403, 404, 403, 403, 403, 403]),
        Row("GET", "/api/tools/{server}/oauth/callback", "", [401, 403, 403, 403, 404, 403, 403, 403, 403]),
        Row("DELETE", "/api/tools/{server}/oauth", "", [401, 403, 403, 403, 404, 403, 403, 403, 403]),
        Row("GET", "/api/admin/audit", "", [401, 403, 403, 403, 200, 403, 403, 403, 403]),
    ]
}

fn all_but_administration() -> Vec<Row> {
    let everyone = [200; 9];
    let signed_in = [401, 200, 200, 200, 200, 200, 200, 200, 200];
    let person = [401, 200, 200, 200, 200, 403, 403, 200, 200];
    let reader = [401, 404, 200, 200, 404, 200, 200, 200, 404];
    vec![
        Row("GET", "/api/config", "", everyone),
        Row("GET", "/healthz", "", everyone),
        Row("GET", "/readyz", "", everyone),
        Row("GET", "/metrics", "", everyone),
        Row("GET", "/asyncapi.json", "", everyone),
        Row("GET", "/openapi.json", "", everyone),
        Row("GET", "/api/me", "", signed_in),
        Row("GET", "/api/agents", "", signed_in),
        Row("GET", "/api/commands", "", signed_in),
        Row("POST", "/api/commands/{name}", "{}", [401, 404, 404, 404, 404, 403, 404, 404, 404]),
        Row("GET", "/api/threads", "", signed_in),
        Row("GET", "/api/threads/{id}", "", reader),
        Row("GET", "/api/threads/{id}/events", "", reader),
        Row("GET", "/api/threads/{id}/messages", "", reader),
        Row("GET", "/api/threads/{id}/export", "", reader),
        // The message is in no conversation.
        Row(
            "POST",
            "/api/threads/{id}/continue",
            r#"{"message_id":"019a0000-0000-7000-8000-000000000000"}"#,
            [401, 404, 404, 404, 404, 403, 404, 403, 404],
        ),
        Row("POST", "/api/threads/import", "[]", [401, 400, 400, 400, 400, 403, 400, 400, 403]),
        Row("GET", "/api/threads/{id}/links", "", [401, 404, 403, 200, 404, 200, 200, 403, 404]),
        Row("POST", "/api/threads/{id}/links", "{}", [401, 404, 403, 201, 404, 403, 201, 403, 404]),
        Row("DELETE", "/api/threads/{id}/links/{link}", "", [401, 404, 403, 404, 404, 403, 404, 403, 404]),
        Row("GET", "/api/threads/{id}/runs/{run_id}", "", [401, 404, 404, 404, 404, 404, 404, 404, 404]),
        Row("GET", "/api/threads/{id}/members", "", reader),
        Row("POST", "/api/threads", r#"{"title":"new"}"#, [401, 201, 201, 201, 201, 403, 201, 201, 403]),
        Row("PATCH", "/api/threads/{id}", r#"{"title":"renamed"}"#, [401, 404, 403, 200, 404, 403, 200, 403, 404]),
        Row(
            "POST",
            "/api/threads/{id}/members",
            r#"{"email":"{stranger}"}"#,
            [401, 404, 403, 201, 404, 403, 201, 403, 404],
        ),
        Row(
            "PATCH",
            "/api/threads/{id}/members",
            r#"{"email":"{member}","role":"viewer"}"#,
            [401, 404, 403, 200, 404, 403, 200, 403, 404],
        ),
        Row("GET", "/api/invitations", "", signed_in),
        Row("POST", "/api/invitations/{id}", "{}", [401, 404, 404, 404, 404, 403, 404, 404, 404]),
        Row("DELETE", "/api/invitations/{id}", "", [401, 404, 404, 404, 404, 403, 404, 404, 404]),
        Row("GET", "/api/blocks", "", signed_in),
        Row("POST", "/api/blocks", r#"{"user_id":"{nobody_id}"}"#, [401, 404, 404, 404, 404, 403, 404, 404, 404]),
        Row("DELETE", "/api/blocks/{id}", "", [401, 404, 404, 404, 404, 403, 404, 404, 404]),
        Row(
            "DELETE",
            "/api/threads/{id}/members",
            r#"{"email":"{member}"}"#,
            [401, 404, 204, 204, 404, 403, 204, 403, 404],
        ),
        Row("DELETE", "/api/threads/{id}", "", [401, 404, 403, 204, 404, 403, 204, 403, 404]),
        Row("POST", "/api/auth/ws-token", "{}", [401, 200, 200, 200, 200, 403, 200, 200, 200]),
        Row(
            "POST",
            "/api/auth/confirm",
            r#"{"password":"wrong words"}"#,
            [401, 403, 403, 403, 403, 403, 403, 403, 403],
        ),
        Row("GET", "/api/auth/oidc/start", "", [303; 9]),
        Row("GET", "/api/auth/oidc/callback", "", [303; 9]),
        Row("POST", "/api/auth/oidc/logout", "{}", [400, 400, 400, 400, 400, 403, 400, 400, 400]),
        Row("POST", "/api/auth/forgot", r#"{"email":"{nobody}"}"#, [403; 9]),
        Row("POST", "/api/auth/confirm-address", r#"{"link":"x"}"#, [404, 404, 404, 404, 404, 403, 404, 404, 404]),
        Row("POST", "/api/account/address", "{}", [401, 409, 409, 409, 409, 403, 403, 409, 409]),
        Row("POST", "/api/auth/dev", "{}", [403; 9]),
        Row(
            "POST",
            "/api/auth/register",
            r#"{"email":"nobody","password":"x"}"#,
            [400, 400, 400, 400, 400, 403, 400, 400, 400],
        ),
        Row(
            "POST",
            "/api/auth/login",
            r#"{"email":"{nobody}","password":"wrong words"}"#,
            [401, 401, 401, 401, 401, 403, 401, 401, 401],
        ),
        Row(
            "POST",
            "/api/auth/password",
            r#"{"current":"wrong words","new":"a new long password"}"#,
            [401, 403, 403, 403, 403, 403, 403, 403, 403],
        ),
        Row(
            "POST",
            "/api/auth/reset",
            r#"{"link":"x","password":"a new long password"}"#,
            [404, 404, 404, 404, 404, 403, 404, 404, 404],
        ),
        Row(
            "POST",
            "/ag-ui/{agent}",
            r#"{"threadId":"t","runId":"r","messages":[{"role":"user","content":"What is 1 + 1?"}]}"#,
            [401, 200, 200, 200, 200, 403, 200, 200, 403],
        ),
        Row("POST", "/api/attachments", "words", [401, 201, 201, 201, 201, 403, 201, 201, 403]),
        Row("GET", "/api/attachments/{id}", "", [401, 404, 404, 404, 404, 404, 404, 404, 404]),
        Row("DELETE", "/api/attachments/{id}", "", [401, 404, 404, 404, 404, 403, 404, 404, 404]),
        Row(
            "POST",
            "/api/unread",
            r#"{"code":"unknown_type","frames":1}"#,
            [401, 204, 204, 204, 204, 403, 204, 204, 204],
        ),
        // A program that does not say that it takes events is told so.
        Row(
            "POST",
            "/mcp",
            r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#,
            [401, 401, 401, 401, 401, 403, 406, 401, 401],
        ),
        Row("GET", "/api/account", "", person),
        Row("PATCH", "/api/account", r#"{"name":"Another"}"#, person),
        Row("GET", "/api/account/export", "", person),
        Row(
            "POST",
            "/api/account/close",
            r#"{"password":"wrong words"}"#,
            [401, 403, 403, 403, 403, 403, 403, 403, 403],
        ),
        Row(
            "POST",
            "/api/account/second-factor",
            r#"{"password":"{password}"}"#,
            [401, 201, 201, 201, 201, 403, 403, 201, 201],
        ),
        Row(
            "POST",
            "/api/account/second-factor/confirm",
            r#"{"code":"x"}"#,
            [401, 403, 403, 403, 403, 403, 403, 403, 403],
        ),
        Row(
            "DELETE",
            "/api/account/second-factor",
            r#"{"password":"{password}"}"#,
            [401, 204, 204, 204, 204, 403, 403, 204, 204],
        ),
        Row("GET", "/api/sessions", "", person),
        Row("DELETE", "/api/sessions", "", [401, 204, 204, 204, 204, 403, 403, 204, 204]),
        Row("DELETE", "/api/sessions/{id}", "", [401, 404, 404, 404, 404, 403, 403, 404, 404]),
        Row("GET", "/api/tokens", "", person),
        Row("POST", "/api/tokens", r#"{"name":"another"}"#, [401, 201, 201, 201, 201, 403, 403, 201, 201]),
        Row("DELETE", "/api/tokens/{id}", "", [401, 404, 404, 404, 404, 403, 403, 404, 404]),
        // Last, because it ends the sign-ins that ask.
        Row("POST", "/api/auth/logout", "{}", [204, 204, 204, 204, 204, 403, 204, 204, 204]),
    ]
}

struct World {
    server: Server,
    stranger: User,
    member: User,
    owner: User,
    administrator: User,
    read: String,
    chat: String,
    viewer: User,
    guest: User,
}

impl World {
    async fn new() -> Self {
        let server = Setup::new().set("NETRA_AUTH", "password").set("NETRA_COMMANDS_PER_MINUTE", 100_000).start().await;
        // On loopback without a public address the first account administers.
        let administrator = User::register(&server).await;
        let (owner, member, stranger) =
            (User::register(&server).await, User::register(&server).await, User::register(&server).await);
        let token = async |scope: &str| {
            let made = owner.post("/api/tokens", json!({ "name": scope, "scope": scope })).await;
            assert_eq!(made.status, 201, "{}", made.body);
            made.json()["token"].as_str().expect("a token").to_owned()
        };
        let (read, chat) = (token("read").await, token("chat").await);
        let viewer = User::register(&server).await;
        let guest = join(&server, &administrator, json!({ "guest": true })).await;
        Self { server, stranger, member, owner, administrator, read, chat, viewer, guest }
    }

    /// A thread of the owner's with the member in it.
    async fn thread(&self) -> String {
        let thread = self.owner.thread("Ours").await["id"].as_str().expect("an id").to_owned();
        let added =
            self.owner.post(&format!("/api/threads/{thread}/members"), json!({ "email": self.member.email })).await;
        assert_eq!(added.status, 201, "{}", added.body);
        self.member.post(&format!("/api/invitations/{thread}"), json!({})).await.ok();
        let viewer = json!({ "email": self.viewer.email, "role": "viewer" });
        let added = self.owner.post(&format!("/api/threads/{thread}/members"), viewer).await;
        assert_eq!(added.status, 201, "{}", added.body);
        self.viewer.post(&format!("/api/invitations/{thread}"), json!({})).await.ok();
        thread
    }

    async fn ask(&self, caller: &str, method: &Method, path: &str, body: &str) -> Answer {
        let body = (!body.is_empty()).then(|| body.to_owned());
        let bearer = |token: &str| format!("Bearer {token}");
        let nobody = User::visitor(&self.server);
        let (user, token) = match caller {
            "nobody" => (&nobody, None),
            "stranger" => (&self.stranger, None),
            "member" => (&self.member, None),
            "owner" => (&self.owner, None),
            "administrator" => (&self.administrator, None),
            "viewer" => (&self.viewer, None),
            "guest" => (&self.guest, None),
            "read token" => (&nobody, Some(bearer(&self.read))),
            _ => (&nobody, Some(bearer(&self.chat))),
        };
        let headers: Vec<(&str, &str)> = token.iter().map(|token| ("authorization", token.as_str())).collect();
        user.send(method.clone(), path, body, &headers).await
    }
}

#[tokio::test]
async fn every_route_lets_in_whom_it_should() {
    let world = World::new().await;
    let rows = rows();
    let document = Answer::of(http().get(format!("{}/openapi.json", world.server.base))).await.ok();
    let routes: BTreeSet<(String, String)> = document["paths"]
        .as_object()
        .expect("paths")
        .iter()
        .flat_map(|(path, methods)| {
            let methods = methods.as_object().expect("methods").keys();
            methods.map(|method| (method.to_uppercase(), path.clone())).collect::<Vec<_>>()
        })
        .collect();
    let told: BTreeSet<(String, String)> = rows.iter().map(|row| (row.0.to_owned(), row.1.to_owned())).collect();
    assert_eq!(routes, told, "a route has no row, or a row no route");
    let mut wrong = Vec::new();
    for Row(method, path, body, statuses) in rows {
        for (caller, wanted) in CALLERS.into_iter().zip(statuses) {
            let thread = if path.contains("/api/threads/{id}") { world.thread().await } else { String::new() };
            let id = if thread.is_empty() { NO_ID.to_owned() } else { thread };
            let address = path
                .replace("{id}", &id)
                .replace("{run_id}", NO_ID)
                .replace("{link}", NO_ID)
                .replace("{agent}", "guide")
                .replace("{name}", "server:prompt")
                .replace("{server}", "tickets");
            let body = body.replace("{stranger}", &world.stranger.email).replace("{member}", &world.member.email);
            // An address of its own for each: tries at one are held back.
            let body =
                body.replace("{nobody}", &fresh_email()).replace("{nobody_id}", NO_ID).replace("{password}", PASSWORD);
            let answer = world.ask(caller, &method.parse().expect("a method"), &address, &body).await;
            // All callers are of one network, whose tries at links are held back in the end.
            let held_back = path == "/api/auth/reset" && answer.status == 429;
            if answer.status != wanted && !held_back {
                wrong.push(format!(
                    "{method} {path} by {caller}: {} instead of {wanted}: {}",
                    answer.status, answer.body
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Server functions are what the page calls; a stranger gets from them what the routes give.
#[tokio::test]
async fn every_server_function_lets_in_whom_it_should() {
    // Function, form, and the status for nobody, a stranger, a member and the owner.
    let rows: [(&str, &str, [u16; 4]); 32] = [
        ("discovery", "", [200; 4]),
        ("ws-token", "", [200; 4]),
        ("list-threads", "", [401, 200, 200, 200]),
        ("search-threads", "query=words&archived=false", [401, 200, 200, 200]),
        ("may-write", "id={id}", [401, 404, 200, 200]),
        ("members", "id={id}", [401, 404, 200, 200]),
        ("invitations", "", [401, 200, 200, 200]),
        ("answer-invitation", "id={id}&accept=true", [401, 404, 200, 200]),
        ("account", "", [401, 200, 200, 200]),
        ("change-password", "current=wrong&new=a+new+long+password", [401, 403, 403, 403]),
        ("end-sign-in", "id=x", [401, 404, 404, 404]),
        ("confirm", "shown=wrong+words", [401, 403, 403, 403]),
        ("begin-second-factor", "password=wrong", [401, 403, 403, 403]),
        ("confirm-second-factor", "code=x", [401, 409, 409, 409]),
        ("end-second-factor", "password=wrong", [401, 403, 403, 403]),
        ("make-token", "name=", [401, 400, 400, 400]),
        ("revoke-token", "id={nothing}", [401, 404, 404, 404]),
        ("close-account", "password=wrong", [401, 403, 403, 403]),
        ("change-thread", "id={id}&title=renamed", [401, 404, 403, 200]),
        ("add-member", "id={id}&email={stranger}", [401, 404, 403, 200]),
        ("remove-member", "id={id}&email={member}", [401, 404, 200, 200]),
        ("delete-thread", "id={id}", [401, 404, 403, 200]),
        ("agent-states", "", [401, 403, 403, 403]),
        ("check-agent", "name=assistant", [401, 403, 403, 403]),
        ("login", "email={nobody}&password=wrong", [401; 4]),
        ("register", "name=n&email=nobody&password=x", [400; 4]),
        ("reset", "link=x&password=a+new+long+password", [404; 4]),
        ("forgot", "email={nobody}", [403; 4]),
        ("confirm-address", "link=x", [404; 4]),
        ("ask-for-address", "", [401, 409, 409, 409]),
        ("dev-login", "", [403; 4]),
        ("logout", "", [200; 4]),
    ];
    let source = [include_str!("../../../src/app/api.rs"), include_str!("../../../src/app/account.rs")].concat();
    let functions: BTreeSet<&str> =
        source.split("endpoint = \"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    let told: BTreeSet<&str> = rows.iter().map(|row| row.0).collect();
    assert_eq!(functions, told, "a server function has no row, or a row no function");
    let world = World::new().await;
    let nobody = User::visitor(&world.server);
    let mut wrong = Vec::new();
    for (function, form, statuses) in rows {
        for (user, wanted) in [&nobody, &world.stranger, &world.member, &world.owner].into_iter().zip(statuses) {
            let id = if form.contains("{id}") { world.thread().await } else { String::new() };
            let form = form.replace("{id}", &id).replace("{stranger}", &world.stranger.email);
            let form = form.replace("{member}", &world.member.email).replace("{nobody}", &fresh_email());
            let form = form.replace("{nothing}", NO_ID);
            let mut request =
                http().post(format!("{}/fn/{function}", world.server.base)).header("accept", "application/json");
            if !user.cookies().is_empty() {
                request = request.header("cookie", user.cookies());
            }
            let request = request.header("content-type", "application/x-www-form-urlencoded").body(form.clone());
            let answer = Answer::of(request).await;
            if answer.status != wanted {
                wrong.push(format!("{function} {form}: {} instead of {wanted}: {}", answer.status, answer.body));
            }
            let nothing = function == "ws-token" && user.id.is_empty() && answer.body.trim() != "null";
            if nothing {
                wrong.push(format!("a token for nobody: {}", answer.body));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
