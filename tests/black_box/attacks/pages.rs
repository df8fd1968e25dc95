//! Foreign pages and links: what they can make a browser do here, and what they can make this site say.

use reqwest::Method;
use serde_json::json;

use crate::support::{
    answer::{Answer, http},
    server::Setup,
    user::{PASSWORD, User},
};

/// A browser that sends no `Origin`, or a proxy that takes it away, still says that another site asks.
#[tokio::test]
async fn another_site_cannot_write() {
    let server = Setup::new().start().await;
    let ada = User::register(&server).await;
    let thread = ada.thread("Mine").await["id"].as_str().expect("an id").to_owned();
    let own = server.base.clone();
    let cases: [&[(&str, &str)]; 4] = [
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
        &[("origin", "null")],
        &[("origin", &own), ("origin", "http://evil.example")],
    ];
    for headers in cases {
        let answer = ada.send(Method::DELETE, &format!("/api/threads/{thread}"), None, headers).await;
        assert_eq!(answer.error(), (403, "origin_not_allowed".into()), "{headers:?}");
    }
    let own_page: &[(&str, &str)] = &[("sec-fetch-site", "same-origin"), ("origin", &own)];
    assert_eq!(ada.send(Method::DELETE, &format!("/api/threads/{thread}"), None, own_page).await.status, 204);
}

/// A form without scripts leads back to a page of this site, with a status and none of the words that an address may carry.
#[tokio::test]
async fn forms_lead_nowhere_else_and_say_nothing_foreign() {
    let server = Setup::new().start().await;
    let form = async |function: &str, referer: String, body: &str| {
        let request = http()
            .post(format!("{}/fn/{function}", server.base))
            .header("accept", "text/html")
            .header("referer", referer)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body.to_owned());
        Answer::of(request).await
    };
    let ada = User::register(&server).await;
    let right = format!("email={}&password={}", ada.email, PASSWORD.replace(' ', "+"));
    let foreign = form("login", "http://evil.example/x".into(), &right).await;
    assert_eq!((foreign.status, foreign.header("location")), (303, "/"));
    let wrong = form("login", format!("{}/login?mode=x", server.base), "email=a@b.org&password=no").await;
    assert_eq!((wrong.status, wrong.header("location")), (303, "/login?mode=x&refused=401"));
    for path in ["//evil.example/x", "/\\evil.example/x", "/.//evil.example/x"] {
        let led = form("login", format!("{}{path}", server.base), "email=a@b.org&password=no").await;
        assert_eq!((led.status, led.header("location")), (303, "/"), "{path}");
    }
    let page = User::visitor(&server).browse("/login?refused=401").await;
    assert!(page.body.contains("the e-mail address or the password is wrong"), "no reason is shown");

    for link in ["/login?__path=%2Ffn%2Flogin&__err=U2VydmVyRXJyb3J8Q2FsbCArMSA1NTU", "/login?__err=Call+me"] {
        let page = User::visitor(&server).browse(link).await;
        let said = ["Call +1", "Call me"].iter().any(|words| page.body.contains(words));
        assert!(page.status == 200 && !said, "{link}: {}", page.status);
    }
    for body in ["", "id=x", "email[]=a", "%ff%fe=%00"] {
        for function in ["login", "delete-thread"] {
            let answer = form(function, String::new(), body).await;
            assert!(answer.status < 500, "{function} {body}: {} {}", answer.status, answer.body);
        }
    }
}

#[tokio::test]
async fn a_name_that_leads_here_reads_no_metrics() {
    let server = Setup::new().start().await;
    let metrics =
        |host: &str| Answer::of(http().get(format!("{}/metrics", server.base)).header("host", host.to_owned()));
    assert_eq!(metrics("evil.example:3000").await.error(), (403, "forbidden".into()));
    assert_eq!(metrics(server.host()).await.status, 200);
}

#[tokio::test]
async fn over_tls_browsers_are_told_to_stay_there() {
    let setup = Setup::new().set("NETRA_AUTH", "password").set("NETRA_PUBLIC_URL", "https://chat.example");
    let server = setup.set("NETRA_REGISTRATION", "open").start().await;
    let visitor = User::visitor(&server);
    assert_eq!(visitor.get("/healthz").await.header("strict-transport-security"), "max-age=31536000");
    let email = crate::support::user::fresh_email();
    let made = visitor.post("/api/auth/register", json!({ "email": email, "password": PASSWORD })).await;
    assert!(
        made.set_cookies().iter().any(|cookie| cookie.starts_with("__Host-netra_session=")),
        "{:?}",
        made.set_cookies()
    );
    assert_eq!(visitor.get("/api/me").await.status, 200);
    let out = visitor.post("/api/auth/logout", json!({})).await;
    assert_eq!((out.status, out.header("clear-site-data")), (204, "\"cache\", \"storage\""));
    assert_eq!(visitor.get("/api/me").await.status, 401);
    let plain = Setup::new().start().await;
    assert!(User::visitor(&plain).get("/healthz").await.headers.get("strict-transport-security").is_none());
}
