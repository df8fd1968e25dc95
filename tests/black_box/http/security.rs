//! Security headers (CSP level 3; `X-Content-Type-Options`; `Referrer-Policy`).

use crate::support::{answer::Answer, server::Setup, user::User};

/// The sources of one directive of the page's policy; the fetch directives stand in for each other as CSP says.
fn sources<'a>(page: &'a Answer, directive: &str) -> Vec<&'a str> {
    let policy = page.header("content-security-policy");
    let find = |name: &str| {
        let mut parts = policy.split(';').map(|d| d.split_whitespace().collect::<Vec<_>>());
        parts.find(|d| d.first().is_some_and(|n| *n == name)).map(|d| d[1..].to_vec())
    };
    let fallback = || directive.ends_with("-src").then(|| find("default-src")).flatten();
    find(directive).or_else(fallback).unwrap_or_else(|| panic!("no {directive} in {policy:?}"))
}

fn nonce(page: &Answer) -> &str {
    let found = sources(page, "script-src").into_iter().find_map(|s| s.strip_prefix("'nonce-"));
    found.and_then(|n| n.strip_suffix('\'')).expect("script-src has a nonce")
}

#[tokio::test]
async fn the_page_runs_its_own_scripts_and_no_others() {
    let server = Setup::new().start().await;
    let visitor = User::visitor(&server);
    let pages = [visitor.browse("/").await, visitor.browse("/").await];
    for page in &pages {
        let scripts = sources(page, "script-src");
        assert!(!scripts.contains(&"'unsafe-inline'") && !scripts.contains(&"'unsafe-eval'"), "{scripts:?}");
        assert!(!scripts.iter().any(|s| matches!(*s, "*" | "https:" | "http:" | "data:" | "blob:")), "{scripts:?}");
        assert!(nonce(page).len() >= 16, "{scripts:?}");
        assert_eq!(sources(page, "object-src"), ["'none'"]);
        assert!(matches!(sources(page, "base-uri")[..], ["'none'" | "'self'"]), "{:?}", sources(page, "base-uri"));
        assert!(matches!(sources(page, "frame-ancestors")[..], ["'none'" | "'self'"]), "it may be framed");

        let attribute = format!("nonce=\"{}\"", nonce(page));
        let tags = page.body.split("<script").skip(1).map(|t| t.split('>').next().unwrap_or_default());
        let run: Vec<&str> = tags.filter(|t| !t.contains("application/json")).collect();
        assert!(!run.is_empty(), "the page has no script at all");
        for tag in run {
            assert!(tag.contains(&attribute) || tag.contains("src="), "a script without the nonce: <script{tag}>");
        }
    }
    assert_ne!(nonce(&pages[0]), nonce(&pages[1]), "a nonce is used once");
}

#[tokio::test]
async fn every_answer_is_taken_for_what_it_is() {
    let server = Setup::new().start().await;
    let visitor = User::visitor(&server);
    for path in ["/", "/api/config", "/api/me", "/healthz"] {
        let answer = visitor.browse(path).await;
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        let referrer = answer.header("referrer-policy");
        let kept = ["no-referrer", "same-origin", "strict-origin", "strict-origin-when-cross-origin"];
        assert!(kept.contains(&referrer), "{path}: {referrer:?}");
    }
}
