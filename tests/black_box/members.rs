//! Shared threads: members see the same events and take part; removal acts at once, on open sockets too (R10, R15).

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt, net::TcpStream, time::sleep};

use crate::support::{
    PATIENCE,
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
    member.post(&format!("/api/invitations/{thread}"), json!({})).await.ok();
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

/// An invitation lets someone read; their own list, search and pages hear of the conversation once they accept.
#[tokio::test]
async fn nobody_is_in_a_conversation_without_accepting() {
    let server = Setup::new().start().await;
    let (ada, bob) = (User::register(&server).await, User::register(&server).await);
    let thread = ada.thread("Buy now").await["id"].as_str().expect("an id").to_owned();
    let socket = bob.connect().await;
    let invited = ada.post(&path(&thread), json!({ "email": bob.email })).await;
    assert_eq!((invited.status, &invited.json()["invited"]), (201, &json!(true)), "{}", invited.body);
    socket.wait("the notice", |f| f["type"] == "system_message").await;
    ada.patch(&format!("/api/threads/{thread}"), json!({ "title": "Buy at once" })).await.ok();
    for list in ["/api/threads", "/api/threads?query=buy"] {
        assert_eq!(bob.get(list).await.ok()["threads"], json!([]), "{list}");
    }
    socket.alive().await;
    assert!(socket.frames().iter().all(|f| f["type"] != "thread_update"), "the page heard of it");
    assert_eq!(bob.get(&format!("/api/threads/{thread}")).await.ok()["title"], "Buy at once", "the invited may read");

    let waiting = bob.get("/api/invitations").await.ok();
    let first = &waiting["invitations"][0];
    assert_eq!((&first["thread_id"], &first["title"]), (&json!(thread), &json!("Buy at once")), "{waiting}");
    assert_eq!(first["invited_by"]["id"], ada.id.as_str());
    let path_of = format!("/api/invitations/{thread}");
    assert_eq!(ada.post(&path_of, json!({})).await.status, 200, "what is one's own is one's own");
    bob.post(&path_of, json!({})).await.ok();
    bob.post(&path_of, json!({})).await.ok();
    socket.wait("the list hears of it", |f| f["type"] == "thread_update").await;
    assert_eq!(bob.get("/api/threads").await.ok()["threads"][0]["id"], thread.as_str());
    assert_eq!(bob.get("/api/invitations").await.ok()["invitations"], json!([]));
    assert_eq!(bob.delete(&path_of).await.status, 404, "it was answered");

    let second = ada.thread("Another").await["id"].as_str().expect("an id").to_owned();
    ada.post(&path(&second), json!({ "email": bob.email })).await;
    assert_eq!(bob.delete(&format!("/api/invitations/{second}?block=true")).await.status, 204);
    assert_eq!(bob.get(&format!("/api/threads/{second}")).await.status, 404);
    let refused = ada.post(&path(&second), json!({ "email": bob.email })).await;
    assert_eq!(refused.error(), (403, "forbidden".into()), "blocked");
    assert_eq!(bob.get("/api/blocks").await.ok()["blocks"][0]["id"], ada.id.as_str());
    assert_eq!(bob.delete(&format!("/api/blocks/{}", ada.id)).await.status, 204);
    assert_eq!(ada.post(&path(&second), json!({ "email": bob.email })).await.status, 201);
    assert_eq!(bob.post("/api/blocks", json!({ "user_id": bob.id })).await.status, 409);
    let nobody = json!({ "user_id": "019a0000-0000-7000-8000-000000000000" });
    assert_eq!(bob.post("/api/blocks", nobody).await.status, 404);
    assert_eq!(bob.post("/api/blocks", json!({ "user_id": ada.id })).await.status, 204);
    assert_eq!(bob.get("/api/invitations").await.ok()["invitations"], json!([]), "what waited is gone");
}

/// Whoever writes takes part; a viewer does not write, whatever way.
#[tokio::test]
async fn a_viewer_reads_and_does_not_write() {
    let server = Setup::new().start().await;
    let (ada, bob) = (User::register(&server).await, User::register(&server).await);
    let thread = ada.thread("Ours").await["id"].as_str().expect("an id").to_owned();
    let invited = ada.post(&path(&thread), json!({ "email": bob.email, "role": "viewer" })).await;
    assert_eq!((invited.status, &invited.json()["role"]), (201, &json!("viewer")), "{}", invited.body);
    let socket = bob.connect().await;
    socket.call(on(&thread, "subscribe", json!({ "after_seq": 0 }))).await;
    for kind in ["user_message", "start_agent"] {
        let answer = socket.call(on(&thread, kind, json!({ "content": "Hello?" }))).await;
        assert_eq!(error_code(&answer), "forbidden", "{kind}");
    }
    let members = path(&thread);
    let change = |role: &str| ada.patch(&members, json!({ "email": bob.email, "role": role }));
    assert_eq!(change("king").await.error().0, 400);
    assert_eq!(bob.patch(&path(&thread), json!({ "email": bob.email, "role": "writer" })).await.error().0, 403);
    assert_eq!(change("writer").await.ok()["role"], "writer");
    let run = say(&socket, &thread, "And 7 times 8?").await;
    ended(&socket, &run).await;
    assert_eq!(bob.get("/api/invitations").await.ok()["invitations"], json!([]), "whoever writes has accepted");
    let nobody = ada.patch(&path(&thread), json!({ "email": "nobody@example.org", "role": "viewer" })).await;
    assert_eq!(nobody.status, 404);
}

/// One person cannot bury another in invitations.
#[tokio::test]
async fn invitations_that_wait_are_bounded() {
    let server = Setup::new().set("NETRA_COMMANDS_PER_MINUTE", 100_000).start().await;
    let (ada, bob, carol) =
        (User::register(&server).await, User::register(&server).await, User::register(&server).await);
    let invite = async |from: &User| {
        let thread = from.thread("Buy now").await["id"].as_str().expect("an id").to_owned();
        from.post(&path(&thread), json!({ "email": bob.email })).await
    };
    for _ in 0..20 {
        assert_eq!(invite(&ada).await.status, 201);
    }
    let refused = invite(&ada).await;
    assert_eq!(refused.error(), (429, "rate_limited".into()));
    assert!(!refused.header("retry-after").is_empty());
    assert_eq!(invite(&carol).await.status, 201, "another's are another's");
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

async fn wanted(user: &User, thread: &str, pinned: bool, archived: bool) {
    let found = user.get(&format!("/api/threads/{thread}")).await.ok();
    assert_eq!((&found["pinned"], &found["archived"]), (&json!(pinned), &json!(archived)), "{found}");
    let listed = |list: &Value| list["threads"].as_array().expect("threads").iter().any(|t| t["id"] == thread);
    assert_eq!(listed(&user.get("/api/threads?archived=true").await.ok()), archived);
    assert_eq!(listed(&user.get("/api/threads").await.ok()), !archived);
}

#[tokio::test]
async fn pin_and_archive_are_each_readers_own() {
    let server = Setup::new().start().await;
    let (ada, bob, thread) = shared(&server).await;
    let (first, second) = (ada.connect().await, bob.connect().await);
    let path = format!("/api/threads/{thread}");
    let version = |thread: &Value| thread["version"].as_u64().expect("a version");
    let before = version(&bob.get(&path).await.ok());

    let put_away = bob.patch(&path, json!({ "archived": true })).await.ok();
    assert!(version(&put_away) > before, "{put_away}");
    second
        .wait("bob's own page hears of it", |f| f["type"] == "thread_update" && f["payload"]["archived"] == true)
        .await;
    wanted(&bob, &thread, false, true).await;
    wanted(&ada, &thread, false, false).await;
    let pinned = ada.patch(&path, json!({ "pinned": true })).await.ok();
    assert!(version(&pinned) > version(&put_away), "{pinned}");
    wanted(&ada, &thread, true, false).await;
    wanted(&bob, &thread, false, true).await;

    // What concerns all is the owner's; a member who asks for both gets neither.
    let answer = bob.patch(&path, json!({ "title": "Mine", "pinned": true })).await;
    assert_eq!((answer.status, answer.json()["error"]["code"].as_str()), (403, Some("forbidden")));
    wanted(&bob, &thread, false, true).await;
    let from = second.count();
    let named = ada.patch(&path, json!({ "title": "Ours, still" })).await.ok();
    let told = |f: &Value| f["type"] == "thread_update" && f["payload"]["title"] == "Ours, still";
    let told = second.wait_for(from, crate::support::PATIENCE, "the new title", told).await;
    assert_eq!(
        (&told["payload"]["archived"], &told["payload"]["pinned"]),
        (&json!(true), &json!(false)),
        "as bob has it"
    );
    assert_eq!(version(&told["payload"]), version(&named));
    assert!(first.frames().iter().all(|f| f["type"] != "thread_update" || f["payload"]["archived"] == false));

    // Whoever leaves and comes back begins anew.
    assert_eq!(bob.delete(&format!("{path}/members")).await.status, 204);
    add(&ada, &thread, &bob).await;
    wanted(&bob, &thread, false, false).await;
}

/// A request that is cut off while it is carried out is carried out to its end, for those who hear of it as well.
#[tokio::test]
async fn whoever_leaves_and_hangs_up_hears_nothing_more() {
    let server = Setup::new().start().await;
    let (ada, bob, thread) = shared(&server).await;
    let socket = bob.connect().await;
    let request = format!(
        "DELETE {} HTTP/1.1\r\nHost: {}\r\nOrigin: {}\r\nCookie: {}\r\nContent-Length: 0\r\n\r\n",
        path(&thread),
        server.host(),
        server.base,
        bob.cookies()
    );
    let mut from = socket.count();
    for number in 0..40 {
        let mut cut = TcpStream::connect(server.host()).await.expect("a connection");
        cut.write_all(request.as_bytes()).await.expect("asked");
        sleep(Duration::from_micros(400) * (number % 20)).await;
        drop(cut);
        sleep(Duration::from_millis(30)).await;
        let members = ada.get(&path(&thread)).await.ok();
        if members["members"].as_array().expect("members").len() == 1 {
            let gone = |f: &Value| f["type"] == "thread_deleted" && f["payload"]["id"] == thread.as_str();
            socket.wait_for(from, PATIENCE, "he hears that he left", gone).await;
            from = socket.count();
            add(&ada, &thread, &bob).await;
        }
    }
}
