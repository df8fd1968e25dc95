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
