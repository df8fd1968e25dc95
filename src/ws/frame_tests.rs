use serde_json::{Value, json};

use super::*;

#[path = "frame_tests/arbitrary.rs"]
mod arbitrary;
#[path = "frame_tests/examples.rs"]
mod examples;

const ID: &str = "01936d1c-0000-7000-8000-000000000001";

/// A frame with every field of the envelope, or with none that can be left out.
fn envelope_example<M>(full: bool, message: M) -> Frame<M> {
    let mut frame = Frame::new(message);
    if full {
        frame.ts = Some(Timestamp::from_millis(1_763_632_800_123));
        frame.thread_id = Some(ThreadId::new());
        frame.run_id = Some(RunId::new());
        frame.epoch = Some("0000aaaa".to_owned());
        frame.seq = Some(17);
        frame.reply_to = Some(FrameId::new());
    }
    frame
}

fn has_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.iter().any(has_null),
        Value::Object(fields) => fields.values().any(has_null),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

fn round_trips<M: FrameMessage + Clone + std::fmt::Debug + PartialEq>(examples: impl Fn(bool) -> Vec<M>) {
    for full in [true, false] {
        let names: Vec<_> = examples(full).iter().map(|message| message.info().name).collect();
        let types: Vec<_> = M::TYPES.iter().map(|info| info.name).collect();
        assert_eq!(names, types, "one example of each type, in the order of the table");
        for message in examples(full) {
            let frame = envelope_example(full, message);
            let text = frame.encode().expect("encodes");
            let value: Value = serde_json::from_str(&text).expect("JSON");
            // What only the server sets is not read from a client's frame.
            let by_server = M::TYPES.iter().any(|info| info.durable);
            let read =
                if by_server { frame } else { Frame { ts: None, run_id: None, epoch: None, seq: None, ..frame } };
            assert_eq!(Frame::<M>::decode(&text).as_ref(), Ok(&read), "{text}");
            assert!(value["payload"].is_object(), "the payload is an object: {text}");
            assert!(!has_null(&value), "what is absent is left out: {text}");
            assert_eq!(value.as_object().map_or(0, Map::len), if full { 10 } else { 4 }, "{text}");
        }
    }
}

#[test]
fn every_client_message_round_trips() {
    round_trips(examples::client);
}

#[test]
fn every_server_message_round_trips() {
    round_trips(examples::server);
}

#[test]
fn the_critical_events_keep_their_names() {
    let durable: Vec<_> = ServerMessage::TYPES.iter().filter(|info| info.durable).map(|info| info.name).collect();
    let events: Vec<_> = Event::TYPES.iter().map(|info| info.name).collect();
    assert_eq!(durable, events, "durable is a type");
    for name in ["agent_started", "agent_thinking", "tool_executing", "tool_completed", "agent_completed"] {
        assert!(durable.contains(&name), "{name}");
    }
    assert!(ClientMessage::TYPES.iter().all(|info| !info.durable), "a client makes no events");
    let ends = |message: &ServerMessage| message.event().is_some_and(Event::is_terminal).then_some(message.info().name);
    let terminal: Vec<_> = examples::server(true).iter().filter_map(ends).collect();
    assert_eq!(terminal, ["agent_completed", "agent_error"]);
}

/// The name of the type that a text decodes to, or the code that it is refused with.
fn outcome(text: &str) -> Result<&'static str, ErrorCode> {
    ClientFrame::decode(text).map(|frame| frame.message.info().name).map_err(|error| error.code)
}

