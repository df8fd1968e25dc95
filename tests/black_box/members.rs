//! Shared threads: members see the same events and take part; removal acts at once, on open sockets too (R10, R15).

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    frame::{error_code, frame, is_event_of, on},
    provider::Provider,
    rules::{ended, event, say, start_run},
    script::Stream,
    server::{Server, Setup},
    user::User,
};

fn path(thread: &str) -> String {
    format!("/api/threads/{thread}/members")
}

async fn add(owner: &User, thread: &str, member: &User) {
    let answer = owner.post(&path(thread), json!({ "email": member.email })).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    assert_eq!(answer.json()["id"], member.id.as_str());
}

async fn shared(server: &Server) -> (User, User, String) {
    let (ada, bob) = (User::register(server).await, User::register(server).await);
    let thread = ada.thread("Ours").await["id"].as_str().expect("an id").to_owned();
    add(&ada, &thread, &bob).await;
    (ada, bob, thread)
}

#[tokio::test]
async fn members_see_the_same_events_and_take_part() {
    let server = Setup::new().start().await;
    let (ada, bob) = (User::register(&server).await, User::register(&server).await);
    let (first, second) = (ada.connect().await, bob.connect().await);
    let run = start_run(&first, "guide", "What is 6 times 7?").await;
    ended(&first, &run).await;
    add(&ada, &run.thread, &bob).await;
    let told = second.wait("the list hears of it", |f| f["type"] == "thread_update").await;
    assert_eq!((&told["payload"]["id"], &told["payload"]["shared"]), (&json!(run.thread), &json!(true)));
    assert_eq!(bob.get("/api/threads").await.ok()["threads"][0]["id"], run.thread.as_str());

    let subscribed = second.call(on(&run.thread, "subscribe", json!({ "after_seq": 0 }))).await;
    assert_eq!(subscribed["payload"]["mode"], "resumed", "{subscribed}");
    let reply = say(&second, &run.thread, "And 7 times 8?").await;
    ended(&first, &reply).await;
    ended(&second, &reply).await;
    let of = |frames: Vec<Value>| frames.into_iter().filter(|f| is_event_of(f, &run.thread)).collect::<Vec<_>>();
    assert_eq!(of(first.frames()), of(second.frames()));
    let asked = of(first.frames()).into_iter().filter(|f| f["type"] == "thread_message").collect::<Vec<_>>();
    let authors: Vec<&Value> = asked.iter().map(|f| &f["payload"]["author"]["id"]).collect();
    assert_eq!(authors, [&json!(ada.id), &json!(bob.id)], "each message says who wrote it");
    let messages = bob.get(&format!("/api/threads/{}/messages", run.thread)).await.ok();
    assert_eq!(messages["messages"][2]["author"]["id"], bob.id.as_str(), "{messages}");

    let found = bob.get("/api/threads?query=times").await.ok();
    assert_eq!(found["threads"][0]["id"], run.thread.as_str(), "members find it, too");
}

#[tokio::test]
async fn a_member_who_is_removed_hears_nothing_more() {
    let provider =
        Provider::start(|_| Stream::new().texts(200, "w{k} ", std::time::Duration::from_millis(20)).end("stop")).await;
    let server = Setup::new().assistant(&provider).start().await;
    let (ada, bob) = (User::register(&server).await, User::register(&server).await);
    let (first, second) = (ada.connect().await, bob.connect().await);
    let run = start_run(&first, "assistant", "Tell a story.").await;
    add(&ada, &run.thread, &bob).await;
    second.call(on(&run.thread, "subscribe", json!({ "after_seq": 0 }))).await;
    second.call(frame("join_room", json!({ "room": run.thread }))).await;
    event(&second, &run, "partial_result").await;

    let removed = ada.delete(&format!("{}?email={}", path(&run.thread), bob.email)).await;
    assert_eq!(removed.status, 204, "{}", removed.body);
    let gone = second.wait("the news", |f| f["type"] == "thread_deleted").await;
    assert_eq!(gone["payload"]["id"], run.thread.as_str());
    second.alive().await;
    let quiet = second.count();
    ended(&first, &run).await;
    first.alive().await;
    second.alive().await;
    let later: Vec<Value> = second.frames().split_off(quiet);
    assert!(later.iter().all(|f| f["thread_id"] != run.thread.as_str()), "still hears {later:?}");

    for kind in ["subscribe", "user_message"] {
        let answer = second.call(on(&run.thread, kind, json!({ "content": "Hello?" }))).await;
        assert_eq!(error_code(&answer), "not_found", "{kind}");
    }
    let stop = on(&run.thread, "stop_agent", json!({ "run_id": run.id }));
    assert_eq!(error_code(&second.call(stop).await), "not_found");
    let speak = frame("room_message", json!({ "room": run.thread, "body": {} }));
    assert_eq!(error_code(&second.call(speak).await), "not_found");
    for part in ["", "/events", "/messages", "/members"] {
        assert_eq!(bob.get(&format!("/api/threads/{}{part}", run.thread)).await.error(), (404, "not_found".into()));
    }
    assert_eq!(bob.get("/api/threads").await.ok()["threads"], json!([]));
    assert_eq!(ada.get(&format!("/api/threads/{}", run.thread)).await.ok()["shared"], false);
}

