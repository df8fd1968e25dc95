//! What the people of each role may do and use.

use serde_json::json;

use crate::support::{
    answer::{Answer, http},
    frame::{error_code, frame, on},
    provider::{Provider, Request},
    rules::{ended, event, start_run},
    script::Reply,
    server::{Server, Setup},
    user::{PASSWORD, User, fresh_email},
};

fn with_file(text: &str) -> Setup {
    Setup::new().set("NETRA_AUTH", "password").toml(text)
}

/// Somebody with the role that the administrator's link gives.
pub(crate) async fn join(server: &Server, admin: &User, wanted: serde_json::Value) -> User {
    let link = admin.post("/api/admin/invitations", wanted).await.json();
    let secret = link["url"].as_str().expect("an address").rsplit('=').next().expect("a secret").to_owned();
    let mut user = User::visitor(server);
    user.email = fresh_email();
    let form = json!({ "email": user.email, "password": PASSWORD, "name": "Gil", "invitation": secret });
    let made = user.post("/api/auth/register", form).await.json();
    made["user"]["id"].as_str().expect("an id").clone_into(&mut user.id);
    user
}

#[tokio::test]
async fn a_guest_reads_what_is_shared_and_begins_nothing() {
    let server = with_file("").start().await;
    let admin = User::register(&server).await;
    assert_eq!(
        admin.post("/api/admin/invitations", json!({ "guest": true, "administrator": true })).await.error().0,
        400
    );
    let guest = join(&server, &admin, json!({ "guest": true })).await;
    assert_eq!(guest.get("/api/me").await.ok()["user"]["role"], "guest");
    assert_eq!(guest.post("/api/threads", json!({})).await.error(), (403, "forbidden".into()));
    let (first, second) = (admin.connect().await, guest.connect().await);
    assert_eq!(error_code(&second.call(frame("start_agent", json!({ "content": "Hello" }))).await), "forbidden");
    let run = start_run(&first, "guide", "What is 6 times 7?").await;
    ended(&first, &run).await;
    let members = format!("/api/threads/{}/members", run.thread);
    assert_eq!(admin.post(&members, json!({ "email": guest.email })).await.status, 201);
    guest.post(&format!("/api/invitations/{}", run.thread), json!({})).await.ok();
    assert_eq!(guest.get("/api/threads").await.ok()["threads"][0]["id"], run.thread.as_str());
    let said = second.call(on(&run.thread, "user_message", json!({ "content": "Hello" }))).await;
    assert_eq!(error_code(&said), "forbidden");
}

