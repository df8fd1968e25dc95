//! `kill -9` of Netra, and of the agent, in the middle of words, tools and questions: every run ends or goes on, and no tool works
//! twice.

use serde_json::{Value, json};

use super::{approve, asked, decide, end, folder, running, scripted, until};
use crate::support::{
    frame::on,
    rules::{Run, answer_of, check_run, event, payloads, say, start_run},
    script::numbered,
    server::Server,
    socket::Socket,
    user::User,
};

/// How often each is killed in each place: in words, in a tool, at a question.
fn kills() -> usize {
    if std::env::var_os("NETRA_TEST_LONG").is_some() { 34 } else { 4 }
}

/// A line of the table that `kills` prints for other kinds of agents.
fn tell(place: &str, of_netra: usize, of_the_peer: usize, ended: usize) {
    let went_on = of_netra + of_the_peer - ended;
    println!(
        "acp, in {place}: kills of netra {of_netra}, of the peer {of_the_peer}, runs cut off {}: ended {ended}, went on {went_on}, calls twice 0",
        of_netra + of_the_peer
    );
}

/// A server whose run in the old process is cut off, and a socket that sees it go on.
async fn killed(server: Server, user: User, run: &Run) -> (Server, User, Socket) {
    let server = server.restart("KILL").await;
    let user = user.moved(&server);
    let socket = user.connect().await;
    socket.call(on(&run.thread, "subscribe", json!({ "after_seq": 0 }))).await;
    (server, user, socket)
}

async fn log(user: &User, run: &Run) -> Vec<Value> {
    let log = user.get(&format!("/api/threads/{}/events?limit=1000", run.thread)).await.ok();
    log["events"].as_array().expect("events").clone()
}

#[tokio::test]
async fn words_that_were_cut_off_are_said_anew() {
    let mut server = scripted("").start().await;
    let mut user = User::dev(&server).await;
    for _ in 0..kills() {
        let socket = user.connect().await;
        let run = start_run(&socket, "coder", "Tell a story.").await;
        event(&socket, &run, "partial_result").await;
        let (next, moved, socket) = killed(server, user, &run).await;
        (server, user) = (next, moved);
        assert_eq!(end(&socket, &run).await["payload"]["status"], "completed");
        let log = log(&user, &run).await;
        check_run(&log, &run);
        let told = answer_of(&log, &run);
        assert_eq!((told.whole, told.folded), (numbered(120, "w{k} "), numbered(120, "w{k} ")));
    }
    tell("words", kills(), 0, 0);
}

#[tokio::test]
async fn a_tool_that_was_cut_off_is_told_and_not_repeated() {
    let mut server = scripted("").start().await;
    let mut user = User::dev(&server).await;
    for _ in 0..kills() {
        let socket = user.connect().await;
        let run = start_run(&socket, "coder", "Begin the slow tool.").await;
        event(&socket, &run, "tool_executing").await;
        let (next, moved, socket) = killed(server, user, &run).await;
        (server, user) = (next, moved);
        assert_eq!(end(&socket, &run).await["payload"]["status"], "completed");
        let log = log(&user, &run).await;
        check_run(&log, &run);
        let done = payloads(&log, &run, "tool_completed");
        assert_eq!((done.len(), &done[0]["status"]), (1, &json!("interrupted")), "{done:?}");
        assert_eq!(answer_of(&log, &run).whole, "I go on.", "the agent was told what it had done");
    }
    tell("a tool", kills(), 0, 0);
}

#[tokio::test]
async fn a_question_is_asked_once_and_answered_to_the_next_process() {
    let mut server = scripted("").start().await;
    let mut user = User::dev(&server).await;
    for _ in 0..kills() {
        let socket = user.connect().await;
        let run = start_run(&socket, "coder", "Please edit the notes.").await;
        let question = asked(&socket, &run).await;
        let (next, moved, socket) = killed(server, user, &run).await;
        (server, user) = (next, moved);
        decide(&socket, &run, &question, approve()).await;
        assert_eq!(end(&socket, &run).await["payload"]["status"], "completed");
        let log = log(&user, &run).await;
        check_run(&log, &run);
        assert_eq!(payloads(&log, &run, "tool_approval_required").len(), 1, "nobody is asked twice");
        let edits = std::fs::read_to_string(folder(&server, "coder", &run.thread).join("home/edits"));
        assert_eq!(edits.expect("a file"), "x", "it was done once");
        assert!(answer_of(&log, &run).whole.ends_with("Edited: three."), "{log:?}");
    }
    tell("a question", kills(), 0, 0);
}

#[tokio::test]
async fn an_agent_that_dies_ends_its_run_and_the_next_begins_another() {
    let server = scripted("").start().await;
    let socket = User::dev(&server).await.connect().await;
    for (content, until_event) in [
        ("Tell a story.", "partial_result"),
        ("Begin the slow tool.", "tool_executing"),
        ("Please edit the notes.", "tool_approval_required"),
    ] {
        for _ in 0..kills() {
            let run = start_run(&socket, "coder", content).await;
            let seen = event(&socket, &run, until_event).await;
            kill(&run.thread).await;
            if until_event == "tool_approval_required" {
                // Nobody works on it now: the answer finds another program.
                decide(&socket, &run, &seen, approve()).await;
                assert_eq!(end(&socket, &run).await["payload"]["status"], "completed");
            } else {
                let ended = end(&socket, &run).await;
                assert_eq!(
                    (&ended["type"], &ended["payload"]["code"]),
                    (&json!("agent_error"), &json!("upstream_protocol")),
                    "{ended}"
                );
            }
            check_run(&socket.frames(), &run);
            let next = say(&socket, &run.thread, "Are you there?").await;
            end(&socket, &next).await;
            assert_eq!(answer_of(&socket.frames(), &next).whole, "You said: Are you there?");
        }
        let asks = until_event == "tool_approval_required";
        tell(content, 0, kills(), if asks { 0 } else { kills() });
    }
}

/// Kills the agent of a conversation: the program whose parent is its keeper.
async fn kill(thread: &str) {
    until("its program runs", || !running(&["confine", thread]).is_empty()).await;
    let keeper = running(&["confine", thread])[0];
    let child = running(&["acp_agent.mjs"]).into_iter().find(|pid| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(1)?.parse().ok()) == Some(keeper)
    });
    let child = child.expect("the agent");
    let killed = std::process::Command::new("kill").args(["-KILL", &child.to_string()]).status().expect("kill");
    assert!(killed.success());
    until("its keeper ends with it", || running(&["confine", thread]).is_empty()).await;
}
