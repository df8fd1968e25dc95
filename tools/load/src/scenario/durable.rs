//! As many durable events a second as come in time: the rate rises until 99 of 100 take longer than 80 ms from the model's byte
//! to the client that has applied them. Beside it, in the same run and on the same disk: a bare loop over SQLite with the same
//! rows and syncs, and durable-streams-server, a log server over HTTP.

use std::process::Command;

use super::{PIECE, Scene, log_server, one_thread_each};
use crate::{
    Failure,
    cli::Options,
    crew,
    delays::float,
    report::{Budget, Outcome},
    rows::Written,
    stage::Stage,
};

/// Threads, each with a watcher; also the writers and rows of the others.
const THREADS: usize = 200;

/// Conversations of each user, of whose sockets a server allows only so many.
const EACH: usize = 50;

/// Events a second in the first step, and by how much more each next step has.
const FIRST: f64 = 2_000.0;
const FACTOR: f64 = 1.25;

/// The longest that 99 of 100 events may take.
const PROMPT_MS: f64 = 80.0;

/// Steps at most; the last one is far beyond any budget.
const STEPS: usize = 16;

/// The part of what was asked for that must come.
const COMES: f64 = 0.95;

/// One rate.
#[derive(Default)]
struct Step {
    rate: f64,
    delivered: f64,
    p50_ms: f64,
    p99_ms: f64,
    cpu_us: f64,
}

pub(crate) async fn durable(options: &Options) -> Result<Outcome, Failure> {
    let threads = options.threads.unwrap_or(THREADS).max(1);
    let seconds = options.seconds.unwrap_or(5);
    let durability = options.target.durability.as_deref().unwrap_or("power");
    let mut outcome =
        Outcome::new(format!("durable: {threads} threads, a watcher each, NETRA_DURABILITY={durability}"));
    let best = climb(options, threads, seconds, &mut outcome).await?;
    outcome.held("durable events per second", best.delivered, "", Budget::AtLeast(12_000.0));
    outcome.held("there: model to applied, p99", best.p99_ms, "ms", Budget::AtMost(PROMPT_MS));
    outcome.add("there: model to applied, p50", best.p50_ms, "ms");
    outcome.add("there: server CPU per event", best.cpu_us, "us");
    if options.alone {
        return Ok(outcome);
    }
    let rows = rows(threads, seconds)?;
    outcome.add("SQLite alone: rows per second", rows.per_second, "");
    outcome.add("SQLite alone: a commit, p99", rows.p99_ms, "ms");
    outcome.add("SQLite alone: CPU per row", rows.cpu_us, "us");
    outcome.add("Netra / SQLite alone: events per second", best.delivered / rows.per_second, "");
    let log = log_server::measure(threads, seconds).await?;
    outcome.add("durable-streams-server: appends per second", log.per_second, "");
    outcome.add("durable-streams-server: p99", log.p99_ms, "ms");
    outcome.add("durable-streams-server: CPU per append", log.cpu_us, "us");
    let ratio = best.delivered / log.per_second;
    outcome.held("Netra / durable-streams-server: a second", ratio, "", Budget::AtLeast(0.3));
    Ok(outcome)
}

/// The last step that came in time, or one of zeros. Its clients' word is taken at the end: what was asked for beyond came late, and came.
async fn climb(options: &Options, threads: usize, seconds: u64, outcome: &mut Outcome) -> Result<Step, Failure> {
    let stage = Stage::open(&options.target).await?;
    let accounts = stage.accounts(options.users.unwrap_or(threads.div_ceil(EACH)).max(1)).await?;
    let owned = stage.threads(threads, &accounts).await?;
    let clients = one_thread_each(threads, &owned);
    let mut scene = Scene::connect(options, stage, accounts, owned, clients).await?;
    scene.ask(threads, |_| "word".to_owned()).await?;
    let (mut rate, mut best) = (options.rate.unwrap_or(FIRST), Step::default());
    for _ in 0..STEPS {
        // Thoughts and words in turn: none are joined, and each is an event.
        scene.stage.model.pace_thinking(rate / float(threads as u64), PIECE);
        crew::wait(1, "settling").await;
        let measured = scene.measure(seconds, &format!("{rate:.0} a second")).await?;
        let ways = &measured.totals.ways;
        let step = Step {
            rate,
            delivered: float(measured.totals.delivered) / measured.seconds,
            p50_ms: ways.quantile_ms(0.5),
            p99_ms: ways.quantile_ms(0.99),
            cpu_us: measured.server_cpu_us / float(measured.totals.delivered.max(1)),
        };
        if step.p99_ms > PROMPT_MS || step.delivered < COMES * rate {
            outcome.add("too much: events per second, asked for", step.rate, "");
            outcome.add("too much: events per second, came", step.delivered, "");
            outcome.add("too much: model to applied, p99", step.p99_ms, "ms");
            break;
        }
        best = step;
        rate *= FACTOR;
    }
    let verdict = scene.settle().await?;
    outcome.judge(verdict, 0);
    Ok(best)
}

/// The bare loop, as a process of its own.
fn rows(threads: usize, seconds: u64) -> Result<Written, Failure> {
    let folder = tempfile::tempdir()?;
    let output = Command::new(std::env::current_exe()?)
        .arg("rows")
        .arg(folder.path().join("rows.db"))
        .args([threads.to_string(), seconds.to_string()])
        .output()?;
    if !output.status.success() {
        return Err(format!("the bare loop: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}
