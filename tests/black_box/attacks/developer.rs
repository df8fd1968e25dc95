//! The developer signs in without proof: from this machine's own browser, and from nowhere else.

use reqwest::Method;
use serde_json::json;

use crate::support::{
    answer::{Answer, http},
    server::Setup,
    user::User,
};

#[tokio::test]
async fn nobody_becomes_the_developer_through_a_proxy() {
    let server = Setup::new().start().await;
    let page = [("accept", "text/html")];
    for header in ["forwarded", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-real-ip", "via"] {
        let visitor = User::visitor(&server);
        let answer = visitor.send(Method::GET, "/", None, &[page[0], (header, "203.0.113.9")]).await;
        assert_eq!((answer.status, answer.header("location")), (303, "/login"), "{header}");
        for path in ["/api/auth/dev", "/fn/dev-login"] {
            let answer = visitor.send(Method::POST, path, Some("{}".into()), &[(header, "203.0.113.9")]).await;
            assert_eq!(answer.status, 403, "{header} {path}: {}", answer.body);
        }
        assert!(!visitor.has_session(), "{header}");
    }
    let foreign = http().post(format!("{}/api/auth/dev", server.base)).header("host", "chat.example.org");
    let foreign = Answer::of(foreign.header("content-type", "application/json").body("{}")).await;
    assert_eq!(foreign.error(), (403, "forbidden".into()));
    assert!(User::visitor(&server).browse("/").await.set_cookies().iter().any(|cookie| cookie.contains("session")));
}

#[tokio::test]
async fn a_public_address_refuses_dev_sign_in() {
    for auth in ["dev", "dev,password"] {
        let setup = Setup::new().set("NETRA_PUBLIC_URL", "https://chat.example.org").set("NETRA_AUTH", auth);
        let refusal = setup.refused().await;
        assert_eq!(refusal.code, 2, "{}", refusal.stderr);
        for name in ["NETRA_AUTH", "NETRA_PUBLIC_URL", "https://chat.example.org"] {
            assert!(refusal.stderr.contains(name), "{}", refusal.stderr);
        }
    }
    // The default is dev.
    let refusal =
        Setup::new().set("NETRA_PUBLIC_URL", "https://chat.example.org").set("NETRA_AUTH", "").refused().await;
    assert_eq!(refusal.code, 2, "{}", refusal.stderr);
}

#[tokio::test]
async fn what_the_developer_was_given_ends_with_dev_sign_in() {
    let server = Setup::new().start().await;
    let developer = User::dev(&server).await;
    let made = developer.post("/api/tokens", json!({ "name": "trial" })).await;
    let token = made.json()["token"].as_str().expect("a token").to_owned();
    let home = server.home();
    drop(server);
    let server = Setup::at(home.clone()).set("NETRA_AUTH", "password").start().await;
    let developer = developer.moved(&server);
    assert_eq!(developer.get("/api/me").await.error(), (401, "unauthenticated".into()));
    let program = Answer::of(http().get(format!("{}/api/me", server.base)).bearer_auth(&token)).await;
    assert_eq!(program.error(), (401, "unauthenticated".into()));
    assert!(server.log().contains("dev sign-in is off"), "{}", server.log());
    drop(server);
    let server = Setup::at(home).start().await;
    let developer = developer.moved(&server);
    assert_eq!(developer.get("/api/me").await.status, 401, "and does not come back");
}

#[tokio::test]
async fn a_browser_holds_one_sign_in_and_a_user_a_bounded_number() {
    let server = Setup::new().start().await;
    let ada = User::register(&server).await;
    let before = ada.cookies();
    let credentials = json!({ "email": ada.email, "password": crate::support::user::PASSWORD });
    ada.post("/api/auth/login", credentials).await.ok();
    let old = User::visitor(&server).send(Method::GET, "/api/me", None, &[("cookie", &before)]).await;
    assert_eq!(old.status, 401, "the sign-in that the browser held before has ended");
    let first = User::dev(&server).await;
    for _ in 0..50 {
        User::dev(&server).await;
    }
    assert_eq!(first.get("/api/me").await.status, 401, "the oldest of 51 has ended");
}