#[tokio::test]
async fn an_agent_may_be_for_some() {
    let file = r#"
        [[agents]]
        name = "clerk"
        kind = "guide"
        users = ["admin", "boss@example.org"]

        [[agents]]
        name = "guide"
        kind = "guide"
    "#;
    let server = with_file(file).start().await;
    let (admin, ada) = (User::register(&server).await, User::register(&server).await);
    let names = async |user: &User| {
        let listed = user.get("/api/agents").await.ok();
        let agents = listed["agents"].as_array().expect("agents").clone();
        agents.iter().map(|agent| agent["name"].as_str().expect("a name").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(
        (names(&admin).await, names(&ada).await),
        (vec!["clerk".into(), "guide".into()], vec!["guide".to_owned()])
    );
    let public = User::visitor(&server).get("/api/config").await.ok();
    assert_eq!(public["agents"].as_array().map(Vec::len), Some(1), "{public}");
    let socket = ada.connect().await;
    let refused = socket.call(frame("start_agent", json!({ "agent": "clerk", "content": "Hello" }))).await;
    assert_eq!(error_code(&refused), "forbidden");
    let own = socket.call(frame("start_agent", json!({ "content": "What is 6 times 7?" }))).await;
    assert_eq!(own["type"], "ack", "the first agent that is for her: {own}");
    let allowed = admin.connect().await;
    ended(&allowed, &start_run(&allowed, "clerk", "What is 6 times 7?").await).await;
    let wrong = with_file("[[agents]]\nname = \"x\"\nkind = \"guide\"\nusers = [\"king\"]\n").refused().await;
    assert!(wrong.code == 2 && wrong.stderr.contains("king"), "{}", wrong.stderr);
}

#[tokio::test]
async fn tokens_of_a_day_are_counted() {
    let provider = Provider::start(|_| Reply::text("Hello.")).await;
    let file = "[quotas.member]\ntokens_a_day = 1\nconnections = 1\n";
    let server = with_file(file).assistant(&provider).start().await;
    let (_admin, ada) = (User::register(&server).await, User::register(&server).await);
    let socket = ada.connect().await;
    ended(&socket, &start_run(&socket, "assistant", "One").await).await;
    let refused = socket.call(frame("start_agent", json!({ "agent": "assistant", "content": "Two" }))).await;
    assert_eq!(error_code(&refused), "rate_limited");
    let payload = &refused["payload"];
    assert!(payload["message"].as_str().is_some_and(|words| words.contains("tokens of today")), "{refused}");
    assert!(payload["retry_after_ms"].as_u64().is_some_and(|wait| wait <= 24 * 60 * 60 * 1000), "{refused}");
    let _second = ada.connect().await;
    socket.closed_with(4409, crate::support::PATIENCE).await;
    for (file, word) in [
        ("[quotas.king]\n", "king"),
        ("[quotas.guest]\nruns = 3\n", "runs"),
        ("[quotas.guest]\nconnections = 0\n", "connections"),
        ("[quotas.guest]\ncost_a_day = -1.0\n", "cost_a_day"),
    ] {
        let wrong = with_file(file).refused().await;
        assert!(wrong.code == 2 && wrong.stderr.contains(word), "{file}: {}", wrong.stderr);
    }
}

#[tokio::test]
async fn a_tool_may_be_for_some() {
    let offers = |request: &Request| request.body["tools"].to_string().contains("date_time");
    let provider =
        Provider::start(move |request| Reply::text(if offers(request) { "I may." } else { "I may not." })).await;
    let file = "[tools.users]\n\"date_*\" = [\"admin\"]\n";
    let server = with_file(file).assistant(&provider).start().await;
    let (admin, ada) = (User::register(&server).await, User::register(&server).await);
    for (user, said) in [(&admin, "I may."), (&ada, "I may not.")] {
        let socket = user.connect().await;
        let run = start_run(&socket, "assistant", "May you?").await;
        let answer = event(&socket, &run, "agent_response").await;
        ended(&socket, &run).await;
        assert_eq!(answer["payload"]["content"], said);
    }
    for (file, word) in [
        ("[tools.users]\n\"date_*\" = [\"king\"]\n", "king"),
        ("[tools.users]\n\"dates\" = [\"admin\"]\n", "dates"),
        ("[tools]\nusers = \"admin\"\n", "users"),
    ] {
        let wrong = with_file(file).refused().await;
        assert!(wrong.code == 2 && wrong.stderr.contains(word), "{file}: {}", wrong.stderr);
    }
}

#[tokio::test]
async fn files_have_a_quota_by_role() {
    let server = with_file("[quotas.member]\nfile_bytes = 10\nstorage_bytes = 15\n").start().await;
    let (admin, ada) = (User::register(&server).await, User::register(&server).await);
    let upload = async |user: &User, length: usize| {
        let request = http()
            .post(format!("{}/api/attachments?name=a.txt", user.base()))
            .header("cookie", user.cookies())
            .header("content-type", "text/plain")
            .body("x".repeat(length));
        Answer::of(request).await
    };
    assert_eq!(upload(&admin, 100).await.status, 201);
    assert_eq!(upload(&ada, 11).await.status, 413);
    assert_eq!(upload(&ada, 10).await.status, 201);
    let (status, _) = upload(&ada, 10).await.error();
    assert_eq!(status, 413);
    let usage = admin.get("/api/admin/usage").await.ok();
    let member = usage["quotas"].as_array().expect("quotas").iter().find(|quota| quota["role"] == "user");
    assert_eq!(member.map(|quota| (&quota["file_bytes"], &quota["storage_bytes"])), Some((&json!(10), &json!(15))));
}
