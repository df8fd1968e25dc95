//! The official conformance suite (npm `@modelcontextprotocol/conformance`), for what is served.

use std::process::Command;

use serde_json::json;

use super::script;
use crate::support::{server::Setup, user::User};

/// The scenarios of what is served, of all versions of the protocol. The suite's others want tools, prompts and resources of its own
/// making (`test_simple_text`, `test://static-text`), or what is not offered: logging, completion, sampling, elicitation, tasks, and
/// subscriptions to resources. `server-stateless` is among these: it wants `test_missing_capability`.
const SCENARIOS: [&str; 12] = [
    "server-initialize",
    "server-session-lifecycle",
    "ping",
    "tools-list",
    "resources-list",
    "prompts-list",
    "server-sse-multiple-streams",
    "dns-rebinding-protection",
    "caching",
    "http-header-validation",
    "sep-2164-resource-not-found",
    "input-required-result-unsupported-methods",
];

#[tokio::test]
async fn the_conformance_suite_passes() {
    let server = Setup::new().start().await;
    let user = User::dev(&server).await;
    let made = user.post("/api/tokens", json!({ "name": "suite", "scope": "chat" })).await;
    let token = made.json()["token"].as_str().expect("a token").to_owned();
    user.thread("A conversation").await;
    let base = server.base.clone();
    let done = tokio::task::spawn_blocking(move || {
        Command::new("node")
            .arg(script("mcp_conformance.mjs"))
            .args([&base, &token])
            .args(SCENARIOS)
            .output()
            .expect("node runs")
    });
    let done = done.await.expect("it ends");
    let said = String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{said}\n{}", server.log());
    assert_eq!(said.matches("passed ").count(), SCENARIOS.len(), "{said}");
}
