//! A new conversation that holds the way to a message of another one (R12).

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    answer::{Answer, http},
    frame::{frame, on},
    provider::{Provider, text},
    rules::{Run, acked, ended, say, start_run},
    script::Reply,
    server::Setup,
    user::User,
};

async fn go_on(user: &User, thread: &str, message: &str) -> Answer {
    user.post(&format!("/api/threads/{thread}/continue"), json!({ "message_id": message })).await
}

/// The new conversation and its last message.
async fn made(user: &User, thread: &str, message: &str) -> (Value, String) {
    let answer = go_on(user, thread, message).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    let made = answer.json();
    (made["thread"].clone(), made["message_id"].as_str().expect("an id").to_owned())
}

fn id(thread: &Value) -> &str {
    thread["id"].as_str().expect("an id")
}

async fn messages(user: &User, thread: &str) -> Vec<Value> {
    let page = user.get(&format!("/api/threads/{thread}/messages")).await.ok();
    page["messages"].as_array().cloned().expect("messages")
}

async fn said(user: &User, thread: &str) -> Vec<String> {
    let messages = messages(user, thread).await;
    messages.iter().map(|message| message["content"].as_str().expect("text").to_owned()).collect()
}

fn id_of(messages: &[Value], content: &str) -> String {
    let found = messages.iter().find(|message| message["content"] == content);
    found.and_then(|message| message["message_id"].as_str()).unwrap_or_else(|| panic!("no {content}")).to_owned()
}

#[tokio::test]
async fn it_holds_the_way_to_the_message_and_goes_on_from_there() {
    let provider = Provider::start(|request| {
        let told: Vec<String> = request.messages().iter().map(text).collect();
        Reply::text(&format!("[{}]", told.last().cloned().unwrap_or_default()))
    })
    .await;
    let server = Setup::new().assistant(&provider).start().await;
    let user = User::dev(&server).await;
    let socket = user.connect().await;
    let first = start_run(&socket, "assistant", "one").await;
    ended(&socket, &first).await;
    let thread = first.thread.clone();
    ended(&socket, &say(&socket, &thread, "two").await).await;
    ended(&socket, &say(&socket, &thread, "three").await).await;
    let all = messages(&user, &thread).await;
    // Said again in other words, as another branch.
    let again = json!({ "content": "two again", "parent_id": id_of(&all, "[one]") });
    let ack = socket.call(on(&thread, "user_message", again)).await;
    ended(&socket, &Run { thread: thread.clone(), id: acked(&ack, "run_id") }).await;
    let all = messages(&user, &thread).await;
    let before = said(&user, &thread).await;

    // From an answer of the older branch: what leads to it alone, and in another tab's list at once.
    let other_tab = user.connect().await;
    let (continued, last) = made(&user, &thread, &id_of(&all, "[two]")).await;
    assert_eq!(continued["title"], "one (continued)", "{continued}");
    assert_eq!(continued["agent"], "assistant");
    other_tab.wait("told", |f| f["type"] == "thread_created" && f.to_string().contains("one (continued)")).await;
    assert_eq!(said(&user, id(&continued)).await, ["one", "[one]", "two", "[two]"]);
    assert_eq!(messages(&user, id(&continued)).await[3]["message_id"], last.as_str());
    assert_eq!(said(&user, &thread).await, before, "the old one is as it was");
    let list = user.get("/api/threads").await.ok();
    assert_eq!(list["threads"][0]["id"], continued["id"], "it is the newest: {list}");

    // What is said next is told the way.
    socket.call(on(id(&continued), "subscribe", json!({}))).await;
    ended(&socket, &say(&socket, id(&continued), "four").await).await;
    let told: Vec<String> = provider.requests().pop().expect("asked").messages().iter().map(text).collect();
    assert_eq!(told, ["one", "[one]", "two", "[two]", "four"]);
    let again = user.get("/api/threads?query=four").await.ok();
    assert_eq!(again["threads"][0]["id"], continued["id"], "{again}");

    // From a person's message it ends with that, which can be answered anew.
    let (asked, last) = made(&user, &thread, &id_of(&all, "two again")).await;
    assert_eq!(said(&user, id(&asked)).await, ["one", "[one]", "two again"]);
    socket.call(on(id(&asked), "subscribe", json!({}))).await;
    let ack = socket.call(frame("regenerate", json!({ "message_id": last }))).await;
    ended(&socket, &Run { thread: id(&asked).to_owned(), id: acked(&ack, "run_id") }).await;
    assert_eq!(said(&user, id(&asked)).await, ["one", "[one]", "two again", "[two again]"]);

    // Once more from what goes on: its title says so once.
    let (twice, _) = made(&user, id(&continued), &id_of(&messages(&user, id(&continued)).await, "[four]")).await;
    assert_eq!(twice["title"], "one (continued)");
    assert_eq!(said(&user, id(&twice)).await.len(), 6);
}

