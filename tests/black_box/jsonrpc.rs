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
    let list = json!({ "jsonrpc": "2.0", "id": 8, "method": "tools/list", "params": {} });
    let answer = socket.call(frame("jsonrpc_request", list)).await;
    let tools = answer["payload"]["result"]["tools"].as_array().unwrap_or_else(|| panic!("no tools in {answer}"));
    let names: Vec<&str> = tools.iter().filter_map(|t| t["name"].as_str()).collect();
    for name in ["calculate", "date_time", "search_conversations", "search_docs"] {
        assert!(names.contains(&name), "{names:?}");
    }
    let call = json!({ "jsonrpc": "2.0", "id": 9, "method": "tools/call",
        "params": { "name": "calculate", "arguments": { "expression": "6*7" } } });
    let answer = socket.call(frame("jsonrpc_request", call)).await;
    assert!(answer["payload"]["result"].to_string().contains("42"), "{answer}");
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
