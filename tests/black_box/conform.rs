//! `netra conform` finds nothing against Netra, and finds the lies of servers that lie (R21, R24).

use std::{
    net::SocketAddr,
    process::{Command, Output},
    sync::Arc,
};

use axum::{
    Router,
    body::Body,
    extract::{Request, State, WebSocketUpgrade, ws},
    response::{IntoResponse, Response},
    routing::{any, get},
};
use futures::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_tungstenite::{
    connect_async,
    tungstenite::{Message, client::IntoClientRequest},
};

use crate::support::{answer::http, server::Setup, user::User};

/// Runs it beside the test, which may have a server to play meanwhile.
async fn conform(url: &str, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_netra"));
    command.args(["conform", url]).args(args).env_remove("NETRA_TOKEN");
    let ran = tokio::task::spawn_blocking(move || command.output()).await;
    ran.expect("the task ends").expect("the binary runs")
}

fn checks(output: &Output) -> Vec<Value> {
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    report["checks"].as_array().expect("checks").clone()
}

/// The names and reasons of what does not hold.
fn failed(output: &Output) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let failed = checks(output).into_iter().filter(|check| check["ok"] == false);
    failed.map(|check| (text(&check["name"]), text(&check["detail"]))).collect()
}

#[tokio::test]
async fn this_server_conforms() {
    let server =
        Setup::new().set("NETRA_HEARTBEAT_INTERVAL_MS", 500).set("NETRA_HEARTBEAT_TIMEOUT_MS", 500).start().await;
    let output = conform(&format!("ws://{}/ws", server.host()), &["--slow", "--json"]).await;
    assert_eq!(failed(&output), []);
    assert!(output.status.success());
    assert!(checks(&output).len() >= 40, "{} checks", checks(&output).len());

    // With a token, as against a server without dev sign-in; for people a table, and nothing of it stays.
    let user = User::register(&server).await;
    let made = user.post("/api/tokens", serde_json::json!({ "name": "conform" })).await.json();
    let token = made["token"].as_str().expect("a token");
    let output = conform(&server.base, &["--token", token]).await;
    let table = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && table.contains("38 hold, 0 do not"), "{table}");
    assert!(!table.contains(token));
    assert_eq!(user.get("/api/threads").await.ok()["threads"], serde_json::json!([]), "it cleans up");
}

/// What a liar makes of a frame of the server: others in its place.
type Lie = fn(Value) -> Vec<Value>;

struct Liar {
    base: String,
    serving: JoinHandle<()>,
}

impl Drop for Liar {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Liar {
    /// A server that passes on what another says, and lies about it.
    async fn before(host: &str, lie: Lie) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address: SocketAddr = listener.local_addr().expect("an address");
        let state = (Arc::<str>::from(host), lie);
        let app = Router::new().route("/ws", get(socket)).fallback(any(forward)).with_state(state);
        let serving = tokio::spawn(async move { axum::serve(listener, app).await.expect("serves") });
        Self { base: format!("http://{address}"), serving }
    }
}

async fn forward(State((host, _)): State<(Arc<str>, Lie)>, request: Request) -> Response {
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str()).to_owned();
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.expect("a small body");
    let mut asked = http().request(parts.method, format!("http://{host}{path}")).body(body);
    for name in ["cookie", "authorization", "content-type"] {
        if let Some(value) = parts.headers.get(name) {
            asked = asked.header(name, value);
        }
    }
    let answer = asked.send().await.expect("the server answers");
    let (status, headers) = (answer.status(), answer.headers().clone());
    let body = Body::from(answer.bytes().await.unwrap_or_default());
    let mut response = Response::builder().status(status).body(body).expect("a response");
    for name in ["set-cookie", "content-type"] {
        for value in headers.get_all(name) {
            response.headers_mut().append(name, value.clone());
        }
    }
    response
}

