//! `netra-load`: load, latency and memory of a Netra server.
//!
//! One process conducts: it starts the server and a scripted model, makes users and threads, and starts workers, which are
//! this program again and hold the clients. Each client is a `netra_ws::Session`, the same that the page runs, over a real
//! socket; only the comparison with other servers uses a leaner one. At the end every client's events are held against the
//! server's log: anything lost or doubled makes the exit code 1.
//!
//! - `cli`: the command line. `scenario/`: one file each. `report`: the figures.
//! - `stage/`: the server, the model, users and threads.
//! - `crew`: the conductor's side of the workers. `job`: what passes between. `worker/`: their side.
//! - `delays`, `process`: histograms; memory and CPU time. `stamp`: when a model said what a client sees.
//! - `rows`: a bare loop over SQLite, to compare with.

mod cli;
mod crew;
mod delays;
mod job;
mod process;
mod report;
mod rows;
mod scenario;
mod stage;
mod stamp;
mod worker;

use std::{error::Error, process::ExitCode};

use clap::Parser;
use serde_json::json;
use tokio::signal::{
    ctrl_c,
    unix::{SignalKind, signal},
};

use cli::{Cli, Command, Options};
use report::Outcome;

/// Anything that ends a run; the first one does.
type Failure = Box<dyn Error + Send + Sync>;

#[tokio::main]
async fn main() -> ExitCode {
    process::open_files();
    // Fails only when one is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    // Dropping the run ends the servers that it started.
    let outcome = tokio::select! {
        outcome = run(Cli::parse().command) => outcome,
        outcome = told_to_stop() => outcome,
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("netra-load: {error}");
            ExitCode::from(2)
        }
    }
}

/// Waits for Ctrl-C or SIGTERM.
async fn told_to_stop() -> Result<bool, Failure> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = ctrl_c() => interrupted?,
        _ = terminate.recv() => {}
    }
    Err("stopped".into())
}

/// Runs a command; whether everything was sound.
async fn run(command: Command) -> Result<bool, Failure> {
    match command {
        Command::Worker => worker::run().await.map(|()| true),
        Command::Rows { database, threads, seconds } => rows::run(&database, threads, seconds).await.map(|()| true),
        Command::Idle(options) => show(&options, &scenario::idle(&options).await?),
        Command::Fanout(options) => show(&options, &scenario::fanout(&options).await?),
        Command::Stream(options) => show(&options, &scenario::stream(&options).await?),
        Command::Resume(options) => show(&options, &scenario::resume(&options).await?),
        Command::Slow(options) => show(&options, &scenario::slow(&options).await?),
        Command::Users(options) => show(&options, &scenario::users(&options).await?),
        Command::Agents(options) => show(&options, &scenario::agents(&options).await?),
        Command::Durable(options) => show(&options, &scenario::durable(&options).await?),
        Command::Compare(options) => show(&options, &scenario::compare(&options).await?),
        Command::Bench { out, target } => {
            let outcomes = scenario::bench(&target).await;
            let sound = outcomes.iter().all(Outcome::is_sound);
            if let Some(path) = out {
                let report = json!({ "machine": process::machine(), "at_ms": delays::now_us() / 1_000,
                    "scenarios": outcomes });
                std::fs::write(path, serde_json::to_string_pretty(&report)? + "\n")?;
            }
            Ok(sound)
        }
    }
}

fn show(options: &Options, outcome: &Outcome) -> Result<bool, Failure> {
    if options.json {
        println!("{}", serde_json::to_string_pretty(outcome)?);
    } else {
        print!("{}", outcome.table());
    }
    Ok(outcome.is_sound())
}
