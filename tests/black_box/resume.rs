//! `subscribe` with a cursor: no gap, no duplicate, whatever happens in between (§5).

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{
    frame::{is_event_of, on},
    provider::Provider,
    rules::{Run, acked, check_answer, check_dense, check_run, ended, event, start_run},
    script::{Stream, numbered},
    server::Setup,
    socket::Socket,
    user::User,
};

fn events(frames: &[Value], thread: &str) -> Vec<Value> {
    frames.iter().filter(|f| is_event_of(f, thread)).cloned().collect()
}

/// Subscribes after a cursor that can be resumed.
async fn resume(socket: &Socket, thread: &str, epoch: &Value, after: u64) {
    let answer = socket.call(on(thread, "subscribe", json!({ "after_seq": after, "epoch": epoch }))).await;
    assert_eq!(answer["type"], "subscribed", "{answer}");
    assert_eq!(answer["payload"]["mode"], "resumed", "{answer}");
    assert_eq!(&answer["payload"]["epoch"], epoch, "{answer}");
}

/// A provider that counts slowly, and the text it ends up with.
async fn counting(n: usize, pause_ms: u64) -> (Provider, String) {
    let pause = Duration::from_millis(pause_ms);
    let provider = Provider::start(move |_| Stream::new().texts(n, "n{k} ", pause).end("stop")).await;
    (provider, numbered(n, "n{k} "))
}

#[tokio::test]
async fn a_cursor_gets_what_lies_after_it_and_nothing_else() {
    let server = Setup::new().start().await;
    let user = User::dev(&server).await;
    let socket = user.connect().await;
    let run = start_run(&socket, "guide", "What is 6 times 7?").await;
    let end = ended(&socket, &run).await;
    let (epoch, head) = (end["epoch"].clone(), end["seq"].as_u64().expect("seq"));
    let all = events(&socket.frames(), &run.thread);
    for after in 0..=head {
        let again = user.connect().await;
        resume(&again, &run.thread, &epoch, after).await;
        if after < head {
            ended(&again, &run).await;
        }
        again.alive().await;
        let after = usize::try_from(after).expect("small");
        assert_eq!(events(&again.frames(), &run.thread), all[after..], "after {after}");
        assert!(!again.frames().iter().any(|f| f["type"] == "thread_snapshot"), "after {after}");
    }
}

#[tokio::test]
async fn a_second_subscribe_on_one_socket_starts_anew() {
    let server = Setup::new().start().await;
    let socket = User::dev(&server).await.connect().await;
    let run = start_run(&socket, "guide", "What is 6 times 7?").await;
    let end = ended(&socket, &run).await;
    let all = events(&socket.frames(), &run.thread);
    let from = socket.count();
    resume(&socket, &run.thread, &end["epoch"], 2).await;
    socket.wait_for(from, crate::support::PATIENCE, "the end again", |f| f["id"] == end["id"]).await;
    assert_eq!(events(&socket.frames()[from..], &run.thread), all[2..]);
}

#[tokio::test]
async fn nothing_comes_without_a_subscription() {
    let server = Setup::new().start().await;
    let user = User::dev(&server).await;
    let (silent, watching) = (user.connect().await, user.connect().await);
    let ack = silent.call(crate::support::frame::frame("start_agent", json!({ "content": "What is 2 + 2?" }))).await;
    let run = Run { thread: acked(&ack, "thread_id"), id: acked(&ack, "run_id") };
    watching.call(on(&run.thread, "subscribe", json!({ "after_seq": 0 }))).await;
    ended(&watching, &run).await;
    silent.alive().await;
    assert_eq!(events(&silent.frames(), &run.thread), Vec::<Value>::new(), "a command subscribes nothing");
}

