//! Conversations from elsewhere, and from another Netra.

use serde_json::{Value, json};

use crate::support::{
    answer::{Answer, http},
    frame::on,
    rules::{ended, say, start_run},
    server::{Server, Setup},
    user::User,
};

async fn import(user: &User, file: &str) -> Answer {
    user.send(reqwest::Method::POST, "/api/threads/import", Some(file.to_owned()), &[]).await
}

/// What was said in a thread: role and text.
async fn said(user: &User, thread: &str) -> Vec<(String, String)> {
    let page = user.get(&format!("/api/threads/{thread}/messages")).await.ok();
    let messages = page["messages"].as_array().expect("messages").clone();
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    messages.iter().map(|message| (text(&message["role"]), text(&message["content"]))).collect()
}

#[tokio::test]
async fn an_export_comes_back_as_it_was() {
    let server = Setup::new().start().await;
    let user = User::dev(&server).await;
    let socket = user.connect().await;
    let run = start_run(&socket, "guide", "What is 6 times 7?").await;
    ended(&socket, &run).await;
    ended(&socket, &say(&socket, &run.thread, "What is 1 + 1?").await).await;
    let file = user.get(&format!("/api/threads/{}/export?format=json", run.thread)).await.body;

    let other = Setup::new().start().await;
    let user_there = User::dev(&other).await;
    let report = import(&user_there, &file).await.ok();
    assert_eq!(report["left_out"], json!([]), "{report}");
    let thread = report["threads"][0]["id"].as_str().expect("a thread").to_owned();
    assert_eq!(said(&user_there, &thread).await, said(&user, &run.thread).await);
    let page = user_there.get(&format!("/api/threads/{thread}/messages")).await.ok();
    let tools: Vec<&Value> = page["runs"]
        .as_array()
        .expect("runs")
        .iter()
        .flat_map(|run| run["steps"].as_array().expect("steps"))
        .filter(|step| step["kind"] == "tool")
        .collect();
    assert!(!tools.is_empty() && tools.iter().all(|tool| tool["status"] == "ok"), "{page}");
    let found = user_there.get("/api/threads?query=times").await.ok();
    assert_eq!(found["threads"][0]["id"], thread.as_str(), "it is searched like any other: {found}");
    // It goes on, and what it exports is taken in again.
    let there = user_there.connect().await;
    there.call(on(&thread, "subscribe", json!({}))).await;
    ended(&there, &say(&there, &thread, "What is 2 + 2?").await).await;
    let again = user_there.get(&format!("/api/threads/{thread}/export?format=json")).await.body;
    let report = import(&user_there, &again).await.ok();
    let twice = report["threads"][0]["id"].as_str().expect("a thread").to_owned();
    assert_eq!(said(&user_there, &twice).await, said(&user_there, &thread).await);
}

async fn server() -> Server {
    Setup::new().start().await
}

#[tokio::test]
async fn conversations_of_chatgpt_are_found_read_and_gone_on_with() {
    let server = server().await;
    let user = User::dev(&server).await;
    let message = |role: &str, text: &str| json!({ "author": { "role": role }, "create_time": 1_600_000_000.0, "content": { "content_type": "text", "parts": [text] }, "metadata": {} });
    let file = json!([
        { "title": "Of old", "create_time": 1_600_000_000.0, "current_node": "b", "mapping": {
            "a": { "message": message("user", "Which bird is that?"), "parent": null, "children": ["b"] },
            "b": { "message": message("assistant", "A **kingfisher**."), "parent": "a", "children": [] }
        } },
        { "title": "Empty", "mapping": {} },
        { "nothing": true }
    ]);
    let other_tab = user.connect().await;
    let report = import(&user, &file.to_string()).await.ok();
    other_tab
        .wait("every tab hears of it", |f| f["type"] == "thread_created" && f.to_string().contains("Of old"))
        .await;
    let left_out: Vec<&str> =
        report["left_out"].as_array().expect("lines").iter().filter_map(|line| line["what"].as_str()).collect();
    assert_eq!(left_out, ["conversations without a message", "entries that are no conversation"], "{report}");
    let thread = report["threads"][0]["id"].as_str().expect("a thread").to_owned();
    let kept = user.get(&format!("/api/threads/{thread}")).await.ok();
    assert!(kept["created_at"].as_str().is_some_and(|at| at.starts_with("2020-09")), "{kept}");
    let page = user.get(&format!("/api/threads/{thread}/messages")).await.ok();
    assert_eq!(page["runs"][0]["agent"], "assistant", "the one who answered, not one of ours: {page}");
    let socket = user.connect().await;
    socket.call(on(&thread, "subscribe", json!({}))).await;
    ended(&socket, &say(&socket, &thread, "What is 1 + 1?").await).await;
    assert_eq!(said(&user, &thread).await.len(), 4);
}

