//! A thousand durable events a second over many threads, with a watcher each, beside idle connections.

use super::{PIECE, Scene};
use crate::{
    Failure,
    cli::Options,
    crew,
    delays::float,
    job::Plan,
    report::{Budget, Outcome},
    stage::Stage,
};

/// Connections for each user.
const EACH: usize = 150;

/// Seconds after which the beginning no longer shows.
const WARMING: u64 = 3;

pub(crate) async fn stream(options: &Options) -> Result<Outcome, Failure> {
    let streaming = options.threads.unwrap_or(100);
    let connections = options.connections.unwrap_or(streaming).max(streaming);
    let rate = options.rate.unwrap_or(1_000.0);
    let stage = Stage::open(&options.target).await?;
    let accounts = stage.accounts(options.users.unwrap_or(connections.div_ceil(EACH)).max(1)).await?;
    // Those that only hold their connection watch one quiet thread of their own user.
    let mut threads = stage.threads(streaming, &accounts).await?;
    let quiet = threads.len();
    threads.extend(stage.threads(accounts.len(), &accounts).await?);
    let clients = (0..connections).map(|number| {
        let thread = if number < streaming { number } else { quiet + number % accounts.len() };
        Plan { account: threads[thread].account, threads: vec![thread], ..Plan::default() }
    });
    let clients = clients.collect();
    let mut scene = Scene::connect(options, stage, accounts, threads, clients).await?;
    scene.ask(streaming, |_| "word".to_owned()).await?;
    #[allow(clippy::cast_precision_loss, reason = "some thousands")]
    scene.stage.model.pace(rate / streaming as f64, PIECE);
    crew::wait(WARMING, "warming up").await;
    let measured = scene.measure(options.seconds.unwrap_or(15), "streaming").await?;
    let (rss, lost) = (scene.stage.rss_kb(), measured.totals.losses);
    let verdict = scene.settle().await?;
    let mut outcome =
        Outcome::new(format!("stream: {streaming} threads, {rate} events/s, {connections} connections held"));
    outcome.held(
        "emit to delivered, p99 of all events",
        measured.totals.delays.quantile_ms(0.99),
        "ms",
        Budget::AtMost(10.0),
    );
    outcome.held(
        "server CPU per durable event, one watcher",
        measured.server_cpu_us / float(measured.totals.delivered.max(1)),
        "us",
        Budget::AtMost(100.0),
    );
    measured.figures(&mut outcome);
    outcome.add("server RSS", float(rss) / 1_024.0, "MB");
    outcome.held("connections lost", float(lost), "", Budget::AtMost(0.0));
    outcome.judge(verdict, 0);
    Ok(outcome)
}
