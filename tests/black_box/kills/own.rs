//! The guide, and agents that ask a model.

use std::time::Duration;

use super::{Place, Table, kill_netra, kill_peer, kills};
use crate::support::{
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

/// What the model's server does when it dies: the connection is gone, and nobody says why.
const CUT: [Place; 1] = [Place::words("tool loop", "assistant", "Tell half a story.")];

fn model(request: &Request) -> Reply {
    let prompt = request.prompt();
    match prompt.as_str() {
        "Tell a story." => Stream::new().texts(200, "w{k} ", Duration::from_millis(10)).end("stop"),
        "Tell half a story." => Stream::new().texts(10, "w{k} ", Duration::from_millis(10)).abort(),
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
    let setup = Setup::new().assistant(&provider).toml("[tools]\ncalculate = \"ask\"\n");
    let server = setup.set("NETRA_RUN_LEASE_S", 1).set("NETRA_TEST_TOOLS", file.display()).start().await;
    let user = User::dev(&server).await;
    let (mut table, mut side) = (Table::of(&PLACES), (server, user));
    for _ in 0..kills() {
        let before = stamps();
        side = kill_netra(side, &PLACES, &mut table, async |_| {}).await;
        table.line("tool loop").twice += (stamps() - before).saturating_sub(1);
    }
    for _ in 0..kills() {
        // The connection ends by itself, after the words that are waited for.
        kill_peer(&side.1, &CUT, &mut table, async || {}).await;
    }
    table.line("guide").of_the_peer = 0;
    table.tell();
}
