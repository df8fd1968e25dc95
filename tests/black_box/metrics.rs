//! `/metrics`: who may ask, and what it counts (R23).

use std::{collections::HashMap, time::Duration};

use serde_json::json;

use crate::support::{
    answer::{Answer, http},
    frame::{frame, on},
    handshake::Handshake,
    port,
    provider::{Provider, always},
    rules::{ended, event, start_run},
    script::{Reply, Stream},
    server::{Server, Setup},
    user::User,
};

const TOKEN: &str = "a token for prometheus alone";

/// The samples, by name and labels as written.
async fn scrape(base: &str) -> HashMap<String, f64> {
    let answer = Answer::of(http().get(format!("{base}/metrics"))).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert!(answer.header("content-type").starts_with("application/openmetrics-text"));
    assert!(answer.body.ends_with("# EOF\n"), "{}", answer.body);
    let samples = answer.body.lines().filter(|line| !line.starts_with('#'));
    samples
        .map(|line| {
            let (name, value) = line.rsplit_once(' ').expect("a name and a value");
            (name.to_owned(), value.parse().expect("a number"))
        })
        .collect()
}

fn count(samples: &HashMap<String, f64>, name: &str) -> f64 {
    samples.get(name).copied().unwrap_or_default()
}

async fn fresh(server: &Server) -> HashMap<String, f64> {
    tokio::time::sleep(Duration::from_millis(300)).await;
    scrape(&server.base).await
}

