//! JSON-RPC 2.0 over the socket: objects go in and come out untouched (§4; JSON-RPC 2.0 §5.1 for the codes).

use serde_json::{Value, json};

use crate::support::{frame::frame, server::Setup, user::User};

#[tokio::test]
async fn a_request_is_answered_under_its_own_id() {
    let server = Setup::new().start().await;
    let socket = User::dev(&server).await.connect().await;
    for id in [json!(7), json!("seven")] {
        let request = json!({ "jsonrpc": "2.0", "id": id, "method": "ping" });
        let answer = socket.call(frame("jsonrpc_request", request)).await;
        assert_eq!(answer["type"], "jsonrpc_response", "{answer}");
        assert_eq!(answer["payload"], json!({ "jsonrpc": "2.0", "id": id, "result": {} }), "{answer}");
    }
}

#[tokio::test]
async fn what_is_wrong_is_said_in_the_codes_of_json_rpc() {
    let server = Setup::new().start().await;
    let socket = User::dev(&server).await.connect().await;
    let cases: [(&str, Value, i64); 3] = [
        ("an unknown method", json!({ "jsonrpc": "2.0", "id": 1, "method": "no/such" }), -32601),
        ("another version", json!({ "jsonrpc": "1.0", "id": 1, "method": "ping" }), -32600),
        ("no method", json!({ "jsonrpc": "2.0", "id": 1 }), -32600),
    ];
    for (name, request, code) in cases {
        let answer = socket.call(frame("jsonrpc_request", request)).await;
        assert_eq!(answer["type"], "jsonrpc_response", "{name}: {answer}");
        assert_eq!(answer["payload"]["error"]["code"], code, "{name}: {answer}");
        assert_eq!(answer["payload"]["id"], 1, "{name}: {answer}");
    }
    let from = socket.count();
    socket.send(&frame("jsonrpc_notification", json!({ "jsonrpc": "2.0", "method": "notifications/no-such" }))).await;
    socket.alive().await;
    assert_eq!(socket.count(), from + 1, "a notification has no answer");
}

#[tokio::test]
async fn the_model_context_protocol_goes_through_the_socket() {
    let server = Setup::new().start().await;
    let socket = User::dev(&server).await.connect().await;
    let call = async |id: Value, method: &str, params: Value| {
        let request = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        let answer = socket.call(frame("jsonrpc_request", request)).await;
        assert_eq!((&answer["type"], &answer["payload"]["id"]), (&json!("jsonrpc_response"), &id), "{answer}");
        answer["payload"].clone()
    };
    let client = json!({
        "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": { "name": "test", "version": "1" },
    });
    let begun = call(json!(1), "initialize", client).await;
    assert_eq!(begun["result"]["protocolVersion"], "2025-06-18", "{begun}");
    assert_eq!(begun["result"]["serverInfo"]["name"], "netra", "{begun}");
    socket
        .send(&frame("jsonrpc_notification", json!({ "jsonrpc": "2.0", "method": "notifications/initialized" })))
        .await;
    let tools = call(json!("tools"), "tools/list", json!({})).await;
    assert_eq!(tools["result"]["tools"][0]["name"], "guide", "{tools}");

    let asked =
        json!({ "name": "guide", "arguments": { "task": "What is 6*7?" }, "_meta": { "progressToken": "mine" } });
    let answer = call(json!(3), "tools/call", asked).await;
    assert!(answer["result"]["content"][0]["text"].as_str().is_some_and(|text| text.contains("42")), "{answer}");
    let frames = socket.frames();
    let told: Vec<&Value> = frames.iter().filter(|frame| frame["type"] == "jsonrpc_notification").collect();
    assert!(told.len() >= 3, "{told:?}");
    for notification in told {
        assert_eq!(notification["payload"]["method"], "notifications/progress", "{notification}");
        assert_eq!(notification["payload"]["params"]["progressToken"], "mine", "{notification}");
        assert!(notification.get("seq").is_none(), "nothing of it is replayed: {notification}");
    }
    let uri = answer["result"]["content"][1]["uri"].clone();
    let read = call(json!(4), "resources/read", json!({ "uri": uri })).await;
    assert!(read["result"]["contents"][0]["text"].as_str().is_some_and(|text| text.contains("What is 6*7?")), "{read}");
    let prompts = call(json!(5), "prompts/list", json!({})).await;
    assert_eq!(prompts["result"]["prompts"], json!([]), "{prompts}");

    for (method, params, code) in [
        ("tools/call", json!({ "name": "nobody", "arguments": { "task": "x" } }), -32602),
        ("tools/call", json!({ "name": 5 }), -32602),
        ("tools/call", json!({}), -32602),
        ("resources/read", json!({ "uri": "netra://threads/nothing" }), -32002),
        ("no/such", json!({}), -32601),
    ] {
        let answer = call(json!(method), method, params).await;
        assert_eq!(answer["error"]["code"], code, "{answer}");
    }
    for id in [json!(null), json!({}), json!(1.5), json!([1])] {
        let request = json!({ "jsonrpc": "2.0", "id": id, "method": "tools/list" });
        let answer = socket.call(frame("jsonrpc_request", request)).await;
        assert_eq!((&answer["payload"]["error"]["code"], &answer["payload"]["id"]), (&json!(-32600), &id), "{answer}");
    }
    for odd in [json!({}), json!({ "jsonrpc": "2.0" }), json!({ "jsonrpc": "2.0", "method": 5 })] {
        socket.send(&frame("jsonrpc_notification", odd)).await;
    }
    socket.alive().await;
}

#[tokio::test]
async fn ids_are_the_connections_own_and_open_requests_have_a_limit() {
    let provider = crate::support::provider::Provider::start(|_| {
        crate::support::script::Stream::new().texts(400, "tick ", std::time::Duration::from_millis(50)).end("stop")
    })
    .await;
    let server = Setup::new().assistant(&provider).start().await;
    let user = User::dev(&server).await;
    let (one, other) = (user.connect().await, user.connect().await);
    let call = |id: u64| {
        let params = json!({ "name": "assistant", "arguments": { "task": "count" } });
        frame("jsonrpc_request", json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params }))
    };
    one.send(&call(1)).await;
    // While it works, its id is taken here, and free there.
    let again = one.call(call(1)).await;
    assert_eq!(again["payload"]["error"]["code"], -32600, "{again}");
    let ping = frame("jsonrpc_request", json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" }));
    assert_eq!(other.call(ping).await["payload"]["result"], json!({}));

    // Cancelled, the run stops, and the call has its end.
    let cancel = json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 1 } });
    let end = std::time::Instant::now() + crate::support::PATIENCE;
    let thread = loop {
        let threads = user.get("/api/threads").await.ok();
        if let Some(thread) = threads["threads"][0]["id"].as_str() {
            break thread.to_owned();
        }
        assert!(std::time::Instant::now() < end, "the call makes a conversation");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    };
    one.send(&frame("jsonrpc_notification", cancel)).await;
    loop {
        let events = user.get(&format!("/api/threads/{thread}/events")).await.ok();
        let stopped = |event: &Value| event["type"] == "agent_completed" && event["payload"]["status"] == "stopped";
        if events["events"].as_array().is_some_and(|events| events.iter().any(stopped)) {
            break;
        }
        assert!(std::time::Instant::now() < end, "{events}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}
