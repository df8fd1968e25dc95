//! Netra's agents by AG-UI: npm's own client, a client that comes back, and requests that cannot be answered.

use std::{path::Path, process::Command, time::Duration};

use serde_json::{Value, json};

use super::entry;
use crate::support::{
    PATIENCE,
    answer::{Answer, http},
    provider::{Provider, always},
    script::{Reply, Stream, numbered},
    server::{Server, Setup},
    user::User,
};

/// A token that may chat.
async fn token(user: &User) -> String {
    let made = user.post("/api/tokens", json!({ "name": "ag-ui", "scope": "chat" })).await;
    assert_eq!(made.status, 201, "{}", made.body);
    made.json()["token"].as_str().expect("a token").to_owned()
}

/// What npm's client hears.
async fn client(server: &Server, agent: &str, token: &str, thread: &str, questions: &[&str]) -> Value {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/black_box/support/ag_ui_client.mjs");
    let mut command = Command::new("node");
    command.arg(script).arg(format!("{}/ag-ui/{agent}", server.base)).arg(token).arg(thread).args(questions);
    // The provider answers meanwhile.
    let running = tokio::task::spawn_blocking(move || command.output());
    let done = tokio::time::timeout(PATIENCE, running).await.expect("in time").expect("it ends").expect("node runs");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    serde_json::from_slice(&done.stdout).expect("JSON")
}

fn kinds(run: &Value) -> Vec<&str> {
    run["events"].as_array().into_iter().flatten().filter_map(|event| event["type"].as_str()).collect()
}

