//! Links by which anybody reads a conversation: as far as it went, as long as they are good, and nothing else.

use serde_json::{Value, json};

use crate::support::{
    answer::{Answer, http},
    rules::{ended, say, start_run},
    server::{Server, Setup},
    user::{PASSWORD, User},
};

async fn server() -> Server {
    Setup::new().set("NETRA_AUTH", "password").start().await
}

/// What somebody without a sign-in reads at an address.
async fn read(address: &str) -> Answer {
    Answer::of(http().get(address)).await
}

async fn make(user: &User, thread: &str, wanted: Value) -> Value {
    let made = user.post(&format!("/api/threads/{thread}/links"), wanted).await;
    assert_eq!(made.status, 201, "{}", made.body);
    made.json()
}

fn url(made: &Value) -> &str {
    made["url"].as_str().expect("an address")
}

#[tokio::test]
async fn anybody_reads_what_stood_there_when_the_link_was_made() {
    let server = server().await;
    let (admin, user) = (User::register(&server).await, User::register(&server).await);
    let socket = user.connect().await;
    let run = start_run(&socket, "guide", "What is 6 times 7? <script>alert(1)</script>").await;
    ended(&socket, &run).await;
    let made = make(&user, &run.thread, json!({})).await;
    ended(&socket, &say(&socket, &run.thread, "This came later").await).await;

    let page = read(url(&made)).await;
    assert_eq!(page.status, 200, "{}", page.body);
    assert!(page.body.contains("What is 6 times 7?") && page.body.contains("42"), "{}", page.body);
    assert!(page.body.contains("calculate"), "the tools are named: {}", page.body);
    assert!(!page.body.contains("This came later"), "{}", page.body);
    assert!(!page.body.contains("<script"), "{}", page.body);
    for secret in [user.email.as_str(), user.id.as_str(), run.thread.as_str()] {
        assert!(!page.body.contains(secret), "{secret} is nobody's matter: {}", page.body);
    }
    let headers = http().get(url(&made)).send().await.expect("an answer").headers().clone();
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    assert!(header("content-security-policy").starts_with("default-src 'none'"), "{headers:?}");
    assert!(header("x-robots-tag").contains("noindex") && header("referrer-policy") == "no-referrer", "{headers:?}");
    // The link opens nothing but its page.
    let secret = url(&made).rsplit('/').next().expect("a secret");
    let api = Answer::of(http().get(format!("{}/api/threads", server.base)).bearer_auth(secret)).await;
    assert_eq!(api.status, 401);
    let kept = admin.get("/api/admin/audit?newest=true&query=link.made").await.ok();
    assert_eq!(kept["lines"][0]["actor"], user.id.as_str(), "{kept}");
    assert!(!server.log().contains(secret), "what opens it is not logged");
}

#[tokio::test]
async fn a_link_ends_with_its_time_its_conversation_and_its_owner() {
    let server = server().await;
    let (admin, user) = (User::register(&server).await, User::register(&server).await);
    let thread = user.thread("Ours").await["id"].as_str().expect("an id").to_owned();
    let links = format!("/api/threads/{thread}/links");

    let taken_back = make(&user, &thread, json!({})).await;
    let id = taken_back["link"]["id"].as_str().expect("an id");
    assert_eq!(read(url(&taken_back)).await.status, 200);
    let listed = user.get(&links).await.ok();
    assert_eq!(listed["links"][0]["id"], id, "{listed}");
    assert!(!listed.to_string().contains(url(&taken_back).rsplit('/').next().expect("a secret")), "{listed}");
    assert_eq!(user.delete(&format!("{links}/{id}")).await.status, 204);
    assert_eq!(user.delete(&format!("{links}/{id}")).await.status, 404);
    let gone = read(url(&taken_back)).await;
    assert!(gone.status == 404 && gone.body.contains("This link leads nowhere"), "{}", gone.body);
    assert_eq!(read(&format!("{}/shared/nothing?before=x", server.base)).await.status, 404);

    for wrong in [json!({ "expires_in_s": 1 }), json!({ "expires_in_s": 40_000_000 }), json!({ "expires_in_s": "x" })] {
        assert_eq!(user.post(&links, wrong).await.error().1, "invalid_payload");
    }
    let mut last = Value::Null;
    for _ in 0..20 {
        last = make(&user, &thread, json!({ "expires_in_s": 86_400 })).await;
    }
    assert_eq!(user.post(&links, json!({})).await.error(), (409, "conflict".into()), "twenty are enough");

    let account = format!("/api/admin/users/{}", user.id);
    admin.patch(&account, json!({ "disabled": true })).await.ok();
    assert_eq!(read(url(&last)).await.status, 404, "the owner may nothing any more");
    admin.patch(&account, json!({ "disabled": false })).await.ok();
    assert_eq!(read(url(&last)).await.status, 200);
    let again = User::visitor(&server);
    again.post("/api/auth/login", json!({ "email": user.email, "password": PASSWORD })).await.ok();
    assert_eq!(again.delete(&format!("/api/threads/{thread}")).await.status, 204);
    assert_eq!(read(url(&last)).await.status, 404, "the conversation is gone");
}

#[tokio::test]
async fn a_long_conversation_is_read_in_parts() {
    let server = server().await;
    let user = User::register(&server).await;
    let socket = user.connect().await;
    let run = start_run(&socket, "guide", "What is 1 + 1? And much more: the first").await;
    ended(&socket, &run).await;
    for number in 0..3 {
        let long = format!("What is {number} + 1? {}", "word ".repeat(12_000));
        ended(&socket, &say(&socket, &run.thread, &long).await).await;
    }
    for number in 0..3 {
        let long = format!("What is {number} + 2? {}", "word ".repeat(12_000));
        ended(&socket, &say(&socket, &run.thread, &long).await).await;
    }
    let made = make(&user, &run.thread, json!({})).await;
    let mut address = url(&made).to_owned();
    for _ in 0..10 {
        let page = read(&address).await;
        assert!(page.body.len() < 2 << 20, "{} bytes", page.body.len());
        let Some(at) = page.body.find("?before=") else {
            assert!(page.body.contains("the first"), "{}", &page.body[..2_000]);
            return;
        };
        let before: String = page.body[at + 8..].chars().take_while(char::is_ascii_digit).collect();
        address = format!("{}?before={before}", url(&made));
    }
    panic!("the first message was not reached");
}
