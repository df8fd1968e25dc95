//! Every scenario with the sizes of the budgets, one after another.

use super::{agents, compare, durable, fanout, idle, resume, slow, stream, users};
use crate::{
    Failure,
    cli::{Options, Signal, Target},
    report::Outcome,
};

/// Runs all and prints each as it ends. One that fails is a fault and does not stop the others.
pub(crate) async fn bench(target: &Target) -> Vec<Outcome> {
    let base = Options { target: target.clone(), ..Options::default() };
    let held = Options { connections: Some(15_000), threads: Some(1_000), ..base.clone() };
    let term = Options { signal: Some(Signal::Term), ..base.clone() };
    let mut outcomes = Vec::new();
    let mut note = |name: &str, outcome: Result<Outcome, Failure>| {
        let outcome = outcome.unwrap_or_else(|error| {
            let mut failed = Outcome::new(name);
            failed.faults.push(error.to_string());
            failed
        });
        print!("{}", outcome.table());
        outcomes.push(outcome);
    };
    note("idle", idle(&base).await);
    note("stream", stream(&base).await);
    note("stream, many held", stream(&held).await);
    note("durable", durable(&base).await);
    note("agents", agents(&base).await);
    note("fanout", fanout(&base).await);
    note("resume after KILL", resume(&base).await);
    note("resume after TERM", resume(&term).await);
    note("slow", slow(&base).await);
    note("users", users(&base).await);
    note("compare", compare(&base).await);
    outcomes
}