#[tokio::test]
async fn the_owner_alone_decides() {
    let server = Setup::new().start().await;
    let (ada, bob, thread) = shared(&server).await;
    let (carol, stranger) = (User::register(&server).await, User::register(&server).await);
    let forbidden = (403, "forbidden".to_owned());
    assert_eq!(bob.post(&path(&thread), json!({ "email": carol.email })).await.error(), forbidden);
    assert_eq!(bob.patch(&format!("/api/threads/{thread}"), json!({ "title": "Mine" })).await.error(), forbidden);
    assert_eq!(bob.delete(&format!("/api/threads/{thread}")).await.error(), forbidden);
    add(&ada, &thread, &carol).await;
    assert_eq!(bob.delete(&format!("{}?email={}", path(&thread), carol.email)).await.error(), forbidden);
    assert_eq!(stranger.get(&path(&thread)).await.error(), (404, "not_found".into()));
    assert_eq!(
        stranger.post(&path(&thread), json!({ "email": stranger.email })).await.error(),
        (404, "not_found".into())
    );

    let members = bob.get(&path(&thread)).await.ok();
    let owners: Vec<bool> = members["members"].as_array().expect("a list").iter().map(|m| m["owner"] == true).collect();
    assert_eq!(owners, [true, false, false], "{members}");
    // Whoever wants to leave leaves; the body names a member as well as the query.
    assert_eq!(bob.delete(&path(&thread)).await.status, 204);
    let body = json!({ "email": carol.email }).to_string();
    assert_eq!(ada.send(Method::DELETE, &path(&thread), Some(body), &[]).await.status, 204);
    assert_eq!(ada.get(&path(&thread)).await.ok()["members"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn wrong_members_are_refused_with_a_reason() {
    let server = Setup::new().start().await;
    let (ada, bob, thread) = shared(&server).await;
    for (body, status, code) in [
        (json!({ "email": "nobody@example.org" }), 404, "not_found"),
        (json!({ "email": bob.email }), 409, "conflict"),
        (json!({ "email": bob.email.to_uppercase() }), 409, "conflict"),
        (json!({ "email": ada.email }), 409, "conflict"),
        (json!({ "email": 7 }), 400, "invalid_payload"),
        (json!({}), 400, "invalid_payload"),
    ] {
        assert_eq!(ada.post(&path(&thread), body.clone()).await.error(), (status, code.into()), "{body}");
    }
    for (body, code) in [("{", "malformed_json"), (r#"{"email":7}"#, "invalid_payload")] {
        let answer = ada.send(Method::DELETE, &path(&thread), Some(body.to_owned()), &[]).await;
        assert_eq!(answer.error(), (400, code.into()), "{body}");
    }
    assert_eq!(ada.delete(&path(&thread)).await.error(), (409, "conflict".into()), "the owner cannot leave");
    let nobody = format!("{}?email=nobody@example.org", path(&thread));
    assert_eq!(ada.delete(&nobody).await.error(), (404, "not_found".into()));
    assert_eq!(ada.get(&path(&thread)).await.ok()["members"].as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn tools_search_for_whoever_asked() {
    let server = Setup::new().start().await;
    let (ada, bob, thread) = shared(&server).await;
    let socket = ada.connect().await;
    let secret = start_run(&socket, "guide", "What is 11 times 11? The word is xylophone.").await;
    ended(&socket, &secret).await;
    let theirs = bob.connect().await;
    theirs.call(on(&thread, "subscribe", json!({ "after_seq": 0 }))).await;
    let run = say(&theirs, &thread, "Search my conversations for xylophone").await;
    ended(&theirs, &run).await;
    let results: Vec<Value> = theirs
        .frames()
        .into_iter()
        .filter(|f| f["type"] == "tool_completed" && f["payload"]["tool"] == "search_conversations")
        .map(|f| f["payload"]["result"].clone())
        .collect();
    assert!(!results.is_empty(), "the guide searched");
    assert!(!json!(results).to_string().contains(&secret.thread), "another's conversation was found: {results:?}");
}