#[tokio::test]
async fn tools_come_along_and_an_answer_of_several_is_the_one_that_was_named() {
    let server = Setup::new().start().await;
    let user = User::dev(&server).await;
    let socket = user.connect().await;
    let run = start_run(&socket, "guide", "What is 6 times 7?").await;
    ended(&socket, &run).await;
    let asked = messages(&user, &run.thread).await[0]["message_id"].as_str().expect("an id").to_owned();
    let ack = socket.call(frame("regenerate", json!({ "message_id": asked }))).await;
    ended(&socket, &Run { thread: run.thread.clone(), id: acked(&ack, "run_id") }).await;
    let all = messages(&user, &run.thread).await;
    assert_eq!(all.len(), 3);
    for answer in &all[1..] {
        let (continued, _) = made(&user, &run.thread, answer["message_id"].as_str().expect("an id")).await;
        let page = user.get(&format!("/api/threads/{}/messages", id(&continued))).await.ok();
        let runs = page["runs"].as_array().expect("runs");
        assert_eq!(runs.len(), 1, "{page}");
        let tools: Vec<&Value> =
            runs[0]["steps"].as_array().expect("steps").iter().filter(|step| step["kind"] == "tool").collect();
        assert!(!tools.is_empty() && tools.iter().all(|tool| tool["status"] == "ok"), "{page}");
    }
}

#[tokio::test]
async fn its_files_are_its_own() {
    let server = Setup::new().start().await;
    let user = User::dev(&server).await;
    let request = http()
        .post(format!("{}/api/attachments?name=notes.txt", user.base()))
        .header("cookie", user.cookies())
        .header("content-type", "text/plain")
        .body("what was noted");
    let file = Answer::of(request).await.json()["attachment"].clone();
    let socket = user.connect().await;
    let start = json!({ "agent": "guide", "content": "What is 1 + 1?", "attachments": [file["id"]] });
    let ack = socket.call(frame("start_agent", start)).await;
    let run = Run { thread: acked(&ack, "thread_id"), id: acked(&ack, "run_id") };
    socket.call(on(&run.thread, "subscribe", json!({ "after_seq": 0 }))).await;
    ended(&socket, &run).await;
    let answer = messages(&user, &run.thread).await[1]["message_id"].as_str().expect("an id").to_owned();
    let (continued, _) = made(&user, &run.thread, &answer).await;
    assert_eq!(user.send(Method::DELETE, &format!("/api/threads/{}", run.thread), None, &[]).await.status, 204);
    let copy = messages(&user, id(&continued)).await[0]["attachments"][0].clone();
    assert_eq!((&copy["name"], &copy["media_type"]), (&json!("notes.txt"), &json!("text/plain")), "{copy}");
    assert_ne!(copy["id"], file["id"]);
    assert_eq!(user.get(copy["url"].as_str().expect("an address")).await.body, "what was noted");
    let gone = user.get(file["url"].as_str().expect("an address")).await;
    assert_eq!(gone.status, 404, "the old one went with its conversation");
}

#[tokio::test]
async fn what_is_no_message_here_or_not_the_users_to_take_is_refused() {
    let server = Setup::new().set("NETRA_AUTH", "password").start().await;
    let (owner, member, stranger) =
        (User::register(&server).await, User::register(&server).await, User::register(&server).await);
    let socket = owner.connect().await;
    let run = start_run(&socket, "guide", "What is 1 + 1?").await;
    ended(&socket, &run).await;
    let answer = messages(&owner, &run.thread).await[1]["message_id"].as_str().expect("an id").to_owned();
    let members = format!("/api/threads/{}/members", run.thread);
    let viewer = json!({ "email": member.email, "role": "viewer" });
    assert_eq!(owner.post(&members, viewer).await.status, 201);
    member.post(&format!("/api/invitations/{}", run.thread), json!({})).await.ok();
    assert_eq!(go_on(&member, &run.thread, &answer).await.error(), (403, "forbidden".into()));
    assert_eq!(go_on(&stranger, &run.thread, &answer).await.error(), (404, "not_found".into()));
    let elsewhere = start_run(&socket, "guide", "What is 2 + 2?").await;
    ended(&socket, &elsewhere).await;
    for wrong in [
        messages(&owner, &elsewhere.thread).await[0]["message_id"].as_str().expect("an id"),
        "019a0000-0000-7000-8000-000000000000",
        "00000000-0000-0000-0000-000000000000",
    ] {
        assert_eq!(go_on(&owner, &run.thread, wrong).await.error(), (404, "not_found".into()), "{wrong}");
    }
    let bad = owner.post(&format!("/api/threads/{}/continue", run.thread), json!({ "message_id": 7 })).await;
    assert_eq!(bad.error(), (400, "invalid_payload".into()));
    let count = |list: Value| list["threads"].as_array().expect("threads").len();
    assert_eq!(count(owner.get("/api/threads").await.ok()), 2, "nothing was made");
    // A member who may write takes it further as a conversation of their own.
    let writer = json!({ "email": member.email, "role": "writer" });
    let changed = owner.send(Method::PATCH, &members, Some(writer.to_string()), &[]).await;
    assert_eq!(changed.status, 200, "{}", changed.body);
    let (own, _) = made(&member, &run.thread, &answer).await;
    assert_eq!(own["owner_id"], member.id.as_str());
    assert_eq!(messages(&member, id(&own)).await[0]["author"]["id"], owner.id.as_str(), "who said it stays");
    assert_eq!(go_on(&owner, id(&own), &answer).await.error(), (404, "not_found".into()));
}
