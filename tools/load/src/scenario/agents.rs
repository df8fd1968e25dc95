//! A thousand conversations at once, each with a model that says twenty pieces a second and a page that follows.

use super::{PIECE, Scene, one_thread_each};
use crate::{
    Failure,
    cli::Options,
    crew,
    delays::float,
    report::{Budget, Outcome},
    stage::Stage,
};

/// Conversations of each user, of whose sockets a server allows only so many.
const EACH: usize = 50;

/// Pieces a second in each conversation.
const PIECES: f64 = 20.0;

/// Seconds after which the beginning no longer shows.
const WARMING: u64 = 5;

/// The longest that 99 of 100 pieces may take.
const PROMPT_MS: f64 = 150.0;

pub(crate) async fn agents(options: &Options) -> Result<Outcome, Failure> {
    let conversations = options.threads.unwrap_or(1_000).max(1);
    #[allow(clippy::cast_precision_loss, reason = "some thousands")]
    let each = options.rate.map_or(PIECES, |rate| rate / conversations as f64);
    let stage = Stage::open(&options.target).await?;
    let accounts = stage.accounts(options.users.unwrap_or(conversations.div_ceil(EACH)).max(1)).await?;
    let threads = stage.threads(conversations, &accounts).await?;
    let clients = one_thread_each(conversations, &threads);
    let mut scene = Scene::connect(options, stage, accounts, threads, clients).await?;
    scene.ask(conversations, |_| "word".to_owned()).await?;
    scene.stage.model.pace(each, PIECE);
    crew::wait(WARMING, "warming up").await;
    let measured = scene.measure(options.seconds.unwrap_or(60), "agents").await?;
    let (rss, lost) = (scene.stage.rss_kb(), measured.totals.losses);
    let verdict = scene.settle().await?;
    let mut outcome = Outcome::new(format!("agents: {conversations} conversations, {each:.1} pieces/s each"));
    let ways = &measured.totals.ways;
    outcome.held("all pieces, model to applied, p99", ways.quantile_ms(0.99), "ms", Budget::AtMost(PROMPT_MS));
    // A server that falls behind shows in what comes before it shows in how late that is.
    let asked = each * float(conversations as u64) * measured.seconds;
    outcome.held("part of the pieces that came", 100.0 * float(ways.count()) / asked, "%", Budget::AtLeast(95.0));
    measured.figures(&mut outcome);
    outcome.add("server RSS", float(rss) / 1_024.0, "MB");
    outcome.held("connections lost", float(lost), "", Budget::AtMost(0.0));
    outcome.judge(verdict, 0);
    Ok(outcome)
}
