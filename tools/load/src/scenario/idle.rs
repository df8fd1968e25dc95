//! Connections that are signed in, watch a thread, and are otherwise idle: what each costs in memory.

use std::time::Duration;

use tokio::time::sleep;

use super::{Scene, one_thread_each};
use crate::{
    Failure,
    cli::Options,
    crew,
    delays::float,
    report::{Budget, Outcome},
    stage::Stage,
};

pub(crate) async fn idle(options: &Options) -> Result<Outcome, Failure> {
    let connections = options.connections.unwrap_or(15_000);
    // Long enough for everyone's first heartbeat.
    let seconds = options.seconds.unwrap_or(35);
    let stage = Stage::open(&options.target).await?;
    let (ready, fresh) = (stage.ready(), stage.rss_kb());
    let size = stage.binary_size()?;
    let accounts = stage.accounts(options.users.unwrap_or(1).max(1)).await?;
    let threads = stage.threads(options.threads.unwrap_or(100), &accounts).await?;
    // With more than one user, hashing their passwords took memory that may be given back.
    sleep(Duration::from_secs(2)).await;
    let before = stage.rss_kb();
    let begin = std::time::Instant::now();
    let clients = one_thread_each(connections, &threads);
    let mut scene = Scene::connect(options, stage, accounts, threads, clients).await?;
    let connecting = begin.elapsed();
    let early = scene.stage.rss_kb();
    scene.crew.mark().await?;
    let cpu = scene.stage.cpu_us();
    crew::wait(seconds, "idle").await;
    let cpu = float(scene.stage.cpu_us() - cpu);
    let after = scene.stage.rss_kb();
    let totals = scene.crew.take().await?;
    let verdict = scene.settle().await?;
    let mut outcome = Outcome::new(format!("idle: {connections} connections, {} users", scene.accounts.len()));
    outcome.add("connected and subscribed per second", float(connections as u64) / connecting.as_secs_f64(), "");
    if let Some(ready) = ready {
        outcome.held("one binary, page included", float(size) / 1e6, "MB", Budget::AtMost(30.0));
        outcome.held("start until the port is open", ready.as_secs_f64() * 1e3, "ms", Budget::AtMost(150.0));
        outcome.held("RSS of a server that nobody uses", float(fresh) / 1_024.0, "MB", Budget::AtMost(25.0));
        outcome.add("server RSS before", float(before) / 1_024.0, "MB");
        outcome.add("server RSS once connected", float(early) / 1_024.0, "MB");
        outcome.add("server RSS after", float(after) / 1_024.0, "MB");
        let each = float(after.saturating_sub(before)) / float(connections as u64);
        outcome.held("RSS per connection", each, "KB", Budget::AtMost(8.0));
        outcome.add("server CPU while idle", cpu / float(seconds.max(1)) / 1e4, "% of a core");
    }
    outcome.add("connections lost", float(totals.losses), "");
    outcome.judge(verdict, 0);
    Ok(outcome)
}
