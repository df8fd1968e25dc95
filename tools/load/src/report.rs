//! What a scenario found: figures with their budgets, and faults. As a table or as JSON.

use std::fmt::Write;

use serde::Serialize;

use crate::job::Verdict;

/// What a figure should be.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Budget {
    /// This or less.
    AtMost(f64),
    /// This or more.
    AtLeast(f64),
}

/// One number.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Figure {
    /// What it is.
    pub(crate) name: String,
    /// How much.
    pub(crate) value: f64,
    /// Of what.
    pub(crate) unit: &'static str,
    /// What it should be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) budget: Option<Budget>,
}

/// What a scenario found.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Outcome {
    /// Its name and sizes.
    pub(crate) scenario: String,
    /// The figures.
    pub(crate) figures: Vec<Figure>,
    /// Events that some client never got.
    pub(crate) lost: u64,
    /// Events that some client got twice.
    pub(crate) duplicated: u64,
    /// Anything else that must not be.
    pub(crate) faults: Vec<String>,
}

impl Outcome {
    /// An outcome without figures.
    pub(crate) fn new(scenario: impl Into<String>) -> Self {
        Self { scenario: scenario.into(), ..Self::default() }
    }

    /// Adds a figure.
    pub(crate) fn add(&mut self, name: impl Into<String>, value: f64, unit: &'static str) {
        self.figures.push(Figure { name: name.into(), value, unit, budget: None });
    }

    /// Adds a figure that has a budget.
    pub(crate) fn held(&mut self, name: impl Into<String>, value: f64, unit: &'static str, budget: Budget) {
        self.figures.push(Figure { name: name.into(), value, unit, budget: Some(budget) });
    }

    /// Takes in what the clients say at the end. Gaps that a session repaired are no fault, and are shown.
    pub(crate) fn judge(&mut self, verdict: Verdict, refusals: u64) {
        self.lost += verdict.missing;
        self.duplicated += verdict.duplicated;
        if verdict.gaps > 0 {
            self.add("gaps repaired", crate::delays::float(verdict.gaps), "");
        }
        let mut fault = |count: u64, what: &str| {
            if count > 0 {
                self.faults.push(format!("{count} {what}"));
            }
        };
        fault(verdict.foreign, "frames of another user");
        fault(verdict.bad, "frames or cursors that do not fit");
        fault(verdict.refused.abs_diff(refusals), "subscriptions refused, or not refused, against the rule");
    }

    /// Whether nothing was lost, doubled or wrong.
    pub(crate) fn is_sound(&self) -> bool {
        self.lost == 0 && self.duplicated == 0 && self.faults.is_empty()
    }

    /// The table.
    pub(crate) fn table(&self) -> String {
        let mut text = format!("\n{}\n", self.scenario);
        let mut line = |name: &str, value: &str, note: &str| {
            // Writing to a string does not fail.
            let _ = writeln!(text, "  {name:<44} {value:>16}  {note}");
        };
        for Figure { name, value, unit, budget } in &self.figures {
            let note = match budget {
                None => String::new(),
                Some(Budget::AtMost(most)) => judged(value <= most, "at most", *most),
                Some(Budget::AtLeast(least)) => judged(value >= least, "at least", *least),
            };
            line(name, format!("{} {unit}", short(*value)).trim_end(), &note);
        }
        line("lost", &self.lost.to_string(), "");
        line("duplicated", &self.duplicated.to_string(), "");
        for fault in &self.faults {
            line("FAULT", "", fault);
        }
        text
    }
}

fn judged(kept: bool, word: &str, limit: f64) -> String {
    format!("{} (budget: {word} {})", if kept { "ok" } else { "MISSED" }, short(limit))
}

/// Three digits for small numbers, none behind the point for large ones.
fn short(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 || value.fract() == 0.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged_by(verdict: Verdict) -> Outcome {
        let mut outcome = Outcome::new("a test");
        outcome.judge(verdict, 1);
        outcome
    }

    #[test]
    fn whatever_is_lost_doubled_or_wrong_is_not_sound() {
        let sound = Verdict { refused: 1, ..Verdict::default() };
        assert!(judged_by(sound).is_sound());
        assert!(judged_by(Verdict { gaps: 3, ..sound }).is_sound(), "a repaired gap is shown, and is no fault");
        for wrong in [
            Verdict { missing: 1, ..sound },
            Verdict { duplicated: 1, ..sound },
            Verdict { foreign: 1, ..sound },
            Verdict { bad: 1, ..sound },
            Verdict { refused: 0, ..sound },
            Verdict { refused: 2, ..sound },
        ] {
            let outcome = judged_by(wrong);
            assert!(!outcome.is_sound(), "{wrong:?}");
        }
    }

    #[test]
    fn the_table_says_what_is_over_its_budget() {
        let mut outcome = judged_by(Verdict { refused: 1, missing: 12, ..Verdict::default() });
        outcome.held("fits", 9.25, "KB", Budget::AtMost(10.0));
        outcome.held("does not", 0.5, "x", Budget::AtLeast(2.5));
        let table = outcome.table();
        let line = |name: &str| table.lines().find(|line| line.trim_start().starts_with(name)).unwrap_or_default();
        assert!(line("fits").ends_with("9.25 KB  ok (budget: at most 10)"), "{table}");
        assert!(line("does not").ends_with("0.50 x  MISSED (budget: at least 2.50)"), "{table}");
        assert!(line("lost").trim_end().ends_with("12"), "{table}");
    }
}