#[tokio::test]
async fn what_happens_is_counted() {
    let provider = Provider::start(always(Reply::error(401, "no"))).await;
    let server = Setup::new().assistant(&provider).start().await;
    let user = User::dev(&server).await;
    let socket = user.connect().await;
    let run = start_run(&socket, "guide", "What is 6 times 7?").await;
    ended(&socket, &run).await;
    let failed = start_run(&socket, "assistant", "Hello.").await;
    ended(&socket, &failed).await;
    socket.call(frame("no_such_type", json!({}))).await;
    socket.call(on(&uuid::Uuid::now_v7().to_string(), "subscribe", json!({ "after_seq": 0 }))).await;
    let nothing = Handshake { protocols: String::new(), ..Handshake::with_token("") };
    assert_eq!(nothing.send(&server).await.status, 400);

    let counted = fresh(&server).await;
    for (name, wanted) in [
        ("netra_connections", 1.0),
        ("netra_users", 1.0),
        ("netra_subscriptions", 2.0),
        (r#"netra_handshakes_total{outcome="accepted"}"#, 1.0),
        (r#"netra_handshakes_total{outcome="unsupported_protocol"}"#, 1.0),
        (r#"netra_frames_total{direction="in",type="start_agent"}"#, 2.0),
        (r#"netra_frames_total{direction="out",type="connect"}"#, 1.0),
        (r#"netra_frames_total{direction="out",type="agent_completed"}"#, 1.0),
        (r#"netra_frames_rejected_total{code="unknown_type"}"#, 1.0),
        (r#"netra_commands_refused_total{code="not_found"}"#, 1.0),
        (r#"netra_runs_total{outcome="completed"}"#, 1.0),
        (r#"netra_runs_total{outcome="upstream_unavailable"}"#, 1.0),
        (r#"netra_tool_calls_total{tool="calculate",status="ok"}"#, 1.0),
        (r#"netra_upstream_requests_total{outcome="refused"}"#, 1.0),
        ("netra_append_failures_total", 0.0),
    ] {
        assert!((count(&counted, name) - wanted).abs() < 0.5, "{name} is {} and not {wanted}", count(&counted, name));
    }
    let mixed = counted.keys().filter(|name| name.starts_with("netra_frames_rejected") && name.contains("not_found"));
    assert_eq!(mixed.count(), 0, "what is refused is not what cannot be read");
    assert!(count(&counted, "netra_append_seconds_count") > 3.0);
    assert!(count(&counted, r#"netra_frame_bytes_total{direction="out",type="connect"}"#) > 100.0);

    socket.cut().await;
    let end = tokio::time::Instant::now() + crate::support::PATIENCE;
    while count(&fresh(&server).await, "netra_connections") > 0.0 {
        assert!(tokio::time::Instant::now() < end, "the gauge stays");
    }
}

/// A stream that breaks after its 200 is no request that went well, and one that a person stopped is neither.
#[tokio::test]
async fn answers_of_models_are_counted_when_they_are_over() {
    let provider = Provider::start(|request| match &*request.prompt() {
        "Break off." => Stream::new().text("It is").abort(),
        "Talk on." => Stream::new().texts(2_000, "tick ", Duration::from_millis(10)).end("stop"),
        _ => Reply::text("Well."),
    })
    .await;
    let server = Setup::new().assistant(&provider).start().await;
    let socket = User::dev(&server).await.connect().await;
    for prompt in ["Be well.", "Break off."] {
        ended(&socket, &start_run(&socket, "assistant", prompt).await).await;
    }
    let long = start_run(&socket, "assistant", "Talk on.").await;
    event(&socket, &long, "partial_result").await;
    socket.call(frame("stop_agent", json!({ "run_id": long.id }))).await;
    ended(&socket, &long).await;
    let counted = fresh(&server).await;
    for (outcome, wanted) in [("ok", 1.0), ("broken", 1.0), ("stopped", 1.0), ("refused", 0.0)] {
        let name = format!(r#"netra_upstream_requests_total{{outcome="{outcome}"}}"#);
        assert!((count(&counted, &name) - wanted).abs() < 0.5, "{name} is {}", count(&counted, &name));
    }
}

#[tokio::test]
async fn what_pages_cannot_read_is_counted_within_a_rate() {
    let server = Setup::new().start().await;
    let user = User::dev(&server).await;
    let report =
        async |code: &str, frames: u64| user.post("/api/unread", json!({ "code": code, "frames": frames })).await;
    assert_eq!(report("unknown_type", 3).await.status, 204);
    assert_eq!(report("invalid_payload", 1).await.status, 204);
    for (code, frames) in [("made_up", 1), ("internal", 1), ("unknown_type", 0), ("unknown_type", 10_001)] {
        assert_eq!(report(code, frames).await.error(), (400, "invalid_payload".into()), "{code} {frames}");
    }
    let nobody = User::visitor(&server).post("/api/unread", json!({ "code": "unknown_type", "frames": 1 })).await;
    assert_eq!(nobody.error(), (401, "unauthenticated".into()));
    let counted = fresh(&server).await;
    let of = |code: &str| count(&counted, &format!(r#"netra_page_frames_unread_total{{code="{code}"}}"#));
    assert!((of("unknown_type") - 3.0).abs() < 0.5 && (of("invalid_payload") - 1.0).abs() < 0.5, "{counted:?}");
    assert!(!counted.keys().any(|name| name.contains("made_up")), "labels are closed sets");
    server.logged(0, "the report", |log| log.contains("a page cannot read frames")).await;

    let mut refused = 0;
    for _ in 0..40 {
        refused += u64::from(report("unknown_type", 1_000).await.status == 429);
    }
    assert!(refused >= 20, "{refused} of 40 were refused");
}

#[tokio::test]
async fn a_token_is_asked_for_when_one_is_set() {
    let server = Setup::new().set("NETRA_METRICS_TOKEN", TOKEN).start().await;
    let address = format!("{}/metrics", server.base);
    assert_eq!(Answer::of(http().get(&address)).await.error(), (401, "unauthenticated".into()));
    assert_eq!(Answer::of(http().get(&address).bearer_auth("wrong")).await.status, 401);
    let user = User::dev(&server).await;
    assert_eq!(user.get("/metrics").await.status, 401, "a sign-in is not enough");
    assert_eq!(Answer::of(http().get(&address).bearer_auth(TOKEN)).await.status, 200);
    assert!(!server.log().contains(TOKEN), "the token is in the log");
}

#[tokio::test]
async fn a_published_server_shows_nothing_without_a_token() {
    let server =
        Setup::new().set("NETRA_PUBLIC_URL", "https://chat.example.org").set("NETRA_AUTH", "password").start().await;
    let answer = Answer::of(http().get(format!("{}/metrics", server.base))).await;
    assert_eq!(answer.error(), (403, "forbidden".into()));
}

#[tokio::test]
async fn an_address_of_its_own_serves_metrics_and_nothing_else() {
    let own = port::free();
    let server = Setup::new().set("NETRA_METRICS_ADDR", format!("127.0.0.1:{own}")).start().await;
    let base = format!("http://127.0.0.1:{own}");
    assert!(scrape(&base).await.contains_key("netra_connections"));
    assert_eq!(Answer::of(http().get(format!("{base}/api/config"))).await.status, 404);
    assert_eq!(Answer::of(http().get(format!("{}/metrics", server.base))).await.status, 403);
}

#[tokio::test]
async fn a_thousand_at_once_are_answered() {
    let server = Setup::new().start().await;
    let asked = (0..1_000).map(|_| Answer::of(http().get(format!("{}/metrics", server.base))));
    let answers = futures::future::join_all(asked).await;
    assert!(answers.iter().all(|answer| answer.status == 200));
    User::dev(&server).await.connect().await.alive().await;
}

#[tokio::test]
async fn bad_settings_are_refused() {
    for (name, value) in [("NETRA_METRICS_TOKEN", "short"), ("NETRA_METRICS_ADDR", "everywhere")] {
        let refusal = Setup::new().set(name, value).refused().await;
        assert_eq!(refusal.code, 2, "{name}");
        assert!(refusal.stderr.contains(name) && refusal.stderr.lines().count() == 1, "{}", refusal.stderr);
    }
}
