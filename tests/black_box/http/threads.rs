//! Threads over HTTP: make, read, change, delete.

use serde_json::{Value, json};

use crate::support::{
    rules::{ended, start_run},
    server::Setup,
    user::User,
};

/// The fields of a thread, with the types they have.
fn check_thread(thread: &Value) {
    for field in ["id", "title", "agent", "created_at", "updated_at"] {
        assert!(thread[field].is_string(), "{field} in {thread}");
    }
    for field in ["pinned", "archived"] {
        assert!(thread[field].is_boolean(), "{field} in {thread}");
    }
    assert!(thread["head_seq"].is_u64(), "head_seq in {thread}");
    for field in ["created_at", "updated_at"] {
        assert!(thread[field].as_str().is_some_and(|t| t.parse::<jiff::Timestamp>().is_ok()), "{field} in {thread}");
    }
}

#[tokio::test]
async fn a_thread_is_made_read_changed_and_deleted() {
    let server = Setup::new().start().await;
    let user = User::dev(&server).await;
    let made = user.thread("Plans").await;
    check_thread(&made);
    assert_eq!((&made["title"], &made["pinned"], &made["archived"]), (&json!("Plans"), &json!(false), &json!(false)));
    assert_eq!((&made["head_seq"], &made["agent"]), (&json!(0), &json!("guide")));
    let path = format!("/api/threads/{}", made["id"].as_str().expect("id"));
    assert_eq!(user.get(&path).await.ok(), made);

    let changes = [
        json!({ "title": "Other plans" }),
        json!({ "pinned": true }),
        json!({ "archived": true }),
        json!({ "title": "Plans again", "pinned": false, "archived": false }),
    ];
    let mut wanted = made;
    for change in changes {
        let patched = user.patch(&path, change.clone()).await.ok();
        check_thread(&patched);
        for (field, value) in change.as_object().expect("an object") {
            wanted[field] = value.clone();
        }
        wanted["updated_at"] = patched["updated_at"].clone();
        assert!(patched["version"].as_u64() > wanted["version"].as_u64(), "it grows with each change: {patched}");
        wanted["version"] = patched["version"].clone();
        assert_eq!(patched, wanted, "what is not named stays: {change}");
        assert_eq!(user.get(&path).await.ok(), wanted);
    }

    let gone = user.delete(&path).await;
    assert_eq!((gone.status, gone.body.as_str()), (204, ""));
    assert_eq!(user.get(&path).await.error(), (404, "not_found".into()));
    assert_eq!(user.delete(&path).await.error(), (404, "not_found".into()));
    assert_eq!(user.get("/api/threads").await.ok()["threads"], json!([]));
}

#[tokio::test]
async fn a_thread_needs_no_title() {
    let server = Setup::new().start().await;
    let user = User::dev(&server).await;
    let answer = user.post("/api/threads", json!({})).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    check_thread(&answer.json());
}

#[tokio::test]
async fn a_thread_keeps_count_of_its_log() {
    let server = Setup::new().start().await;
    let user = User::dev(&server).await;
    let socket = user.connect().await;
    let run = start_run(&socket, "guide", "What is 6 times 7?").await;
    let end = ended(&socket, &run).await;
    let thread = user.get(&format!("/api/threads/{}", run.thread)).await.ok();
    check_thread(&thread);
    assert_eq!(thread["head_seq"], end["seq"]);
    assert_eq!(thread["agent"], "guide");
}

#[tokio::test]
async fn a_deleted_thread_is_gone_everywhere() {
    let server = Setup::new().start().await;
    let user = User::dev(&server).await;
    let socket = user.connect().await;
    let run = start_run(&socket, "guide", "Where do pelicans sleep?").await;
    ended(&socket, &run).await;
    let path = format!("/api/threads/{}", run.thread);
    let found = user.get("/api/threads?query=pelicans").await.ok();
    assert_eq!(found["threads"].as_array().map(Vec::len), Some(1), "{found}");
    assert_eq!(user.delete(&path).await.status, 204);
    for rest in ["", "/events", "/messages"] {
        assert_eq!(user.get(&format!("{path}{rest}")).await.error(), (404, "not_found".into()), "{rest}");
    }
    let found = user.get("/api/threads?query=pelicans").await.ok();
    assert_eq!(found["threads"], json!([]), "search forgot it");
    let again = socket.call(crate::support::frame::on(&run.thread, "subscribe", json!({ "after_seq": 0 }))).await;
    assert_eq!(crate::support::frame::error_code(&again), "not_found");
}
