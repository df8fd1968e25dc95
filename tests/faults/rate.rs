//! More commands than the server takes in a minute.

use std::time::Duration;

use netra_ws::{FrameId, ThreadId, model::MessageRole};

use crate::{
    oracle::{Log, Sum, check},
    stage::{Stage, beside_others, telling},
};

/// Commands a minute; the bucket is as large.
const RATE: u64 = 600;

/// Commands beyond the bucket: more than the refusals after which the server closes.
const MORE: u64 = 120;

const THREADS: usize = 6;

/// R14, R21: the outbox goes out at the server's pace; every message is stored once, in order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_outbox_goes_out_at_the_servers_pace() {
    let _machine = beside_others().await;
    // More of them wait in a thread than a person usually may have waiting.
    let stage = Stage::new(&[("NETRA_COMMANDS_PER_MINUTE", RATE), ("NETRA_QUEUED_RUNS", RATE + MORE)]).await;
    let client = stage.healthy().await;
    let mut said: Vec<(ThreadId, Vec<FrameId>)> = Vec::new();
    for _ in 0..THREADS {
        let thread = stage.thread().await;
        client.follow(thread);
        // The model has much to say, so that the runs of the other messages wait.
        said.push((thread, vec![client.say(thread, &telling(1_000, 500, 10))]));
    }
    for n in 0..RATE + MORE {
        let (thread, messages) = &mut said[usize::try_from(n).expect("small") % THREADS];
        messages.push(client.say(*thread, &format!("message {n}")));
    }
    let took = client.wait(Duration::from_secs(45), "every answer", |book| {
        let stopped = !book.is_live() && book.outbox > 0 && book.closes.contains_key(&4429);
        assert!(!stopped, "closed for its rate: {book}");
        book.outbox == 0 && book.settled.len() as u64 >= RATE + MORE
    });
    let took = took.await;
    let refused = client.book().errors.get("rate_limited").copied().unwrap_or(0);
    for (thread, messages) in &said {
        let log = Log::read(&stage.user, *thread).await;
        check(&client, std::slice::from_ref(&log), &mut Sum::default()).await;
        let book = client.book();
        let stored = book.threads[thread].state.messages.iter().filter(|m| m.role == MessageRole::User);
        let stored: Vec<FrameId> = stored.map(|m| m.message_id.into()).collect();
        assert_eq!(stored, *messages, "each once, in order");
    }
    let book = client.book();
    assert!(book.settled.iter().all(|(_, outcome)| outcome.is_ok()), "{book}");
    assert_eq!((book.losses(), book.duplicate_acks), (0, 0), "{book}");
    println!("{} messages in {:.1} s, refused and sent again {refused}", RATE + MORE, took.as_secs_f64());
}
