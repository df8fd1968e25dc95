//! The tree of a conversation as events. Each way from a person's message down to the next one is an answer; the way that was shown
//! last comes last, so that it is what is shown here.

use std::{collections::HashSet, rc::Rc};

use netra_ws::{MessageId, Timestamp};

use super::{By, Conversation, Events, LeftOut, MOST_MESSAGES, bounded, count, events::Answer};

/// Where the walk is.
#[derive(Clone, Default)]
struct Place {
    /// The person's message above.
    asked: Option<MessageId>,
    /// What a message here follows.
    follows: Option<MessageId>,
    /// What was answered so far; shared by the ways that go on from it.
    answer: Option<Rc<Answer>>,
    at: Option<Timestamp>,
}

/// The conversation's events, or why there are none. Ways repeat what they have in common: all of them together may have `room`
/// bytes of text.
pub(super) fn events(conversation: Conversation, room: usize, left_out: &mut LeftOut) -> Result<Events, &'static str> {
    let Conversation { title, created_at, mut nodes, current } = conversation;
    if nodes.len() > 4 * MOST_MESSAGES {
        return Err("conversations of more than 5,000 messages");
    }
    // Ways that were shown come last.
    let mut shown = HashSet::new();
    let mut at = current;
    while let Some(node) = at.filter(|node| *node < nodes.len() && shown.insert(*node)) {
        at = nodes[node].parent;
    }
    let mut children: Vec<Vec<usize>> = vec![Vec::new(); nodes.len()];
    let mut stack: Vec<(usize, Place)> = Vec::new();
    let mut roots = Vec::new();
    for (number, node) in nodes.iter().enumerate() {
        match node.parent.filter(|parent| *parent < nodes.len() && *parent != number) {
            Some(parent) => children[parent].push(number),
            None => roots.push(number),
        }
    }
    let last_first = |of: &[usize]| {
        let mut order: Vec<usize> = of.to_vec();
        order.sort_by_key(|node| shown.contains(node));
        order.reverse();
        order
    };
    let start = Place { at: created_at, ..Place::default() };
    stack.extend(last_first(&roots).into_iter().map(|root| (root, start.clone())));
    let mut events = Events::new(title, created_at);
    let (mut seen, mut written) = (0_usize, 0_usize);
    while let Some((number, mut place)) = stack.pop() {
        seen += 1;
        let node = std::mem::take(&mut nodes[number]);
        place.at = node.at.max(place.at);
        for _ in &node.files {
            count(left_out, "files");
        }
        match node.by {
            By::Nobody => {}
            By::Person => {
                let text = bounded(with_files(node.text, &node.files), left_out);
                written += text.len();
                let id = events.person(text, place.follows, place.at);
                place = Place { asked: Some(id), follows: Some(id), answer: None, at: place.at };
            }
            By::Agent if place.asked.is_none() => count(left_out, "answers to nothing"),
            By::Agent => {
                let answer = Rc::make_mut(place.answer.get_or_insert_default());
                answer.add(
                    &bounded(with_files(node.text, &node.files), left_out),
                    &node.thoughts,
                    node.model,
                    place.at,
                );
            }
        }
        let next = &children[number];
        // What follows an answer may be more of it, or a person's message, or both.
        let ends = next.is_empty() || next.iter().any(|child| nodes[*child].by == By::Person);
        let mut after = place.clone();
        if ends && let (Some(asked), Some(answer)) = (place.asked, after.answer.take()) {
            written += answer.len();
            if written <= room {
                after.follows = events.answer(asked, Rc::unwrap_or_clone(answer)).or(after.follows);
            }
        }
        if written > room {
            return Err("conversations whose branches repeat too much");
        }
        for child in last_first(next) {
            let place = if nodes[child].by == By::Person { after.clone() } else { place.clone() };
            stack.push((child, place));
        }
        if events.messages() > MOST_MESSAGES {
            return Err("conversations of more than 5,000 messages");
        }
    }
    for _ in seen..nodes.len() {
        count(left_out, "messages that follow themselves");
    }
    if events.messages() == 0 { Err("conversations without a message") } else { Ok(events) }
}

/// A text that says which files went with it.
fn with_files(mut text: String, files: &[String]) -> String {
    for file in files {
        if !text.is_empty() {
            text.push_str("\n\n");
        }
        text.push_str("(File, not taken along: ");
        text.push_str(file);
        text.push(')');
    }
    text
}