async fn socket(State((host, lie)): State<(Arc<str>, Lie)>, upgrade: WebSocketUpgrade, request: Request) -> Response {
    // It asks for no origin and looks at no address: lies of their own.
    let mut asked = format!("ws://{host}/ws").into_client_request().expect("a request");
    for name in ["sec-websocket-protocol", "authorization"] {
        if let Some(value) = request.headers().get(name) {
            asked.headers_mut().insert(name, value.clone());
        }
    }
    let Ok((server, _)) = connect_async(asked).await else {
        return axum::http::StatusCode::UNAUTHORIZED.into_response();
    };
    upgrade.protocols(["netra.v1"]).on_upgrade(async move |client| {
        let (mut to_client, mut from_client) = client.split();
        let (mut to_server, mut from_server) = server.split();
        let up = async {
            while let Some(Ok(message)) = from_client.next().await {
                let message = match message {
                    ws::Message::Text(text) => Message::text(text.to_string()),
                    ws::Message::Binary(bytes) => Message::binary(bytes),
                    _ => continue,
                };
                if to_server.send(message).await.is_err() {
                    break;
                }
            }
        };
        let down = async {
            while let Some(Ok(message)) = from_server.next().await {
                let text = match message {
                    Message::Text(text) => text,
                    Message::Ping(_) => continue,
                    _ => break,
                };
                for told in lie(serde_json::from_str(&text).expect("JSON")) {
                    if to_client.send(ws::Message::text(told.to_string())).await.is_err() {
                        return;
                    }
                }
            }
        };
        tokio::select! {
            () = up => {}
            () = down => {}
        }
    })
}

async fn lies_found(lie: Lie) -> Vec<(String, String)> {
    let server = Setup::new().start().await;
    let liar = Liar::before(server.host(), lie).await;
    let output = conform(&liar.base, &["--json", "--patience-ms", "400"]).await;
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    failed(&output)
}

fn assert_found(found: &[(String, String)], name: &str, reason: &str) {
    let hit = found.iter().any(|(check, why)| check.contains(name) && why.contains(reason));
    assert!(hit, "{name} with {reason:?} is not among {found:#?}");
}

#[tokio::test]
async fn a_server_that_asks_for_no_origin_is_found() {
    let found = lies_found(|frame| vec![frame]).await;
    assert_found(&found, "a foreign origin", "the socket opens");
    assert_found(&found, "a token in the address", "the socket opens");
    assert_found(&found, "no token", "no error.code");
}

#[tokio::test]
async fn lost_and_doubled_events_are_found() {
    let found = lies_found(|frame| if frame["seq"] == 3 { Vec::new() } else { vec![frame] }).await;
    assert_found(&found, "a run keeps the order", "came where 3 was next");
    let found = lies_found(|frame| {
        let doubled = frame["type"] == "tool_completed";
        if doubled { vec![frame.clone(), frame] } else { vec![frame] }
    })
    .await;
    assert_found(&found, "a run keeps the order", "was next");
}

#[tokio::test]
async fn a_run_that_speaks_after_its_end_is_found() {
    let found = lies_found(|frame| {
        let (mut late, mut all) = (frame.clone(), vec![frame.clone()]);
        if frame["type"] == "agent_completed" {
            late["seq"] = (frame["seq"].as_u64().unwrap_or_default() + 1).into();
            late["id"] = uuid::Uuid::now_v7().to_string().into();
            all.push(late);
        }
        all
    })
    .await;
    assert_found(&found, "a run keeps the order", "after the run's end");
}

#[tokio::test]
async fn frames_that_are_none_and_wrong_codes_are_found() {
    let found = lies_found(|mut frame| {
        if frame["type"] == "pong" {
            let payload = frame["payload"].take();
            frame["data"] = payload;
        }
        if frame["payload"]["code"] == "unknown_type" {
            (frame["payload"]["code"], frame["payload"]["retryable"]) = ("internal".into(), true.into());
        }
        vec![frame]
    })
    .await;
    assert_found(&found, "malformed_json", "not as specified");
    assert_found(&found, "unknown_type", "`internal` came instead");
}

#[tokio::test]
async fn what_the_schemas_forbid_is_found() {
    // Each reads as its type, and is not as specified.
    let found = lies_found(|mut frame| {
        if frame["type"] == "agent_started" {
            frame["payload"]["model"] = Value::Null;
        }
        if frame["payload"]["code"] == "unknown_type" {
            frame["payload"]["retry_after_ms"] = Value::Null;
        }
        vec![frame]
    })
    .await;
    assert_found(&found, "a run keeps the order", "model");
    assert_found(&found, "unknown_type", "retry_after_ms");
}

