//! The page as the server renders it: discovery inside, history readable, nothing executed.

use serde_json::{Value, json};

use crate::support::{
    answer::Answer,
    provider::{Provider, always},
    rules::{ended, start_run},
    script::Reply,
    server::Setup,
    user::User,
};

/// The JSON of `<script type="application/json" id="netra-boot">`.
fn boot(page: &Answer) -> Value {
    let body = &page.body;
    let tag = body.split("<script").find(|tag| attributes(tag).contains(r#"id="netra-boot""#));
    let tag = tag.unwrap_or_else(|| panic!("no netra-boot in {body}"));
    assert!(attributes(tag).contains(r#"type="application/json""#), "{tag}");
    let (_, text) = tag.split_once('>').expect("the tag ends");
    let (text, _) = text.split_once("</script>").expect("the script ends");
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{e} in {text}"))
}

fn attributes(tag: &str) -> &str {
    tag.split('>').next().unwrap_or_default()
}

/// Whether `wanted` stands anywhere inside `value`.
fn holds(value: &Value, wanted: &Value) -> bool {
    value == wanted
        || match value {
            Value::Object(fields) => fields.values().any(|v| holds(v, wanted)),
            Value::Array(items) => items.iter().any(|v| holds(v, wanted)),
            _ => false,
        }
}

/// The page without its scripts: what a reader sees before any code has run.
fn markup(page: &Answer) -> String {
    let mut parts = page.body.split("<script");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once("</script>").map_or("", |(_, rest)| rest))
}

#[tokio::test]
async fn the_page_carries_discovery_and_signs_the_development_user_in() {
    let server = Setup::new().start().await;
    let visitor = User::visitor(&server);
    let page = visitor.browse("/").await;
    assert_eq!(page.status, 200);
    assert!(page.header("content-type").starts_with("text/html"), "{}", page.header("content-type"));
    let config = visitor.get("/api/config").await.ok();
    assert!(holds(&boot(&page), &config), "discovery is in {}", boot(&page));
    assert!(visitor.has_session(), "signed in by opening the page");
    let me = visitor.get("/api/me").await.ok();
    assert!(me["user"]["id"].is_string(), "{me}");
    let cookies = visitor.cookies();
    let (_, session) = cookies.split_once("netra_session=").expect("a session");
    let session = session.split(';').next().unwrap_or_default();
    assert!(session.len() >= 16 && !page.body.contains(session), "the session stays in the cookie");
}

#[tokio::test]
async fn a_sign_out_lasts() {
    let server = Setup::new().start().await;
    let visitor = User::visitor(&server);
    visitor.browse("/").await;
    assert!(visitor.has_session());
    let logout = visitor.post("/api/auth/logout", json!({})).await;
    assert!((200..300).contains(&logout.status), "{}", logout.status);
    for _ in 0..2 {
        let page = visitor.browse("/").await;
        assert_eq!(page.status, 200);
        assert!(!visitor.has_session(), "signed in again unasked");
    }
    assert_eq!(visitor.get("/api/me").await.error(), (401, "unauthenticated".into()));
}

#[tokio::test]
async fn without_development_sign_in_the_page_signs_nobody_in() {
    let server = Setup::new().set("NETRA_AUTH", "password").start().await;
    let visitor = User::visitor(&server);
    let page = visitor.browse("/").await;
    assert_eq!(page.status, 200);
    assert!(!visitor.has_session());
    boot(&page);
}

#[tokio::test]
async fn the_history_is_readable_before_any_script_runs() {
    let provider = Provider::start(always(Reply::text("The marmalade lighthouse hums at dusk."))).await;
    let server = Setup::new().assistant(&provider).start().await;
    let user = User::dev(&server).await;
    let socket = user.connect().await;
    let run = start_run(&socket, "assistant", "Which lighthouse hums at noon?").await;
    ended(&socket, &run).await;
    let page = user.browse(&format!("/t/{}", run.thread)).await;
    assert_eq!(page.status, 200);
    let markup = markup(&page);
    for text in ["The marmalade lighthouse hums at dusk.", "Which lighthouse hums at noon?"] {
        assert!(markup.contains(text), "{text:?} is not in the markup");
    }
    let stranger = User::register(&server).await.browse(&format!("/t/{}", run.thread)).await;
    assert!(!stranger.body.contains("marmalade"), "a stranger reads it");
}

#[tokio::test]
async fn what_people_and_models_write_stays_text() {
    let attacks = [
        "<img src=x onerror=alert(1)>",
        "</script><script>alert(2)</script>",
        "<svg onload=alert(3)>",
        "<iframe srcdoc='<b>x</b>'></iframe>",
    ];
    let links = "[click](javascript:alert(4)) [data](data:text/html,<b>x</b>)";
    let text = format!("{} {links}", attacks.join("\n\n"));
    let provider = Provider::start(always(Reply::text(&text))).await;
    let server = Setup::new().assistant(&provider).start().await;
    let user = User::dev(&server).await;
    let socket = user.connect().await;
    let run = start_run(&socket, "assistant", &text).await;
    ended(&socket, &run).await;
    let path = format!("/api/threads/{}", run.thread);
    user.patch(&path, json!({ "title": attacks[1] })).await.ok();

    for path in [format!("/t/{}", run.thread), "/".into()] {
        let page = user.browse(&path).await;
        for attack in attacks {
            assert!(!page.body.contains(attack), "{path}: {attack} is in the page");
        }
        let body = page.body.to_ascii_lowercase();
        assert!(!body.contains("<img src=x") && !body.contains("<svg onload") && !body.contains("<iframe"), "{path}");
        assert!(!body.contains("href=\"javascript:") && !body.contains("href=\"data:"), "{path}: a link that runs");
    }
    let page = user.browse(&format!("/t/{}", run.thread)).await;
    assert!(markup(&page).contains("&lt;img src=x onerror=alert(1)"), "the message is shown as it was written");
}
