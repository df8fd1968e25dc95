//! One streaming thread, many watchers.

use super::{PIECE, Scene, one_thread_each};
use crate::{Failure, cli::Options, report::Outcome, stage::Stage};

pub(crate) async fn fanout(options: &Options) -> Result<Outcome, Failure> {
    let connections = options.connections.unwrap_or(1_000);
    // A thread commits at most every 25 ms; faster pieces are joined.
    let rate = options.rate.unwrap_or(30.0);
    let stage = Stage::open(&options.target).await?;
    let accounts = stage.accounts(1).await?;
    let threads = stage.threads(1, &accounts).await?;
    let clients = one_thread_each(connections, &threads);
    let mut scene = Scene::connect(options, stage, accounts, threads, clients).await?;
    scene.ask(1, |_| "word".to_owned()).await?;
    scene.stage.model.pace(rate, PIECE);
    let measured = scene.measure(options.seconds.unwrap_or(10), "streaming").await?;
    let verdict = scene.settle().await?;
    let mut outcome = Outcome::new(format!("fanout: {connections} watchers, 1 thread, {rate} events/s"));
    measured.figures(&mut outcome);
    outcome.judge(verdict, 0);
    Ok(outcome)
}
