//! A large message over a slow network that breaks on the way up.

use std::time::Duration;

use futures::future::join_all;
use netra_ws::model::MessageRole;

use crate::{
    client::Book,
    oracle::check_alone,
    proxy::{Fault, Trigger, Way},
    stage::{Stage, beside_others},
};

/// Bytes of the message.
const SIZE: usize = 60_000;

/// Bytes a second on the way up.
const SLOW: u32 = 8_000;

/// The header of a masked WebSocket frame of this size (RFC 6455 §5.2).
const HEADER: u64 = 8;

/// Bytes that the server reads at a time.
const READ: u64 = 4_096;

/// Uploads once through a network that breaks after so many bytes of the message's frame, which has `end`, or does not.
async fn upload(stage: &Stage, seed: u64, end: u64, breaks: Option<(u64, Fault)>) {
    let what = format!("{breaks:?}");
    let proxy = stage.proxy().await;
    let client = stage.client(&proxy.base, seed).await;
    let thread = stage.thread().await;
    client.follow(thread);
    client.wait(Duration::from_secs(10), "a live link", |book| book.is_live() && book.resumes == 1).await;
    let link = proxy.newest().expect("a connection");
    link.throttle(Way::Up, Some(SLOW));
    if let Some((bytes, fault)) = breaks {
        link.strike_at(Way::Up, Trigger::After(link.passed(Way::Up) + bytes), fault);
    }
    let said = client.say(thread, &"x".repeat(SIZE));
    let answered = |book: &Book| {
        let state = &book.threads[&thread].state;
        book.outbox == 0 && state.messages.len() == 2 && state.active_runs().next().is_none()
    };
    client.wait(Duration::from_secs(30), &what, answered).await;
    check_alone(&client, stage, thread).await;
    let book = client.book();
    let mine: Vec<_> = book.threads[&thread].state.messages.iter().filter(|m| m.role == MessageRole::User).collect();
    assert_eq!((mine.len(), mine[0].message_id, mine[0].content.len()), (1, said.into(), SIZE), "{what}");
    assert_eq!((link.is_broken(), book.losses()), (breaks.is_some(), u64::from(breaks.is_some())), "{what}: {book}");
    let half = breaks.is_some_and(|(bytes, _)| bytes < end);
    assert!(!half || book.duplicate_acks == 0, "{what}: half a message was stored");
}

/// R14: stored once, wherever the cut falls.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_message_cut_anywhere_is_stored_once() {
    let _machine = beside_others().await;
    // Heartbeats as they are by default: their answers queue up behind the message, and must still come in time.
    let stage = Stage::new(&[]).await;
    let message = netra_ws::payload::UserMessage { content: "x".repeat(SIZE), ..Default::default() };
    let frame = netra_ws::frame::Frame::new(netra_ws::ClientMessage::UserMessage(message));
    let frame = frame.in_thread(netra_ws::ThreadId::new()).encode().expect("encodes");
    let end = HEADER + frame.len() as u64;
    let mut places = vec![1, 2, 4, HEADER - 1, HEADER, HEADER + 1, READ - 1, READ, READ + 1, READ + HEADER];
    places.extend([2 * READ, 8 * READ, 14 * READ, end / 2, end - 2, end - 1, end]);
    let cuts = places.iter().enumerate().map(|(n, place)| {
        let fault = if n % 2 == 0 { Fault::Reset } else { Fault::Close };
        upload(&stage, n as u64, end, Some((*place, fault)))
    });
    join_all(cuts).await;
    upload(&stage, 99, end, None).await;
    println!("{} cuts of a frame of {end} bytes at {SLOW} bytes/s: stored once each", places.len());
}
