//! Accounts that end: disabled by an administrator, closed by their owner; and all that one owns as a file.

use std::process::Command;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    PATIENCE,
    frame::on,
    rules::{ended, start_run},
    server::{Server, Setup},
    user::{PASSWORD, User},
};

async fn sign_in(server: &Server, user: &User) -> u16 {
    let form = json!({ "email": user.email, "password": PASSWORD });
    User::visitor(server).post("/api/auth/login", form).await.status
}

#[tokio::test]
async fn a_disabled_account_is_out_at_once() {
    let server = Setup::new().set("NETRA_AUTH", "password").start().await;
    let (admin, ada) = (User::register(&server).await, User::register(&server).await);
    let token =
        ada.post("/api/tokens", json!({ "name": "cron" })).await.json()["token"].as_str().expect("a token").to_owned();
    let socket = ada.connect().await;
    let path = format!("/api/admin/users/{}", ada.id);
    assert_eq!(ada.patch(&path, json!({ "disabled": true })).await.error().0, 403);
    let changed = admin.patch(&path, json!({ "disabled": true })).await.ok();
    assert!(changed["disabled_at"].is_string(), "{changed}");
    socket.closed_with(4401, PATIENCE).await;
    assert_eq!((ada.get("/api/me").await.status, sign_in(&server, &ada).await), (401, 403));
    let bearer = format!("Bearer {token}");
    let program = User::visitor(&server);
    assert_eq!(program.send(Method::GET, "/api/me", None, &[("authorization", &bearer)]).await.status, 401);
    admin.patch(&path, json!({ "disabled": false })).await.ok();
    assert_eq!(sign_in(&server, &ada).await, 200);

    let own = format!("/api/admin/users/{}", admin.id);
    for change in [json!({ "disabled": true }), json!({ "role": "user" }), json!({ "role": "guest", "disabled": true })]
    {
        assert_eq!(admin.patch(&own, change.clone()).await.error(), (409, "conflict".into()), "{change}");
    }
    assert_eq!(admin.patch(&own, json!({ "role": "king" })).await.error().0, 400);
    admin.patch(&path, json!({ "role": "admin" })).await.ok();
    admin.patch(&own, json!({ "role": "user" })).await.ok();
    assert_eq!(admin.get("/api/admin/users").await.error().0, 403, "the role counts at once");
    let listed = admin.get("/api/me").await.ok();
    assert_eq!(listed["user"]["role"], "user");
}

#[tokio::test]
async fn the_command_line_lists_disables_and_enables() {
    let server = Setup::new().set("NETRA_AUTH", "password").start().await;
    let (_admin, ada) = (User::register(&server).await, User::register(&server).await);
    let run = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_netra"))
            .args(arguments)
            .env("NETRA_CONFIG", server.home().path().join("netra.toml"))
            .env("NETRA_DATA_DIR", server.home().path().join("data"))
            .env("NETRA_ADDR", server.base.trim_start_matches("http://"))
            .env("NETRA_AUTH", "password")
            .output()
            .expect("the command runs");
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let socket = ada.connect().await;
    assert!(run(&["user", "disable", "--email", &ada.email]).0);
    socket.closed_with(4401, PATIENCE).await;
    let (_, listed) = run(&["user", "list", &ada.email]);
    assert_eq!(listed.lines().count(), 1, "{listed}");
    assert!(listed.starts_with(&ada.email) && listed.contains("disabled"), "{listed}");
    assert!(run(&["user", "enable", "--email", &ada.email]).0);
    assert_eq!(sign_in(&server, &ada).await, 200);
    assert!(!run(&["user", "disable", "--email", "nobody@example.org"]).0);
}

