//! How much of a thread goes into its page. The page holds it twice: as what is shown, and as the state that the browser takes
//! over.

use std::{
    collections::{HashMap, HashSet},
    io,
};

use netra_ws::{model::Run, payload::ThreadSnapshot};
use serde::Serialize;

/// What a thread may take of a page, in bytes.
const BUDGET: usize = 1 << 20;

/// The thread with as many of its newest messages as fit, and the runs that they need; `None` when not even the newest does:
/// the page then asks over its socket.
pub(super) fn fit(mut snapshot: ThreadSnapshot) -> Option<ThreadSnapshot> {
    let (mut left, mut kept) = (BUDGET, HashSet::new());
    // A run stands below the message that it answers.
    let mut runs: HashMap<_, usize> = HashMap::new();
    for run in &snapshot.runs {
        let price = cost(run);
        match run.answers {
            Some(message) if run.status.is_terminal() => *runs.entry(message).or_default() += price,
            Some(_) | None => left = left.checked_sub(price)?,
        }
    }
    for message in snapshot.messages.iter().rev() {
        let price = cost(message).saturating_add(runs.remove(&message.message_id).unwrap_or_default());
        let Some(rest) = left.checked_sub(price) else { break };
        left = rest;
        kept.insert(message.message_id);
    }
    if kept.is_empty() && !snapshot.messages.is_empty() {
        return None;
    }
    if kept.len() < snapshot.messages.len() {
        snapshot.messages.retain(|message| kept.contains(&message.message_id));
        snapshot.earlier_cursor = snapshot.messages.first().map(|message| message.seq.to_string());
    }
    let is_kept = |run: &Run| !run.status.is_terminal() || run.answers.is_none_or(|message| kept.contains(&message));
    snapshot.runs.retain(is_kept);
    Some(snapshot)
}

/// What a part takes of the page, in bytes.
fn cost(part: &impl Serialize) -> usize {
    let mut bytes = Bytes(0);
    // Only the counting below could fail, and does not.
    serde_json::to_writer(&mut bytes, part).map_or(usize::MAX, |()| bytes.0)
}

struct Bytes(usize);

impl io::Write for Bytes {
    fn write(&mut self, json: &[u8]) -> io::Result<usize> {
        // `<` is `\u003c` in the state and `&lt;` in what is shown.
        self.0 += json.iter().map(|byte| if matches!(byte, b'<' | b'>' | b'&') { 10 } else { 2 }).sum::<usize>();
        Ok(json.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
