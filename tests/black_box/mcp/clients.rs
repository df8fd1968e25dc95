//! Our agents as tools: the TypeScript client against `POST /mcp`, and the same JSON-RPC through the socket.

use std::process::Command;

use serde_json::{Value, json};

use super::{becomes, everything, program, script};
use crate::support::{
    answer::{Answer, http},
    provider::Provider,
    script::Stream,
    server::{Server, Setup},
    user::User,
};

/// A token of this user.
async fn token(user: &User, scope: &str) -> String {
    let made = user.post("/api/tokens", json!({ "name": scope, "scope": scope })).await;
    assert_eq!(made.status, 201, "{}", made.body);
    made.json()["token"].as_str().expect("a token").to_owned()
}

/// Sends a message of the protocol.
async fn post(server: &Server, token: &str, body: &str) -> Answer {
    let request = http()
        .post(format!("{}/mcp", server.base))
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .bearer_auth(token)
        .body(body.to_owned());
    Answer::of(request).await
}

/// The messages of an answer: JSON, or events.
fn messages(answer: &Answer) -> Vec<Value> {
    if answer.header("content-type").starts_with("application/json") {
        return vec![answer.json()];
    }
    answer
        .body
        .lines()
        .filter_map(|line| line.strip_prefix("data:"))
        .filter_map(|data| serde_json::from_str(data.trim()).ok())
        .collect()
}

#[tokio::test]
async fn the_typescript_client_does_everything_once() {
    let toml = "[[agents]]\nname = \"guide\"\nkind = \"guide\"\ntools = [\"calculate\", \"mcp:everything/*\"]\n"
        .to_owned()
        + &program("everything", &["node", &everything().display().to_string(), "stdio"]);
    let server = Setup::new().toml(&toml).start().await;
    let user = User::dev(&server).await;
    becomes(&user, "everything", "ready").await;
    let token = token(&user, "chat").await;
    let (address, given) = (format!("{}/mcp", server.base), token.clone());
    let done = tokio::task::spawn_blocking(move || {
        Command::new("node")
            .arg(script("mcp_client.mjs"))
            .args([&address, &given, "everything/simple-prompt"])
            .output()
            .expect("node runs")
    });
    let done = done.await.expect("it ends");
    let said = String::from_utf8_lossy(&done.stdout);
    let outcome: Value = serde_json::from_str(said.trim())
        .unwrap_or_else(|_| panic!("{said}\n{}\n{}", String::from_utf8_lossy(&done.stderr), server.log()));

    assert_eq!(outcome["server"]["name"], "netra", "{outcome}");
    let tools = outcome["tools"].as_array().expect("tools");
    assert_eq!((tools.len(), &tools[0]["name"]), (1, &json!("guide")), "{outcome}");
    assert_eq!(tools[0]["inputSchema"]["required"], json!(["task"]), "{outcome}");
    let text = |answer: &Value| answer["content"][0]["text"].as_str().unwrap_or_default().to_owned();
    assert!(text(&outcome["answer"]).contains("42"), "{outcome}");
    assert!(text(&outcome["again"]).contains("72"), "{outcome}");
    let progress = outcome["progress"].as_array().expect("progress");
    let steps: Vec<f64> = progress.iter().filter_map(|step| step["progress"].as_f64()).collect();
    assert!(steps.len() >= 3 && steps.is_sorted_by(|a, b| a < b), "it grows: {progress:?}");
    assert!(progress.iter().any(|step| step["message"] == "calculate …"), "{progress:?}");

    let uri = outcome["answer"]["content"][1]["uri"].as_str().expect("the conversation");
    let listed = outcome["resources"].as_array().expect("resources");
    assert!(listed.iter().any(|resource| resource["uri"] == uri), "{outcome}");
    let read = outcome["read"][0]["text"].as_str().expect("text");
    assert!(read.contains("What is 6*7?") && read.contains("What is 8*9?") && read.contains("72"), "{read}");
    assert_eq!(outcome["templates"][0]["uriTemplate"], "netra://threads/{thread_id}", "{outcome}");
    let prompts = outcome["prompts"].as_array().expect("prompts");
    assert!(prompts.iter().any(|prompt| prompt["name"] == "everything/simple-prompt"), "{outcome}");
    assert!(outcome["prompt"]["messages"][0]["content"]["text"].is_string(), "{outcome}");
    for what in ["tool", "task", "thread", "uri", "cursor", "prompt"] {
        let code = &outcome["failures"][what];
        assert!(code == &json!(-32602) || (what == "uri" && code == &json!(-32002)), "{what}: {outcome}");
    }
    assert_eq!(outcome["failures"]["resource"], -32002, "{outcome}");
    assert_eq!(outcome["notMine"]["isError"], true, "{outcome}");
}

