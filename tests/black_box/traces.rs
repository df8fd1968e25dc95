//! Traces: asked for by OpenTelemetry's own variables, with ids and names, and with nothing that anybody said (R23).

use std::sync::{Arc, Mutex};

use axum::{Router, body::Bytes, extract::State, http::HeaderMap, routing::post};
use serde_json::Value;
use tokio::net::TcpListener;

use crate::support::{
    PATIENCE,
    provider::Provider,
    rules::{ended, start_run},
    script::Stream,
    server::Setup,
    user::User,
};

type Received = Arc<Mutex<Vec<Value>>>;

/// A collector that keeps what it is sent, as JSON.
async fn collector() -> (String, Received) {
    let received = Received::default();
    let take = async |State(received): State<Received>, headers: HeaderMap, body: Bytes| {
        assert_eq!(headers["content-type"], "application/json");
        received.lock().expect("a collector").push(serde_json::from_slice(&body).expect("JSON"));
        "{}"
    };
    let app = Router::new().route("/v1/traces", post(take)).with_state(received.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let base = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move { axum::serve(listener, app).await.expect("serves") });
    (base, received)
}

fn spans(received: &Received) -> Vec<Value> {
    let all = received.lock().expect("a collector").clone();
    let lists = all.iter().flat_map(|batch| batch["resourceSpans"].as_array().cloned().unwrap_or_default());
    let scopes = lists.flat_map(|resource| resource["scopeSpans"].as_array().cloned().unwrap_or_default());
    scopes.flat_map(|scope| scope["spans"].as_array().cloned().unwrap_or_default()).collect()
}

fn attribute(span: &Value, key: &str) -> String {
    let attributes = span["attributes"].as_array().into_iter().flatten();
    let found = attributes.into_iter().find(|attribute| attribute["key"] == key);
    found.and_then(|found| found["value"]["stringValue"].as_str()).unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spans_of_connections_runs_models_and_tools_are_exported() {
    let (endpoint, received) = collector().await;
    let provider = Provider::start(|request| {
        if !request.tool_results().is_empty() {
            return Stream::new().texts(1, "It is 42.", std::time::Duration::ZERO).end("stop");
        }
        Stream::new().tool(0, "call-1", "calculate", r#"{"expression":"6 * 7"}"#).end("tool_calls")
    })
    .await;
    let setup = Setup::new().assistant(&provider).set("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint);
    let setup = setup.set("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json").set("OTEL_SERVICE_NAME", "netra-under-test");
    let mut server = setup.start().await;
    let user = User::dev(&server).await;
    let token = user.token().await;
    let socket = crate::support::socket::Socket::open(&server.base, &token).await;
    let run = start_run(&socket, "assistant", "What is six times seven, xylophone?").await;
    ended(&socket, &run).await;
    drop(socket);
    server.signal("TERM");
    assert_eq!(server.exit(PATIENCE).await, 0, "the last spans are sent on the way out");

    let spans = spans(&received);
    let named = |name: &str| spans.iter().filter(|span| span["name"] == name).cloned().collect::<Vec<_>>();
    let (runs, tools, models) = (named("run"), named("tool"), named("model"));
    assert_eq!((runs.len(), tools.len(), models.len(), named("connection").len()), (1, 1, 2, 1), "{spans:#?}");
    assert_eq!(attribute(&runs[0], "run_id"), run.id);
    assert_eq!(attribute(&runs[0], "thread_id"), run.thread);
    assert_eq!(attribute(&tools[0], "tool"), "calculate");
    for inner in tools.iter().chain(&models) {
        assert_eq!(inner["traceId"], runs[0]["traceId"], "what a run does is in its trace");
    }
    let everything = serde_json::to_string(&*received.lock().expect("a collector")).expect("JSON");
    assert!(everything.contains("netra-under-test"));
    for secret in ["xylophone", "It is 42", &token] {
        assert!(!everything.contains(secret), "{secret} is in the traces");
    }
}

/// The standard's default, and the log says what was chosen.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_word_spans_go_as_protobuf() {
    let kinds = Arc::new(Mutex::new(Vec::new()));
    let take = async |State(kinds): State<Arc<Mutex<Vec<String>>>>, headers: HeaderMap, body: Bytes| {
        assert!(!body.is_empty());
        let kind = headers["content-type"].to_str().expect("text").to_owned();
        kinds.lock().expect("a collector").push(kind);
    };
    let app = Router::new().route("/v1/traces", post(take)).with_state(kinds.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, app).await.expect("serves") });
    let setup = Setup::new().set("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://user:pass-word@{address}"));
    let mut server = setup.start().await;
    let log = server.log();
    assert!(
        log.contains("sending traces") && log.contains("http/protobuf") && log.contains(&address.to_string()),
        "{log}"
    );
    assert!(!log.contains("pass-word"), "{log}");
    let socket = User::dev(&server).await.connect().await;
    ended(&socket, &start_run(&socket, "guide", "What is 6 times 7?").await).await;
    drop(socket);
    server.signal("TERM");
    assert_eq!(server.exit(PATIENCE).await, 0);
    let kinds = kinds.lock().expect("a collector").clone();
    assert!(!kinds.is_empty() && kinds.iter().all(|kind| kind == "application/x-protobuf"), "{kinds:?}");
}

#[tokio::test]
async fn a_collector_that_is_not_there_costs_nothing() {
    let server = Setup::new().set("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9").start().await;
    let socket = User::dev(&server).await.connect().await;
    let run = start_run(&socket, "guide", "What is 6 times 7?").await;
    ended(&socket, &run).await;
    socket.alive().await;
}
