//! A server that does what servers must not do (`support/mcp_unruly.mjs`), and a run that ends well all the same.

use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{agent, becomes, calls, program, script, state};
use crate::support::{
    provider::{API_KEY, Provider},
    rules::{Run, check_run, ended_within, payloads, start_run},
    server::{Server, Setup},
    socket::Socket,
    user::User,
};

/// How long the calls of its tools may take, in seconds.
const TIMEOUT: u64 = 2;

struct World {
    server: Server,
    user: User,
    socket: Socket,
    provider: Provider,
    notes: TempDir,
}

impl World {
    async fn new() -> Self {
        let notes = tempfile::tempdir().expect("a temporary folder");
        let provider = Provider::start(calls).await;
        let unruly = program(
            "unruly",
            &["node", &script("mcp_unruly.mjs").display().to_string(), &notes.path().display().to_string()],
        );
        let toml = agent(&provider, "\"mcp:unruly/*\"") + &unruly + &format!("timeout_s = {TIMEOUT}\n");
        let server = Setup::new().toml(&toml).set("CALLER_KEY", API_KEY).start().await;
        let user = User::dev(&server).await;
        let socket = user.connect().await;
        Self { server, user, socket, provider, notes }
    }

    /// Has a tool called; how the call ended.
    async fn call(&self, tool: &str) -> (Run, Value) {
        let run = start_run(&self.socket, "caller", &format!("unruly__{tool}")).await;
        let end = ended_within(&self.socket, &run, Duration::from_secs(40)).await;
        assert_eq!(end["payload"]["status"], "completed", "{tool}: {end}");
        let frames = self.socket.frames();
        check_run(&frames, &run);
        let done = payloads(&frames, &run, "tool_completed");
        assert_eq!(done.len(), 1, "{tool}: {done:?}");
        (run, done[0].clone())
    }

    fn noted(&self, what: &str) -> usize {
        std::fs::read(self.notes.path().join(what)).map_or(0, |marks| marks.len())
    }
}

#[tokio::test]
async fn what_it_says_beside_the_protocol_is_survived() {
    let world = World::new().await;
    let state = becomes(&world.user, "unruly", "ready").await;
    // One tool's schema is too large to be given to a model.
    assert_eq!(state["tools"], 15, "{state}");
    assert!(state["reason"].as_str().is_some_and(|reason| reason.contains("1 left out")), "{state}");
    assert!(world.server.log().contains("a word on standard error"), "{}", world.server.log());

    let (_, done) = world.call("twice").await;
    assert_eq!(done["result"]["text"], "first", "the second answer is nobody's: {done}");
    let (_, done) = world.call("breaks").await;
    assert_eq!((&done["status"], &done["result"]["error"]), (&json!("error"), &json!("it broke")), "{done}");
    let (_, done) = world.call("asks_for_sampling").await;
    assert!(
        done["result"]["text"].as_str().is_some_and(|text| text.starts_with("refused: sampling is refused")),
        "{done}"
    );

    // Its odd names are made safe for models, and are its own in events; long descriptions are cut.
    let requests = world.provider.requests();
    let offered = requests[0].body["tools"].as_array().expect("tools").clone();
    let function = |safe: &str| {
        offered.iter().map(|tool| &tool["function"]).find(|f| f["name"].as_str().is_some_and(|n| n.starts_with(safe)))
    };
    let odd =
        function("unruly__odd_name_with__signs_").expect("a safe name")["name"].as_str().expect("a name").to_owned();
    let wordy = function("unruly__wordy").expect("the tool")["description"].as_str().expect("text").len();
    assert!(wordy <= 4_096, "{wordy}");
    let (_, done) = world.call(odd.trim_start_matches("unruly__")).await;
    assert_eq!(
        (&done["tool"], &done["result"]["text"]),
        (&json!("mcp:unruly/odd name/with: signs"), &json!("an odd name")),
        "{done}"
    );

    let (run, done) = world.call("floods").await;
    assert_eq!(done["status"], "ok", "{done}");
    let told = payloads(&world.socket.frames(), &run, "agent_progress").len();
    assert!(told <= 50, "{told} events of progress");
    assert_eq!(world.noted("started"), 1, "it was never started again");
}

#[tokio::test]
async fn late_large_and_missing_answers_cost_one_call() {
    let world = World::new().await;
    becomes(&world.user, "unruly", "ready").await;
    let before = world.server.resident_kb();
    for tool in ["late", "never", "large"] {
        let (_, done) = world.call(tool).await;
        assert_eq!(done["status"], "error", "{tool}: {done}");
        let why = done["result"]["error"].as_str().unwrap_or_default();
        assert!(why.contains(&format!("no answer within {TIMEOUT} s")), "{tool}: {done}");
    }
    assert!(world.server.resident_kb() < before + 60_000, "100 MB in one line are not held");
    // The late answer came meanwhile, and was nobody's.
    let (_, done) = world.call("twice").await;
    assert_eq!(done["result"]["text"], "first", "{done}");
    assert!(world.noted("cancelled") >= 2, "it is told that nobody waits");
}

#[tokio::test]
async fn a_server_that_dies_in_a_call_is_asked_again_only_where_that_does_no_harm() {
    let world = World::new().await;
    becomes(&world.user, "unruly", "ready").await;
    let (_, done) = world.call("dies").await;
    assert_eq!(done["status"], "interrupted", "{done}");
    assert_eq!(world.noted("dies"), 1, "it is not called again");
    becomes(&world.user, "unruly", "ready").await;
    let (_, done) = world.call("dies_once").await;
    assert_eq!((&done["status"], &done["result"]["text"]), (&json!("ok"), &json!("done at the second time")), "{done}");
    assert_eq!((world.noted("dies_once"), world.noted("started")), (2, 3));
}

#[tokio::test]
async fn tools_that_are_renamed_are_called_by_their_new_names() {
    let world = World::new().await;
    becomes(&world.user, "unruly", "ready").await;
    let (_, done) = world.call("renames").await;
    assert_eq!(done["result"]["text"], "renamed", "{done}");
    let end = std::time::Instant::now() + crate::support::PATIENCE;
    loop {
        let (_, done) = world.call("new_name").await;
        if done["status"] == "ok" {
            assert_eq!(done["tool"], "mcp:unruly/new_name", "{done}");
            break;
        }
        assert!(std::time::Instant::now() < end, "{done}");
    }
    let (_, done) = world.call("renames").await;
    assert_eq!(done["status"], "error", "the old name is no tool: {done}");
}

#[tokio::test]
async fn a_program_that_is_none_is_away_and_nothing_waits_for_it() {
    let provider = Provider::start(calls).await;
    let toml = agent(&provider, "\"mcp:gone/*\"") + &program("gone", &["/no/such/program"]);
    let server = Setup::new().toml(&toml).set("CALLER_KEY", API_KEY).start().await;
    let user = User::dev(&server).await;
    becomes(&user, "gone", "away").await;
    let state = state(&user, "gone").await;
    assert!(state["reason"].as_str().is_some_and(|reason| reason.contains("does not start")), "{state}");
    let socket = user.connect().await;
    let run = start_run(&socket, "caller", "gone__tool").await;
    let end = ended_within(&socket, &run, Duration::from_secs(20)).await;
    assert_eq!(end["payload"]["status"], "completed", "{end}");
    assert_eq!(payloads(&socket.frames(), &run, "tool_completed")[0]["status"], "error");
}
