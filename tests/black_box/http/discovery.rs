//! `GET /api/config`, health, metrics and the published documents.

use serde_json::{Value, json};

use crate::support::{
    provider::{Provider, always},
    script::Reply,
    server::Setup,
    user::User,
};

#[tokio::test]
async fn discovery_tells_a_visitor_how_to_connect() {
    let server = Setup::new().start().await;
    let answer = User::visitor(&server).get("/api/config").await;
    assert_eq!((answer.status, answer.header("cache-control")), (200, "no-store"));
    assert!(answer.set_cookies().is_empty(), "asking signs nobody in");
    let config = answer.json();
    assert_eq!(config["protocol"], "netra.v1");
    assert!(config["version"].as_str().is_some_and(|v| !v.is_empty()), "{config}");
    assert_eq!(
        config["ws"],
        json!({
            "url": "/ws", "subprotocol": "netra.v1", "token_prefix": "jwt.",
            "heartbeat_interval_ms": 25_000, "heartbeat_timeout_ms": 10_000,
            "max_frame_bytes": 65_536, "max_subscriptions": 200, "commands_per_minute": 600,
        })
    );
    assert_eq!(config["auth"]["modes"], json!(["dev", "password"]));
    let agents = config["agents"].as_array().expect("agents");
    assert_eq!(agents.len(), 1, "no provider, so the guide alone: {agents:?}");
    assert_eq!(agents[0]["name"], "guide");
    assert!(
        ["title", "description"].iter().all(|f| agents[0][f].as_str().is_some_and(|t| !t.is_empty())),
        "{agents:?}"
    );
}

#[tokio::test]
async fn discovery_follows_the_settings() {
    let provider = Provider::start(always(Reply::text("Hello."))).await;
    let server = Setup::new()
        .assistant(&provider)
        .set("NETRA_PUBLIC_URL", "https://chat.example")
        .set("NETRA_AUTH", "password")
        .set("NETRA_HEARTBEAT_INTERVAL_MS", 11_000)
        .set("NETRA_HEARTBEAT_TIMEOUT_MS", 5_000)
        .set("NETRA_MAX_FRAME_BYTES", 32_768)
        .set("NETRA_MAX_SUBSCRIPTIONS", 17)
        .set("NETRA_COMMANDS_PER_MINUTE", 123)
        .start()
        .await;
    let visitor = User::visitor(&server);
    let config = visitor.get("/api/config").await.ok();
    assert_eq!(
        config["ws"],
        json!({
            "url": "wss://chat.example/ws", "subprotocol": "netra.v1", "token_prefix": "jwt.",
            "heartbeat_interval_ms": 11_000, "heartbeat_timeout_ms": 5_000,
            "max_frame_bytes": 32_768, "max_subscriptions": 17, "commands_per_minute": 123,
        })
    );
    assert_eq!(config["auth"]["modes"], json!(["password"]));
    let names: Vec<&str> =
        config["agents"].as_array().expect("agents").iter().filter_map(|a| a["name"].as_str()).collect();
    assert!(names.contains(&"assistant"), "{names:?}");
    let text = config.to_string();
    assert!(!text.contains(crate::support::provider::API_KEY) && !text.contains(&provider.base), "{text}");
    let refused = visitor.post("/api/auth/dev", json!({})).await;
    assert!(refused.status >= 400 && refused.status < 500, "development sign-in is off: {}", refused.status);
    assert!(!visitor.has_session());
}

#[tokio::test]
async fn agents_are_listed_as_in_discovery() {
    let server = Setup::new().start().await;
    let user = User::dev(&server).await;
    let (config, agents) = (user.get("/api/config").await.ok(), user.get("/api/agents").await.ok());
    let listed = if agents.is_array() { &agents } else { &agents["agents"] };
    let names = |list: &Value| list.as_array().map(|l| l.iter().map(|a| a["name"].clone()).collect::<Vec<_>>());
    assert_eq!(names(listed), names(&config["agents"]));
    assert_eq!(names(listed), Some(vec![json!("guide")]));
}

#[tokio::test]
async fn the_server_says_how_it_is() {
    let server = Setup::new().start().await;
    let visitor = User::visitor(&server);
    for path in ["/healthz", "/readyz"] {
        assert_eq!(visitor.get(path).await.status, 200, "{path}");
    }
}
