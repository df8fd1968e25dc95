//! Mail, to a real server (npm `smtp-server`): addresses are confirmed, forgotten passwords set anew, changes told.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{
    PATIENCE,
    frame::{error_code, frame},
    server::{Server, Setup},
    user::{PASSWORD, User},
};

/// The running mail server; killed when dropped.
struct Post {
    child: Child,
    port: u16,
    log: PathBuf,
    _home: TempDir,
}

impl Post {
    async fn start(how: &str) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/black_box/support/smtp.mjs");
        let home = tempfile::tempdir().expect("a temporary folder");
        let log = home.path().join("mail.log");
        let out = File::create(&log).expect("the log opens");
        let err = out.try_clone().expect("the log opens twice");
        let child = Command::new("node")
            .arg(script)
            .arg(how)
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .spawn()
            .expect("the mail server starts");
        let mut post = Self { child, port: 0, log, _home: home };
        let end = Instant::now() + PATIENCE;
        while post.port == 0 {
            let said = std::fs::read_to_string(&post.log).expect("the log is text");
            assert!(Instant::now() < end, "the mail server is not ready; was `npm ci` run? {said}");
            if let Some((_, rest)) = said.split_once("listening on ").filter(|(_, rest)| rest.contains('\n')) {
                post.port = rest.lines().next().and_then(|port| port.trim().parse().ok()).unwrap_or_default();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        post
    }

    fn letters(&self, to: &str, subject: &str) -> Vec<Value> {
        let said = std::fs::read_to_string(&self.log).expect("the log is text");
        let lines = said.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let wanted = |letter: &Value| {
            letter["to"][0] == to && letter["text"].as_str().is_some_and(|text| text.contains(subject))
        };
        lines.filter(wanted).collect()
    }

    /// The newest letter of a subject, once there are so many.
    async fn letter(&self, to: &str, subject: &str, count: usize) -> Value {
        let end = Instant::now() + PATIENCE;
        loop {
            let mut found = self.letters(to, subject);
            if found.len() >= count {
                return found.remove(count - 1);
            }
            assert!(Instant::now() < end, "no letter {count} about {subject:?} to {to}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

impl Drop for Post {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The secret of the link in a letter, which travels in lines that may be broken.
fn link(letter: &Value) -> String {
    let text = letter["text"].as_str().expect("text").replace("=\r\n", "").replace("=3D", "=");
    let (_, rest) = text.split_once("&link=").unwrap_or_else(|| panic!("no link in {text}"));
    rest.split_whitespace().next().expect("a secret").to_owned()
}

async fn with_mail(post: &Post) -> Server {
    Setup::new()
        .set("NETRA_AUTH", "password")
        .set("NETRA_SMTP_URL", format!("smtp://netra@127.0.0.1:{}", post.port))
        .set("NETRA_SMTP_PASSWORD", "the password of the mail server")
        .set("NETRA_MAIL_FROM", "Netra <netra@example.org>")
        .start()
        .await
}

#[tokio::test]
async fn an_address_is_confirmed_before_agents_work_for_it() {
    let post = Post::start("take").await;
    let server = with_mail(&post).await;
    let ada = User::register(&server).await;
    let letter = post.letter(&ada.email, "confirm your address", 1).await;
    assert_eq!((&letter["from"], &letter["user"]), (&json!("netra@example.org"), &json!("netra")), "{letter}");
    let socket = ada.connect().await;
    let start = || frame("start_agent", json!({ "agent": "guide", "content": "What is 6 times 7?" }));
    let refused = socket.call(start()).await;
    assert_eq!(error_code(&refused), "forbidden");
    assert!(refused["payload"]["message"].as_str().is_some_and(|words| words.contains("address")), "{refused}");
    assert_eq!(ada.get("/api/account").await.ok()["address_due"], true);

    let visitor = User::visitor(&server);
    assert_eq!(visitor.post("/api/auth/confirm-address", json!({ "link": "x" })).await.status, 404);
    assert_eq!(ada.post("/api/account/address", json!({})).await.status, 204, "sent again");
    let again = link(&post.letter(&ada.email, "confirm your address", 2).await);
    let stale = json!({ "link": link(&letter) });
    assert_eq!(visitor.post("/api/auth/confirm-address", stale).await.status, 404, "the newest counts");
    assert_eq!(visitor.post("/api/auth/confirm-address", json!({ "link": again })).await.status, 204);
    assert_eq!(visitor.post("/api/auth/confirm-address", json!({ "link": again })).await.status, 404, "once");
    assert_eq!(socket.call(start()).await["type"], "ack");
    assert_eq!(ada.post("/api/account/address", json!({})).await.status, 409);
    assert!(!server.log().contains(&again), "links stay out of the log");
}

#[tokio::test]
async fn a_forgotten_password_is_set_anew_and_changes_are_told() {
    let post = Post::start("take").await;
    let server = with_mail(&post).await;
    let ada = User::register(&server).await;
    let visitor = User::visitor(&server);
    let forgot = async |email: &str| visitor.post("/api/auth/forgot", json!({ "email": email })).await.status;
    assert_eq!(forgot("nobody@example.org").await, 204, "nobody learns who has an account");
    assert_eq!(forgot(&ada.email.to_uppercase()).await, 204);
    let secret = link(&post.letter(&ada.email, "a new password", 1).await);
    let form = json!({ "link": secret, "password": "another quiet harbour 8" });
    assert_eq!(visitor.post("/api/auth/reset", form.clone()).await.status, 204);
    assert_eq!(visitor.post("/api/auth/reset", form).await.status, 404, "once");
    assert_eq!(ada.get("/api/me").await.status, 401, "all sign-ins have ended");
    post.letter(&ada.email, "your password was changed", 1).await;
    let sign_in = |password: &str| json!({ "email": ada.email, "password": password });
    assert_eq!(visitor.post("/api/auth/login", sign_in(PASSWORD)).await.status, 401);
    assert_eq!(visitor.post("/api/auth/login", sign_in("another quiet harbour 8")).await.status, 200);
    for _ in 0..10 {
        assert_eq!(forgot(&ada.email).await, 204);
    }
    server.logged(0, "the limit", |log| log.contains("too many letters")).await;
    assert!(post.letters("nobody@example.org", "Netra").is_empty());
    assert!(!server.log().contains(&ada.email), "addresses stay out of the log");
}

#[tokio::test]
async fn a_mail_server_that_is_away_or_refuses_holds_nobody_up() {
    let post = Post::start("refuse").await;
    let server = with_mail(&post).await;
    let ada = User::register(&server).await;
    server.logged(0, "the refusal", |log| log.contains("a letter was not taken")).await;
    assert_eq!(ada.get("/api/me").await.status, 200);
    let admin_link = ada.post("/api/admin/password-links", json!({ "email": ada.email })).await;
    assert_eq!(admin_link.status, 201, "an administrator's link needs no mail: {}", admin_link.body);

    let without = Setup::new().start().await;
    let bob = User::register(&without).await;
    let refused =
        bob.send(Method::POST, "/api/auth/forgot", Some(json!({ "email": bob.email }).to_string()), &[]).await;
    assert_eq!(refused.error(), (403, "forbidden".into()));
    for (name, value, word) in [
        ("NETRA_SMTP_URL", "nonsense", "smtps"),
        ("NETRA_SMTP_URL", "smtp://mail.example.org:587", "STARTTLS"),
        ("NETRA_SMTP_URL", "smtps://me:secret@mail.example.org", "NETRA_SMTP_PASSWORD"),
        ("NETRA_SMTP_URL", "smtps://mail.example.org", "NETRA_MAIL_FROM"),
    ] {
        let wrong = Setup::new().set(name, value).refused().await;
        assert!(wrong.code == 2 && wrong.stderr.contains(word), "{value}: {}", wrong.stderr);
        assert!(!wrong.stderr.contains("me:secret"), "{}", wrong.stderr);
    }
}
