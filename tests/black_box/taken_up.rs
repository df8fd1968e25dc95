//! A run that another process takes up: what was used and how long it took goes on counting, and what was begun ends.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{
    frame::{is_event_of, on},
    provider::{Provider, Request},
    rules::{Run, check_run, ended_within, event, payloads, say, start_run},
    script::{Reply, Stream},
    server::{Server, Setup},
    user::User,
};

#[tokio::test]
async fn a_run_that_is_taken_up_goes_on_counting() {
    let provider = Provider::start(|request| {
        if request.tool_results().is_empty() {
            return Stream::new().tool(0, "call_1", "calculate", r#"{"expression":"6*7"}"#).end("tool_calls");
        }
        Stream::new().texts(100, "w{k} ", Duration::from_millis(8)).end("stop")
    })
    .await;
    let server = Setup::new().assistant(&provider).set("NETRA_RUN_LEASE_S", 1).start().await;
    let user = User::dev(&server).await;
    let socket = user.connect().await;
    let run = start_run(&socket, "assistant", "Go on.").await;
    event(&socket, &run, "partial_result").await;
    let began = Instant::now();
    let server = server.restart("KILL").await;
    let before = began.elapsed();
    let socket = user.moved(&server).connect().await;
    socket.call(on(&run.thread, "subscribe", json!({ "after_seq": 0 }))).await;
    let end = ended_within(&socket, &run, Duration::from_secs(30)).await;
    check_run(&socket.frames(), &run);
    let told = &end["payload"];
    assert_eq!(
        (&told["usage"]["prompt_tokens"], &told["usage"]["completion_tokens"]),
        (&json!(14), &json!(22)),
        "{end}"
    );
    let took = Duration::from_millis(told["duration_ms"].as_u64().expect("a duration"));
    assert!(took > before, "{took:?}, of which {before:?} before it was taken up");
}

#[tokio::test]
async fn a_call_whose_agent_is_gone_completes() {
    let provider = Provider::start(|_| {
        Stream::new().tool(0, "call_1", "calculate", r#"{"expression":"9000!"}"#).end("tool_calls")
    })
    .await;
    // A call may be over before the process dies; then there is nothing to see, and it is tried again.
    for _ in 0..10 {
        let server = Setup::new().assistant(&provider).set("NETRA_RUN_LEASE_S", 1).start().await;
        let user = User::dev(&server).await;
        let socket = user.connect().await;
        let run = start_run(&socket, "assistant", "Calculate.").await;
        event(&socket, &run, "tool_executing").await;
        server.signal("KILL");
        let home = server.home();
        let seen = socket.cut().await;
        drop(server);
        let server = Setup::at(home).set("NETRA_RUN_LEASE_S", 1).start().await;
        let socket = user.moved(&server).connect().await;
        socket.call(on(&run.thread, "subscribe", json!({ "after_seq": 0 }))).await;
        let end = ended_within(&socket, &run, Duration::from_secs(30)).await;
        assert_eq!(end["payload"]["code"], "agent_unknown", "{end}");
        // Every call that began has ended, and once.
        check_run(&socket.frames(), &run);
        if payloads(&seen, &run, "tool_completed").is_empty() {
            let ends = payloads(&socket.frames(), &run, "tool_completed");
            assert_eq!(ends.last().map(|call| call["status"].clone()), Some(json!("interrupted")), "{ends:?}");
            return;
        }
    }
    panic!("no call was cut off");
}

#[tokio::test]
async fn a_deleted_thread_ends_its_request_to_the_model_at_once() {
    let provider =
        Provider::start(|_| Stream::new().texts(2_000, "tick {k} ", Duration::from_millis(10)).end("stop")).await;
    // The lease is renewed every ten seconds: it is not by its loss that the run hears of it.
    let server = Setup::new().assistant(&provider).set("NETRA_RUN_LEASE_S", 30).start().await;
    let user = User::dev(&server).await;
    let socket = user.connect().await;
    let run = start_run(&socket, "assistant", "Count.").await;
    event(&socket, &run, "partial_result").await;
    assert_eq!(user.delete(&format!("/api/threads/{}", run.thread)).await.status, 204);
    provider.idle(Duration::from_secs(2)).await;
}

/// Three calls at a time, and then an answer.
async fn waiting() -> Provider {
    Provider::start(|request| {
        if request.tool_results().is_empty() {
            let calls = (0..3).fold(Stream::new(), |said, at| said.tool(at, &format!("call_{at}"), "wait", "{}"));
            return calls.end("tool_calls");
        }
        Reply::text("Done.")
    })
    .await
}

#[tokio::test]
async fn a_stop_while_calls_are_taken_up_completes_each() {
    let provider = waiting().await;
    let server = Setup::new().assistant(&provider).set("NETRA_RUN_LEASE_S", 1).set("NETRA_TEST_TOOLS", "/dev/null");
    let server = server.start().await;
    let user = User::dev(&server).await;
    let socket = user.connect().await;
    let run = start_run(&socket, "assistant", "Wait thrice.").await;
    let third = |f: &Value| f["type"] == "tool_executing" && f["payload"]["tool_call_id"].to_string().contains("-3");
    socket.wait("the third call", third).await;
    let server = server.restart("KILL").await;
    let socket = user.moved(&server).connect().await;
    socket.call(on(&run.thread, "subscribe", json!({ "after_seq": 0 }))).await;
    let again = |f: &Value| f["type"] == "agent_started" && f["payload"]["iteration"] == 2;
    socket.wait("the next process takes the run up", again).await;
    socket.call(on(&run.thread, "stop_agent", json!({ "run_id": run.id }))).await;
    let end = ended_within(&socket, &run, Duration::from_secs(30)).await;
    assert_eq!(end["payload"]["status"], "stopped", "{end}");
    check_run(&socket.frames(), &run);
    assert_eq!(payloads(&socket.frames(), &run, "tool_completed").len(), 3);
}

/// Deploys give a run no more turns than it has.
#[tokio::test]
async fn a_run_that_is_taken_up_has_the_turns_that_are_left() {
    let provider = Provider::start(|_| Stream::new().tool(0, "call_1", "wait", "{}").end("tool_calls")).await;
    let agents = format!(
        "[[agents]]\nname = \"worker\"\nkind = \"openai\"\nbase_url = \"{}\"\nmodel = \"m\"\nmax_steps = 2\n",
        provider.base
    );
    let setup = Setup::new().toml(&agents).set("NETRA_RUN_LEASE_S", 1).set("NETRA_TEST_TOOLS", "/dev/null");
    let server = setup.start().await;
    let user = User::dev(&server).await;
    let socket = user.connect().await;
    let run = start_run(&socket, "worker", "Wait for it.").await;
    event(&socket, &run, "tool_executing").await;
    let server = server.restart("KILL").await;
    let socket = user.moved(&server).connect().await;
    socket.call(on(&run.thread, "subscribe", json!({ "after_seq": 0 }))).await;
    let end = ended_within(&socket, &run, Duration::from_secs(30)).await;
    assert!(end["payload"]["message"].as_str().is_some_and(|why| why.contains("2 turns")), "{end}");
    assert_eq!(provider.requests().len(), 2, "one turn before, and one after");
    check_run(&socket.frames(), &run);
}

/// Kills the server and changes what it kept.
async fn changed(server: &Server, change: &'static str) {
    server.signal("KILL");
    let url = format!("sqlite:{}", server.home().path().join("data/netra.db").display());
    let mut database = <sqlx::SqliteConnection as sqlx::Connection>::connect(&url).await.expect("the database");
    let changed = sqlx::query(change).execute(&mut database).await.expect("another version wrote");
    assert!(changed.rows_affected() > 0);
    sqlx::Connection::close(database).await.expect("closed");
}

/// Kills the server in the middle of an answer, and has another process find this instead of what was written.
async fn found_instead(change: &'static str) -> (Provider, Server, User, Run) {
    let provider = Provider::start(|_| Stream::new().texts(100, "w{k} ", Duration::from_millis(10)).end("stop")).await;
    let server = Setup::new().assistant(&provider).set("NETRA_RUN_LEASE_S", 1).start().await;
    let user = User::dev(&server).await;
    let socket = user.connect().await;
    let run = start_run(&socket, "assistant", "Go on.").await;
    event(&socket, &run, "partial_result").await;
    changed(&server, change).await;
    socket.cut().await;
    let server = server.restart("KILL").await;
    let user = user.moved(&server);
    let end = Instant::now() + Duration::from_secs(30);
    while user.get(&format!("/api/threads/{}", run.thread)).await.ok()["running"] == true {
        assert!(Instant::now() < end, "it does not end: {}", server.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    (provider, server, user, run)
}

/// The run as whoever comes now is shown it.
async fn shown(user: &User, run: &Run) -> Value {
    let socket = user.connect().await;
    socket.call(on(&run.thread, "subscribe", json!({}))).await;
    let snapshot = socket.wait("the thread", |f| f["type"] == "thread_snapshot").await;
    let runs = snapshot["payload"]["runs"].as_array().expect("runs").clone();
    runs.into_iter().find(|kept| kept["run_id"] == run.id.as_str()).expect("the run")
}

#[tokio::test]
async fn an_event_of_a_later_version_stops_nothing() {
    let (_provider, _server, user, run) =
        found_instead("UPDATE events SET type = 'agent_of_a_later_version' WHERE type = 'agent_thinking'").await;
    let run = shown(&user, &run).await;
    assert_eq!(run["status"], "completed", "{run}");
}

#[tokio::test]
async fn a_run_that_cannot_be_read_ends_and_lets_the_next_one_work() {
    let (_provider, server, user, run) =
        found_instead("UPDATE events SET payload = '{}' WHERE type = 'partial_result'").await;
    let ended = shown(&user, &run).await;
    assert_eq!((&ended["status"], &ended["error"]["code"]), (&json!("failed"), &json!("internal")), "{ended}");
    let claims = server.log().matches("could not be read").count();
    assert_eq!(claims, 1, "once is enough: {}", server.log());
    let socket = user.connect().await;
    socket.call(on(&run.thread, "subscribe", json!({}))).await;
    let next = say(&socket, &run.thread, "And now?").await;
    assert_eq!(ended_within(&socket, &next, Duration::from_secs(30)).await["payload"]["status"], "completed");
}

/// What began is known from the events that can be read.
#[tokio::test]
async fn a_run_that_cannot_be_read_ends_its_calls_first() {
    for change in [
        "UPDATE events SET payload = '{}' WHERE type = 'partial_result'",
        "UPDATE events SET payload = '{' WHERE type = 'partial_result'",
    ] {
        let model = |_: &Request| Stream::new().text("I wait. ").tool(0, "call_1", "wait", "{}").end("tool_calls");
        let provider = Provider::start(model).await;
        let server = Setup::new().assistant(&provider).set("NETRA_RUN_LEASE_S", 1).set("NETRA_TEST_TOOLS", "/dev/null");
        let server = server.start().await;
        let user = User::dev(&server).await;
        let socket = user.connect().await;
        let run = start_run(&socket, "assistant", "Wait.").await;
        event(&socket, &run, "tool_executing").await;
        changed(&server, change).await;
        let mut seen = socket.cut().await;
        let last = seen.iter().rfind(|frame| is_event_of(frame, &run.thread)).expect("an event").clone();
        let server = server.restart("KILL").await;
        let socket = user.moved(&server).connect().await;
        let cursor = json!({ "after_seq": last["seq"], "epoch": last["epoch"] });
        socket.call(on(&run.thread, "subscribe", cursor)).await;
        let end = ended_within(&socket, &run, Duration::from_secs(30)).await;
        assert_eq!((&end["type"], &end["payload"]["code"]), (&json!("agent_error"), &json!("internal")), "{end}");
        seen.extend(socket.frames());
        check_run(&seen, &run);
        let done = payloads(&seen, &run, "tool_completed");
        assert_eq!(done.iter().map(|done| &done["status"]).collect::<Vec<_>>(), [&json!("interrupted")], "{change}");
    }
}
