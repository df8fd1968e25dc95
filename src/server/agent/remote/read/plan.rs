//! A plan as a note: how far it is in one line, and below it the list, as GitHub writes lists of tasks. Whoever shows notes as text
//! shows it whole.

use std::fmt::Write as _;

use serde_json::Value;

use super::clean;

/// Entries that are told; of the others how many they are.
const MAX_ENTRIES: usize = 40;

/// Characters of an entry.
const MAX_WORDS: usize = 120;

/// What an entry ends with while it is worked on.
const WORKED_ON: &str = " (in progress)";

/// Where agents keep their entries.
const LISTS: [&str; 6] = ["entries", "steps", "plan", "todos", "tasks", "items"];

/// Where an entry says what is to be done.
const WORDS: [&str; 6] = ["content", "title", "description", "text", "task", "name"];

/// How far an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Open,
    WorkedOn,
    Done,
}

impl Stage {
    fn of(entry: &Value) -> Option<Self> {
        let done = ["done", "completed", "checked"].iter().find_map(|name| entry[*name].as_bool());
        let status = ["status", "state"].iter().find_map(|name| entry[*name].as_str());
        match status {
            Some("completed" | "complete" | "done" | "finished") => Some(Self::Done),
            Some("in_progress" | "in-progress" | "inProgress" | "running" | "active" | "executing") => {
                Some(Self::WorkedOn)
            }
            Some("pending" | "todo" | "open" | "not_started" | "queued" | "cancelled" | "skipped" | "failed") => {
                Some(Self::Open)
            }
            Some(_) => None,
            None => done.map(|done| if done { Self::Done } else { Self::Open }),
        }
    }
}

/// The entries of a plan, wherever an agent keeps them; nothing where it is not certain that it is one. In what is a plan by its
/// protocol, a word for a stage that is not known says that the entry is open.
fn entries(of: &Value, certain: bool) -> Option<Vec<(String, Stage)>> {
    let list = of.as_array().or_else(|| LISTS.iter().find_map(|name| of[*name].as_array()))?;
    let entry = |entry: &Value| {
        let words = WORDS.iter().find_map(|name| entry[*name].as_str())?;
        let words = clean(words).split_whitespace().collect::<Vec<_>>().join(" ");
        let cut = match words.char_indices().nth(MAX_WORDS) {
            Some((at, _)) => format!("{}…", &words[..at]),
            None => words,
        };
        Some((cut, Stage::of(entry).or(certain.then_some(Stage::Open))?))
    };
    let entries: Option<Vec<_>> = list.iter().map(entry).collect();
    entries.filter(|entries| !entries.is_empty())
}

/// A plan in words, and how much of it is done; `certain` says that its protocol calls it one.
pub(super) fn told(plan: &Value, certain: bool) -> Option<(String, f64)> {
    let entries = entries(plan, certain)?;
    let done = entries.iter().filter(|(_, stage)| *stage == Stage::Done).count();
    let at = |wanted: Stage| entries.iter().find(|(_, stage)| *stage == wanted).map(|(words, _)| words);
    let mut said = format!("Plan: {done} of {} done", entries.len());
    if let Some(now) = at(Stage::WorkedOn).or_else(|| at(Stage::Open)) {
        let _ = write!(said, "; {now}");
    }
    said.push('\n');
    for (words, stage) in entries.iter().take(MAX_ENTRIES) {
        let _ = match stage {
            Stage::Done => write!(said, "\n- [x] {words}"),
            Stage::WorkedOn => write!(said, "\n- [ ] {words}{WORKED_ON}"),
            Stage::Open => write!(said, "\n- [ ] {words}"),
        };
    }
    if let Some(more) = entries.len().checked_sub(MAX_ENTRIES).filter(|more| *more > 0) {
        let _ = write!(said, "\n… and {more} more");
    }
    // A plan has few entries, and a bar few points.
    #[allow(clippy::cast_precision_loss)]
    Some((said, done as f64 / entries.len() as f64))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn plans_in_words() {
        let check = |plan: Value, wanted: Option<&str>| {
            assert_eq!(told(&plan, false).map(|(words, _)| words).as_deref(), wanted, "{plan}");
        };
        check(
            json!({ "entries": [{ "content": "look", "status": "completed" }, { "content": "leap\n twice", "status": "in_progress" }] }),
            Some("Plan: 1 of 2 done; leap twice\n\n- [x] look\n- [ ] leap twice (in progress)"),
        );
        check(
            json!({ "steps": [{ "description": "look", "status": "pending" }] }),
            Some("Plan: 0 of 1 done; look\n\n- [ ] look"),
        );
        check(json!({ "todos": [{ "text": "look", "done": true }] }), Some("Plan: 1 of 1 done\n\n- [x] look"));
        // What only looks like one.
        check(json!({ "steps": [{ "description": "look", "status": "enabled" }] }), None);
        check(json!({ "items": [{ "name": "a cup", "price": 3 }] }), None);
        check(json!({ "steps": [] }), None);
        check(json!("steps"), None);
        let tomorrow = json!([{ "content": "look", "status": "of tomorrow" }]);
        assert_eq!(told(&tomorrow, true).expect("a plan").0, "Plan: 0 of 1 done; look\n\n- [ ] look");
        let many: Vec<Value> = (0..50).map(|n| json!({ "title": format!("{n}"), "status": "done" })).collect();
        let (words, share) = told(&json!(many), false).expect("a plan");
        assert!(words.ends_with("- [x] 39\n… and 10 more"), "{words}");
        assert!((share - 1.0).abs() < f64::EPSILON);
        let long = json!([{ "title": "x".repeat(1_000), "status": "done" }]);
        assert!(told(&long, false).expect("a plan").0.chars().count() < 200);
    }
}
