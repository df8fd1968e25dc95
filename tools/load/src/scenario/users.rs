//! Many users, each with threads of its own and several clients, all streaming at once: everyone sees their own words and
//! nobody else's, and asking for another's thread is refused.

use super::{PIECE, Scene};
use crate::{Failure, cli::Options, delays::float, job::Plan, report::Outcome, stage::Stage};

/// Threads of each user, by default.
const THREADS: usize = 2;

pub(crate) async fn users(options: &Options) -> Result<Outcome, Failure> {
    let users = options.users.unwrap_or(200).max(2);
    let connections = options.connections.unwrap_or(users * 3).max(users);
    let streaming = options.threads.unwrap_or(users * THREADS).max(users);
    let rate = options.rate.unwrap_or(800.0);
    let stage = Stage::open(&options.target).await?;
    let accounts = stage.accounts(users).await?;
    let threads = stage.threads(streaming, &accounts).await?;
    let clients = (0..connections).map(|number| {
        let account = number % users;
        let own = (0..streaming).filter(|thread| threads[*thread].account == account).collect();
        Plan {
            account,
            threads: own,
            foreign: Some((account + 1) % users),
            word: Some(format!("user{account}")),
            stalls: false,
        }
    });
    let clients: Vec<_> = clients.collect();
    let owners: Vec<_> = threads.iter().map(|thread| thread.account).collect();
    let mut scene = Scene::connect(options, stage, accounts, threads, clients).await?;
    scene.ask(streaming, |thread| format!("user{}", owners[thread])).await?;
    #[allow(clippy::cast_precision_loss, reason = "some thousands")]
    scene.stage.model.pace(rate / streaming as f64, PIECE);
    let measured = scene.measure(options.seconds.unwrap_or(10), "streaming").await?;
    let verdict = scene.settle().await?;
    let mut outcome =
        Outcome::new(format!("users: {users} users, {streaming} threads, {connections} connections, {rate} events/s"));
    measured.figures(&mut outcome);
    outcome.add("another's thread refused", float(verdict.refused), "");
    outcome.judge(verdict, u64::try_from(connections)?);
    Ok(outcome)
}
