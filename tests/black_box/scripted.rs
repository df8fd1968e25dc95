//! The scripted provider does on the wire what a script says. Without this, tests about cuts could pass uncut.

use std::time::Duration;

use futures::StreamExt;
use serde_json::json;

use crate::support::{
    answer::http,
    provider::{Provider, always},
    script::{Reply, Stream},
};

async fn ask(provider: &Provider) -> reqwest::Response {
    let body = json!({ "stream": true, "messages": [{ "role": "user", "content": "x" }] });
    http().post(format!("{}/chat/completions", provider.base)).json(&body).send().await.expect("an answer")
}

/// Reads the body; the parts as they came, and whether it ended well.
async fn parts(response: reqwest::Response) -> (Vec<Vec<u8>>, bool) {
    let (mut parts, mut whole) = (Vec::new(), true);
    let mut body = response.bytes_stream();
    while let Some(part) = body.next().await {
        match part {
            Ok(bytes) => parts.push(bytes.to_vec()),
            Err(_) => whole = false,
        }
    }
    (parts, whole)
}

#[tokio::test]
async fn bytes_are_cut_where_the_script_says() {
    let reply = Stream::new().text("日本").end("stop");
    let Reply::Stream { steps, .. } = reply.clone() else { panic!("a stream") };
    for piece in [1, 5] {
        let provider = Provider::start(always(Reply::Stream { steps: steps.clone(), piece })).await;
        let (cut, whole) = parts(ask(&provider).await).await;
        assert!(whole && cut.iter().all(|part| part.len() <= piece), "pieces of {piece}");
        let text = String::from_utf8(cut.concat()).expect("whole again");
        assert!(text.contains("日本") && text.ends_with("data: [DONE]\n\n"), "{text}");
    }
}

#[tokio::test]
async fn an_abort_is_not_an_end() {
    let provider = Provider::start(always(Stream::new().text("Well, ").abort())).await;
    let (cut, whole) = parts(ask(&provider).await).await;
    assert!(!whole, "the body ended well");
    assert!(String::from_utf8(cut.concat()).expect("text").contains("Well, "), "what came before is delivered");
}

#[tokio::test]
async fn a_client_that_leaves_is_noticed() {
    let provider =
        Provider::start(|_| Stream::new().texts(1_000, "tick ", Duration::from_millis(10)).end("stop")).await;
    let response = ask(&provider).await;
    let mut body = response.bytes_stream();
    body.next().await.expect("a part").expect("bytes");
    drop(body);
    provider.idle(Duration::from_secs(1)).await;
    assert_eq!(provider.requests().len(), 1);
}
