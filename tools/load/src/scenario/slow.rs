//! Readers that stop reading, beside readers that do: what they cost the server, whether the others notice, and whether
//! those that stopped have everything once they read again.

use super::Scene;
use crate::{Failure, cli::Options, crew, delays::float, job::Plan, report::Outcome, stage::Stage};

/// Threads, which everyone watches.
const THREADS: usize = 10;

/// Large pieces, so that buffers are full soon.
const PIECE: usize = 4_000;

pub(crate) async fn slow(options: &Options) -> Result<Outcome, Failure> {
    let connections = options.connections.unwrap_or(100);
    // A write may wait for 10 s, and the kernel keeps some megabytes for each reader before that.
    let seconds = options.seconds.unwrap_or(25);
    let rate = options.rate.unwrap_or(200.0);
    let stage = Stage::open(&options.target).await?;
    let accounts = stage.accounts(1).await?;
    let threads = stage.threads(THREADS, &accounts).await?;
    let stalling = connections / 2;
    let clients = (0..connections).map(|number| Plan {
        threads: (0..THREADS).collect(),
        stalls: number < stalling,
        ..Plan::default()
    });
    let clients = clients.collect();
    let mut scene = Scene::connect(options, stage, accounts, threads, clients).await?;
    scene.ask(THREADS, |_| "word".to_owned()).await?;
    #[allow(clippy::cast_precision_loss, reason = "ten")]
    scene.stage.model.pace(rate / THREADS as f64, PIECE);
    crew::wait(2, "warming up").await;
    let healthy = scene.measure(seconds.min(10), "all read").await?;
    let before = scene.stage.rss_kb();
    scene.crew.stall(true).await?;
    let beside = scene.measure(seconds, "half do not read").await?;
    let after = scene.stage.rss_kb();
    let closed = scene.stage.metric("netra_connections_closed_total", "code=\"4508\"").await?;
    scene.crew.stall(false).await?;
    let verdict = scene.settle().await?;
    let mut outcome = Outcome::new(format!(
        "slow: {connections} readers of {rate} events/s of {PIECE} bytes, {stalling} stop reading"
    ));
    outcome.add("p99 of all while all read", healthy.totals.delays.quantile_ms(0.99), "ms");
    outcome.add("p99 of the others while half do not read", beside.totals.delays.quantile_ms(0.99), "ms");
    outcome.add("longest of the others", beside.totals.delays.max_ms(), "ms");
    outcome.add("deliveries per second to the others", float(beside.totals.delivered) / beside.seconds, "");
    outcome.add("closed as slow (4508)", closed, "");
    outcome.add("server RSS before", float(before) / 1_024.0, "MB");
    outcome.add("server RSS after", float(after) / 1_024.0, "MB");
    #[allow(clippy::cast_precision_loss, reason = "some thousands")]
    let each = float(after.saturating_sub(before)) / stalling.max(1) as f64;
    outcome.add("RSS per reader that does not read", each, "KB");
    outcome.judge(verdict, 0);
    Ok(outcome)
}
