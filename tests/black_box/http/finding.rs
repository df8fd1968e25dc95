//! What people look for, and where they are led: searches, addresses that lead nowhere, and the way to a page over the sign-in.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    rules::{ended, start_run},
    server::Setup,
    user::User,
};

async fn said(user: &User, text: &str) -> Value {
    let socket = user.connect().await;
    let run = start_run(&socket, "guide", text).await;
    ended(&socket, &run).await;
    json!(run.thread)
}

#[tokio::test]
async fn a_search_finds_parts_of_words_and_says_where() {
    let server = Setup::new().start().await;
    let user = User::dev(&server).await;
    let before = format!("Before it {}", "come other words, ".repeat(20));
    let penguins = said(&user, &format!("{before} and emperor penguins swim.")).await;
    let japanese = said(&user, "これは日本語の質問です。").await;
    for (query, thread, around) in [
        ("penguin", &penguins, "emperor penguins swim"),
        ("swimming PENGUINS", &penguins, "penguins"),
        ("mperor", &penguins, "emperor penguins"),
        ("日本", &japanese, "日本語"),
        ("日本 質問", &japanese, "日本語"),
        ("本語の質", &japanese, "日本語の質問"),
    ] {
        let answer = user.get(&format!("/api/threads?query={query}")).await.ok();
        let found = answer["found"].as_array().unwrap_or_else(|| panic!("{query}: {answer}"));
        assert_eq!((found.len(), &found[0]["thread_id"]), (1, thread), "{query}: {answer}");
        let excerpt = found[0]["excerpt"].as_str().unwrap_or_default();
        assert!(excerpt.contains(around) && excerpt.chars().count() < 450, "{query}: {excerpt}");
    }
    for query in ["pingu", "日中", "50%25", "\"", "' OR 1=1 --"] {
        let answer = user.get(&format!("/api/threads?query={query}")).await.ok();
        assert_eq!((&answer["threads"], answer.get("found")), (&json!([]), None), "{query}: {answer}");
    }
    let stranger = User::register(&server).await;
    for query in ["mperor", "日本"] {
        let answer = stranger.get(&format!("/api/threads?query={query}")).await.ok();
        assert_eq!((&answer["threads"], answer.get("found")), (&json!([]), None), "{query}: {answer}");
    }
    assert_eq!(user.delete(&format!("/api/threads/{}", penguins.as_str().unwrap_or_default())).await.status, 204);
    assert_eq!(user.get("/api/threads?query=mperor").await.ok()["threads"], json!([]), "search forgot it");
}

#[tokio::test]
async fn people_at_an_address_that_leads_nowhere_get_a_page() {
    let server = Setup::new().start().await;
    let user = User::dev(&server).await;
    for path in ["/nothing/here", "/t/nonsense", "/t/00000000-0000-7000-8000-000000000000"] {
        let page = user.browse(path).await;
        assert_eq!(page.status, 404, "{path}");
        assert!(page.header("content-type").starts_with("text/html"), "{path}: {}", page.header("content-type"));
        assert!(page.body.contains("Nothing here") && page.body.contains("Start a new chat"), "{path}: {}", page.body);
    }
    assert_eq!(user.get("/nothing/here").await.error(), (404, "not_found".into()), "programs get the API's own shape");
    assert_eq!(user.get("/api/nothing").await.error(), (404, "not_found".into()));
}

#[tokio::test]
async fn signing_in_leads_where_one_wanted_to_go() {
    let server = Setup::new().set("NETRA_AUTH", "password").start().await;
    let visitor = User::visitor(&server);
    let path = "/t/00000000-0000-7000-8000-000000000000";
    let html = [("accept", "text/html")];
    let sent = visitor.send(Method::GET, path, None, &html).await;
    assert_eq!((sent.status, sent.header("location")), (303, format!("/login?next={path}").as_str()));
    let user = User::register(&server).await;
    for (next, leads) in
        [(path, path), ("//evil.example", "/"), ("https://evil.example/", "/"), ("/%5Cevil.example", "/")]
    {
        let sent = user.send(Method::GET, &format!("/login?next={next}"), None, &html).await;
        assert_eq!((sent.status, sent.header("location")), (303, leads), "{next}");
    }
}
