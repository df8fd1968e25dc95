//! `/docs`: the protocol as a page, for people, equal to the specification (R8, R22).

use serde_json::Value;

use crate::support::{server::Setup, user::User};

#[tokio::test]
async fn the_reference_names_every_message_code_and_request() {
    let server = Setup::new().start().await;
    let answer = User::visitor(&server).get("/docs").await;
    assert_eq!(answer.status, 200, "it needs no sign-in");
    assert!(answer.header("content-type").starts_with("text/html"));
    let policy = answer.header("content-security-policy").to_owned();
    assert!(policy.contains("default-src 'none'") && !policy.contains("script-src"), "{policy}");
    assert!(!answer.body.contains("<script"), "it needs no script");

    let asyncapi: Value = User::visitor(&server).get("/asyncapi.json").await.ok();
    let messages = asyncapi["components"]["messages"].as_object().expect("messages");
    assert!(messages.len() > 40);
    for (name, message) in messages {
        let (side, kind) = name.split_once('_').expect("a side and a type");
        let id = format!("id=\"{side}-{kind}\"");
        assert!(answer.body.contains(&id), "{name} is not described");
        let summary = message["summary"].as_str().expect("a summary").replace('&', "&amp;").replace('<', "&lt;");
        assert!(answer.body.contains(&summary), "{name}: {summary}");
    }
    let openapi: Value = User::visitor(&server).get("/openapi.json").await.ok();
    for path in openapi["paths"].as_object().expect("paths").keys() {
        assert!(answer.body.contains(path.as_str()), "{path} is missing");
    }
    for code in crate::support::ERROR_CODES {
        assert!(answer.body.contains(code), "{code} is missing");
    }
    for code in ["1012", "4400", "4401", "4413", "4429", "4500", "4501", "4508"] {
        assert!(answer.body.contains(code), "{code} is missing");
    }
}
