//! What remote agents are sent.

use serde_json::Map;

use super::*;
use crate::server::agent::model::Replay;

fn said(text: &str, replay: Value) -> ChatMessage {
    ChatMessage::Assistant { text: text.to_owned(), calls: Vec::new(), replay: Replay(replay) }
}

fn called(text: &str, id: &str, message: &str) -> ChatMessage {
    let call = ToolRequest { id: id.to_owned(), tool: "abacus".to_owned(), arguments: Ok(Map::default()) };
    ChatMessage::Assistant { text: text.to_owned(), calls: vec![call], replay: Replay(json!({ "message": message })) }
}

fn result(id: &str) -> ChatMessage {
    ChatMessage::Tool { id: id.to_owned(), name: "abacus".to_owned(), result: "1".to_owned() }
}

fn asked<'a>(conversation: &'a [ChatMessage], done: &'a [ChatMessage]) -> Asked<'a> {
    Asked { thread: "t", run: "r", question: "q", conversation, done, kept: &Value::Null, answers: &[] }
}

/// Messages as `role:id:words`, with the ids of their calls.
fn shape(messages: &[Value]) -> Vec<String> {
    let one = |message: &Value| {
        let calls: Vec<&str> =
            message["toolCalls"].as_array().into_iter().flatten().filter_map(|call| call["id"].as_str()).collect();
        let calls = if calls.is_empty() { String::new() } else { format!("[{}]", calls.join(",")) };
        let id = message["id"].as_str().unwrap_or_default();
        let id = if id.len() == 16 { "made" } else { id };
        format!(
            "{}:{id}:{}{calls}",
            message["role"].as_str().unwrap_or_default(),
            message["content"].as_str().unwrap_or_default()
        )
    };
    messages.iter().map(one).collect()
}

#[test]
fn ag_ui_gets_its_own_messages_and_state_back() {
    let kept = json!({ "asked": "u1", "state": { "n": 1 }, "messages": [
        { "id": "a1", "role": "assistant", "content": "theirs" },
    ] });
    let conversation = [
        ChatMessage::user("one"),
        said("ours", kept),
        ChatMessage::user("two"),
        said("in words", Value::Null),
        ChatMessage::user("three"),
    ];
    let done =
        [called("Look.", "c", "m"), result("c"), called("", "d", "m"), result("d"), called("", "e", "n"), result("e")];
    let (messages, state) = ag_ui_messages(&asked(&conversation, &done));
    assert_eq!(state, json!({ "n": 1 }));
    let wanted = [
        "user:u1:one",
        "assistant:a1:theirs",
        "user:made:two",
        "assistant:made:in words",
        "user:q:three",
        "assistant:m:Look.[c,d]",
        "tool:made:1",
        "tool:made:1",
        "assistant:n:[e]",
        "tool:made:1",
    ];
    assert_eq!(shape(&messages), wanted);
    let (again, _) = ag_ui_messages(&asked(&conversation, &done));
    assert_eq!(again, messages, "the same ids for the same words");
}

#[test]
fn the_same_words_twice_have_two_ids() {
    let conversation = [
        ChatMessage::user("hi"),
        said("hi", Value::Null),
        ChatMessage::user("hi"),
        said("", Value::Null),
        ChatMessage::user("hi"),
    ];
    let (messages, _) = ag_ui_messages(&asked(&conversation, &[]));
    let mut ids: Vec<&str> = messages.iter().filter_map(|message| message["id"].as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 5);
}

#[test]
fn langchain_gets_messages() {
    let conversation = [ChatMessage::user("one"), said("two", Value::Null), ChatMessage::user("three")];
    let done = [called("", "c", "m"), result("c")];
    let all: Vec<Value> = conversation.iter().chain(&done).map(langchain_message).collect();
    let roles: Vec<&str> = all.iter().filter_map(|message| message["role"].as_str()).collect();
    assert_eq!(roles, ["user", "assistant", "user", "assistant", "tool"]);
    assert_eq!(all[3]["tool_calls"][0], json!({ "name": "abacus", "args": {}, "id": "c", "type": "tool_call" }));
    assert_eq!(all[4]["tool_call_id"], "c");
    let picture = GivenFile { name: "p.png".into(), media_type: "image/png".into(), base64: "AA==".into() };
    let with_picture = ChatMessage::User { text: "look".to_owned(), files: vec![picture] };
    assert_eq!(langchain_message(&with_picture)["content"][1]["image_url"]["url"], "data:image/png;base64,AA==");
}