#[tokio::test]
async fn a_closed_account_is_kept_by_signing_in_and_deleted_otherwise() {
    let server = Setup::new().set("NETRA_AUTH", "password").start().await;
    let (admin, ada) = (User::register(&server).await, User::register(&server).await);
    let wrong = ada.post("/api/account/close", json!({ "password": "not it at all" })).await;
    assert_eq!(wrong.error(), (403, "forbidden".into()));
    let last = admin.post("/api/account/close", json!({ "password": PASSWORD })).await;
    assert_eq!(last.error(), (409, "conflict".into()), "nobody else administers");
    let closed = ada.post("/api/account/close", json!({ "password": PASSWORD })).await.ok();
    assert!(closed["delete_at"].is_string(), "{closed}");
    assert_eq!(ada.get("/api/me").await.status, 401);
    assert_eq!(sign_in(&server, &ada).await, 200, "and is kept");
    let listed = admin.get(&format!("/api/admin/users?query={}", ada.email)).await.ok();
    assert!(listed["users"][0].get("delete_at").is_none(), "{listed}");

    let server = Setup::new().set("NETRA_ACCOUNT_GRACE_S", 1).start().await;
    let _admin = User::register(&server).await;
    let (bob, carol) = (User::register(&server).await, User::register(&server).await);
    let socket = bob.connect().await;
    let run = start_run(&socket, "guide", "What is 6 times 7?").await;
    ended(&socket, &run).await;
    let members = format!("/api/threads/{}/members", run.thread);
    assert_eq!(bob.post(&members, json!({ "email": carol.email })).await.status, 201);
    carol.post(&format!("/api/invitations/{}", run.thread), json!({})).await.ok();
    bob.post("/api/account/close", json!({ "password": PASSWORD })).await.ok();
    server.logged(0, "the end of the account", |log| log.contains("closed account deleted")).await;
    assert_eq!(carol.get(&format!("/api/threads/{}", run.thread)).await.status, 404, "its conversations are gone");
    assert_eq!(sign_in(&server, &bob).await, 401);
}

#[tokio::test]
async fn everything_one_owns_can_be_taken_along() {
    let server = Setup::new().start().await;
    let (ada, bob) = (User::register(&server).await, User::register(&server).await);
    let socket = ada.connect().await;
    let run = start_run(&socket, "guide", "What is 6 times 7?").await;
    ended(&socket, &run).await;
    let theirs = bob.connect().await;
    let other = start_run(&theirs, "guide", "What is 7 times 8?").await;
    ended(&theirs, &other).await;
    socket.call(on(&run.thread, "subscribe", json!({ "after_seq": 0 }))).await;
    let answer = ada.get("/api/account/export").await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/jsonl"));
    let lines: Vec<Value> = answer.body.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let kinds: Vec<&str> = lines.iter().map(|line| line["kind"].as_str().expect("a kind")).collect();
    assert_eq!((kinds[0], kinds[kinds.len() - 1]), ("account", "end"), "{kinds:?}");
    let count = |kind: &str| kinds.iter().filter(|one| **one == kind).count();
    assert_eq!((count("thread"), count("message"), count("sign_in")), (1, 2, 1), "{kinds:?}");
    let events = ada.get(&format!("/api/threads/{}/events", run.thread)).await.ok();
    assert_eq!(count("event"), events["events"].as_array().expect("events").len());
    assert!(answer.body.contains("6 times 7") && !answer.body.contains("7 times 8"), "another's is another's");
}

/// A stranger who guesses from many networks costs the owner nothing, and the audit log little.
#[tokio::test]
async fn guesses_from_many_networks_lock_nobody_out() {
    let server = Setup::new().set("NETRA_AUTH", "password").set("NETRA_TRUSTED_PROXIES", "127.0.0.1").start().await;
    let admin = User::register(&server).await;
    let guess = async |from: u32, password: &str| {
        let form = json!({ "email": admin.email, "password": password }).to_string();
        let address = format!("198.51.{}.{}", from / 250, from % 250);
        let headers = [("x-forwarded-for", address.as_str())];
        User::visitor(&server).send(Method::POST, "/api/auth/login", Some(form), &headers).await.status
    };
    for from in 0..60 {
        assert_eq!(guess(from, "guess after guess").await, 401);
    }
    assert_eq!(guess(1_000, PASSWORD).await, 200, "the owner gets in at the first try");
    let lines = admin.get("/api/admin/audit?query=sign_in.failed&limit=1000").await.ok();
    let noted = lines["lines"].as_array().expect("lines").len();
    assert!((1..=30).contains(&noted), "{noted} of 60 failures are in the audit log");
    let whole = admin.get("/api/admin/audit.jsonl").await;
    assert_eq!(whole.status, 200);
    assert!(whole.body.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{}", whole.body);
    assert!(whole.body.contains("account.made"));
}