#[test]
fn what_is_no_frame() {
    let check = |text: &str, code: ErrorCode| assert_eq!(outcome(text), Err(code), "{text}");
    check("", ErrorCode::MalformedJson);
    check("{", ErrorCode::MalformedJson);
    check("ping", ErrorCode::MalformedJson);
    check("{} {}", ErrorCode::MalformedJson);
    check("[]", ErrorCode::MalformedJson);
    check("[{}]", ErrorCode::MalformedJson);
    check("1", ErrorCode::MalformedJson);
    check("null", ErrorCode::MalformedJson);
    check("true", ErrorCode::MalformedJson);
    check("\"\"", ErrorCode::DoubleEncoded);
    check("\"ping\"", ErrorCode::DoubleEncoded);
    check("{}", ErrorCode::UnsupportedVersion);
    check(&"[".repeat(100_000), ErrorCode::MalformedJson);
    check(&"{\"a\":".repeat(100_000), ErrorCode::MalformedJson);
}

#[test]
fn a_frame_that_was_encoded_twice_is_refused() {
    for message in examples::client(true) {
        let once = Frame::new(message).encode().expect("encodes");
        let twice = serde_json::to_string(&once).expect("encodes");
        assert_eq!(outcome(&twice), Err(ErrorCode::DoubleEncoded), "{twice}");
        let mut wrapped: Value = serde_json::from_str(&once).expect("JSON");
        wrapped["payload"] = wrapped["payload"].to_string().into();
        assert_eq!(outcome(&wrapped.to_string()), Err(ErrorCode::PayloadNotObject), "{wrapped}");
    }
    for message in examples::server(true) {
        let once = Frame::new(message).encode().expect("encodes");
        let twice = serde_json::to_string(&once).expect("encodes");
        assert_eq!(ServerFrame::decode(&twice).map_err(|error| error.code), Err(ErrorCode::DoubleEncoded));
    }
}

/// A good `ping` with one field put in its place; `None` takes the field out.
fn ping(field: &str, value: Option<Value>) -> String {
    let mut frame = json!({ "v": 1, "type": "ping", "id": ID, "payload": { "nonce": "n" } });
    match (value, frame.as_object_mut()) {
        (Some(value), Some(object)) => drop(object.insert(field.to_owned(), value)),
        (None, Some(object)) => drop(object.remove(field)),
        (_, None) => {}
    }
    frame.to_string()
}

#[test]
fn the_envelope_is_checked_field_by_field() {
    let refused = |field: &str, value: Option<Value>, code: ErrorCode| {
        let text = ping(field, value);
        let error = ClientFrame::decode(&text).expect_err(&text);
        assert_eq!(error.code, code, "{text}");
        let id = (field != "id").then(|| ID.parse().expect("a UUID"));
        assert_eq!(error.reply_to, id, "the answer names the frame if it can: {text}");
    };
    assert_eq!(outcome(&ping("v", Some(json!(1)))), Ok("ping"));
    for v in
        [None, Some(json!(0)), Some(json!(99)), Some(json!("1")), Some(json!(1.5)), Some(json!(-1)), Some(Value::Null)]
    {
        refused("v", v, ErrorCode::UnsupportedVersion);
    }
    for id in [None, Some(json!("7")), Some(json!(7)), Some(Value::Null), Some(json!({}))] {
        refused("id", id, ErrorCode::InvalidPayload);
    }
    for name in [None, Some(json!("pingg")), Some(json!("Ping")), Some(json!("")), Some(json!(1)), Some(Value::Null)] {
        refused("type", name, ErrorCode::UnknownType);
    }
    for payload in [None, Some(Value::Null), Some(json!([])), Some(json!("{}")), Some(json!(1)), Some(json!(true))] {
        refused("payload", payload, ErrorCode::PayloadNotObject);
    }
    for (field, value) in [("thread_id", json!("7")), ("thread_id", json!([])), ("reply_to", json!("7"))] {
        refused(field, Some(value), ErrorCode::InvalidPayload);
    }
    for (field, value) in [
        ("ts", json!("yesterday")),
        ("ts", json!(1)),
        ("run_id", json!(7)),
        ("epoch", json!(7)),
        ("seq", json!(-1)),
        ("seq", json!("1")),
        ("seq", json!(1.5)),
    ] {
        let text = ping(field, Some(value));
        assert_eq!(outcome(&text), Ok("ping"), "what only the server sets is ignored: {text}");
    }
}

