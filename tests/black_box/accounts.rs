//! Accounts: who may make one, passwords, sign-ins, links that are good once, and the log of it.

use std::process::Command;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    PATIENCE,
    server::{Server, Setup},
    user::{PASSWORD, User, fresh_email},
};

/// A public server, which nobody may simply join.
fn public() -> Setup {
    Setup::new().set("NETRA_AUTH", "password").set("NETRA_REGISTRATION", "invitation")
}

/// What `netra user …` prints: the secret in the link.
fn link(server: &Server, arguments: &[&str]) -> String {
    let data = server.home().path().join("data");
    let output = Command::new(env!("CARGO_BIN_EXE_netra"))
        .args(arguments)
        .env("NETRA_CONFIG", server.home().path().join("netra.toml"))
        .env("NETRA_DATA_DIR", data)
        .env("NETRA_AUTH", "password")
        .output()
        .expect("the command runs");
    let printed = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    assert!(output.status.success(), "{printed}{}", String::from_utf8_lossy(&output.stderr));
    printed.rsplit('=').next().expect("a secret").to_owned()
}

async fn join(server: &Server, invitation: &str, email: &str) -> (User, u16, Value) {
    let visitor = User::visitor(server);
    let form = json!({ "email": email, "password": PASSWORD, "name": "Ada", "invitation": invitation });
    let answer = visitor.post("/api/auth/register", form).await;
    let (status, body) = (answer.status, answer.json());
    (visitor, status, body)
}

#[tokio::test]
async fn an_invitation_makes_one_account() {
    let server = public().start().await;
    let visitor = User::visitor(&server);
    let form = json!({ "email": fresh_email(), "password": PASSWORD });
    assert_eq!(visitor.post("/api/auth/register", form).await.error(), (403, "forbidden".into()));
    assert_eq!(visitor.get("/api/config").await.ok()["auth"]["registration"], "invitation");

    let invitation = link(&server, &["user", "add", "--admin"]);
    let email = fresh_email();
    let (admin, status, body) = join(&server, &invitation, &email).await;
    assert_eq!((status, &body["user"]["role"]), (201, &json!("admin")), "{body}");
    let (_, status, _) = join(&server, &invitation, &fresh_email()).await;
    assert_eq!(status, 403, "it is used up");

    let made = admin.post("/api/admin/invitations", json!({})).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let url = made.json()["url"].as_str().expect("an address").to_owned();
    let invitation = url.rsplit('=').next().expect("a secret");
    let (_, status, _) = join(&server, invitation, &email).await;
    assert_eq!(status, 409, "the address has an account");
    let at_once = (0..8).map(|_| join(&server, invitation, Box::leak(fresh_email().into_boxed_str())));
    let statuses: Vec<u16> = futures::future::join_all(at_once).await.into_iter().map(|joined| joined.1).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 1, "{statuses:?}");
    assert!(!server.log().contains(invitation), "the secret is in the log");
}

#[tokio::test]
async fn an_account_gets_another_name_and_only_one_that_others_may_trust() {
    let server = Setup::new().set("NETRA_AUTH", "password").start().await;
    let (ada, status, body) = join(&server, "", &fresh_email()).await;
    assert_eq!((status, &body["user"]["name"]), (201, &json!("Ada")), "{body}");
    let renamed = ada.patch("/api/account", json!({ "name": "  Ada   Lovelace " })).await.ok();
    assert_eq!(renamed["account"]["name"], "Ada Lovelace");
    let long = "a".repeat(101);
    for name in ["", " \u{200b} ", "a\nb", "Netra", "guide", &long] {
        assert_eq!(ada.patch("/api/account", json!({ "name": name })).await.error().0, 400, "{name:?}");
    }
    assert_eq!(ada.patch("/api/account", json!({})).await.error(), (400, "invalid_payload".into()));
    assert_eq!(ada.get("/api/account").await.ok()["account"]["name"], "Ada Lovelace");
}

#[tokio::test]
async fn the_first_administrator_is_invited_at_the_terminal() {
    let server = public().start().await;
    let log = server.logged(0, "the link", |log| log.contains("invitation=")).await;
    let at = log.find("invitation=").expect("the link is printed");
    let invitation = log[at + "invitation=".len()..].split_whitespace().next().expect("a secret").to_owned();
    let (_, status, body) = join(&server, &invitation, &fresh_email()).await;
    assert_eq!((status, &body["user"]["role"]), (201, &json!("admin")));
    let server = server.restart("TERM").await;
    assert_eq!(server.log().matches("invitation=").count(), 1, "there is an administrator now");
}

#[tokio::test]
async fn a_closed_server_takes_nobody() {
    let server = public().set("NETRA_REGISTRATION", "closed").start().await;
    let invitation = link(&server, &["user", "add"]);
    assert_eq!(join(&server, &invitation, &fresh_email()).await.1, 403);
    let refusal = public().set("NETRA_REGISTRATION", "maybe").refused().await;
    assert!(refusal.code == 2 && refusal.stderr.contains("NETRA_REGISTRATION"), "{}", refusal.stderr);
}

