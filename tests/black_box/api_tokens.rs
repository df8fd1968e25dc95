//! Tokens for programs: made by a person, shown once, good for HTTP and the socket, revocable (R9).

use std::{process::Command, time::Duration};

use serde_json::{Value, json};

use crate::support::{
    answer::{Answer, http},
    rules::{ended, start_run},
    server::{Server, Setup},
    socket::Socket,
    user::User,
};

async fn make(user: &User, name: &str) -> (String, String) {
    let answer = user.post("/api/tokens", json!({ "name": name })).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    let made = answer.json();
    let text = |field: &str| made[field].as_str().unwrap_or_else(|| panic!("no {field} in {made}")).to_owned();
    assert_eq!(text("name"), name);
    (text("token"), text("id"))
}

async fn get_with(server: &Server, path: &str, token: &str) -> Answer {
    Answer::of(http().get(format!("{}{path}", server.base)).bearer_auth(token)).await
}

async fn socket_with(server: &Server, token: &str) -> Socket {
    let bearer = format!("Bearer {token}");
    Socket::open_with(&server.base, &[("sec-websocket-protocol", "netra.v1"), ("authorization", &bearer)]).await
}

#[tokio::test]
async fn a_program_works_with_a_token_alone() {
    let server = Setup::new().start().await;
    let user = User::register(&server).await;
    let (token, id) = make(&user, "nightly report").await;
    assert_eq!(get_with(&server, "/api/me", &token).await.ok()["user"]["id"], user.id);

    let fresh = Answer::of(http().post(format!("{}/api/auth/ws-token", server.base)).bearer_auth(&token)).await.ok();
    let short = Socket::open(&server.base, fresh["token"].as_str().expect("a token")).await;
    let direct = socket_with(&server, &token).await;
    let run = start_run(&direct, "guide", "What is 6 times 7?").await;
    ended(&direct, &run).await;
    short.alive().await;

    let listed = user.get("/api/tokens").await.ok();
    assert_eq!(listed["tokens"][0]["id"], id.as_str());
    assert!(listed["tokens"][0]["last_used_at"].is_string(), "{listed}");
    assert!(!listed.to_string().contains(&token), "the secret is shown once");
    assert!(!server.log().contains(&token), "the secret is in the log");
}

#[tokio::test]
async fn a_revoked_token_opens_nothing_and_its_sockets_close() {
    let server = Setup::new().start().await;
    let user = User::register(&server).await;
    let (token, id) = make(&user, "old").await;
    let fresh = Answer::of(http().post(format!("{}/api/auth/ws-token", server.base)).bearer_auth(&token)).await.ok();
    let socket = socket_with(&server, &token).await;
    assert_eq!(user.delete(&format!("/api/tokens/{id}")).await.status, 204);
    socket.closed_with(4401, Duration::from_secs(1)).await;
    assert_eq!(get_with(&server, "/api/me", &token).await.error(), (401, "unauthenticated".into()));
    for proof in [token.as_str(), fresh["token"].as_str().expect("a token")] {
        let request = http().get(format!("{}/ws", server.base)).bearer_auth(proof);
        let request = request.header("sec-websocket-protocol", "netra.v1").header("connection", "Upgrade");
        let request = request.header("upgrade", "websocket").header("sec-websocket-version", "13");
        let answer = Answer::of(request.header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")).await;
        assert_eq!(answer.error(), (401, "unauthenticated".into()));
    }
    assert_eq!(user.delete(&format!("/api/tokens/{id}")).await.status, 404, "revoked once");
    User::dev(&server).await.connect().await.alive().await;
}

#[tokio::test]
async fn a_token_manages_no_tokens_and_belongs_to_one_user() {
    let server = Setup::new().start().await;
    let (ada, bob) = (User::register(&server).await, User::register(&server).await);
    let (token, id) = make(&ada, "ada's").await;
    assert_eq!(get_with(&server, "/api/tokens", &token).await.error(), (403, "forbidden".into()));
    let request =
        http().post(format!("{}/api/tokens", server.base)).bearer_auth(&token).json(&json!({ "name": "more" }));
    assert_eq!(Answer::of(request).await.error(), (403, "forbidden".into()));
    assert_eq!(bob.delete(&format!("/api/tokens/{id}")).await.status, 404);
    assert_eq!(bob.get("/api/tokens").await.ok()["tokens"], json!([]));
    assert_eq!(get_with(&server, "/api/me", &token).await.status, 200, "still good");
}

#[tokio::test]
async fn bad_requests_make_no_token() {
    let server = Setup::new().start().await;
    let user = User::register(&server).await;
    for body in [
        json!({}),
        json!({ "name": "" }),
        json!({ "name": " " }),
        json!({ "name": "x".repeat(101) }),
        json!({ "name": 7 }),
    ] {
        assert_eq!(user.post("/api/tokens", body.clone()).await.error(), (400, "invalid_payload".into()), "{body}");
    }
    assert_eq!(User::visitor(&server).post("/api/tokens", json!({ "name": "x" })).await.status, 401);
    for wrong in ["netra_", "netra_nonsense", "nonsense", ""] {
        assert_eq!(get_with(&server, "/api/me", wrong).await.status, 401, "{wrong:?}");
    }
    for _ in 0..100 {
        make(&user, "one of many").await;
    }
    assert_eq!(user.post("/api/tokens", json!({ "name": "x" })).await.error(), (409, "conflict".into()));
}

fn create(server: &Server, args: &[&str]) -> std::process::Output {
    let home = server.home();
    Command::new(env!("CARGO_BIN_EXE_netra"))
        .args(["token", "create"])
        .args(args)
        .env("NETRA_DATA_DIR", home.path().join("data"))
        .env("NETRA_CONFIG", home.path().join("netra.toml"))
        .env("NETRA_AUTH", "dev,password")
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("the binary runs")
}

#[tokio::test]
async fn the_command_line_makes_a_token_beside_a_running_server() {
    let server = Setup::new().start().await;
    let user = User::register(&server).await;
    let made = create(&server, &["--name", "cron", "--email", &user.email]);
    let token = String::from_utf8(made.stdout).expect("text");
    assert!(made.status.success() && token.starts_with("netra_"), "{token}");
    assert_eq!(get_with(&server, "/api/me", token.trim()).await.ok()["user"]["id"], user.id);

    let developer = create(&server, &["--name", "cron"]);
    let token = String::from_utf8(developer.stdout).expect("text");
    assert_eq!(get_with(&server, "/api/me", token.trim()).await.ok()["user"]["role"], Value::from("admin"));

    let nobody = create(&server, &["--name", "cron", "--email", "nobody@example.org"]);
    assert!(!nobody.status.success() && String::from_utf8_lossy(&nobody.stderr).contains("nobody@example.org"));
}