#[test]
fn what_a_later_version_adds_is_ignored() {
    for (field, value) in [("later", json!({ "a": [1] })), ("trace", json!("x")), ("V", json!(2))] {
        assert_eq!(outcome(&ping(field, Some(value))), Ok("ping"));
    }
    assert_eq!(outcome(&ping("payload", Some(json!({ "nonce": "n", "later": 1 })))), Ok("ping"));
    for field in ["ts", "thread_id", "run_id", "epoch", "seq", "reply_to"] {
        let text = ping(field, Some(Value::Null));
        let frame = ClientFrame::decode(&text).expect(&text);
        let absent = (frame.ts.is_none(), frame.thread_id.is_none(), frame.run_id.is_none(), frame.reply_to.is_none());
        assert_eq!(absent, (true, true, true, true));
        assert_eq!((frame.epoch, frame.seq), (None, None));
    }
    assert_eq!(outcome(&ping("payload", Some(json!({ "nonce": null })))), Ok("ping"));
}

#[test]
fn a_long_unknown_type_is_cut_in_the_answer() {
    let text = ping("type", Some(json!("ä".repeat(10_000))));
    let error = ClientFrame::decode(&text).expect_err("no such type");
    assert_eq!(error.code, ErrorCode::UnknownType);
    assert!(error.message.len() < 200, "{}", error.message);
}

#[test]
fn payloads_have_the_shape_of_their_type() {
    let check = |name: &str, payload: Value, expected: Result<&'static str, ErrorCode>| {
        let text = json!({ "v": 1, "type": name, "id": ID, "payload": payload }).to_string();
        assert_eq!(outcome(&text), expected, "{text}");
    };
    check("user_message", json!({ "content": "hi" }), Ok("user_message"));
    check("user_message", json!({}), Err(ErrorCode::InvalidPayload));
    check("user_message", json!({ "content": 1 }), Err(ErrorCode::InvalidPayload));
    check("user_message", json!({ "content": null }), Err(ErrorCode::InvalidPayload));
    check("user_message", json!({ "content": "hi", "parent_id": "7" }), Err(ErrorCode::InvalidPayload));
    check("user_message", json!({ "content": "hi", "attachments": {} }), Err(ErrorCode::InvalidPayload));
    check("user_message", json!({ "content": "hi", "agent": null, "parent_id": null }), Ok("user_message"));
    check("start_agent", json!({ "content": "hi" }), Ok("start_agent"));
    check("start_agent", json!({ "agent": "guide" }), Err(ErrorCode::InvalidPayload));
    check("stop_agent", json!({}), Err(ErrorCode::InvalidPayload));
    check("tool_approval", json!({ "tool_call_id": "c", "decision": "deny" }), Ok("tool_approval"));
    check("tool_approval", json!({ "tool_call_id": "c", "decision": "perhaps" }), Err(ErrorCode::InvalidPayload));
    check("subscribe", json!({}), Ok("subscribe"));
    check("subscribe", json!({ "after_seq": -1 }), Ok("subscribe"));
    check("subscribe", json!({ "after_seq": null, "epoch": null }), Ok("subscribe"));
    check("subscribe", json!({ "after_seq": "1" }), Err(ErrorCode::InvalidPayload));
    check("heartbeat_ack", json!({ "anything": 1 }), Ok("heartbeat_ack"));
    check("authenticate", json!({}), Err(ErrorCode::InvalidPayload));
    check("room_message", json!({ "room": "r", "body": "text" }), Err(ErrorCode::InvalidPayload));
    check("room_message", json!({ "room": "r", "body": {} }), Ok("room_message"));
    check("jsonrpc_request", json!({ "jsonrpc": "2.0", "id": 1, "method": "m" }), Ok("jsonrpc_request"));
    // A server's message is none that a client may send.
    check("agent_started", json!({ "agent": "guide", "iteration": 1 }), Err(ErrorCode::UnknownType));
}

fn incoming(text: &str) -> Incoming {
    serde_json::from_str(text).expect("JSON")
}

