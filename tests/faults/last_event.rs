//! A cut before the last event of a run, and nothing after it: no later event could show the gap.

use std::time::Duration;

use netra_ws::model::RunStatus;

use crate::{
    oracle::check_alone,
    proxy::{Fault, Trigger, Way},
    stage::{Stage, beside_others, telling},
};

const INTERVAL: u64 = 400;
const TIMEOUT: u64 = 400;

/// R14, R16: the client notices, whether or not anybody says that the connection is gone.
#[tokio::test]
async fn a_run_that_ends_in_the_dark_is_seen_to_end() {
    let _machine = beside_others().await;
    let stage = Stage::beating(INTERVAL, TIMEOUT).await;
    for fault in [Fault::Close, Fault::Reset, Fault::Silence] {
        let proxy = stage.proxy().await;
        proxy.prepare(move |link| link.strike_at(Way::Down, Trigger::Before("\"agent_completed\""), fault));
        let client = stage.client(&proxy.base, 7).await;
        client.wait(Duration::from_secs(5), "a live link", crate::client::Book::is_live).await;
        proxy.heal();
        let link = proxy.newest().expect("a connection");
        let (thread, run) = stage.run(&telling(20, 20, 10)).await;
        client.follow(thread);
        let over = |book: &crate::client::Book| {
            let status = book.threads.get(&thread).and_then(|t| t.state.run(run)).map(|run| run.status);
            status == Some(RunStatus::Completed)
        };
        client.wait(Duration::from_secs(10), "the end of the run", over).await;
        assert!(link.is_broken(), "{fault:?}: the fault struck");
        check_alone(&client, &stage, thread).await;
        let book = client.book();
        assert_eq!((book.losses(), book.resumes, book.snapshots), (1, 2, 0), "{fault:?}: {book}");
        assert_eq!(book.given_up, u64::from(fault == Fault::Silence), "{fault:?}: {book}");
        let delay = *book.delays.last().expect("events");
        println!("{fault:?} before the last event: it was applied {delay} ms after its commit");
    }
}