#[tokio::test]
async fn the_official_client_talks_to_an_agent() {
    let provider = Provider::start(|request| {
        if request.prompt().contains("product") && request.tool_results().is_empty() {
            let thinks = Stream::new().thinking("reasoning_content", "The tool knows.").text("Let me see.");
            return thinks.tool(0, "call_1", "calculate", r#"{"expression":"6*7"}"#).end("tool_calls");
        }
        let asked = request.messages().iter().filter(|message| message["role"] == "user").count();
        Stream::new().text("It is 42, ").text(&format!("question {asked}.")).end("stop")
    })
    .await;
    let server = Setup::new().assistant(&provider).start().await;
    let user = User::dev(&server).await;
    let token = token(&user).await;
    let heard = client(&server, "assistant", &token, "my thread", &["What is the product?", "And now?"]).await;
    let first = &heard["runs"][0];
    assert_eq!(first["error"], Value::Null, "{first}");
    let kinds = kinds(first);
    for kind in
        ["RUN_STARTED", "REASONING_MESSAGE_CONTENT", "TOOL_CALL_START", "TOOL_CALL_RESULT", "TEXT_MESSAGE_CONTENT"]
    {
        assert!(kinds.contains(&kind), "no {kind}: {kinds:?}");
    }
    assert_eq!(kinds.last(), Some(&"RUN_FINISHED"));
    // How the client knows the conversation: the same as Netra does.
    let messages = heard["messages"].as_array().expect("messages");
    let said: Vec<String> = messages
        .iter()
        .filter(|message| {
            message["role"] != "reasoning" && message["content"].as_str().is_some_and(|words| !words.is_empty())
        })
        .map(|message| {
            format!(
                "{}: {}",
                message["role"].as_str().unwrap_or_default(),
                message["content"].as_str().unwrap_or_default()
            )
        })
        .collect();
    assert_eq!(said[0], "user: What is the product?");
    assert_eq!(said[1], "assistant: Let me see.");
    assert!(said[2].starts_with("tool: ") && said[2].contains("42"), "{said:?}");
    assert_eq!(said[3..], ["assistant: It is 42, question 1.", "user: And now?", "assistant: It is 42, question 2."]);
    let threads = user.get("/api/threads").await.ok();
    assert_eq!(threads["threads"].as_array().map(Vec::len), Some(1), "one name, one thread: {threads}");
    assert_eq!(threads["threads"][0]["title"], "What is the product?");
}

#[tokio::test]
async fn a_remote_agent_is_handed_on() {
    // AG-UI in, AG-UI out: Netra in between keeps it.
    let behind = Provider::start(always(Reply::text("From behind."))).await;
    let first = Setup::new().assistant(&behind).start().await;
    let token_of_first = token(&User::dev(&first).await).await;
    let agent = entry("front", "ag-ui", &format!("{}/ag-ui/assistant", first.base), "api_key_env = \"FIRST\"");
    let second = Setup::new().toml(&agent).set("FIRST", &token_of_first).start().await;
    let token = token(&User::dev(&second).await).await;
    let heard = client(&second, "front", &token, "t", &["Hello", "Again"]).await;
    for at in 0..2 {
        assert_eq!(heard["runs"][at]["error"], Value::Null, "{heard}");
        assert_eq!(kinds(&heard["runs"][at]).last(), Some(&"RUN_FINISHED"), "{heard}");
    }
    let last = heard["messages"].as_array().and_then(|messages| messages.last()).expect("a message");
    assert_eq!(last["content"], "From behind.");
}

#[tokio::test]
async fn a_failure_reaches_the_client() {
    let provider = Provider::start(always(Reply::error(400, "no such thing"))).await;
    let server = Setup::new().assistant(&provider).start().await;
    let token = token(&User::dev(&server).await).await;
    let heard = client(&server, "assistant", &token, "t", &["Hello"]).await;
    let events = heard["runs"][0]["events"].as_array().expect("events");
    let last = events.last().expect("an event");
    assert_eq!((&last["type"], &last["code"]), (&json!("RUN_ERROR"), &json!("upstream_unavailable")), "{last}");
}

/// A request as a client makes it; gives the stream.
async fn open(server: &Server, token: &str, body: &Value, after: Option<&str>) -> reqwest::Response {
    let request = http().post(format!("{}/ag-ui/assistant", server.base)).bearer_auth(token).json(body);
    let request = after.into_iter().fold(request, |request, id| request.header("last-event-id", id));
    tokio::time::timeout(PATIENCE, request.send()).await.expect("in time").expect("an answer")
}

/// Reads `id` and data of the events in a text that may be cut off.
fn events(text: &str) -> Vec<(String, Value)> {
    let whole = text.rfind("\n\n").map_or("", |end| &text[..end]);
    let blocks = whole.split("\n\n").filter(|block| block.contains("data:"));
    blocks
        .map(|block| {
            let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim();
            (field("id:").to_owned(), serde_json::from_str(field("data:")).expect("JSON"))
        })
        .collect()
}

fn question(run: &str) -> Value {
    let messages = json!([{ "id": "u", "role": "user", "content": "Tell a story." }]);
    json!({ "threadId": "t", "runId": run, "state": {}, "messages": messages, "tools": [], "context": [], "forwardedProps": {} })
}

fn story_of(heard: &[(String, Value)]) -> String {
    heard
        .iter()
        .filter(|(_, event)| event["type"] == "TEXT_MESSAGE_CONTENT")
        .filter_map(|(_, event)| event["delta"].as_str())
        .collect()
}

const WORDS: usize = 60;

/// A client whose connection is cut again and again hears all of it once, also when the server dies meanwhile.
#[tokio::test]
async fn a_client_that_comes_back_loses_and_repeats_nothing() {
    let provider =
        Provider::start(|_| Stream::new().texts(WORDS, "w{k} ", Duration::from_millis(15)).end("stop")).await;
    let server = Setup::new().assistant(&provider).start().await;
    let token = token(&User::dev(&server).await).await;
    let (body, mut heard, mut cuts) = (question("r"), Vec::new(), 0);
    loop {
        let after = heard.last().map(|(id, _): &(String, Value)| id.clone());
        let mut response = open(&server, &token, &body, after.as_deref()).await;
        assert_eq!(response.status(), 200);
        let mut text = String::new();
        let end = loop {
            let chunk = tokio::time::timeout(PATIENCE, response.chunk()).await.expect("in time");
            let Ok(Some(chunk)) = chunk else { break true };
            text.push_str(&String::from_utf8_lossy(&chunk));
            // Cut in the middle of an event, too: what is not whole was not heard.
            if text.matches("TEXT_MESSAGE_CONTENT").count() >= 3 {
                break false;
            }
        };
        heard.extend(events(&text));
        if end {
            break;
        }
        cuts += 1;
    }
    assert!(cuts > 2, "{cuts}");
    let ids: std::collections::HashSet<&String> = heard.iter().map(|(id, _)| id).collect();
    assert_eq!(ids.len(), heard.len(), "nothing came twice");
    assert_eq!(story_of(&heard), numbered(WORDS, "w{k} "));
    let kinds: Vec<&Value> = heard.iter().map(|(_, event)| &event["type"]).collect();
    assert_eq!((kinds[0], kinds[kinds.len() - 1]), (&json!("RUN_STARTED"), &json!("RUN_FINISHED")));
    assert_eq!(provider.requests().len(), 1, "the run was one");
    // All of it once more, to whoever asks by the same name, and nothing behind the end.
    let again = open(&server, &token, &body, None).await.text().await.expect("text");
    assert_eq!(events(&again), heard);
    let last = heard.last().map(|(id, _)| id.clone());
    let rest = open(&server, &token, &body, last.as_deref()).await.text().await.expect("text");
    assert_eq!(events(&rest), Vec::new());
    assert_eq!(provider.requests().len(), 1);
}

#[tokio::test]
async fn a_run_outlives_the_server_and_is_told_to_its_end() {
    let provider =
        Provider::start(|_| Stream::new().texts(WORDS, "w{k} ", Duration::from_millis(15)).end("stop")).await;
    let server = Setup::new().assistant(&provider).set("NETRA_RUN_LEASE_S", 1).start().await;
    let token = token(&User::dev(&server).await).await;
    let body = question("r");
    let mut response = open(&server, &token, &body, None).await;
    let mut text = String::new();
    while text.matches("TEXT_MESSAGE_CONTENT").count() < 3 {
        let chunk =
            tokio::time::timeout(PATIENCE, response.chunk()).await.expect("in time").expect("open").expect("more");
        text.push_str(&String::from_utf8_lossy(&chunk));
    }
    let mut heard = events(&text);
    let server = server.restart("KILL").await;
    let after = heard.last().map(|(id, _)| id.clone());
    let rest = open(&server, &token, &body, after.as_deref()).await.text().await.expect("text");
    heard.extend(events(&rest));
    let snapshot =
        heard.iter().position(|(_, event)| event["type"] == "MESSAGES_SNAPSHOT").expect("the text was taken back");
    assert_eq!(story_of(&heard[snapshot..]), numbered(WORDS, "w{k} "), "it is told anew behind that");
    assert_eq!(heard.last().map(|(_, event)| event["type"].clone()), Some(json!("RUN_FINISHED")));
}

#[tokio::test]
async fn requests_that_cannot_be_answered_are_refused() {
    let server = Setup::new().start().await;
    let user = User::dev(&server).await;
    let token = token(&user).await;
    let ask = async |agent: &str, body: Value, after: &str| {
        let request = http().post(format!("{}/ag-ui/{agent}", server.base)).bearer_auth(&token).json(&body);
        let request = if after.is_empty() { request } else { request.header("last-event-id", after) };
        Answer::of(request).await
    };
    let body = |messages: Value| json!({ "threadId": "t", "runId": "r", "messages": messages });
    let hello = json!([{ "id": "u", "role": "user", "content": "What is 1 + 1?" }]);
    let check = |answer: &Answer, status: u16, code: &str, words: &str| {
        let error = &answer.json()["error"];
        assert_eq!((answer.status, &error["code"]), (status, &json!(code)), "{}", answer.body);
        assert!(error["message"].as_str().is_some_and(|message| message.contains(words)), "{error}");
    };
    check(&ask("nobody", body(hello.clone()), "").await, 400, "agent_unknown", "nobody");
    check(&ask("guide", body(json!([])), "").await, 400, "invalid_payload", "is empty");
    let own = json!([{ "id": "a", "role": "assistant", "content": "I" }]);
    check(&ask("guide", body(own), "").await, 400, "invalid_payload", "not a person's");
    let picture = json!([{ "id": "u", "role": "user", "content": [{ "type": "image", "source": {} }] }]);
    check(&ask("guide", body(picture), "").await, 400, "invalid_payload", "parts that are no text");
    check(&ask("guide", json!({ "messages": [] }), "").await, 400, "invalid_payload", "threadId");
    check(&ask("guide", body(hello.clone()), "yesterday").await, 400, "invalid_payload", "Last-Event-ID");
    assert_eq!(user.get("/api/threads").await.ok()["threads"], json!([]), "no thread was made for any of these");
    let first = ask("guide", body(hello), "").await;
    assert!(first.status == 200 && first.body.contains("RUN_FINISHED"), "{}", first.body);
    let other = json!([{ "id": "u", "role": "user", "content": "What is 2 + 2?" }]);
    check(&ask("guide", body(other), "").await, 409, "id_conflict", "");
    let nobody = http().post(format!("{}/ag-ui/guide", server.base)).json(&json!({}));
    assert_eq!(Answer::of(nobody).await.status, 401);
}

#[tokio::test]
async fn a_thread_of_another_is_none_of_ones_own() {
    let server = Setup::new().start().await;
    let (owner, stranger) = (User::register(&server).await, User::register(&server).await);
    let thread = owner.thread("Ours").await["id"].as_str().expect("an id").to_owned();
    let asked = stranger
        .post(
            "/ag-ui/guide",
            json!({ "threadId": thread, "runId": "r", "messages": [{ "id": "u", "role": "user", "content": "What is 1 + 1?" }] }),
        )
        .await;
    assert_eq!(asked.status, 200, "{}", asked.body);
    let messages = owner.get(&format!("/api/threads/{thread}/messages")).await.ok();
    assert_eq!(messages["messages"], json!([]), "the stranger's question went to a thread of the stranger's");
    assert_eq!(stranger.get("/api/threads").await.ok()["threads"].as_array().map(Vec::len), Some(1));
}