/// An archive with one file in it, which is not packed.
fn archive(name: &str, content: &[u8]) -> Vec<u8> {
    let mut sum = flate2::Crc::new();
    sum.update(content);
    let length = u32::try_from(content.len()).expect("small").to_le_bytes();
    let name_length = u16::try_from(name.len()).expect("short").to_le_bytes();
    let common =
        [&[20, 0, 0, 0, 0, 0, 0, 0, 0, 0][..], &sum.sum().to_le_bytes(), &length, &length, &name_length, &[0, 0]]
            .concat();
    let file = [&b"PK\x03\x04"[..], &common, name.as_bytes(), content].concat();
    let list = [&b"PK\x01\x02\x14\x00"[..], &common, &[0; 14], name.as_bytes()].concat();
    let place = u32::try_from(file.len()).expect("small").to_le_bytes();
    [&file[..], &list, &b"PK\x05\x06"[..], &[0; 12], &place, &[0, 0]].concat()
}

#[tokio::test]
async fn an_archive_is_taken_in_as_it_is() {
    let server = server().await;
    let user = User::dev(&server).await;
    let message = |role: &str, text: &str| json!({ "author": { "role": role }, "content": { "content_type": "text", "parts": [text] } });
    let file = json!([{ "title": "Of old", "current_node": "b", "mapping": {
        "a": { "message": message("user", "Which bird is that?"), "parent": null, "children": ["b"] },
        "b": { "message": message("assistant", "A kingfisher."), "parent": "a", "children": [] }
    } }]);
    let send = async |name: &str, content: &[u8]| {
        let request = http()
            .post(format!("{}/api/threads/import", user.base()))
            .header("cookie", user.cookies())
            .body(archive(name, content));
        Answer::of(request).await
    };
    let report = send("../export/conversations.json", file.to_string().as_bytes()).await.ok();
    let thread = report["threads"][0]["id"].as_str().expect("a thread").to_owned();
    let told = said(&user, &thread).await;
    assert_eq!(
        told.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>(),
        ["Which bird is that?", "A kingfisher."]
    );
    let refused = send("user.json", b"{}").await;
    assert_eq!(refused.error(), (400, "invalid_payload".to_owned()));
    assert!(refused.body.contains("no conversations.json in it"), "{}", refused.body);
}

#[tokio::test]
async fn what_cannot_be_taken_in_is_refused_and_leaves_nothing() {
    let server = server().await;
    let user = User::dev(&server).await;
    for file in ["", "[", "[]", "{}", "PK\u{3}\u{4}", "{\"netra\":\"conversation\",\"turns\":[],\"version\":1"] {
        let (status, code) = import(&user, file).await.error();
        assert_eq!((status, code.as_str()), (400, "invalid_payload"), "{file}");
    }
    let large = "x".repeat(65 << 20);
    assert_eq!(import(&user, &large).await.error(), (413, "frame_too_large".to_owned()));
    let threads = user.get("/api/threads").await.ok();
    assert_eq!(threads["threads"], json!([]), "{threads}");
}
