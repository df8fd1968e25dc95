//! What a password, a token or a link that somebody else got hold of is good for, and for how long.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    PATIENCE,
    answer::{Answer, http},
    handshake::Handshake,
    server::{Server, Setup},
    socket::Socket,
    user::{PASSWORD, User, fresh_email},
};

const NEW: &str = "another quiet harbour 8";

async fn token(user: &User, wanted: Value) -> String {
    let made = user.post("/api/tokens", wanted).await;
    assert_eq!(made.status, 201, "{}", made.body);
    made.json()["token"].as_str().expect("a token").to_owned()
}

/// A request of a program, from an address that a proxy tells.
async fn ask(server: &Server, method: Method, path: &str, token: &str, from: &str) -> Answer {
    let request = http().request(method, format!("{}{path}", server.base)).bearer_auth(token);
    Answer::of(request.header("x-forwarded-for", from).header("accept", "text/html")).await
}

/// Whether a page has a JWT in it.
fn holds_jwt(page: &str) -> bool {
    let mut words = page.split(|c: char| !(c.is_ascii_alphanumeric() || "._-".contains(c)));
    words.any(|word| word.starts_with("eyJ") && word.matches('.').count() == 2)
}

/// The secret of a link that an administrator made.
async fn link(admin: &User, path: &str, wanted: Value) -> String {
    let made = admin.post(path, wanted).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let url = made.json()["url"].as_str().expect("an address").to_owned();
    url.rsplit('=').next().expect("a secret").to_owned()
}

async fn sign_in(server: &Server, email: &str, password: &str) -> Answer {
    User::visitor(server).post("/api/auth/login", json!({ "email": email, "password": password })).await
}