#[tokio::test]
async fn answers_and_tools_that_are_not_what_was_shown_are_found() {
    let found = lies_found(|mut frame| {
        if frame["type"] == "agent_response" {
            frame["payload"]["content"] = "Something else.".into();
        }
        vec![frame]
    })
    .await;
    assert_found(&found, "a run keeps the order", "not what its pieces amount to");
    let found = lies_found(|mut frame| {
        if frame["type"] == "tool_completed" {
            frame["payload"]["tool"] = "date_time".into();
        }
        vec![frame]
    })
    .await;
    assert_found(&found, "a run keeps the order", "completes as");
}

#[tokio::test]
async fn ids_that_name_nothing_are_found() {
    let found = lies_found(|mut frame| {
        if frame.get("seq").is_some() {
            frame["id"] = "0198c7e2-0000-7000-8000-000000000001".into();
        }
        vec![frame]
    })
    .await;
    assert_found(&found, "a run keeps the order", "has the id of another frame");
    // One event under two ids: what resumes would be taken for something new.
    let found = lies_found(|mut frame| {
        if frame.get("seq").is_some() {
            frame["id"] = uuid::Uuid::now_v7().to_string().into();
        }
        vec![frame]
    })
    .await;
    assert_found(&found, "subscribing again", "not the log after the cursor");
}

#[tokio::test]
async fn numbers_that_are_not_the_logs_are_found() {
    let found = lies_found(|mut frame| {
        if frame["type"] == "ack" && frame["payload"].get("seq").is_some() {
            frame["payload"]["seq"] = 2.into();
        }
        vec![frame]
    })
    .await;
    // Which check meets it first depends on how far the run was when its thread was subscribed to.
    assert_found(&found, "", "became event 2, which is another");
    let found = lies_found(|mut frame| {
        if frame["type"] == "subscribed" {
            frame["payload"]["head_seq"] = 1_000.into();
        }
        vec![frame]
    })
    .await;
    assert_found(&found, "a cursor gets what lies after it", "not where the log ends");
    let found = lies_found(|mut frame| {
        if frame["type"] == "subscribed" {
            frame["payload"]["head_seq"] = 0.into();
        }
        vec![frame]
    })
    .await;
    assert_found(&found, "a run keeps the order", "was acknowledged before");
}

#[tokio::test]
async fn advice_and_times_that_mislead_are_found() {
    let found = lies_found(|mut frame| {
        if let Some(retryable) = frame["payload"]["retryable"].as_bool().filter(|_| frame["type"] == "error_message") {
            frame["payload"]["retryable"] = (!retryable).into();
        }
        vec![frame]
    })
    .await;
    assert_found(&found, "a thread that does not exist", "comes with `retryable` true");
    let found = lies_found(|mut frame| {
        if frame["type"] == "authenticated" {
            frame["payload"]["token_expires_at"] = "2001-01-01T00:00:00.000Z".into();
        }
        vec![frame]
    })
    .await;
    assert_found(&found, "a fresh token", "ends at 2001");
    let found = lies_found(|mut frame| {
        if frame["type"] == "connect" {
            frame["payload"]["token_expires_at"] = "2099-01-01T00:00:00.000Z".into();
        }
        vec![frame]
    })
    .await;
    assert_found(&found, "`netra.v1` alone is echoed", "ends at 2099");
}

#[tokio::test]
async fn events_of_threads_that_nobody_watches_are_found() {
    let found = lies_found(|frame| {
        let mut all = vec![frame.clone()];
        if frame["type"] == "agent_started" {
            let mut foreign = frame;
            foreign["id"] = uuid::Uuid::now_v7().to_string().into();
            foreign["thread_id"] = uuid::Uuid::now_v7().to_string().into();
            all.push(foreign);
        }
        all
    })
    .await;
    assert_found(&found, "a run keeps the order", "not watched");
}

#[tokio::test]
async fn a_server_that_says_nothing_does_not_hold_it_up() {
    let found = lies_found(|_| Vec::new()).await;
    assert_found(&found, "malformed_json", "did not come within");
}

#[tokio::test]
async fn what_is_no_server_is_said_to_be_none() {
    for url in ["ws://127.0.0.1:9/ws", "nonsense", "ftp://127.0.0.1"] {
        let output = conform(url, &[]).await;
        assert_eq!(output.status.code(), Some(2), "{url}");
        assert!(!output.stderr.is_empty() && output.stdout.is_empty(), "{url}: {output:?}");
    }
    let server = Setup::new().set("NETRA_AUTH", "password").start().await;
    let output = conform(&server.base, &[]).await;
    assert!(String::from_utf8_lossy(&output.stderr).contains("--token"), "{output:?}");
}
