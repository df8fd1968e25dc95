//! What every HTTP refusal has in common: one shape, one code, nothing done.

use reqwest::Method;
use serde_json::json;
use uuid::Uuid;

use crate::support::{server::Setup, user::User};

fn protected() -> Vec<(Method, String)> {
    let thread = Uuid::now_v7();
    vec![
        (Method::GET, "/api/me".into()),
        (Method::POST, "/api/auth/ws-token".into()),
        (Method::GET, "/api/threads".into()),
        (Method::POST, "/api/threads".into()),
        (Method::GET, format!("/api/threads/{thread}")),
        (Method::PATCH, format!("/api/threads/{thread}")),
        (Method::DELETE, format!("/api/threads/{thread}")),
        (Method::GET, format!("/api/threads/{thread}/events")),
        (Method::GET, format!("/api/threads/{thread}/messages")),
    ]
}

#[tokio::test]
async fn nobody_gets_in_without_a_session() {
    let server = Setup::new().start().await;
    let visitor = User::visitor(&server);
    let wrong: [(&str, &[(&str, &str)]); 3] = [
        ("no cookie", &[]),
        ("a made-up cookie", &[("cookie", "netra_session=0123456789abcdef0123456789abcdef")]),
        ("a made-up token", &[("authorization", "Bearer 0123456789abcdef")]),
    ];
    for (method, path) in protected() {
        for (name, headers) in wrong {
            let body = (method != Method::GET).then(|| "{}".to_owned());
            let answer = visitor.send(method.clone(), &path, body, headers).await;
            assert_eq!(answer.error(), (401, "unauthenticated".into()), "{name}: {method} {path}");
            assert!(!visitor.has_session(), "{name}: {method} {path}");
        }
    }
}

#[tokio::test]
async fn the_unknown_is_not_found() {
    let server = Setup::new().start().await;
    let user = User::dev(&server).await;
    let absent = Uuid::now_v7();
    for path in [
        format!("/api/threads/{absent}"),
        format!("/api/threads/{absent}/events"),
        format!("/api/threads/{absent}/messages"),
        "/api/threads/not-a-uuid".into(),
        "/api/no-such-thing".into(),
    ] {
        assert_eq!(user.get(&path).await.error(), (404, "not_found".into()), "{path}");
    }
    let path = format!("/api/threads/{absent}");
    assert_eq!(user.patch(&path, json!({ "title": "x" })).await.error(), (404, "not_found".into()));
    assert_eq!(user.delete(&path).await.error(), (404, "not_found".into()));
}

#[tokio::test]
async fn a_body_that_is_wrong_is_refused_in_one_shape() {
    let server = Setup::new().start().await;
    let user = User::dev(&server).await;
    let id = user.thread("Plans").await["id"].as_str().expect("id").to_owned();
    let thread = format!("/api/threads/{id}");
    let cases: [(Method, &str, &str, &str); 8] = [
        (Method::POST, "/api/threads", "{nope", "malformed_json"),
        (Method::POST, "/api/threads", r#"{"title":5}"#, "invalid_payload"),
        (Method::POST, "/api/threads", r#""{}""#, "invalid_payload"),
        (Method::POST, "/api/auth/login", "{nope", "malformed_json"),
        (Method::POST, "/api/auth/register", "[]", "invalid_payload"),
        (Method::PATCH, &thread, "{nope", "malformed_json"),
        (Method::PATCH, &thread, r#"{"pinned":"yes"}"#, "invalid_payload"),
        (Method::PATCH, &thread, r#"{"archived":1}"#, "invalid_payload"),
    ];
    for (method, path, body, code) in cases {
        let answer = user.send(method.clone(), path, Some(body.to_owned()), &[]).await;
        assert_eq!(answer.error(), (400, code.into()), "{method} {path} {body:?}");
    }
    let threads = user.get("/api/threads").await.ok();
    assert_eq!(threads["threads"].as_array().map(Vec::len), Some(1), "nothing was made: {threads}");
    assert_eq!(threads["threads"][0]["pinned"], false, "nothing was changed");
}

#[tokio::test]
async fn a_write_from_another_site_is_refused() {
    let server = Setup::new().start().await;
    let user = User::dev(&server).await;
    let id = user.thread("Plans").await["id"].as_str().expect("id").to_owned();
    let thread = format!("/api/threads/{id}");
    let writes: [(Method, &str, &str); 5] = [
        (Method::POST, "/api/threads", r#"{"title":"theirs"}"#),
        (Method::PATCH, &thread, r#"{"title":"theirs"}"#),
        (Method::DELETE, &thread, ""),
        (Method::POST, "/api/auth/ws-token", "{}"),
        (Method::POST, "/api/auth/logout", "{}"),
    ];
    for (method, path, body) in writes {
        for origin in ["https://evil.example", "null"] {
            let body = (!body.is_empty()).then(|| body.to_owned());
            let answer = user.send(method.clone(), path, body, &[("origin", origin)]).await;
            assert_eq!(answer.error(), (403, "origin_not_allowed".into()), "{method} {path} from {origin}");
        }
    }
    assert_eq!(user.get(&thread).await.ok()["title"], "Plans", "signed in, and unchanged");

    let own = [("origin", server.base.as_str())];
    let body = Some(r#"{"title":"mine"}"#.to_owned());
    let answer = user.send(Method::POST, "/api/threads", body, &own).await;
    assert_eq!(answer.status, 201, "the own origin is allowed: {}", answer.body);
    let read = user.send(Method::GET, &thread, None, &[("origin", "https://evil.example")]).await;
    assert!(read.header("access-control-allow-origin").is_empty(), "no other site may read the answer");
}