/// Waits until the audit log holds a line with this action.
async fn noted(admin: &User, action: &str) -> Value {
    let end = Instant::now() + PATIENCE;
    loop {
        let lines = admin.get(&format!("/api/admin/audit?query={action}")).await.ok();
        if let Some(line) = lines["lines"].as_array().expect("lines").first() {
            return line.clone();
        }
        assert!(Instant::now() < end, "{action} is not in the audit log");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A token that only reads opens no socket: not by itself, not with a JWT of its own, not with one out of a page.
#[tokio::test]
async fn a_reading_token_opens_no_socket() {
    let server = Setup::new().start().await;
    let ada = User::register(&server).await;
    let reads = token(&ada, json!({ "name": "reads", "scope": "read", "days": 1 })).await;
    assert!(holds_jwt(&ada.browse("/").await.body), "a person's page holds a token for the socket");
    let page = ask(&server, Method::GET, "/", &reads, "127.0.0.1").await;
    assert_eq!(page.status, 200, "{}", page.body);
    assert!(!holds_jwt(&page.body), "a token for the socket is in the page");
    assert_eq!(ask(&server, Method::POST, "/api/auth/ws-token", &reads, "127.0.0.1").await.status, 403);
    assert_eq!(Handshake::with_token(&reads).send(&server).await.error(), (403, "forbidden".into()));
}

/// What a token opens ends with it, whichever way it was opened.
#[tokio::test]
async fn a_socket_lives_no_longer_than_its_token() {
    let server = Setup::new().set("NETRA_WS_TOKEN_TTL_S", 300).start().await;
    let ada = User::register(&server).await;
    let day = token(&ada, json!({ "name": "a day", "days": 1 })).await;
    let socket = Socket::open(&server.base, &day).await;
    let hello = socket.wait("connect", |frame| frame["type"] == "connect").await;
    let ends = hello["payload"]["token_expires_at"].as_str().unwrap_or_else(|| panic!("no end in {hello}")).to_owned();
    let listed = ada.get("/api/tokens").await.ok();
    let own = listed["tokens"][0]["expires_at"].as_str().unwrap_or_else(|| panic!("no end in {listed}"));
    assert_eq!(ends, own);
}

/// A token that is used from one address after another writes no more than one that is not.
#[tokio::test]
async fn addresses_that_change_write_nothing() {
    let server = Setup::new().set("NETRA_TRUSTED_PROXIES", "127.0.0.1").start().await;
    let ada = User::register(&server).await;
    let cron = token(&ada, json!({ "name": "cron" })).await;
    let first = async {
        while ada.get("/api/tokens").await.ok()["tokens"][0]["last_used_from"] != "198.51.100.1" {
            ask(&server, Method::GET, "/api/me", &cron, "198.51.100.1").await.ok();
        }
    };
    tokio::time::timeout(PATIENCE, first).await.expect("its first use is noted");
    for last in 2..40 {
        ask(&server, Method::GET, "/api/me", &cron, &format!("198.51.100.{last}")).await.ok();
    }
    let listed = ada.get("/api/tokens").await.ok();
    assert_eq!(listed["tokens"][0]["last_used_from"], "198.51.100.1", "within the minute nothing more is noted");
}

/// A new password ends what was handed out before: other links, and with a link, tokens too.
#[tokio::test]
async fn a_new_password_ends_what_came_before() {
    let server = Setup::new().set("NETRA_AUTH", "password").start().await;
    let (admin, ada) = (User::register(&server).await, User::register(&server).await);
    let forgot = json!({ "email": ada.email });
    let one = link(&admin, "/api/admin/password-links", forgot.clone()).await;
    let two = link(&admin, "/api/admin/password-links", forgot.clone()).await;
    let cron = token(&ada, json!({ "name": "cron" })).await;
    let reset = |link: &str, password: &str| {
        let body = json!({ "link": link, "password": password });
        let visitor = User::visitor(&server);
        async move { visitor.post("/api/auth/reset", body).await }
    };
    assert_eq!(reset(&one, &ada.email).await.error().0, 400, "one's own address is no password");
    assert_eq!(reset(&one, NEW).await.status, 204);
    assert_eq!(reset(&two, PASSWORD).await.error().0, 404, "the other link is good for nothing");
    assert_eq!(ask(&server, Method::GET, "/api/me", &cron, "127.0.0.1").await.status, 401, "nor are tokens");
    assert_eq!(sign_in(&server, &ada.email, PASSWORD).await.status, 401);

    let three = link(&admin, "/api/admin/password-links", forgot).await;
    let again = User::visitor(&server);
    again.post("/api/auth/login", json!({ "email": ada.email, "password": NEW })).await.ok();
    let change = json!({ "current": NEW, "new": "and a third harbour 9" });
    assert_eq!(again.post("/api/auth/password", change).await.status, 204);
    assert_eq!(reset(&three, PASSWORD).await.error().0, 404, "whoever knows the password needs no link");
}

/// Who waits in a pause with the old password is not in once it was reset.
#[tokio::test]
async fn a_reset_counts_for_those_who_wait() {
    let server = Setup::new().set("NETRA_AUTH", "password").start().await;
    let (admin, ada) = (User::register(&server).await, User::register(&server).await);
    let secret = link(&admin, "/api/admin/password-links", json!({ "email": ada.email })).await;
    for _ in 0..8 {
        assert_ne!(sign_in(&server, &ada.email, "not it at all").await.status, 200);
    }
    let (visitor, waiting) = (User::visitor(&server), User::visitor(&server));
    let reset = visitor.post("/api/auth/reset", json!({ "link": secret, "password": NEW }));
    let sign_in = waiting.post("/api/auth/login", json!({ "email": ada.email, "password": PASSWORD }));
    let (_, reset) = tokio::join!(sign_in, reset);
    assert_eq!(reset.status, 204, "{}", reset.body);
    // Whichever came first: it was refused, or its sign-in has ended.
    assert_eq!(waiting.get("/api/me").await.status, 401);
}

/// What an administrator handed out is good for nothing once the administrator is out.
#[tokio::test]
async fn invitations_end_with_who_made_them() {
    let server = Setup::new().set("NETRA_AUTH", "password").start().await;
    let (admin, eve) = (User::register(&server).await, User::register(&server).await);
    let path = format!("/api/admin/users/{}", eve.id);
    let join = async |invitation: &str| {
        let form = json!({ "email": fresh_email(), "password": PASSWORD, "invitation": invitation });
        User::visitor(&server).post("/api/auth/register", form).await.status
    };
    for end in [json!({ "role": "user" }), json!({ "disabled": true })] {
        admin.patch(&path, json!({ "role": "admin", "disabled": false })).await.ok();
        let eve = {
            let again = User::visitor(&server);
            again.post("/api/auth/login", json!({ "email": eve.email, "password": PASSWORD })).await.ok();
            again
        };
        let invitation = link(&eve, "/api/admin/invitations", json!({ "administrator": true })).await;
        admin.patch(&path, end.clone()).await.ok();
        assert_eq!(join(&invitation).await, 403, "{end}");
    }
    let invitation = link(&admin, "/api/admin/invitations", json!({})).await;
    assert_eq!(join(&invitation).await, 201, "another's is good");
}

/// Guesses from very many networks are slowed for the account, and the owner gets in all the same.
#[tokio::test]
async fn a_crowd_is_slowed_and_the_owner_gets_in() {
    let server = Setup::new().set("NETRA_AUTH", "password").set("NETRA_TRUSTED_PROXIES", "127.0.0.1").start().await;
    let ada = User::register(&server).await;
    let attempt = async |from: &str, password: &str| {
        let form = json!({ "email": ada.email, "password": password }).to_string();
        let headers = [("x-forwarded-for", from)];
        User::visitor(&server).send(Method::POST, "/api/auth/login", Some(form), &headers).await
    };
    let mut slowed = 0;
    for from in 0..104 {
        let answer = attempt(&format!("198.51.{from}.7"), "guess after guess").await;
        assert!(matches!(answer.status, 401 | 429), "{}", answer.body);
        slowed += usize::from(answer.status == 429);
    }
    assert_eq!(slowed, 4, "after a hundred failures each further one waits");
    attempt("203.0.113.9", PASSWORD).await.ok();
    assert_eq!(attempt("127.0.0.1", "not it at all").await.status, 401, "nobody waits where the owner comes from");
    attempt("127.0.0.1", PASSWORD).await.ok();
}

/// A password that nobody can have tells nothing about the account.
#[tokio::test]
async fn long_passwords_tell_nothing() {
    let server = Setup::new().start().await;
    let ada = User::register(&server).await;
    let long = "x".repeat(1_001);
    let (known, unknown) = (sign_in(&server, &ada.email, &long).await, sign_in(&server, "no@example.org", &long).await);
    assert_eq!((known.error(), known.body), ((401, "unauthenticated".into()), unknown.body));
}

#[tokio::test]
async fn an_address_gives_no_agents_name() {
    let server = Setup::new().start().await;
    let register = async |form: Value| User::visitor(&server).post("/api/auth/register", form).await;
    for taken in ["guide@example.org", "netra@example.org", "system@example.org"] {
        let refused = register(json!({ "email": taken, "password": PASSWORD })).await;
        assert_eq!(refused.error(), (400, "invalid_payload".into()), "{taken}");
        assert!(refused.body.contains("name"), "{}", refused.body);
        let named = register(json!({ "email": taken, "password": PASSWORD, "name": "Ada" })).await;
        assert_eq!(named.status, 201, "{}", named.body);
    }
}

#[tokio::test]
async fn refusals_and_ends_are_in_the_audit_log() {
    let server = Setup::new().set("NETRA_AUTH", "password").start().await;
    let (admin, ada) = (User::register(&server).await, User::register(&server).await);
    let wrong = json!({ "current": "not it at all", "new": NEW });
    assert_eq!(ada.post("/api/auth/password", wrong).await.status, 403);
    assert_eq!(ada.post("/api/blocks", json!({ "user_id": admin.id })).await.status, 204);
    assert_eq!(ada.post("/api/auth/logout", json!({})).await.status, 204);
    assert_eq!(admin.post("/api/admin/broadcast", json!({ "message": "Hello" })).await.status, 204);
    admin.patch(&format!("/api/admin/users/{}", ada.id), json!({ "disabled": true })).await.ok();
    assert_eq!(sign_in(&server, &ada.email, PASSWORD).await.status, 403);
    for (action, of) in [("person.blocked", "actor"), ("sign_in.left", "actor"), ("sign_in.refused", "subject")] {
        assert_eq!(noted(&admin, action).await[of], ada.id.as_str(), "{action}");
    }
    assert_eq!(noted(&admin, "password.confirmation_failed").await["address"], "127.0.0.1");
    assert_eq!(noted(&admin, "notice.sent").await["actor"], admin.id.as_str());
}

#[tokio::test]
async fn a_list_of_addresses_cannot_be_gone_through() {
    let server = Setup::new().set("NETRA_COMMANDS_PER_MINUTE", 60).start().await;
    let (ada, bob) = (User::register(&server).await, User::register(&server).await);
    let thread = ada.thread("Ours").await["id"].as_str().expect("an id").to_owned();
    let members = format!("/api/threads/{thread}/members");
    let mut statuses = Vec::new();
    for guess in 0..32 {
        statuses.push(ada.post(&members, json!({ "email": format!("nobody{guess}@example.org") })).await.status);
    }
    assert!(statuses.starts_with(&[404; 30]), "{statuses:?}");
    let known = ada.post(&members, json!({ "email": bob.email })).await;
    assert_eq!(known.error(), (429, "rate_limited".into()), "{statuses:?}");
    assert!(!known.header("retry-after").is_empty());
}

/// Behind a proxy that is not named all visitors would be one network; whoever runs the server is told.
#[tokio::test]
async fn a_proxy_that_is_not_named_is_asked_for() {
    let public = || Setup::new().set("NETRA_AUTH", "password").set("NETRA_PUBLIC_URL", "https://chat.example.org");
    let server = public().start().await;
    server.logged(0, "the warning", |log| log.contains("NETRA_TRUSTED_PROXIES names no proxy")).await;
    let server = public().set("NETRA_TRUSTED_PROXIES", "127.0.0.1").start().await;
    server.logged(0, "the start", |log| log.contains("listening")).await;
    assert!(!server.log().contains("names no proxy"), "{}", server.log());
}
