//! `GET /api/threads/{id}/messages`: the history, whole and in pages.

use serde_json::{Value, json};

use crate::support::{
    rules::{check_answer, ended, payloads, say, start_run},
    server::Setup,
    user::User,
};

fn list(answer: &Value) -> Vec<Value> {
    answer["messages"].as_array().unwrap_or_else(|| panic!("no messages in {answer}")).clone()
}

#[tokio::test]
async fn the_history_is_what_was_said_in_order() {
    let server = Setup::new().start().await;
    let user = User::dev(&server).await;
    let socket = user.connect().await;
    let first = start_run(&socket, "guide", "What is 6 times 7?").await;
    ended(&socket, &first).await;
    let second = say(&socket, &first.thread, "And 6 times 8?").await;
    ended(&socket, &second).await;
    let frames = socket.frames();
    let path = format!("/api/threads/{}/messages", first.thread);
    let answer = user.get(&path).await.ok();
    let messages = list(&answer);
    assert!(answer.get("next_cursor").is_none(), "all of it is here");

    let answers: Vec<Value> = [&first, &second].map(|run| payloads(&frames, run, "agent_response").remove(0)).into();
    let wanted = [
        ("user", json!("What is 6 times 7?"), None),
        ("assistant", answers[0]["content"].clone(), Some((&first.id, &answers[0]["message_id"]))),
        ("user", json!("And 6 times 8?"), None),
        ("assistant", answers[1]["content"].clone(), Some((&second.id, &answers[1]["message_id"]))),
    ];
    assert_eq!(messages.len(), wanted.len(), "{messages:?}");
    for (message, (role, content, answered)) in messages.iter().zip(wanted) {
        assert_eq!((&message["role"], &message["content"]), (&json!(role), &content), "{message}");
        assert!(message["message_id"].is_string() && message["seq"].is_u64(), "{message}");
        assert!(message["created_at"].as_str().is_some_and(|t| t.parse::<jiff::Timestamp>().is_ok()), "{message}");
        assert!(message.as_object().expect("an object").values().all(|v| !v.is_null()), "a null in {message}");
        if let Some((run, id)) = answered {
            assert_eq!((&message["run_id"], &message["message_id"]), (&json!(run), id), "{message}");
        }
    }
    assert!(messages.windows(2).all(|w| w[0]["seq"].as_u64() < w[1]["seq"].as_u64()), "{messages:?}");
    check_answer(&frames, &first, answers[0]["content"].as_str().expect("text"));
    assert_eq!(user.get(&path).await.ok(), answer, "and again the same");
}

#[tokio::test]
async fn pages_hold_every_message_once() {
    let server = Setup::new().start().await;
    let user = User::dev(&server).await;
    let socket = user.connect().await;
    let run = start_run(&socket, "guide", "What is 1 + 1?").await;
    ended(&socket, &run).await;
    for n in 2..5 {
        let next = say(&socket, &run.thread, &format!("What is {n} + 1?")).await;
        ended(&socket, &next).await;
    }
    let path = format!("/api/threads/{}/messages", run.thread);
    let all = list(&user.get(&path).await.ok());
    assert_eq!(all.len(), 8);

    let (mut pages, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = user.get(&format!("{path}?limit=3{cursor}")).await.ok();
        let messages = list(&page);
        assert!(messages.len() <= 3 && !messages.is_empty(), "{} messages", messages.len());
        assert!(messages.windows(2).all(|w| w[0]["seq"].as_u64() < w[1]["seq"].as_u64()), "oldest first in a page");
        pages.push(messages);
        match page.get("next_cursor") {
            Some(Value::String(next)) => {
                let next: String = url::form_urlencoded::byte_serialize(next.as_bytes()).collect();
                cursor = format!("&cursor={next}");
            }
            Some(other) => panic!("next_cursor is {other}"),
            None => break,
        }
        assert!(pages.len() < 10, "pages without end");
    }
    let mut seen: Vec<Value> = pages.into_iter().flatten().collect();
    seen.sort_by_key(|m| m["seq"].as_u64());
    assert_eq!(seen, all);
}

#[tokio::test]
async fn a_message_cannot_be_changed() {
    let server = Setup::new().start().await;
    let user = User::dev(&server).await;
    let thread = user.thread("Plans").await["id"].as_str().expect("id").to_owned();
    let answer = user.patch(&format!("/api/threads/{thread}/messages"), json!({ "content": "x" })).await;
    assert_eq!(answer.status, 405, "{}", answer.body);
    assert!(answer.body.contains("does not take PATCH"), "the one error shape: {}", answer.body);
}
