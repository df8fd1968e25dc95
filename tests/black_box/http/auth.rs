//! Sign-up, sign-in, sign-out and the session cookie.

use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    answer::Answer,
    server::Setup,
    user::{PASSWORD, User, fresh_email},
};

#[tokio::test]
async fn an_account_is_made_once_and_used_often() {
    let server = Setup::new().start().await;
    let email = fresh_email();
    let visitor = User::visitor(&server);
    let made = visitor.post("/api/auth/register", json!({ "email": email, "password": PASSWORD, "name": "Ada" })).await;
    let user = made.ok()["user"].clone();
    assert_eq!((&user["name"], &user["email"]), (&json!("Ada"), &json!(email)));
    assert!(user["role"] == "user" || user["role"] == "admin", "{user}");
    assert!(!made.body.contains(PASSWORD) && !made.body.contains("argon2"), "{}", made.body);
    assert_eq!(visitor.get("/api/me").await.ok()["user"], user);

    let elsewhere = User::visitor(&server);
    let login = elsewhere.post("/api/auth/login", json!({ "email": email, "password": PASSWORD })).await;
    assert_eq!(login.ok()["user"], user);
    assert_eq!(elsewhere.get("/api/me").await.ok()["user"], user);
    assert_ne!(elsewhere.cookies(), visitor.cookies(), "each sign-in has its own session");

    let again = User::visitor(&server);
    let body = json!({ "email": email, "password": "another password 9" });
    assert_eq!(again.post("/api/auth/register", body).await.error(), (409, "conflict".into()));
    assert!(!again.has_session(), "a refusal signs nobody in");
    let nameless = User::visitor(&server);
    let body = json!({ "email": fresh_email(), "password": PASSWORD });
    assert!(nameless.post("/api/auth/register", body).await.ok()["user"]["name"].is_string(), "the name is optional");
}

#[tokio::test]
async fn the_wrong_credentials_all_look_alike() {
    let server = Setup::new().start().await;
    let user = User::register(&server).await;
    let attempts: [Value; 3] = [
        json!({ "email": user.email, "password": "not the password 1" }),
        json!({ "email": user.email, "password": PASSWORD.to_uppercase() }),
        json!({ "email": "nobody@example.org", "password": PASSWORD }),
    ];
    let mut bodies: Vec<String> = Vec::new();
    for attempt in attempts {
        let visitor = User::visitor(&server);
        let answer = visitor.post("/api/auth/login", attempt.clone()).await;
        assert_eq!(answer.error(), (401, "unauthenticated".into()), "{attempt}");
        assert!(!visitor.has_session(), "{attempt}");
        bodies.push(answer.body);
    }
    assert!(bodies.windows(2).all(|w| w[0] == w[1]), "the answer tells who has an account: {bodies:?}");
    assert!(!server.log().contains("not the password 1"), "a password is in the log");
}

#[tokio::test]
async fn an_account_needs_an_address_and_a_password() {
    let server = Setup::new().start().await;
    let cases = [
        ("a short password", json!({ "email": fresh_email(), "password": "seven77" })),
        ("no password", json!({ "email": fresh_email() })),
        ("an address that is none", json!({ "email": "nobody", "password": PASSWORD })),
        ("no address", json!({ "password": PASSWORD })),
        ("a number for a password", json!({ "email": fresh_email(), "password": 12_345_678 })),
        ("nothing", json!({})),
    ];
    for (name, body) in cases {
        let visitor = User::visitor(&server);
        let answer = visitor.post("/api/auth/register", body).await;
        assert_eq!(answer.error(), (400, "invalid_payload".into()), "{name}");
        assert!(!visitor.has_session(), "{name}");
    }
}

fn session_cookie(answer: &Answer) -> String {
    let is_session = |cookie: &&str| cookie.trim_start_matches("__Host-").starts_with("netra_session=");
    let cookie = answer.set_cookies().into_iter().find(is_session);
    cookie.unwrap_or_else(|| panic!("no session cookie in {:?}", answer.set_cookies())).to_ascii_lowercase()
}

