//! The server stored a message, and its `ack` never came.

use std::time::Duration;

use netra_ws::model::MessageRole;
use serde_json::json;

use crate::{
    oracle::check_alone,
    proxy::{Fault, Trigger, Way},
    stage::{Stage, beside_others},
};

/// R14: the outbox sends the message again, and the server answers what it answered first.
#[tokio::test]
async fn a_lost_ack_stores_nothing_twice() {
    let _machine = beside_others().await;
    let stage = Stage::beating(400, 400).await;
    for fault in [Fault::Close, Fault::Reset, Fault::Silence] {
        let proxy = stage.proxy().await;
        proxy.prepare(move |link| link.strike_at(Way::Down, Trigger::Before("\"type\":\"ack\""), fault));
        let client = stage.client(&proxy.base, 7).await;
        client.wait(Duration::from_secs(5), "a live link", crate::client::Book::is_live).await;
        proxy.heal();
        let link = proxy.newest().expect("a connection");
        let thread = stage.thread().await;
        client.follow(thread);
        let said = client.say(thread, "Was this heard?");
        client.wait(Duration::from_secs(10), "the answer", |book| !book.settled.is_empty()).await;
        assert!(link.is_broken(), "{fault:?}: the fault struck");
        {
            let book = client.book();
            let [(id, Ok(ack))] = &book.settled[..] else { panic!("{fault:?}: {:?}", book.settled) };
            assert_eq!((*id, ack.duplicate, ack.thread_id), (said, true, Some(thread)), "{fault:?}: {ack:?}");
            assert_eq!((book.duplicate_acks, book.losses(), book.outbox), (1, 1, 0), "{fault:?}: {book}");
        }
        let rest = |book: &crate::client::Book| {
            let state = &book.threads[&thread].state;
            state.messages.len() == 2 && state.active_runs().next().is_none()
        };
        client.wait(Duration::from_secs(10), "the answer of the model", rest).await;
        check_alone(&client, &stage, thread).await;
        let answer = stage.user.get(&format!("/api/threads/{thread}/messages")).await.ok();
        let messages = answer["messages"].as_array().expect("messages");
        let mine: Vec<_> = messages.iter().filter(|m| m["role"] == json!(MessageRole::User)).collect();
        assert_eq!(mine.len(), 1, "{fault:?}: {answer}");
        assert_eq!(mine[0]["message_id"], json!(said), "{fault:?}");
    }
}
