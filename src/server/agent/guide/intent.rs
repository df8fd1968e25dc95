//! What a question asks for: the guide's reading of it, by matching and without a model.
//!
//! A question is cut where its parts may join (`and`, `plus`, commas). From the left, the longest run of parts that a
//! tool takes becomes a call to it; a part counts as arithmetic or a date when the tool itself accepts it. What is left
//! over becomes a search: in the conversations if it speaks of them, in the documentation otherwise.

mod parts;
mod recognise;
mod search;

use parts::Parts;
use recognise::{asks_for_arithmetic, differ_in_unit, number_or_date};
use search::{asks_about_conversations, is_greeting, is_question, significant};

/// Most of a question that is read, in characters.
const READ: usize = 2_000;
/// Most calls for one question.
const MAX_CALLS: usize = 4;

/// What the guide does about a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plan {
    /// What the matching found, in sentences for the person who asked.
    pub thoughts: Vec<String>,
    /// The tools to call, at least one.
    pub calls: Vec<Call>,
}

/// A tool to call, and with what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Call {
    /// The tool `calculate`.
    Calculate {
        /// In the calculator's spelling.
        expression: String,
    },
    /// The tool `date_time`.
    DateTime {
        /// In a form that it takes.
        expression: String,
        /// The time zone asked for, as written.
        zone: Option<String>,
    },
    /// The tool `search_conversations`.
    SearchConversations {
        /// The words that matter.
        query: String,
    },
    /// The tool `search_docs`.
    SearchDocs {
        /// The words that matter.
        query: String,
    },
}

/// Reads a question. Tries expressions out, so it may take some 100 ms: not for a thread that must not block.
pub(crate) fn plan(question: &str) -> Plan {
    let mut thoughts = vec!["I have no model: I match the question against my four tools.".to_owned()];
    let read = match question.char_indices().nth(READ) {
        Some((end, _)) => {
            thoughts.push(format!("The question is long, so I read its first {READ} characters."));
            &question[..end]
        }
        None => question,
    };
    if is_greeting(read) {
        thoughts.push("It greets me or asks what I can do, so I look that up in the documentation.".to_owned());
        return Plan { thoughts, calls: vec![Call::SearchDocs { query: "guide agent tools".to_owned() }] };
    }
    let (segments, mut is_more) = segments(&Parts::of(read));
    let is_all_search = !segments.iter().any(|segment| matches!(segment, Segment::Found(..)));
    let found = segments.into_iter().filter_map(|segment| match segment {
        Segment::Found(call, thought) => Some((call, thought)),
        Segment::Rest(text) => search_for(&text, is_all_search),
    });
    let mut calls = Vec::new();
    for (call, thought) in found {
        if calls.len() == MAX_CALLS {
            is_more = true;
            break;
        }
        calls.push(call);
        thoughts.push(thought);
    }
    if is_more {
        thoughts.push(format!("There is more in it; I do {MAX_CALLS} things at once at most."));
    }
    if calls.is_empty() {
        thoughts.push("I find no word in it to search for, so I look up what I can do.".to_owned());
        calls.push(Call::SearchDocs { query: "guide what can you do".to_owned() });
    }
    Plan { thoughts, calls }
}

/// A run of parts: a calculation or a date, with the thought about it, or something else.
enum Segment {
    Found(Call, String),
    Rest(String),
}

/// Cuts a question into segments, up to the most calls; says whether it went on behind them.
fn segments(parts: &Parts<'_>) -> (Vec<Segment>, bool) {
    let (mut segments, mut found, mut from) = (Vec::new(), 0, 0);
    let mut rest_from = 0;
    while from < parts.len() && found < MAX_CALLS {
        let runs = (from + 1..=parts.len()).rev();
        let longest = runs
            .map(|to| (to, number_or_date(&parts.join(from, to), to == from + 1)))
            .find(|(_, found)| found.is_some());
        let Some((to, Some((call, mut thought)))) = longest else {
            from += 1;
            continue;
        };
        if rest_from < from {
            segments.push(Segment::Rest(parts.join(rest_from, from)));
        }
        if let (Some(Segment::Found(Call::Calculate { expression: a }, _)), Call::Calculate { expression: b }) =
            (segments.last(), &call)
            && parts.joined_by_plus(from)
            && differ_in_unit(a, b)
        {
            thought.push_str(" It cannot be added to what is before it, because their units differ; I work out each.");
        }
        segments.push(Segment::Found(call, thought));
        (found, from, rest_from) = (found + 1, to, to);
    }
    let is_more = found == MAX_CALLS && !significant(&parts.join(from, parts.len())).is_empty();
    if found < MAX_CALLS && rest_from < parts.len() {
        segments.push(Segment::Rest(parts.join(rest_from, parts.len())));
    }
    (segments, is_more)
}

/// The search for what is neither arithmetic nor a date. Beside other calls, it takes more than a stray word.
fn search_for(text: &str, is_all: bool) -> Option<(Call, String)> {
    if let Some(expression) = asks_for_arithmetic(text) {
        let thought =
            format!("This reads as arithmetic, though it may have no value: `{}`.", expression.replace('`', "'"));
        return Some((Call::Calculate { expression }, thought));
    }
    if let Some(query) = asks_about_conversations(text) {
        return Some(if query.is_empty() {
            let thought =
                "It speaks of earlier conversations but not of what to look for, so I look up how to search them.";
            (Call::SearchDocs { query: "search conversations".to_owned() }, thought.to_owned())
        } else {
            let thought = format!("This is about earlier conversations, so I search them for `{query}`.");
            (Call::SearchConversations { query }, thought)
        });
    }
    let query = significant(text);
    if query.is_empty() || !(is_all || is_question(text) || query.contains(' ')) {
        return None;
    }
    let why =
        if is_all { "It is neither arithmetic nor a date nor about earlier conversations" } else { "As for the rest" };
    let thought = format!("{why}: I search the documentation for `{query}`.");
    Some((Call::SearchDocs { query }, thought))
}

#[cfg(test)]
mod tests;
