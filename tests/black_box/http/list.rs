//! `GET /api/threads`: pages, search, the archive.

use serde_json::{Value, json};

use crate::support::{server::Setup, user::User};

async fn titles(user: &User, query: &str) -> Vec<String> {
    let answer = user.get(&format!("/api/threads{query}")).await.ok();
    let threads = answer["threads"].as_array().unwrap_or_else(|| panic!("no threads in {answer}"));
    threads.iter().map(|t| t["title"].as_str().expect("title").to_owned()).collect()
}

#[tokio::test]
async fn pages_follow_each_other_without_gap_or_repeat() {
    let server = Setup::new().start().await;
    let user = User::dev(&server).await;
    for n in 0..7 {
        user.thread(&format!("thread {n}")).await;
    }
    let all = titles(&user, "").await;
    assert_eq!(all.len(), 7);
    assert_eq!(all[0], "thread 6", "the newest first");

    let (mut seen, mut sizes, mut cursor) = (Vec::new(), Vec::new(), String::new());
    loop {
        let page = user.get(&format!("/api/threads?limit=3{cursor}")).await.ok();
        let threads = page["threads"].as_array().expect("threads");
        sizes.push(threads.len());
        seen.extend(threads.iter().map(|t| t["title"].as_str().expect("title").to_owned()));
        match page.get("next_cursor") {
            Some(Value::String(next)) => cursor = format!("&cursor={}", escape(next)),
            Some(other) => panic!("next_cursor is {other}"),
            None => break,
        }
        assert!(sizes.len() < 10, "pages without end");
        // What comes to the top meanwhile pushes nothing onto a page that was not read yet.
        user.thread("made meanwhile").await;
    }
    assert_eq!(seen, all);
    assert_eq!(sizes, [3, 3, 1], "the last page has no next_cursor");
    for bad in ["limit=many", "cursor=%21%21%21", "archived=maybe"] {
        let answer = user.get(&format!("/api/threads?{bad}")).await;
        assert_eq!(answer.error(), (400, "invalid_payload".into()), "{bad}");
    }
}

/// Percent-encodes what a cursor may hold.
fn escape(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

#[tokio::test]
async fn search_finds_titles() {
    let server = Setup::new().start().await;
    let user = User::dev(&server).await;
    for title in ["Pelican habits", "Bread and butter", "100% wool_socks"] {
        user.thread(title).await;
    }
    let find = async |query: &str| titles(&user, &format!("?query={}", escape(query))).await;
    let cases = [
        ("pelican", vec!["Pelican habits"]),
        ("PELICAN", vec!["Pelican habits"]),
        ("butter", vec!["Bread and butter"]),
        ("wool_socks", vec!["100% wool_socks"]),
        ("nothing like it", vec![]),
    ];
    for (query, wanted) in cases {
        assert_eq!(find(query).await, wanted, "{query:?}");
    }
    // Signs that mean something to SQL or to a full-text index match themselves at most.
    for query in ["%", "_", "*", "\" OR 1", "' OR '1'='1"] {
        let found = find(query).await;
        assert!(found.iter().all(|title| title == "100% wool_socks"), "{query:?} finds {found:?}");
    }
}

#[tokio::test]
async fn the_archive_is_a_list_of_its_own() {
    let server = Setup::new().start().await;
    let user = User::dev(&server).await;
    let old = user.thread("old").await["id"].as_str().expect("id").to_owned();
    user.thread("new").await;
    user.patch(&format!("/api/threads/{old}"), json!({ "archived": true })).await.ok();
    for (query, wanted) in [("", "new"), ("?archived=false", "new"), ("?archived=true", "old")] {
        assert_eq!(titles(&user, query).await, [wanted], "{query:?}");
    }
    user.patch(&format!("/api/threads/{old}"), json!({ "archived": false })).await.ok();
    assert_eq!(titles(&user, "").await.len(), 2, "back again");
}