#[tokio::test]
async fn a_password_is_changed_and_reset() {
    let server = Setup::new().start().await;
    let ada = User::register(&server).await;
    let credentials = |password: &str| json!({ "email": ada.email, "password": password });
    let elsewhere = User::visitor(&server);
    elsewhere.post("/api/auth/login", credentials(PASSWORD)).await.ok();
    let change = |current: &str, new: &str| json!({ "current": current, "new": new });
    let wrong = ada.post("/api/auth/password", change("not it at all", "a second long password")).await;
    assert_eq!(wrong.error(), (403, "forbidden".into()));
    for bad in ["short", "password1", ada.email.as_str(), "12345678"] {
        assert_eq!(ada.post("/api/auth/password", change(PASSWORD, bad)).await.error().0, 400, "{bad}");
    }
    let changed = ada.post("/api/auth/password", change(PASSWORD, "a second long password")).await;
    assert_eq!(changed.status, 204, "{}", changed.body);
    assert_eq!(ada.get("/api/me").await.status, 200, "the sign-in that changed it stays");
    assert_eq!(elsewhere.get("/api/me").await.status, 401, "the others end");

    let secret = link(&server, &["user", "reset", "--email", &ada.email]);
    let reset = |link: &str| json!({ "link": link, "password": "a third long password" });
    let visitor = User::visitor(&server);
    assert_eq!(visitor.post("/api/auth/reset", reset("made up")).await.error().0, 404);
    assert_eq!(visitor.post("/api/auth/reset", reset(&secret)).await.status, 204);
    assert_eq!(visitor.post("/api/auth/reset", reset(&secret)).await.error().0, 404, "it is used up");
    assert_eq!(ada.get("/api/me").await.status, 401, "every sign-in ends");
    assert_eq!(visitor.post("/api/auth/login", credentials("a second long password")).await.status, 401);
    visitor.post("/api/auth/login", credentials("a third long password")).await.ok();
}

#[tokio::test]
async fn sign_ins_are_listed_and_ended() {
    let server = Setup::new().set("NETRA_TRUSTED_PROXIES", "127.0.0.1").start().await;
    let ada = User::register(&server).await;
    let credentials = json!({ "email": ada.email, "password": PASSWORD }).to_string();
    let phone = User::visitor(&server);
    let headers = [("user-agent", "A phone"), ("x-forwarded-for", "1.2.3.4, 203.0.113.9")];
    phone.send(Method::POST, "/api/auth/login", Some(credentials.clone()), &headers).await.ok();
    let tablet = User::visitor(&server);
    tablet.send(Method::POST, "/api/auth/login", Some(credentials), &[("user-agent", "A tablet")]).await.ok();
    let listed = ada.get("/api/sessions").await.ok();
    let sessions = listed["sessions"].as_array().expect("sessions");
    assert_eq!(sessions.len(), 3, "{listed}");
    assert_eq!(sessions.iter().filter(|session| session["current"] == true).count(), 1);
    let theirs = sessions.iter().find(|session| session["device"] == "A phone").expect("the phone");
    assert_eq!(theirs["address"], "203.0.113.9", "{theirs}");
    let socket = phone.connect().await;
    let id = theirs["id"].as_str().expect("an id");
    assert_eq!(User::register(&server).await.delete(&format!("/api/sessions/{id}")).await.status, 404, "another's");
    assert_eq!(ada.delete(&format!("/api/sessions/{id}")).await.status, 204);
    socket.closed_with(4401, PATIENCE).await;
    assert_eq!((phone.get("/api/me").await.status, tablet.get("/api/me").await.status), (401, 200));
    assert_eq!(ada.delete("/api/sessions").await.status, 204);
    assert_eq!((ada.get("/api/me").await.status, tablet.get("/api/me").await.status), (200, 401));
}

#[tokio::test]
async fn guesses_wait_and_the_owner_gets_in() {
    let server = Setup::new().start().await;
    let ada = User::register(&server).await;
    let visitor = User::visitor(&server);
    let attempt = |password: &str| visitor.post("/api/auth/login", json!({ "email": ada.email, "password": password }));
    let mut refused = 0;
    for guess in 0..9 {
        let answer = attempt(&format!("guess {guess} of many")).await;
        assert!(matches!(answer.status, 401 | 429), "{}", answer.body);
        if answer.status == 429 {
            assert!(!answer.header("retry-after").is_empty());
            refused += 1;
        }
    }
    assert_eq!(refused, 4, "after five failures each further one is slowed");
    attempt(PASSWORD).await.ok();
    assert_eq!(attempt("wrong again here").await.status, 401, "who knows the password starts afresh");
    let log = server.log();
    assert!(log.contains("sign-in failed") && log.contains("signed in") && log.contains("127.0.0.1"), "{log}");
    assert!(!log.contains(&ada.email), "addresses stay out of the log");
}

