//! Prompts of MCP servers as commands of the composer.

use serde_json::json;

use super::{agent, becomes, everything, program};
use crate::support::{
    provider::{API_KEY, Provider},
    script::Reply,
    server::Setup,
    user::User,
};

#[tokio::test]
async fn prompts_are_commands_of_the_agents_that_use_their_server() {
    let provider = Provider::start(|_| Reply::text("Hello.")).await;
    let plain = "[[agents]]\nname = \"guide\"\nkind = \"guide\"\n";
    let toml = agent(&provider, "\"mcp:everything/*\"")
        + plain
        + &program("everything", &["node", &everything().display().to_string(), "stdio"]);
    let server = Setup::new().toml(&toml).set("CALLER_KEY", API_KEY).start().await;
    let user = User::dev(&server).await;
    becomes(&user, "everything", "ready").await;

    let told = user.get("/api/commands?agent=caller").await.ok();
    let commands = told["commands"].as_array().expect("commands");
    let named = |name: &str| commands.iter().find(|command| command["name"] == name);
    assert!(named("everything:simple-prompt").is_some(), "{told}");
    let with_arguments = named("everything:args-prompt").expect("a command with arguments");
    let city = &with_arguments["arguments"][0];
    assert_eq!((&city["name"], &city["required"]), (&json!("city"), &json!(true)), "{with_arguments}");
    assert_eq!(user.get("/api/commands").await.ok(), told, "the first agent when none is named");
    assert_eq!(user.get("/api/commands?agent=guide").await.ok()["commands"], json!([]));
    assert_eq!(user.get("/api/commands?agent=nobody").await.error().1, "agent_unknown");

    let fill = async |name: &str, body: serde_json::Value| user.post(&format!("/api/commands/{name}"), body).await;
    let filled =
        fill("everything:args-prompt", json!({ "agent": "caller", "arguments": { "city": "Ulm" } })).await.ok();
    assert!(filled["text"].as_str().is_some_and(|text| text.contains("Ulm")), "{filled}");
    for (name, body, code) in [
        ("everything:args-prompt", json!({ "agent": "caller" }), "invalid_payload"),
        ("everything:args-prompt", json!({ "arguments": { "city": "Ulm", "moon": "full" } }), "invalid_payload"),
        ("everything:args-prompt", json!({ "arguments": { "city": "U".repeat(20_000) } }), "invalid_payload"),
        ("everything:args-prompt", json!({ "arguments": { "city": 7 } }), "invalid_payload"),
        ("everything:nothing", json!({}), "not_found"),
        ("nothing", json!({}), "not_found"),
        ("everything:args-prompt", json!({ "agent": "guide", "arguments": { "city": "Ulm" } }), "not_found"),
    ] {
        assert_eq!(fill(name, body.clone()).await.error().1, code, "{name} {body}");
    }
}
