//! What came of the checks.

use std::{fmt::Write as _, time::Duration};

use serde_json::{Value, json};

use super::Verdict;

/// What came of one check.
pub struct Outcome {
    /// What it is about.
    pub group: &'static str,
    /// What holds.
    pub name: &'static str,
    /// What was seen, or what is wrong.
    pub verdict: Verdict,
    /// How long it took.
    pub took: Duration,
}

impl Outcome {
    /// A row of the table.
    pub fn row(&self) -> String {
        let (mark, detail) = match &self.verdict {
            Ok(seen) => ("ok  ", seen),
            Err(fault) => ("FAIL", fault),
        };
        let mut row = format!("{mark}  {:<10}  {:<58}  {:>6} ms", self.group, self.name, self.took.as_millis());
        if !detail.is_empty() {
            // Writing to a string does not fail.
            let _ = write!(row, "  {detail}");
        }
        row
    }
}

/// What came of all of them.
#[derive(Default)]
pub struct ConformReport {
    /// In the order in which they were tried.
    pub outcomes: Vec<Outcome>,
}

impl ConformReport {
    /// How many checks hold.
    pub fn held(&self) -> usize {
        self.outcomes.iter().filter(|outcome| outcome.verdict.is_ok()).count()
    }

    /// Whether all hold.
    pub fn is_clean(&self) -> bool {
        self.held() == self.outcomes.len()
    }

    /// For programs.
    pub fn to_json(&self) -> Value {
        let checks = self.outcomes.iter().map(|outcome| {
            let (ok, detail) = match &outcome.verdict {
                Ok(seen) => (true, seen),
                Err(fault) => (false, fault),
            };
            json!({
                "group": outcome.group, "name": outcome.name, "ok": ok, "detail": detail,
                "ms": u64::try_from(outcome.took.as_millis()).unwrap_or(u64::MAX),
            })
        });
        json!({ "checks": checks.collect::<Vec<_>>(), "held": self.held(), "failed": self.outcomes.len() - self.held() })
    }
}