#[tokio::test]
async fn one_network_makes_a_bounded_number_of_accounts() {
    let server =
        Setup::new().set("NETRA_REGISTRATIONS_PER_HOUR", 3).set("NETRA_TRUSTED_PROXIES", "127.0.0.0/8").start().await;
    let register = async |from: &str| {
        let form = json!({ "email": fresh_email(), "password": PASSWORD }).to_string();
        let headers = [("x-forwarded-for", from)];
        User::visitor(&server).send(Method::POST, "/api/auth/register", Some(form), &headers).await.status
    };
    for wanted in [201, 201, 201, 429] {
        assert_eq!(register("203.0.113.9").await, wanted);
    }
    assert_eq!(register("203.0.113.10").await, 201);
    assert_eq!(register("203.0.113.11, 203.0.113.9").await, 429, "the first is the visitor's word");
}

#[tokio::test]
async fn names_and_addresses_are_plain() {
    let server = Setup::new().start().await;
    let register = async |email: String, name: &str| {
        let form = json!({ "email": email, "password": PASSWORD, "name": name });
        User::visitor(&server).post("/api/auth/register", form).await
    };
    for name in ["Ada\u{202e}gnp.exe", "Ada\nAdmin", "\u{200b}", "Netra", "guide", "\u{1b}[31mred"] {
        assert_eq!(register(fresh_email(), name).await.error(), (400, "invalid_payload".into()), "{name:?}");
    }
    for email in ["a@b", "<img/src=x>@x.org", "a\u{0}@x.org", "\u{202e}@x.org"] {
        assert_eq!(register(email.to_owned(), "Ada").await.error().0, 400, "{email:?}");
    }
    assert_eq!(register(fresh_email(), "Zoë 李").await.status, 201);
}

#[tokio::test]
async fn what_was_done_is_in_the_audit_log() {
    let server = Setup::new().set("NETRA_AUTH", "password").start().await;
    let admin = User::register(&server).await;
    let ada = User::register(&server).await;
    User::visitor(&server).post("/api/auth/login", json!({ "email": ada.email, "password": "not it at all" })).await;
    let thread = ada.thread("Ours").await["id"].as_str().expect("an id").to_owned();
    ada.post(&format!("/api/threads/{thread}/members"), json!({ "email": admin.email })).await;
    ada.post("/api/tokens", json!({ "name": "cron" })).await;
    assert_eq!(ada.get("/api/admin/audit").await.status, 403);
    // A failure is noted beside its answer.
    let all = async {
        loop {
            let lines = admin.get("/api/admin/audit").await.ok()["lines"].as_array().expect("lines").clone();
            if lines.iter().any(|line| line["action"] == "sign_in.failed") {
                break lines;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    let lines = tokio::time::timeout(PATIENCE, all).await.expect("the failure is noted");
    for (action, actor) in [("account.made", &ada.id), ("member.invited", &ada.id), ("token.made", &ada.id)] {
        assert!(
            lines.iter().any(|line| line["action"] == action && line["actor"] == actor.as_str()),
            "{action}: {lines:?}"
        );
    }
    let failed = lines.iter().find(|line| line["action"] == "sign_in.failed").expect("the failure");
    assert_eq!((&failed["subject"], &failed["address"]), (&json!(ada.id), &json!("127.0.0.1")));
    let after = lines[0]["id"].as_i64().expect("a number");
    let rest = admin.get(&format!("/api/admin/audit?after={after}&limit=1")).await.ok();
    assert_eq!(rest["lines"], json!([lines[1]]));
}

#[tokio::test]
async fn a_token_may_do_what_its_scope_says() {
    let server = Setup::new().set("NETRA_AUTH", "password").start().await;
    let admin = User::register(&server).await;
    for (scope, write, announce) in [("read", 403, 403), ("chat", 201, 403), ("admin", 201, 204)] {
        let made = admin.post("/api/tokens", json!({ "name": scope, "scope": scope, "days": 1 })).await.json();
        let token = format!("Bearer {}", made["token"].as_str().expect("a token"));
        assert!(made["expires_at"].is_string(), "{made}");
        let program = User::visitor(&server);
        let headers = [("authorization", token.as_str())];
        let get = program.send(Method::GET, "/api/threads", None, &headers).await;
        let post = program.send(Method::POST, "/api/threads", Some("{}".into()), &headers).await;
        let broadcast = r#"{"message":"hello"}"#.to_owned();
        let broadcast = program.send(Method::POST, "/api/admin/broadcast", Some(broadcast), &headers).await;
        assert_eq!((get.status, post.status, broadcast.status), (200, write, announce), "{scope}");
    }
    let listed = admin.get("/api/tokens").await.ok();
    assert_eq!(listed["tokens"][0]["last_used_from"], "127.0.0.1", "{listed}");
    assert_eq!(admin.post("/api/tokens", json!({ "name": "x", "days": 0 })).await.error().0, 400);
    assert_eq!(admin.post("/api/tokens", json!({ "name": "x", "scope": "all" })).await.error().0, 400);
}
