//! A worker: a process that runs many clients, because one process has only so many files and one address only so many
//! ports. Its job is the first line on standard input, orders follow, and the end of input is its end.

mod board;
mod client;
mod lean;
mod tokens;
mod wire;

use std::{
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, stdin, stdout},
    sync::{Semaphore, watch},
    time::{Instant, interval},
};

use crate::{
    Failure,
    job::{Job, Order, Report, Speech},
    process,
};
use board::Board;
use client::Client;

/// How often a worker says where it stands.
const STATUS: Duration = Duration::from_millis(100);

/// Requests for tokens under way at once: as many as are sockets that a browser's worth of clients would open, and no more
/// files than that.
const FETCHING: usize = 512;

/// What a worker's clients share.
struct Shared {
    job: Job,
    board: Board,
    http: reqwest::Client,
    opening: Semaphore,
    fetching: Semaphore,
    stall: watch::Sender<bool>,
    has_shown_bad: AtomicBool,
    started: Instant,
}

impl Shared {
    /// How long ago the worker started.
    fn age_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// Does what standard input says until it ends.
pub(crate) async fn run() -> Result<(), Failure> {
    process::open_files();
    let mut lines = BufReader::new(stdin()).lines();
    let job: Job = serde_json::from_str(&lines.next_line().await?.ok_or("no job")?)?;
    let shared = Arc::new(Shared {
        board: Board::new(&job.clients),
        http: reqwest::Client::builder().no_proxy().build()?,
        opening: Semaphore::new(job.opening),
        fetching: Semaphore::new(FETCHING),
        stall: watch::Sender::new(false),
        has_shown_bad: AtomicBool::new(false),
        started: Instant::now(),
        job,
    });
    for number in 0..shared.job.clients.len() {
        if shared.job.speech == Speech::Session {
            let client = Client::new(Arc::clone(&shared), number).ok_or("a session needs the server's limits")?;
            tokio::spawn(client.run());
        } else {
            tokio::spawn(lean::run(Arc::clone(&shared), number));
        }
    }
    let mut ticks = interval(STATUS);
    loop {
        tokio::select! {
            line = lines.next_line() => match line? {
                Some(line) => obey(&shared, serde_json::from_str(&line)?).await?,
                None => return Ok(()),
            },
            _ = ticks.tick() => say(&Report::Status(shared.board.status())).await?,
        }
    }
}

async fn obey(shared: &Shared, order: Order) -> Result<(), Failure> {
    match order {
        Order::Mark { at_us } => shared.board.mark(at_us),
        Order::Take => say(&Report::Window(shared.board.window())).await?,
        Order::Stall(stall) => _ = shared.stall.send_replace(stall),
        Order::Check(heads) => say(&Report::Verdict(shared.board.verdict(&shared.job.clients, &heads))).await?,
    }
    Ok(())
}

async fn say(report: &Report) -> Result<(), Failure> {
    let mut line = serde_json::to_vec(report)?;
    line.push(b'\n');
    let mut out = stdout();
    out.write_all(&line).await?;
    out.flush().await?;
    Ok(())
}
