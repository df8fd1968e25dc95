//! A server that is asked to stop says so to everyone and ends well (§6, §7).

use std::{sync::Arc, time::Duration};

use serde_json::json;

use crate::support::{
    PATIENCE,
    frame::on,
    provider::Provider,
    rules::{check_run, ended, event, payloads, start_run},
    script::Stream,
    server::Setup,
    user::User,
};

#[tokio::test]
async fn every_socket_is_told_and_the_exit_is_clean() {
    let mut server = Setup::new().start().await;
    let (user, other) = (User::dev(&server).await, User::register(&server).await);
    let sockets = [user.connect().await, user.connect().await, other.connect().await];
    server.signal("TERM");
    for socket in &sockets {
        socket.closed_with(1012, PATIENCE).await;
    }
    assert_eq!(server.exit(PATIENCE).await, 0);
    assert!(!server.log().contains("panicked"), "{}", server.log());
}

#[tokio::test]
async fn a_run_that_does_not_end_in_time_is_handed_over() {
    let provider = Provider::start(|request| {
        let n = if request.prompt().contains("long") { 3_000 } else { 1 };
        Stream::new().texts(n, "tick ", Duration::from_millis(10)).end("stop")
    })
    .await;
    let mut server =
        Setup::new().assistant(&provider).set("NETRA_DRAIN_S", 1).set("NETRA_RUN_LEASE_S", 1).start().await;
    let user = User::dev(&server).await;
    let socket = user.connect().await;
    let run = start_run(&socket, "assistant", "A long story.").await;
    event(&socket, &run, "partial_result").await;
    server.signal("TERM");
    assert_eq!(socket.closed(PATIENCE).await, 1012);
    assert_eq!(server.exit(Duration::from_secs(8)).await, 0, "the drain is bounded");
    provider.idle(Duration::from_secs(1)).await;

    let server = Setup::at(server.home()).assistant(&provider).set("NETRA_RUN_LEASE_S", 1).start().await;
    let user = user.moved(&server);
    let socket = user.connect().await;
    socket.call(on(&run.thread, "subscribe", json!({ "after_seq": 0 }))).await;
    // Whatever became of it, the run can be ended by its user and ends once.
    socket.call(on(&run.thread, "stop_agent", json!({ "run_id": run.id }))).await;
    ended(&socket, &run).await;
    check_run(&socket.frames(), &run);
}

#[tokio::test]
async fn a_tool_that_is_handed_over_does_its_work_in_the_next_process() {
    let provider = Provider::start(|request| {
        if request.tool_results().is_empty() {
            // Exact, and long enough to be caught at it.
            let arguments = json!({ "expression": "9000! / 8999!" }).to_string();
            return Stream::new().tool(0, "call_1", "calculate", &arguments).end("tool_calls");
        }
        Stream::new().text("The tool has spoken.").end("stop")
    })
    .await;
    let setup = |home| Setup::at(home).assistant(&provider).set("NETRA_DRAIN_S", 0).set("NETRA_RUN_LEASE_S", 1);
    let mut server = setup(Arc::new(tempfile::tempdir().expect("a folder"))).start().await;
    let mut handed_over = 0;
    for _ in 0..10 {
        let user = User::dev(&server).await;
        let socket = user.connect().await;
        let run = start_run(&socket, "assistant", "Calculate.").await;
        event(&socket, &run, "tool_executing").await;
        server.signal("TERM");
        assert_eq!(server.exit(Duration::from_secs(8)).await, 0);
        server = setup(server.home()).start().await;
        let socket = user.moved(&server).connect().await;
        socket.call(on(&run.thread, "subscribe", json!({ "after_seq": 0 }))).await;
        ended(&socket, &run).await;
        check_run(&socket.frames(), &run);
        let done = payloads(&socket.frames(), &run, "tool_completed");
        assert_eq!(done[0]["status"], "ok", "the call was repeated: {done:?}");
        handed_over += usize::from(payloads(&socket.frames(), &run, "agent_started").len() > 1);
        if handed_over == 2 {
            return;
        }
    }
    panic!("the tool was never caught at work");
}
