//! Searches that are made to be slow.

use serde_json::{Value, json};

use crate::support::{
    frame::{frame, on},
    rules::{ended, start_run},
    server::Setup,
    user::User,
};

/// A word that occurs thousands of times in one message made each search of it take seconds, and all requests wait.
#[tokio::test]
async fn a_message_full_of_a_word_is_found_at_once() {
    let server = Setup::new().start().await;
    let (ada, eve) = (User::register(&server).await, User::register(&server).await);
    let thread = eve.thread("Foxes").await["id"].as_str().expect("an id").to_owned();
    let socket = eve.connect().await;
    let text = "quick brown fox ".repeat(3_900);
    let said = socket.call(on(&thread, "user_message", json!({ "content": text }))).await;
    assert_eq!(said["type"], "ack", "{said}");
    let mut runs = Vec::new();
    for _ in 0..4 {
        runs.push(start_run(&socket, "guide", "search my conversations for quick brown fox").await);
    }
    ada.get("/api/me").await.ok();
    for run in &runs {
        ended(&socket, run).await;
    }
    let frames = socket.frames();
    let results: Vec<&Value> = frames
        .iter()
        .filter(|f| f["type"] == "tool_completed")
        .map(|f| &f["payload"]["result"]["results"][0])
        .collect();
    assert_eq!(results.len(), runs.len());
    for result in results {
        let excerpt = result["excerpt"].as_str().unwrap_or_default();
        assert!(excerpt.contains("quick brown fox") && excerpt.len() < 1_000, "{result}");
    }
    let repeated = "quick%20brown%20fox%20".repeat(20);
    let found = eve.get(&format!("/api/threads?query={repeated}")).await.ok();
    assert!(found["threads"].as_array().is_some_and(|threads| threads.iter().any(|t| t["id"] == thread)), "{found}");
    assert_eq!(ada.get(&format!("/api/threads?query={repeated}")).await.ok()["threads"], json!([]));
}

/// One user's searches wait for each other, not for another's; and the line has an end, which is told.
#[tokio::test]
async fn a_flood_of_searches_is_held_in_a_line() {
    let server = Setup::new().start().await;
    let eve = User::register(&server).await;
    let socket = eve.connect().await;
    // What is sent at once is answered in order, so that nothing here depends on which search is done first.
    let asked: Vec<_> = (0..40).map(|_| eve.get("/api/threads?query=nothing")).collect();
    let answers = futures::future::join_all(asked).await;
    let refused = answers.iter().filter(|answer| answer.status == 429).count();
    assert!(answers.iter().all(|answer| matches!(answer.status, 200 | 429)), "{:?}", answers[0].body);
    for answer in answers.iter().filter(|answer| answer.status == 429) {
        assert_eq!(answer.error().1, "rate_limited");
        assert!(!answer.header("retry-after").is_empty());
    }
    assert!(refused < answers.len());
    assert_eq!(socket.call(frame("ping", json!({}))).await["type"], "pong");
}
