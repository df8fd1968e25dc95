//! What administrators see and end, and what is asked again before it matters.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    PATIENCE,
    frame::{error_code, frame, on},
    provider::Provider,
    rules::{Run, acked, ended, event, start_run},
    script::Stream,
    server::{Server, Setup},
    user::{PASSWORD, User},
};

async fn slow() -> Provider {
    Provider::start(|_| Stream::new().texts(3_000, "w{k} ", Duration::from_millis(10)).end("stop")).await
}

/// A thread of the owner's with somebody who has accepted the role.
async fn with_member(owner: &User, thread: &str, member: &User, role: &str) {
    let form = json!({ "email": member.email, "role": role });
    let added = owner.post(&format!("/api/threads/{thread}/members"), form).await;
    assert_eq!(added.status, 201, "{}", added.body);
    member.post(&format!("/api/invitations/{thread}"), json!({})).await.ok();
}

async fn change_role(owner: &User, thread: &str, member: &User, role: &str) {
    let form = json!({ "email": member.email, "role": role });
    owner.patch(&format!("/api/threads/{thread}/members"), form).await.ok();
}

#[tokio::test]
async fn a_viewer_says_nothing_and_stops_nothing() {
    let provider = slow().await;
    let server = Setup::new().assistant(&provider).start().await;
    let (ada, bob) = (User::register(&server).await, User::register(&server).await);
    let (first, second) = (ada.connect().await, bob.connect().await);
    let run = start_run(&first, "assistant", "Count.").await;
    event(&first, &run, "partial_result").await;
    with_member(&ada, &run.thread, &bob, "viewer").await;
    assert_eq!(second.call(frame("join_room", json!({ "room": run.thread }))).await["type"], "ack", "they are there");
    let speech = frame("room_message", json!({ "room": run.thread, "body": { "typing": true } }));
    assert_eq!(error_code(&second.call(speech.clone()).await), "forbidden");
    let stop = on(&run.thread, "stop_agent", json!({ "run_id": run.id }));
    assert_eq!(error_code(&second.call(stop).await), "forbidden");
    let said = second.call(on(&run.thread, "user_message", json!({ "content": "Hello" }))).await;
    assert_eq!(error_code(&said), "forbidden");
    let page = bob.browse(&format!("/t/{}", run.thread)).await;
    assert!(page.body.contains("You read this conversation") && !page.body.contains("<textarea"), "no composer");

    change_role(&ada, &run.thread, &bob, "writer").await;
    let page = bob.browse(&format!("/t/{}", run.thread)).await;
    assert!(page.body.contains("<textarea"), "a composer");
    let stop = on(&run.thread, "stop_agent", json!({ "run_id": run.id }));
    assert_eq!(second.call(stop).await["type"], "ack", "a writer stops what works");
    ended(&first, &run).await;
    change_role(&ada, &run.thread, &bob, "viewer").await;
    let again = frame("room_message", json!({ "room": run.thread, "body": { "typing": true } }));
    assert_eq!(error_code(&second.call(again).await), "forbidden", "a role that is taken away counts at once");
}

#[tokio::test]
async fn who_is_blocked_hears_nothing_more() {
    let server = Setup::new().start().await;
    let (ada, bob) = (User::register(&server).await, User::register(&server).await);
    let thread = ada.thread("Ours").await["id"].as_str().expect("an id").to_owned();
    let theirs = bob.thread("Theirs").await["id"].as_str().expect("an id").to_owned();
    with_member(&ada, &thread, &bob, "writer").await;
    with_member(&bob, &theirs, &ada, "writer").await;
    let socket = bob.connect().await;
    socket.call(on(&thread, "subscribe", json!({ "after_seq": 0 }))).await;
    let blocked = ada.post("/api/blocks", json!({ "user_id": bob.id })).await;
    assert_eq!(blocked.status, 204, "{}", blocked.body);
    socket.wait("the end", |f| f["type"] == "thread_deleted" && f["thread_id"] == thread.as_str()).await;
    assert_eq!(bob.get(&format!("/api/threads/{thread}")).await.status, 404);
    let own = ada.connect().await;
    let before = socket.count();
    let said =
        own.call(on(&thread, "user_message", json!({ "content": "What is 6 times 7?", "agent": "guide" }))).await;
    let run = Run { thread: thread.clone(), id: acked(&said, "run_id") };
    ended_elsewhere(&ada, &run).await;
    socket.alive().await;
    let heard = socket.frames().split_off(before);
    assert!(heard.iter().all(|f| f["thread_id"] != thread.as_str()), "{heard:?}");
    assert_eq!(ada.get(&format!("/api/threads/{theirs}")).await.status, 200, "what is Bob's is Bob's to end");
}

