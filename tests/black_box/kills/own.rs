//! The guide, and agents that ask a model.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Place, Table, kill_netra, kill_peer, kills};
use crate::aimock::Aimock;
use crate::support::{
    port,
    provider::{Provider, Request},
    script::{Reply, Stream},
    server::Setup,
    user::User,
};

const PLACES: [Place; 5] = [
    Place::question("guide", "guide", "What is 6 times 7?"),
    Place::words("guide", "guide", "What can you do?"),
    Place::question("tool loop", "assistant", "Calculate."),
    Place::tool("tool loop", "assistant", "Stamp it."),
    Place::words("tool loop", "assistant", "Tell a story."),
];

/// Where runs are when the model's server, which others wrote, is killed. The next one knows nothing of them.
const WITH_THE_PEER: [Place; 2] =
    [Place::words("tool loop", "elsewhere", "Tell a story."), Place::question("tool loop", "elsewhere", "Calculate.")];

fn fixtures() -> Value {
    let story = "word ".repeat(400);
    json!({ "fixtures": [
        { "match": { "userMessage": "Tell a story." }, "response": { "content": story }, "latency": 10 },
        {
            "match": { "userMessage": "Calculate.", "hasToolResult": false },
            "response": { "toolCalls": [{ "name": "calculate", "arguments": { "expression": "6*7" } }] },
        },
        { "match": { "userMessage": "Calculate.", "hasToolResult": true }, "response": { "content": "It was called." } },
    ] })
}

fn model(request: &Request) -> Reply {
    let prompt = request.prompt();
    match prompt.as_str() {
        "Tell a story." => Stream::new().texts(200, "w{k} ", Duration::from_millis(10)).end("stop"),
        _ if !request.tool_results().is_empty() => Reply::text("It was called."),
        "Stamp it." => Stream::new().tool(0, "call_1", "stamp", "{}").end("tool_calls"),
        _ => Stream::new().tool(0, "call_1", "calculate", r#"{"expression":"6*7"}"#).end("tool_calls"),
    }
}

#[tokio::test]
async fn the_guide_and_the_tool_loop() {
    let provider = Provider::start(model).await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("stamps");
    let stamps = || std::fs::read_to_string(&file).unwrap_or_default().lines().count();
    let port = port::free();
    let elsewhere = format!("kind = \"openai\"\nbase_url = \"http://127.0.0.1:{port}/v1\"\nmodel = \"any\"\n");
    let toml = format!("[tools]\ncalculate = \"ask\"\n[[agents]]\nname = \"elsewhere\"\n{elsewhere}");
    let setup = Setup::new().assistant(&provider).toml(&toml);
    let server = setup.set("NETRA_RUN_LEASE_S", 1).set("NETRA_TEST_TOOLS", file.display()).start().await;
    let user = User::dev(&server).await;
    let (mut table, mut side) = (Table::of(&PLACES), (server, user));
    for _ in 0..kills() {
        let before = stamps();
        side = kill_netra(side, &PLACES, &mut table, async |_| {}).await;
        table.line("tool loop").twice += (stamps() - before).saturating_sub(1);
    }
    let mut peer = Some(Aimock::at(port, &fixtures()).await);
    for _ in 0..kills() {
        let kill = async || {
            drop(peer.take());
            peer = Some(Aimock::at(port, &fixtures()).await);
        };
        kill_peer(&side.1, &WITH_THE_PEER, &mut table, kill).await;
    }
    table.line("guide").of_the_peer = 0;
    table.tell();
}