#[tokio::test]
async fn who_has_no_token_gets_nothing() {
    let server = Setup::new().start().await;
    let (admin, other) = (User::dev(&server).await, User::register(&server).await);
    let ping = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    for wrong in ["", "netra_nothing"] {
        assert_eq!(post(&server, wrong, ping).await.status, 401, "{wrong:?}");
    }
    assert_eq!(post(&server, &token(&admin, "read").await, ping).await.status, 403, "it may not write");
    let by_cookie = admin
        .send(
            reqwest::Method::POST,
            "/mcp",
            Some(ping.to_owned()),
            &[("accept", "application/json, text/event-stream")],
        )
        .await;
    assert_eq!(by_cookie.status, 401, "a cookie is no token: {}", by_cookie.body);
    assert_eq!(by_cookie.header("www-authenticate"), "Bearer");

    // One person's conversations are nobody else's.
    let (mine, theirs) = (token(&admin, "chat").await, token(&other, "chat").await);
    let thread = admin.thread("Mine").await["id"].as_str().expect("an id").to_owned();
    let read = json!({ "jsonrpc": "2.0", "id": 2, "method": "resources/read", "params": { "uri": format!("netra://threads/{thread}") } }).to_string();
    let answer = post(&server, &mine, &read).await;
    assert!(
        messages(&answer)[0]["result"]["contents"][0]["text"].as_str().is_some_and(|text| text.contains("# Mine")),
        "{}",
        answer.body
    );
    let answer = post(&server, &theirs, &read).await;
    assert_eq!(messages(&answer)[0]["error"]["code"], -32002, "{}", answer.body);
    let list = r#"{"jsonrpc":"2.0","id":3,"method":"resources/list"}"#;
    let answer = post(&server, &theirs, list).await;
    assert_eq!(messages(&answer)[0]["result"]["resources"], json!([]), "{}", answer.body);
}

#[tokio::test]
async fn what_cannot_be_read_is_refused() {
    let server = Setup::new().start().await;
    let token = token(&User::dev(&server).await, "chat").await;
    for body in ["", "{", "[]", "17", "\"x\"", r#"{"jsonrpc":"2.0"}"#, r#"{"id":1,"method":"ping"}"#] {
        let answer = post(&server, &token, body).await;
        assert!((400..500).contains(&answer.status), "{body}: {} {}", answer.status, answer.body);
    }
    let large = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"ping","params":{{"x":"{}"}}}}"#, "y".repeat(3 << 20));
    assert!((400..500).contains(&post(&server, &token, &large).await.status));
    let unknown = post(&server, &token, r#"{"jsonrpc":"2.0","id":1,"method":"no/such"}"#).await;
    assert_eq!(messages(&unknown)[0]["error"]["code"], -32601, "{}", unknown.body);
    assert_eq!(
        post(&server, &token, r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#).await.status,
        200,
        "it still serves"
    );
    let get = Answer::of(http().get(format!("{}/mcp", server.base)).bearer_auth(&token)).await;
    assert_eq!((get.status, get.header("allow")), (405, "POST"), "{}", get.body);
}

#[tokio::test]
async fn each_request_stands_for_itself_in_the_newest_version() {
    let server = Setup::new().start().await;
    let token = token(&User::dev(&server).await, "chat").await;
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    for method in ["server/discover", "tools/list"] {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": { "_meta": meta } }).to_string();
        let request = http()
            .post(format!("{}/mcp", server.base))
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream")
            .header("mcp-protocol-version", "2026-07-28")
            .header("mcp-method", method)
            .bearer_auth(&token)
            .body(body);
        let answer = Answer::of(request).await;
        assert_eq!(answer.status, 200, "{method}: {}", answer.body);
        let answers = messages(&answer);
        let result = &answers.last().expect("an answer")["result"];
        assert!(result["supportedVersions"].is_array() || result["tools"].is_array(), "{method}: {}", answer.body);
    }
}

#[tokio::test]
async fn a_call_that_fails_says_why() {
    let provider = Provider::start(|_| Stream::new().text("Half an ans").abort()).await;
    let server = Setup::new().assistant(&provider).start().await;
    let token = token(&User::dev(&server).await, "chat").await;
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": "assistant", "arguments": { "task": "Answer" } } });
    let answer = post(&server, &token, &body.to_string()).await;
    let answers = messages(&answer);
    let result = &answers.last().expect("an answer")["result"];
    assert_eq!(result["isError"], true, "{}", answer.body);
    assert!(
        result["content"].as_array().is_some_and(|content| content.iter().any(|c| c["type"] == "resource_link")),
        "{result}"
    );
}
