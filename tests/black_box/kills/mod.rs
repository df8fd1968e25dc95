//! Netra and what it talks to are killed again and again, while runs are in the middle of words, of a tool and of a question, for
//! each kind of agent: every run ends or goes on, and no tool works twice (R13). A line for each kind says what happened. Agents
//! that are programs have the same in `acp/killed.rs`.

mod own;
mod remote;
mod servers;

use std::time::Duration;

use futures::future::join_all;
use serde_json::{Value, json};

use crate::support::{
    frame::{ends, on},
    rules::{Run, check_run, ended_within, event, payloads, start_run},
    server::Server,
    socket::Socket,
    user::User,
};

/// How often each side is killed.
fn kills() -> usize {
    if std::env::var_os("NETRA_TEST_LONG").is_some() { 100 } else { 10 }
}

/// How long a run that was cut off may take to its end: whoever works on it may have to be started.
const PATIENTLY: Duration = Duration::from_mins(2);

/// Where a run of an agent is when the kill comes.
struct Place {
    kind: &'static str,
    agent: &'static str,
    content: &'static str,
    /// The event after which it comes.
    until: &'static str,
}

impl Place {
    const fn words(kind: &'static str, agent: &'static str, content: &'static str) -> Self {
        Self { kind, agent, content, until: "partial_result" }
    }

    const fn tool(kind: &'static str, agent: &'static str, content: &'static str) -> Self {
        Self { kind, agent, content, until: "tool_executing" }
    }

    const fn question(kind: &'static str, agent: &'static str, content: &'static str) -> Self {
        Self { kind, agent, content, until: "tool_approval_required" }
    }
}

/// What a kind of agent went through.
struct Tally {
    kind: &'static str,
    of_netra: usize,
    of_the_peer: usize,
    /// Runs that had not ended when the kill came.
    cut_off: usize,
    ended: usize,
    went_on: usize,
    twice: usize,
}

/// The tallies of a test, told when it is over.
struct Table(Vec<Tally>);

impl Table {
    fn of(places: &[Place]) -> Self {
        let mut kinds: Vec<&'static str> = places.iter().map(|place| place.kind).collect();
        kinds.dedup();
        let new = |kind| Tally { kind, of_netra: 0, of_the_peer: 0, cut_off: 0, ended: 0, went_on: 0, twice: 0 };
        Self(kinds.into_iter().map(new).collect())
    }

    fn line(&mut self, kind: &str) -> &mut Tally {
        self.0.iter_mut().find(|tally| tally.kind == kind).expect("a kind of this table")
    }

    fn count(&mut self, count: impl Fn(&mut Tally)) {
        self.0.iter_mut().for_each(count);
    }

    /// Prints a line for each kind.
    fn tell(&self) {
        for Tally { kind, of_netra, of_the_peer, cut_off, ended, went_on, twice } in &self.0 {
            println!(
                "{kind}: kills of netra {of_netra}, of the peer {of_the_peer}, runs cut off {cut_off}: ended {ended}, went on {went_on}, calls twice {twice}"
            );
            assert!(*cut_off > 0, "{kind}: no kill came in the middle of anything");
            assert_eq!(*twice, 0, "{kind}: a tool worked twice");
        }
    }
}

/// A run in its place.
struct Reached<'p> {
    place: &'p Place,
    run: Run,
    /// The event that it was waited for.
    seen: Value,
}

/// Starts a run for each place, and waits until all are where the kill is to find them.
async fn reach<'p>(socket: &Socket, places: &'p [Place]) -> Vec<Reached<'p>> {
    let mut runs = Vec::new();
    for place in places {
        runs.push((place, start_run(socket, place.agent, place.content).await));
    }
    join_all(runs.into_iter().map(|(place, run)| async move {
        let seen = event(socket, &run, place.until).await;
        Reached { place, run, seen }
    }))
    .await
}

/// Sees the runs through to their ends. Questions are answered, whoever waits for that now.
async fn see_through(user: &User, before: &[Value], reached: Vec<Reached<'_>>, table: &mut Table) {
    let socket = user.connect().await;
    for Reached { place, run, seen } in &reached {
        socket.call(on(&run.thread, "subscribe", json!({ "after_seq": 0 }))).await;
        if place.until == "tool_approval_required" {
            let answer = seen["payload"].get("form").map(|_| json!({ "answer": "gladly" }));
            let mut payload = json!({ "tool_call_id": seen["payload"]["tool_call_id"], "decision": "approve" });
            if let Some(answer) = answer {
                payload["answer"] = answer;
            }
            socket.call(on(&run.thread, "tool_approval", payload)).await;
        }
    }
    for Reached { place, run, .. } in &reached {
        let end = ended_within(&socket, run, PATIENTLY).await;
        let log = user.get(&format!("/api/threads/{}/events?limit=1000", run.thread)).await.ok();
        let log = log["events"].as_array().expect("events");
        // Once from its start to its one end, each call begun once and ended once, nobody asked twice.
        check_run(log, run);
        let failed = end["type"] == "agent_error";
        if failed {
            let told = end["payload"]["message"].as_str().unwrap_or_default();
            assert!(!told.is_empty(), "{}: the person is told why: {end}", place.kind);
        }
        for done in payloads(log, run, "tool_completed") {
            let told = done["status"] != "interrupted" || !done["result"].is_null();
            assert!(told, "{}: the person is told what became of it: {done}", place.kind);
        }
        let line = table.line(place.kind);
        line.cut_off += usize::from(!before.iter().any(|frame| ends(frame, &run.id)));
        line.ended += usize::from(failed);
        line.went_on += usize::from(!failed);
    }
}

/// Kills Netra with a run in each place, and sees them through in the next process. `ready` waits for what that one needs.
async fn kill_netra(
    (server, user): (Server, User),
    places: &[Place],
    table: &mut Table,
    ready: impl AsyncFn(&User),
) -> (Server, User) {
    let socket = user.connect().await;
    let reached = reach(&socket, places).await;
    let server = server.restart("KILL").await;
    let user = user.moved(&server);
    let before = socket.frames();
    ready(&user).await;
    see_through(&user, &before, reached, table).await;
    table.count(|tally| tally.of_netra += 1);
    assert!(!server.log().contains("panicked"), "{}", server.log());
    (server, user)
}

/// Kills what Netra talks to with a run in each place, and sees them through.
async fn kill_peer(user: &User, places: &[Place], table: &mut Table, kill: impl AsyncFnOnce()) {
    let socket = user.connect().await;
    let reached = reach(&socket, places).await;
    let before = socket.frames();
    kill().await;
    see_through(user, &before, reached, table).await;
    table.count(|tally| tally.of_the_peer += 1);
}
