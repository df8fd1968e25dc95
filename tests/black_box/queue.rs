//! A second message while a run is active: queued, named at once, run next (§4).

use std::time::Duration;

use serde_json::json;

use crate::support::{
    answer::{Answer, http},
    frame::on,
    provider::Provider,
    rules::{check_answer, check_dense, check_run, ended, event, events_of, say, start_run},
    script::{Reply, Stream},
    server::Setup,
    user::User,
};

/// A provider that is slow for "slow" and quick for anything else, and repeats what it was asked.
async fn provider() -> Provider {
    Provider::start(|request| {
        let prompt = request.prompt();
        if prompt.starts_with("slow") {
            Stream::new().texts(40, "{k} ", Duration::from_millis(20)).end("stop")
        } else {
            Reply::text(&format!("You said {prompt}."))
        }
    })
    .await
}

#[tokio::test]
async fn a_second_message_waits_for_the_first_run() {
    let provider = provider().await;
    let server = Setup::new().assistant(&provider).start().await;
    let socket = User::dev(&server).await.connect().await;
    let first = start_run(&socket, "assistant", "slow one").await;
    event(&socket, &first, "partial_result").await;
    let second = say(&socket, &first.thread, "two").await;
    let third = say(&socket, &first.thread, "three").await;
    assert_eq!(provider.requests().len(), 1, "the others wait");
    ended(&socket, &third).await;

    let frames = socket.frames();
    check_dense(&frames, &first.thread, 1);
    let seq = |f: &serde_json::Value| f["seq"].as_u64().expect("seq");
    for (before, after) in [(&first, &second), (&second, &third)] {
        check_run(&frames, before);
        check_run(&frames, after);
        let end = seq(events_of(&frames, before).last().expect("events"));
        let start = seq(&events_of(&frames, after)[0]);
        assert!(end < start, "a run began at {start}, before the one ahead of it ended at {end}");
    }
    check_answer(&frames, &second, "You said two.");
    check_answer(&frames, &third, "You said three.");
}

/// One who floods a conversation waits for the answers; the others of it do not.
#[tokio::test]
async fn a_person_has_a_bounded_number_of_runs_that_wait() {
    let provider = provider().await;
    let server = Setup::new().assistant(&provider).set("NETRA_QUEUED_RUNS", 3).start().await;
    let (ada, bob) = (User::register(&server).await, User::register(&server).await);
    let (first, second) = (ada.connect().await, bob.connect().await);
    let run = start_run(&first, "assistant", "slow one").await;
    event(&first, &run, "partial_result").await;
    let invite = json!({ "email": bob.email });
    assert_eq!(ada.post(&format!("/api/threads/{}/members", run.thread), invite).await.status, 201);
    let mut said = Vec::new();
    for k in 0..3 {
        said.push(say(&second, &run.thread, &format!("quick {k}")).await);
    }
    let over = on(&run.thread, "user_message", json!({ "content": "one more" }));
    let refused = second.call(over).await;
    assert_eq!(
        (&refused["payload"]["code"], refused["payload"]["retry_after_ms"].is_u64()),
        (&json!("rate_limited"), true)
    );
    let own = say(&first, &run.thread, "quick of the owner's").await;
    ended(&first, &own).await;
    let again = second.call(on(&run.thread, "user_message", json!({ "content": "one more" }))).await;
    assert_eq!(again["type"], "ack", "there is room again: {again}");
    let counted = Answer::of(http().get(format!("{}/metrics", server.base))).await;
    assert!(counted.body.contains("netra_quotas_met_total{quota=\"runs\"} 1"), "{}", counted.body);
}

#[tokio::test]
async fn a_queued_run_can_be_stopped_before_its_turn() {
    let provider = provider().await;
    let server = Setup::new().assistant(&provider).start().await;
    let socket = User::dev(&server).await.connect().await;
    let first = start_run(&socket, "assistant", "slow one").await;
    event(&socket, &first, "partial_result").await;
    let second = say(&socket, &first.thread, "two").await;
    let third = say(&socket, &first.thread, "three").await;
    let ack = socket.call(on(&first.thread, "stop_agent", json!({ "run_id": second.id }))).await;
    assert_eq!(ack["type"], "ack", "{ack}");

    let end = ended(&socket, &second).await;
    assert_eq!((&end["type"], &end["payload"]["status"]), (&json!("agent_completed"), &json!("stopped")), "{end}");
    let end = ended(&socket, &first).await;
    assert_eq!(end["payload"]["status"], "completed", "the active run goes on: {end}");
    ended(&socket, &third).await;
    let frames = socket.frames();
    for run in [&first, &second, &third] {
        check_run(&frames, run);
    }
    check_answer(&frames, &third, "You said three.");
    let asked: Vec<String> = provider.requests().iter().map(crate::support::provider::Request::prompt).collect();
    assert_eq!(asked, ["slow one", "three"], "the model was never asked for the stopped run");
}

#[tokio::test]
async fn threads_do_not_wait_for_each_other() {
    let provider = provider().await;
    let server = Setup::new().assistant(&provider).start().await;
    let socket = User::dev(&server).await.connect().await;
    let slow = start_run(&socket, "assistant", "slow one").await;
    event(&socket, &slow, "partial_result").await;
    let quick = start_run(&socket, "assistant", "two").await;
    ended(&socket, &quick).await;
    assert!(!events_of(&socket.frames(), &slow).iter().any(|f| f["type"] == "agent_completed"), "slow was over first");
    ended(&socket, &slow).await;
}