/// Waits for a run's end over HTTP.
async fn ended_elsewhere(user: &User, run: &Run) {
    let path = format!("/api/threads/{}/runs/{}", run.thread, run.id);
    let end = tokio::time::Instant::now() + PATIENCE;
    while tokio::time::Instant::now() < end {
        let found = user.get(&path).await;
        if found.status == 200 && !matches!(found.json()["status"].as_str(), Some("queued" | "running")) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{path} did not end");
}

#[tokio::test]
async fn what_works_for_a_disabled_account_ends() {
    let provider = slow().await;
    let server = Setup::new().set("NETRA_AUTH", "password").assistant(&provider).start().await;
    let (admin, ada) = (User::register(&server).await, User::register(&server).await);
    let thread = admin.thread("Ours").await["id"].as_str().expect("an id").to_owned();
    with_member(&admin, &thread, &ada, "writer").await;
    let (first, second) = (admin.connect().await, ada.connect().await);
    first.call(on(&thread, "subscribe", json!({ "after_seq": 0 }))).await;
    let say = async |text: &str| {
        let said = second.call(on(&thread, "user_message", json!({ "content": text, "agent": "assistant" }))).await;
        Run { thread: thread.clone(), id: acked(&said, "run_id") }
    };
    let runs = [say("One").await, say("Two").await];
    event(&first, &runs[0], "partial_result").await;
    let changed = admin.patch(&format!("/api/admin/users/{}", ada.id), json!({ "disabled": true })).await;
    assert_eq!(changed.status, 200, "{}", changed.body);
    second.closed_with(4401, PATIENCE).await;
    for run in &runs {
        let end = ended(&first, run).await;
        assert_eq!(end["payload"]["status"], "stopped", "{end}");
    }
    provider.idle(Duration::from_secs(1)).await;
}

#[tokio::test]
async fn administrators_see_what_goes_on_and_end_it() {
    let provider = slow().await;
    let server = Setup::new()
        .set("NETRA_AUTH", "password")
        .set("NETRA_JWT_SECRET", "k7Q2vX9mB4tL8wZ1cR6yN3pD5sF0gHjA")
        .assistant(&provider)
        .start()
        .await;
    let (admin, ada) = (User::register(&server).await, User::register(&server).await);
    let socket = ada.connect().await;
    let run = start_run(&socket, "assistant", "Count.").await;
    event(&socket, &run, "partial_result").await;

    let found = admin.get("/api/admin/runs").await.ok();
    assert_eq!(found["runs"][0]["id"], run.id.as_str(), "{found}");
    assert_eq!(found["runs"][0]["user_id"], ada.id.as_str());
    let connections = admin.get("/api/admin/connections").await.ok();
    assert_eq!(connections["total"], 1, "{connections}");
    assert_eq!(connections["connections"][0]["user"]["id"], ada.id.as_str());
    let usage = admin.get(&format!("/api/admin/usage?query={}", ada.email)).await.ok();
    assert_eq!((&usage["users"][0]["runs"], usage["quotas"].as_array().map(Vec::len)), (&json!(1), Some(3)), "{usage}");
    assert_eq!(admin.delete(&format!("/api/admin/runs/{}", run.id)).await.status, 204);
    let end = ended(&socket, &run).await;
    assert_eq!(end["payload"]["status"], "stopped", "{end}");
    assert_eq!(admin.delete(&format!("/api/admin/runs/{}", run.id)).await.status, 404, "it is over");
    assert_eq!(admin.get("/api/admin/runs").await.ok()["runs"], json!([]));

    let sign_ins = admin.get(&format!("/api/admin/sign-ins?query={}", ada.email)).await.ok();
    assert_eq!(sign_ins["sign_ins"].as_array().map(Vec::len), Some(1), "{sign_ins}");
    assert_eq!(sign_ins["sign_ins"][0]["address"], "127.0.0.1");
    assert_eq!(admin.delete(&format!("/api/admin/users/{}/sign-ins", ada.id)).await.status, 204);
    socket.closed_with(4401, PATIENCE).await;
    assert_eq!(ada.get("/api/me").await.status, 401);

    let settings = admin.get("/api/admin/settings").await;
    assert!(!settings.body.contains("k7Q2vX9mB4tL8wZ1cR6yN3pD5sF0gHjA"), "a secret is shown");
    let settings = settings.json();
    let of = |name: &str| {
        let all = settings["settings"].as_array().expect("settings");
        all.iter().find(|setting| setting["name"] == name).cloned().unwrap_or_default()
    };
    assert_eq!(of("NETRA_AUTH")["source"], "NETRA_AUTH");
    assert_eq!(of("NETRA_AUTH")["value"], "password");
    assert_eq!(of("NETRA_HEARTBEAT_TIMEOUT_MS")["source"], "default");
    assert_eq!(of("NETRA_HEARTBEAT_TIMEOUT_MS")["value"], "10000");
    assert_eq!((of("NETRA_JWT_SECRET")["secret"].clone(), of("NETRA_JWT_SECRET").get("value")), (json!(true), None));
    let newest = admin.get("/api/admin/audit?newest=true&limit=2").await.ok();
    let actions: Vec<&Value> = newest["lines"].as_array().expect("lines").iter().map(|line| &line["action"]).collect();
    assert_eq!(actions, ["sign_in.all_ended", "run.stopped"], "{newest}");
    let me = admin.get("/api/me").await.ok()["user"]["name"].clone();
    assert_eq!(newest["lines"][1]["actor_name"], me, "{newest}");
    let by_name = format!("/api/admin/audit?newest=true&query={}", me.as_str().expect("a name").replace(' ', "%20"));
    assert!(!admin.get(&by_name).await.ok()["lines"].as_array().expect("lines").is_empty());
    let agents = admin.get("/api/admin/agents").await.ok();
    assert_eq!(agents["agents"][0]["users"], json!([]), "{agents}");
}

#[tokio::test]
async fn an_invitation_that_was_taken_back_is_good_for_nothing() {
    let server = Setup::new().set("NETRA_AUTH", "password").set("NETRA_REGISTRATION", "invitation").start().await;
    let run = std::process::Command::new(env!("CARGO_BIN_EXE_netra"))
        .args(["user", "add", "--admin"])
        .env("NETRA_CONFIG", server.home().path().join("netra.toml"))
        .env("NETRA_DATA_DIR", server.home().path().join("data"))
        .env("NETRA_AUTH", "password")
        .output()
        .expect("the command runs");
    let printed = String::from_utf8_lossy(&run.stdout).into_owned();
    let first = printed.split("invitation=").nth(1).expect("a link").split_whitespace().next().expect("a secret");
    let admin = join(&server, first).await.expect("the administrator");
    let link = admin.post("/api/admin/invitations", json!({})).await.json();
    let secret = link["url"].as_str().expect("an address").rsplit('=').next().expect("a secret").to_owned();
    let listed = admin.get("/api/admin/links").await.ok();
    let made = listed["links"].as_array().expect("links").iter().find(|link| link["role"] == "user");
    let made = made.unwrap_or_else(|| panic!("no invitation in {listed}"));
    assert!(!listed.to_string().contains(&secret), "the secret is shown once");
    let path = format!("/api/admin/links/{}", made["id"].as_str().expect("an id"));
    assert_eq!(admin.delete(&path).await.status, 204);
    assert_eq!(admin.delete(&path).await.status, 404);
    assert_eq!(join(&server, &secret).await.err(), Some(403));
}

async fn join(server: &Server, invitation: &str) -> Result<User, u16> {
    let mut user = User::visitor(server);
    user.email = crate::support::user::fresh_email();
    let form = json!({ "email": user.email, "password": PASSWORD, "name": "Gil", "invitation": invitation });
    let made = user.post("/api/auth/register", form).await;
    if made.status == 201 { Ok(user) } else { Err(made.status) }
}

/// A sign-in that was left open makes no tokens and administers nothing until the password, or a code, is shown again.
#[tokio::test]
async fn it_is_asked_again_before_what_matters() {
    let server = Setup::new().set("NETRA_AUTH", "password").set("NETRA_CONFIRMATION_S", 3).start().await;
    let admin = User::register(&server).await;
    let made = admin.post("/api/tokens", json!({ "name": "cron", "scope": "admin" })).await;
    assert_eq!(made.status, 201, "right after signing in: {}", made.body);
    let (token, id) = (made.json()["token"].clone(), made.json()["id"].clone());
    let invite = async || admin.post("/api/admin/invitations", json!({})).await;
    let end = tokio::time::Instant::now() + PATIENCE;
    while invite().await.status == 201 {
        assert!(tokio::time::Instant::now() < end, "it is never asked again");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let refused = invite().await;
    assert_eq!(refused.error(), (403, "forbidden".into()));
    assert!(refused.body.contains("confirm"), "{}", refused.body);
    assert!(admin.get("/api/account").await.ok().get("confirmed_until").is_none());
    assert_eq!(admin.post("/api/tokens", json!({ "name": "more" })).await.status, 403);
    assert_eq!(admin.delete(&format!("/api/tokens/{}", id.as_str().expect("an id"))).await.status, 403);
    admin.get("/api/admin/users").await.ok();
    let bearer = format!("Bearer {}", token.as_str().expect("a token"));
    let program = User::visitor(&server);
    let made =
        program.send(Method::POST, "/api/admin/invitations", Some("{}".into()), &[("authorization", &bearer)]).await;
    assert_eq!(made.status, 201, "a program has a token that somebody confirmed: {}", made.body);

    assert_eq!(admin.post("/api/auth/confirm", json!({})).await.status, 400);
    assert_eq!(admin.post("/api/auth/confirm", json!({ "password": "not it at all" })).await.status, 403);
    assert_eq!(admin.post("/api/auth/confirm", json!({ "code": "123456" })).await.status, 409, "no second factor");
    assert_eq!(invite().await.status, 403, "nothing of that confirms");
    assert_eq!(admin.post("/api/auth/confirm", json!({ "password": PASSWORD })).await.status, 204);
    assert_eq!(invite().await.status, 201);
    let wrong = Setup::new().set("NETRA_CONFIRMATION_S", 0).refused().await;
    assert!(wrong.code == 2 && wrong.stderr.contains("CONFIRMATION_S"), "{}", wrong.stderr);
}
