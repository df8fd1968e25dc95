//! The server ends in the middle of an answer and starts again at the same address: how long until every client is back
//! and subscribed, and whether each has every event exactly once.

use std::time::Duration;

use super::{PIECE, Scene, one_thread_each};
use crate::{
    Failure,
    cli::Options,
    crew,
    delays::float,
    report::{Budget, Outcome},
    stage::Stage,
};

/// Connections for each user.
const EACH: usize = 100;

/// How long the slowest client may take.
const PATIENCE: Duration = Duration::from_mins(2);

/// Threads that stream when the server ends; their clients have something to catch up on.
const STREAMING: usize = 20;

pub(crate) async fn resume(options: &Options) -> Result<Outcome, Failure> {
    let connections = options.connections.unwrap_or(10_000);
    let signal = options.signal.unwrap_or_default();
    let stage = Stage::open(&options.target).await?;
    let accounts = stage.accounts(options.users.unwrap_or(connections.div_ceil(EACH)).max(1)).await?;
    let threads = stage.threads(accounts.len(), &accounts).await?;
    let streaming = options.threads.unwrap_or(STREAMING).min(threads.len());
    let clients = one_thread_each(connections, &threads);
    let mut scene = Scene::connect(options, stage, accounts, threads, clients).await?;
    scene.ask(streaming, |_| "word".to_owned()).await?;
    scene.stage.model.pace(1.0, PIECE);
    crew::wait(options.seconds.unwrap_or(3), "streaming").await;
    scene.crew.mark().await?;
    let (ended, started) = scene.stage.restart(signal).await?;
    // A worker hears of the end of its sockets a little later than this process of the server's.
    scene.crew.lost(connections, PATIENCE).await?;
    scene.crew.ready(connections, PATIENCE, "resuming").await?;
    let totals = scene.crew.take().await?;
    // Runs that were cut off are taken up when their lease is over.
    let verdict = scene.settle().await?;
    let down = ended.as_secs_f64() * 1e3 + started.as_secs_f64() * 1e3;
    let mut outcome = Outcome::new(format!(
        "resume: {connections} clients, server ended with {} while {streaming} threads stream",
        signal.name()
    ));
    outcome.add("server took to end", ended.as_secs_f64() * 1e3, "ms");
    outcome.add("server took to start", started.as_secs_f64() * 1e3, "ms");
    outcome.add("resumed after the signal, p50", totals.resumes.quantile_ms(0.5) / 1e3, "s");
    outcome.add("resumed after the signal, p99", totals.resumes.quantile_ms(0.99) / 1e3, "s");
    outcome.add("resumed after the signal, last", totals.resumes.max_ms() / 1e3, "s");
    outcome.held(
        "last resumed after the new server's start",
        (totals.resumes.max_ms() - down).max(0.0) / 1e3,
        "s",
        Budget::AtMost(10.0),
    );
    outcome.add("sockets lost on the way", float(totals.losses), "");
    outcome.add("server RSS", float(scene.stage.rss_kb()) / 1_024.0, "MB");
    outcome.judge(verdict, 0);
    Ok(outcome)
}