#[tokio::test]
async fn unsubscribe_stops_the_events_of_this_socket_alone() {
    let (provider, _) = counting(60, 10).await;
    let server = Setup::new().assistant(&provider).start().await;
    let user = User::dev(&server).await;
    let (leaving, staying) = (user.connect().await, user.connect().await);
    let run = start_run(&leaving, "assistant", "Count.").await;
    staying.call(on(&run.thread, "subscribe", json!({ "after_seq": 0 }))).await;
    event(&leaving, &run, "partial_result").await;
    let answer = leaving.call(on(&run.thread, "unsubscribe", json!({}))).await;
    assert_eq!(answer["type"], "unsubscribed", "{answer}");
    let position = leaving.frames().iter().position(|f| f["id"] == answer["id"]).expect("the answer");
    ended(&staying, &run).await;
    leaving.alive().await;
    assert_eq!(events(&leaving.frames()[position..], &run.thread), Vec::<Value>::new());
    check_run(&staying.frames(), &run);
    check_dense(&staying.frames(), &run.thread, 1);
}

#[tokio::test]
async fn a_cut_in_the_middle_of_a_run_loses_and_repeats_nothing() {
    let (provider, answer) = counting(150, 10).await;
    let server = Setup::new().assistant(&provider).start().await;
    let user = User::dev(&server).await;
    let mut socket = user.connect().await;
    let run = start_run(&socket, "assistant", "Count.").await;
    let mut seen: Vec<Value> = Vec::new();
    let mut cuts = 0;
    loop {
        tokio::time::sleep(Duration::from_millis(120)).await;
        seen.extend(events(&socket.cut().await, &run.thread));
        cuts += 1;
        socket = user.connect().await;
        let last = seen.last().cloned().unwrap_or_else(|| json!({ "seq": 0 }));
        let after = last["seq"].as_u64().expect("seq");
        let cursor =
            if after == 0 { json!({ "after_seq": 0 }) } else { json!({ "after_seq": after, "epoch": last["epoch"] }) };
        let subscribed = socket.call(on(&run.thread, "subscribe", cursor)).await;
        assert_eq!(subscribed["payload"]["mode"], "resumed", "{subscribed}");
        if cuts >= 3 && seen.iter().any(|f| f["type"] == "partial_result") {
            break;
        }
    }
    let over = seen.iter().any(|f| f["type"] == "agent_completed");
    assert!(!over, "the run outlives the cuts, or they prove nothing");
    ended(&socket, &run).await;
    seen.extend(events(&socket.frames(), &run.thread));
    check_dense(&seen, &run.thread, 1);
    check_run(&seen, &run);
    check_answer(&seen, &run, &answer);
    assert_eq!(provider.requests().len(), 1, "the run never noticed");
}

#[tokio::test]
async fn events_over_http_are_the_frames_of_the_socket() {
    let server = Setup::new().start().await;
    let user = User::dev(&server).await;
    let socket = user.connect().await;
    let run = start_run(&socket, "guide", "What is 6 times 7?").await;
    let end = ended(&socket, &run).await;
    let all = events(&socket.frames(), &run.thread);
    let path = format!("/api/threads/{}/events", run.thread);

    let page = user.get(&format!("{path}?after_seq=0&limit=1000")).await.ok();
    assert_eq!((&page["epoch"], &page["head_seq"]), (&end["epoch"], &end["seq"]));
    assert_eq!(page["events"], json!(all), "frame by frame");
    assert_eq!(user.get(&path).await.ok()["events"], json!(all), "from the start by default");

    let (mut read, mut after) = (Vec::new(), 0);
    loop {
        let page = user.get(&format!("{path}?after_seq={after}&limit=3")).await.ok();
        let events = page["events"].as_array().expect("events").clone();
        assert!(events.len() <= 3, "{} events", events.len());
        let Some(last) = events.last() else { break };
        after = last["seq"].as_u64().expect("seq");
        read.extend(events);
    }
    assert_eq!(read, all, "page by page");
    for bad in ["limit=many", "after_seq=x"] {
        assert_eq!(user.get(&format!("{path}?{bad}")).await.error(), (400, "invalid_payload".into()), "{bad}");
    }
}