#[tokio::test]
async fn the_session_cookie_is_kept_from_scripts_and_other_sites() {
    for (public, secure) in [("", false), ("http://chat.example", false), ("https://chat.example", true)] {
        let mut setup = Setup::new();
        if !public.is_empty() {
            setup =
                setup.set("NETRA_PUBLIC_URL", public).set("NETRA_AUTH", "password").set("NETRA_REGISTRATION", "open");
        }
        let server = setup.start().await;
        let body = json!({ "email": fresh_email(), "password": PASSWORD });
        let cookie = session_cookie(&User::visitor(&server).post("/api/auth/register", body).await);
        let flags: Vec<&str> = cookie.split(';').skip(1).map(str::trim).collect();
        for flag in ["httponly", "samesite=lax", "path=/"] {
            assert!(flags.contains(&flag), "{flag} in {cookie}");
        }
        assert_eq!(flags.contains(&"secure"), secure, "{public:?}: {cookie}");
        assert_eq!(cookie.starts_with("__host-"), secure, "no other host can plant it: {cookie}");
        assert!(!flags.iter().any(|f| f.starts_with("domain")), "{cookie}");
    }
}

#[tokio::test]
async fn a_sign_out_ends_the_session_on_the_server() {
    let server = Setup::new().start().await;
    let user = User::register(&server).await;
    let cookies = user.cookies();
    let logout = user.post("/api/auth/logout", json!({})).await;
    assert!((200..300).contains(&logout.status), "{}", logout.status);
    assert!(!user.has_session(), "the browser is told to forget the cookie");
    // A copy of the cookie is no good any more.
    let thief = User::visitor(&server);
    let headers = [("cookie", cookies.as_str())];
    let answer = thief.send(reqwest::Method::GET, "/api/me", None, &headers).await;
    assert_eq!(answer.error(), (401, "unauthenticated".into()));
    let again = user.post("/api/auth/login", json!({ "email": user.email, "password": PASSWORD })).await;
    assert_eq!(again.ok()["user"]["id"], user.id.as_str());
}

#[tokio::test]
async fn the_development_user_is_one_and_signs_in_by_asking() {
    let server = Setup::new().start().await;
    let (one, two) = (User::dev(&server).await, User::dev(&server).await);
    assert_eq!(one.id, two.id);
    let me = one.get("/api/me").await.ok();
    assert!(me["user"]["name"].is_string() && me["user"]["role"].is_string(), "{me}");
    assert!(me["user"].get("email").is_none(), "it has no address, and absent is left out: {me}");
}

/// A password hash takes 19 MiB: two are made at a time, in memory that is used again.
#[tokio::test]
async fn a_crowd_that_signs_up_leaves_the_server_small() {
    let server = Setup::new().start().await;
    User::register(&server).await;
    let before = server.resident_kb();
    for _ in 0..3 {
        join_all((0..12).map(|_| User::register(&server))).await;
    }
    let grown = server.resident_kb().saturating_sub(before);
    println!("{grown} KB after 36 sign-ups");
    assert!(grown < 60_000, "{grown} KB after 36 sign-ups, {before} KB before");
}

#[tokio::test]
async fn a_foreign_name_that_leads_here_is_nobody() {
    let server = Setup::new().start().await;
    let visit = async |host: &str| {
        let visitor = User::visitor(&server);
        let answer = visitor.send(Method::GET, "/", None, &[("accept", "text/html"), ("host", host)]).await;
        (answer.status, visitor.has_session())
    };
    let port = server.host().rsplit_once(':').expect("a port").1;
    for own in ["127.0.0.1", "localhost"] {
        assert_eq!(visit(&format!("{own}:{port}")).await, (200, true), "{own}");
    }
    for foreign in [format!("evil.example:{port}"), "evil.example".to_owned(), format!("127.0.0.1.evil.example:{port}")]
    {
        assert_eq!(visit(&foreign).await, (303, false), "{foreign}");
    }
}
