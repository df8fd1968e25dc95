//! `netra conform`: holds any server to the protocol, from outside, as a client meets it.
//!
//! - [`target`]: the server, and how to get in. [`peer`]: one socket; every frame heard is held to the specification.
//! - [`witness`]: what is true of all that a socket hears. [`order`]: the rules of a log and of a run. `checks`: what is tried, a group a file. [`report`]: the table.

mod checks;
mod order;
mod peer;
mod report;
mod specification;
mod target;
mod witness;

use std::time::{Duration, Instant};

use futures::future::BoxFuture;

pub use report::{ConformReport, Outcome};
pub use specification::{Sender, own_violation, violation};
pub use target::{Options, Target};

/// How long one check may take.
const CHECK: Duration = Duration::from_mins(2);

/// What went wrong, in a sentence.
type Fault = String;

/// What was seen, in a few words, or what is wrong.
type Verdict = Result<String, Fault>;

/// One thing that is tried.
struct Check {
    group: &'static str,
    name: &'static str,
    run: for<'a> fn(&'a Target) -> BoxFuture<'a, Verdict>,
}

/// Makes a [`Check`] of an `async fn(&Target) -> Verdict`.
macro_rules! check {
    ($group:literal, $name:literal, $run:path) => {
        crate::conform::Check { group: $group, name: $name, run: |target| Box::pin($run(target)) }
    };
}
use check;

/// Tries everything, one after another, and tells each outcome as it comes.
pub async fn run(target: &Target, mut tell: impl FnMut(&Outcome)) -> ConformReport {
    let mut report = ConformReport::default();
    for check in checks::all(target.slow) {
        let start = Instant::now();
        let verdict = tokio::time::timeout(CHECK, (check.run)(target)).await;
        let verdict = verdict.unwrap_or_else(|_| Err(format!("not done within {CHECK:?}")));
        let outcome = Outcome { group: check.group, name: check.name, verdict, took: start.elapsed() };
        tell(&outcome);
        report.outcomes.push(outcome);
    }
    target.clean_up().await;
    report
}