#[test]
fn a_client_ignores_what_it_does_not_know() {
    let frame = |name: &str, payload: Value| json!({ "v": 1, "type": name, "id": ID, "payload": payload }).to_string();
    assert_eq!(incoming(&frame("agent_dreaming", json!({}))), Incoming::Unknown(None));
    let event = json!({ "v": 1, "type": "agent_dreaming", "id": ID, "payload": {}, "thread_id": ID, "epoch": "0000aaaa", "seq": 7 });
    let Incoming::Unknown(Some(place)) = incoming(&event.to_string()) else { panic!("an event") };
    // A code of a later server is read; what a client does follows from `retryable`.
    let later = frame("error_message", json!({ "code": "teapot", "message": "short and stout", "retryable": true }));
    let Incoming::Frame(later) = incoming(&later) else { panic!("a frame") };
    let ServerMessage::ErrorMessage(later) = later.message else { panic!("an error") };
    assert_eq!((later.code.as_str(), later.retryable), ("unknown", true));
    assert_eq!(later.code.to_string(), "teapot");
    assert_eq!((place.epoch.as_str(), place.seq), ("0000aaaa", 7));
    assert!(matches!(incoming(&frame("heartbeat", json!({}))), Incoming::Frame(_)));
    let check = |text: &str, code: ErrorCode| match incoming(text) {
        Incoming::Bad(error, None) => assert_eq!(error.code, code, "{text}"),
        other => panic!("{text}: {other:?}"),
    };
    check(&frame("ack", json!({})), ErrorCode::InvalidPayload);
    check(&frame("ack", json!("{}")), ErrorCode::PayloadNotObject);
    check("\"text\"", ErrorCode::DoubleEncoded);
    check("[]", ErrorCode::MalformedJson);
    check("{\"v\":2}", ErrorCode::UnsupportedVersion);
}

fn stored(event: &Event, run_id: Option<RunId>) -> StoredEvent {
    let payload = event.payload().and_then(|payload| serde_json::value::to_raw_value(&payload));
    StoredEvent {
        id: FrameId::new(),
        ts: Timestamp::from_millis(1_763_632_800_123),
        thread_id: ThreadId::new(),
        run_id,
        epoch: "0000aaaa".to_owned(),
        seq: 17,
        name: event.info().name.to_owned(),
        payload: payload.expect("JSON"),
    }
}

#[test]
fn a_stored_event_is_the_frame() {
    for message in examples::server(true).into_iter().chain(examples::server(false)) {
        let Some(happened) = message.event() else { continue };
        for run_id in [Some(RunId::new()), None] {
            let event = stored(happened, run_id);
            let frame = event.decode().expect("decodes");
            assert_eq!(&frame.message, happened);
            let json = |text: String| serde_json::from_str::<Value>(&text).expect("JSON");
            assert_eq!(json(event.encode().expect("encodes")), json(frame.encode().expect("encodes")));
            assert_eq!(ServerFrame::decode(&event.encode().expect("encodes")), Ok(frame.into()));
        }
    }
}

#[test]
fn a_stored_event_that_cannot_be_read_is_an_error() {
    let error = crate::payload::AgentError {
        agent: "guide".into(),
        code: ErrorCode::Internal,
        message: String::new(),
        retryable: false,
    };
    let good = stored(&Event::AgentError(error), None);
    assert!(good.decode().is_ok());
    let check = |name: &str, payload: &str, code: ErrorCode| {
        let payload = RawValue::from_string(payload.to_owned()).expect("JSON");
        let event = StoredEvent { name: name.to_owned(), payload, ..good.clone() };
        assert_eq!(event.decode().map_err(|error| error.code), Err(code), "{name}");
    };
    check("agent_dreaming", "{}", ErrorCode::UnknownType);
    check("heartbeat", "{}", ErrorCode::UnknownType);
    check("agent_started", "{}", ErrorCode::Internal);
    check("agent_started", "\"{}\"", ErrorCode::Internal);
}
