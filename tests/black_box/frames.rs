//! Bad frames are answered in the protocol's own codes, logged and survived (§3, §8).

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use uuid::Uuid;

use crate::support::{
    frame::{check_envelope, error_code, frame, on},
    rules::{check_answer, check_run, ended, start_run},
    server::Setup,
    user::User,
};

struct Case {
    name: &'static str,
    message: Message,
    /// Any of these; where the contract leaves a choice there is more than one.
    codes: &'static [&'static str],
    /// The id that the answer must name.
    reply_to: Option<String>,
}

fn text(name: &'static str, text: &str, codes: &'static [&'static str]) -> Case {
    Case { name, message: Message::text(text), codes, reply_to: None }
}

/// A frame whose id can be read, so that the answer must name it.
fn named(name: &'static str, frame: &Value, codes: &'static [&'static str]) -> Case {
    let reply_to = Some(frame["id"].as_str().expect("the case has an id").to_owned());
    Case { name, message: Message::text(frame.to_string()), codes, reply_to }
}

/// A ping with one field changed; `null` takes it away.
fn ping_with(field: &str, value: Value) -> Value {
    let mut frame = frame("ping", json!({}));
    if value.is_null() {
        frame.as_object_mut().expect("an object").remove(field);
    } else {
        frame[field] = value;
    }
    frame
}

fn cases() -> Vec<Case> {
    let stranger = Uuid::now_v7().to_string();
    let twice = Value::String(frame("ping", json!({})).to_string()).to_string();
    vec![
        text("no JSON", "{nope", &["malformed_json"]),
        text("nothing", "", &["malformed_json"]),
        text("half a frame", r#"{"v":1,"type":"ping","id":"#, &["malformed_json"]),
        text("two frames in one", &format!("{0}{0}", frame("ping", json!({}))), &["malformed_json"]),
        text("an array", "[1,2]", &["malformed_json", "invalid_payload"]),
        text("a number", "7", &["malformed_json", "invalid_payload"]),
        text("null", "null", &["malformed_json", "invalid_payload"]),
        text("encoded twice", &twice, &["double_encoded"]),
        text("no id", &ping_with("id", Value::Null).to_string(), &["invalid_payload", "malformed_json"]),
        text(
            "an id that is no uuid",
            &ping_with("id", json!("seven")).to_string(),
            &["invalid_payload", "malformed_json"],
        ),
        text("a number for an id", &ping_with("id", json!(7)).to_string(), &["invalid_payload", "malformed_json"]),
        named("no version", &ping_with("v", Value::Null), &["unsupported_version"]),
        named("another version", &ping_with("v", json!(99)), &["unsupported_version"]),
        named("a version in quotes", &ping_with("v", json!("1")), &["unsupported_version"]),
        named("no type", &ping_with("type", Value::Null), &["unknown_type", "invalid_payload", "malformed_json"]),
        named("an unknown type", &frame("no_such_type", json!({})), &["unknown_type"]),
        named("a type of the server's", &frame("agent_started", json!({})), &["unknown_type"]),
        named("a payload that is a string", &ping_with("payload", json!("{}")), &["payload_not_object"]),
        named("a payload that is an array", &ping_with("payload", json!([])), &["payload_not_object"]),
        named("no payload", &ping_with("payload", Value::Null), &["payload_not_object", "invalid_payload"]),
        named("a field of another type", &frame("start_agent", json!({ "content": 5 })), &["invalid_payload"]),
        named("a field missing", &frame("start_agent", json!({})), &["invalid_payload"]),
        named("a message without a thread", &frame("user_message", json!({ "content": "x" })), &["invalid_payload"]),
        named("a thread that is no uuid", &on("seven", "subscribe", json!({})), &["invalid_payload"]),
        named(
            "a cursor that is no number",
            &on(&stranger, "subscribe", json!({ "after_seq": "1" })),
            &["invalid_payload"],
        ),
        named("a run that is no uuid", &frame("stop_agent", json!({ "run_id": "seven" })), &["invalid_payload"]),
        named("a thread that does not exist", &on(&stranger, "subscribe", json!({})), &["not_found"]),
        named("a message to it", &on(&stranger, "user_message", json!({ "content": "x" })), &["not_found"]),
        named(
            "an agent nobody knows",
            &frame("start_agent", json!({ "agent": "nobody", "content": "x" })),
            &["agent_unknown"],
        ),
        Case { name: "binary", message: Message::binary(vec![0, 1, 2]), codes: &["unsupported_frame"], reply_to: None },
    ]
}

#[tokio::test]
async fn a_bad_frame_is_answered_logged_and_survived() {
    let server = Setup::new().start().await;
    let user = User::dev(&server).await;
    for case in cases() {
        // One connection each: three malformed frames in ten seconds would close it.
        let socket = user.connect().await;
        let (from, log) = (socket.count(), server.log().len());
        assert!(socket.raw(case.message).await, "{}", case.name);
        let limit = crate::support::PATIENCE;
        let answer = socket.wait_for(from, limit, case.name, |f| f["type"] == "error_message").await;
        let code = error_code(&answer);
        assert!(case.codes.contains(&code), "{}: {code}, wanted {:?}", case.name, case.codes);
        assert_eq!(answer["reply_to"].as_str(), case.reply_to.as_deref(), "{}: {answer}", case.name);
        socket.alive().await;
        server.logged(log, &format!("{}: {code}", case.name), |part| part.contains(code)).await;
    }
    let threads = user.get("/api/threads").await.ok();
    assert_eq!(threads["threads"], json!([]), "no bad frame made a thread");
}

#[tokio::test]
async fn unknown_fields_are_ignored() {
    let server = Setup::new().start().await;
    let socket = User::dev(&server).await.connect().await;
    let mut odd = frame("ping", json!({ "nonce": "n", "colour": "blue" }));
    odd["priority"] = json!({ "level": 9 });
    let pong = socket.call(odd).await;
    assert_eq!((&pong["type"], &pong["payload"]), (&json!("pong"), &json!({ "nonce": "n" })), "{pong}");
    let pong = socket.call(frame("ping", json!({}))).await;
    assert_eq!(pong["payload"], json!({}), "no nonce is left out, not null");
}

#[tokio::test]
async fn the_third_malformed_frame_in_ten_seconds_closes() {
    let server = Setup::new().start().await;
    let socket = User::dev(&server).await.connect().await;
    for n in 1..=2 {
        let from = socket.count();
        assert!(socket.raw(Message::text("{nope")).await);
        let limit = crate::support::PATIENCE;
        let answer = socket.wait_for(from, limit, "an error", |f| f["type"] == "error_message").await;
        assert_eq!(error_code(&answer), "malformed_json", "frame {n}");
        socket.alive().await;
    }
    assert!(socket.raw(Message::text("{nope")).await);
    socket.closed_with(4400, crate::support::PATIENCE).await;
}

#[tokio::test]
async fn a_well_formed_mistake_closes_nothing() {
    let server = Setup::new().start().await;
    let socket = User::dev(&server).await.connect().await;
    for _ in 0..6 {
        let answer = socket.call(frame("no_such_type", json!({}))).await;
        assert_eq!(error_code(&answer), "unknown_type");
    }
    socket.alive().await;
}

#[tokio::test]
async fn every_frame_of_a_run_keeps_the_envelope() {
    let server = Setup::new().start().await;
    let socket = User::dev(&server).await.connect().await;
    let run = start_run(&socket, "guide", "What is 6 times 7?").await;
    ended(&socket, &run).await;
    socket.call(on(&run.thread, "subscribe", json!({}))).await;
    socket.wait("thread_snapshot", |f| f["type"] == "thread_snapshot").await;
    let frames = socket.frames();
    frames.iter().for_each(check_envelope);
    check_run(&frames, &run);
    let ids: std::collections::HashSet<&str> = frames.iter().filter_map(|f| f["id"].as_str()).collect();
    assert_eq!(ids.len(), frames.len(), "each frame has its own id");
    let whole = frames.iter().find(|f| f["type"] == "agent_response").expect("an answer")["payload"]["content"].clone();
    check_answer(&frames, &run, whole.as_str().expect("text"));
}

#[tokio::test]
async fn what_only_the_server_sets_is_ignored_in_a_clients_frame() {
    let server = Setup::new().start().await;
    let socket = User::dev(&server).await.connect().await;
    for (field, values) in [
        ("ts", [json!("yesterday"), json!(7), json!({}), Value::Null]),
        ("seq", [json!("one"), json!(-1), json!(1.5), json!([])]),
        ("epoch", [json!(7), json!({}), json!([]), json!(false)]),
        ("run_id", [json!("none"), json!(7), json!({}), json!("")]),
    ] {
        for value in values {
            let mut ping = frame("ping", json!({ "nonce": "n" }));
            ping[field] = value.clone();
            assert_eq!(socket.call(ping).await["type"], "pong", "{field}: {value}");
        }
    }
}

#[tokio::test]
async fn a_whole_number_is_one_however_it_is_written() {
    let server = Setup::new().start().await;
    let user = User::dev(&server).await;
    let thread = user.thread("Numbers").await["id"].as_str().expect("an id").to_owned();
    let socket = user.connect().await;
    let mut ping = frame("ping", json!({}));
    ping["v"] = json!(1.0);
    assert_eq!(socket.call(ping).await["type"], "pong");
    for (after, mode) in [(json!(0.0), "resumed"), (json!(1e3), "snapshot"), (json!(-1.0), "snapshot")] {
        let answer = socket.call(on(&thread, "subscribe", json!({ "after_seq": after }))).await;
        assert_eq!(answer["payload"]["mode"], mode, "{answer}");
    }
    for after in [json!(0.5), json!(1e300), json!("0"), json!([0]), json!(true)] {
        let answer = socket.call(on(&thread, "subscribe", json!({ "after_seq": after }))).await;
        assert_eq!(error_code(&answer), "invalid_payload", "{after}");
    }
    for version in [json!(1.5), json!("1")] {
        let mut ping = frame("ping", json!({}));
        ping["v"] = version.clone();
        assert_eq!(error_code(&socket.call(ping).await), "unsupported_version", "{version}");
    }
}
