//! A conversation that branches: which way through it is shown, and how the next message is put on that way.
//!
//! A message names what it follows (`parent_id`): a person's message, whichever of its answers is shown, or one answer of several.
//! Without it a message follows the newest before it. Runs that answer one message are variants of its answer.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    id::{MessageId, RunId},
    model::{Message, MessageRole, Run},
    shared::Shared,
    state::ThreadState,
};

/// Messages that may name the same parent, and runs that may answer one message.
pub const MAX_BRANCHES: usize = 100;

impl MessageId {
    /// As a parent: none, the message begins the conversation.
    pub fn beginning() -> Self {
        Uuid::nil().into()
    }

    /// Whether it stands for the beginning of a conversation.
    pub fn is_beginning(self) -> bool {
        self.uuid() == Uuid::nil()
    }
}

/// What a reader has turned to, where there is more than one way. Elsewhere the way leads to what is newest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choices {
    /// By the message that several follow: which of them. The beginning stands for those that follow none.
    #[serde(default)]
    pub branches: HashMap<MessageId, MessageId>,
    /// By the message that several answer: which of them.
    #[serde(default)]
    pub answers: HashMap<MessageId, RunId>,
}

/// A person's message on the way that is shown, and the answer that is shown with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// The message.
    pub message: MessageId,
    /// What it follows; the beginning when that is not known.
    pub follows: MessageId,
    /// All messages that could stand here, in the order in which they came, if there are several.
    pub siblings: Vec<MessageId>,
    /// The answer that is shown.
    pub answer: Option<RunId>,
}

/// A message, and the one answer that it follows, if it names one.
#[derive(Clone, Copy)]
struct Child {
    message: MessageId,
    after: Option<RunId>,
}

/// Who follows whom.
struct Tree {
    children: HashMap<MessageId, Vec<Child>>,
    /// What each follows; absent at the beginning, or where that is not known.
    parents: HashMap<MessageId, Option<(MessageId, Option<RunId>)>>,
    /// Runs that answer, in the order in which they were asked for.
    answers: HashMap<MessageId, Vec<RunId>>,
}

fn asks(message: &Message) -> bool {
    message.role != MessageRole::Assistant
}

impl Tree {
    fn of(state: &ThreadState) -> Self {
        let answered: HashMap<RunId, MessageId> =
            state.runs.iter().filter_map(|run| Some((run.run_id, run.answers?))).collect();
        let mut by_run: HashMap<MessageId, RunId> = HashMap::new();
        let (mut children, mut parents) = (HashMap::<MessageId, Vec<Child>>::new(), HashMap::new());
        let mut before: Option<MessageId> = None;
        for message in &state.messages {
            let id = message.message_id;
            if !asks(message) {
                by_run.extend(message.run_id.map(|run| (id, run)));
                continue;
            }
            let follows = match message.parent_id {
                None => before.map(|before| (before, None)),
                Some(parent) if parents.contains_key(&parent) => Some((parent, None)),
                // A parent is always older: what is not among these is not known here, or is none.
                Some(parent) => by_run.get(&parent).and_then(|run| {
                    let asked = answered.get(run).filter(|asked| parents.contains_key(*asked))?;
                    Some((*asked, Some(*run)))
                }),
            };
            let (at, after) = follows.unwrap_or((MessageId::beginning(), None));
            children.entry(at).or_default().push(Child { message: id, after });
            parents.insert(id, follows);
            before = Some(id);
        }
        let mut answers: HashMap<MessageId, Vec<RunId>> = HashMap::new();
        for run in &state.runs {
            if let Some(message) = run.answers {
                answers.entry(message).or_default().push(run.run_id);
            }
        }
        Self { children, parents, answers }
    }

    /// The messages on the way to what is newest, each with the answer that the way takes.
    fn newest(&self, state: &ThreadState) -> HashMap<MessageId, Option<RunId>> {
        let is_known = |run: &&Shared<Run>| run.answers.is_some_and(|message| self.parents.contains_key(&message));
        let run = state.runs.iter().rev().filter(|run| !run.is_nested()).find(is_known);
        let message = state.messages.iter().rev().find(|message| asks(message));
        let mut at = match (run, message) {
            (Some(run), _) => run.answers.map(|message| (message, Some(run.run_id))),
            (None, message) => message.map(|message| (message.message_id, None)),
        };
        let mut way = HashMap::new();
        while let Some((message, answer)) = at {
            way.insert(message, answer);
            at = self.parents.get(&message).copied().flatten();
        }
        way
    }
}

impl ThreadState {
    /// The way through the conversation that a reader with these choices is shown.
    pub fn path(&self, choices: &Choices) -> Vec<Turn> {
        let tree = Tree::of(self);
        let newest = tree.newest(self);
        let mut path = Vec::new();
        let mut follows = MessageId::beginning();
        let mut after = None;
        loop {
            let here = tree.children.get(&follows).map_or(&[][..], Vec::as_slice);
            let here: Vec<MessageId> = here
                .iter()
                .filter(|child| child.after.is_none() || child.after == after)
                .map(|child| child.message)
                .collect();
            let chosen = choices.branches.get(&follows).filter(|chosen| here.contains(chosen));
            let wanted = || here.iter().rev().find(|message| newest.contains_key(message));
            let Some(&message) = chosen.or_else(wanted).or(here.last()) else { return path };
            // Of what follows a message that is not here nobody can tell whether it is all.
            let known = !follows.is_beginning() || self.earlier_cursor.is_none();
            let siblings = if known && here.len() > 1 { here } else { Vec::new() };
            let answers = tree.answers.get(&message).map_or(&[][..], Vec::as_slice);
            let chosen = choices.answers.get(&message).filter(|chosen| answers.contains(chosen));
            let wanted = newest.get(&message).and_then(Option::as_ref).filter(|run| answers.contains(run));
            let answer = chosen.or(wanted).or(answers.last()).copied();
            path.push(Turn { message, follows, siblings, answer });
            (follows, after) = (message, answer);
        }
    }

    /// Whether a message was taken back: nothing but one run was to answer it, which was stopped before any work was done on it, and
    /// the message had come while an earlier answer was under way.
    pub fn was_taken_back(&self, message: MessageId) -> bool {
        let Some(said) = self.message(message) else { return false };
        let mut runs = self.runs.iter().enumerate().filter(|(_, run)| run.answers == Some(message));
        let (Some((at, run)), None) = (runs.next(), runs.next()) else { return false };
        if !run.was_never_worked_on() {
            return false;
        }
        // What was under way when it came: an answer that is not whole, or became so later.
        let was_under_way = |earlier: &Shared<Run>| {
            let whole = earlier.message_id.and_then(|id| self.message(id)).is_some_and(|answer| answer.seq > said.seq);
            let worked = earlier.started_at.zip(earlier.duration_ms).map(|(began, worked)| began.as_millis() + worked);
            !earlier.has_ended() || whole || worked.is_some_and(|end| end >= said.created_at.as_millis())
        };
        self.runs.iter().take(at).filter(|earlier| !earlier.is_nested()).any(was_under_way)
    }

    /// The choices by which a reader is shown this message, with this answer; nothing where it is not known. Only places where
    /// there is more than one way are among them.
    pub fn choices_to(&self, message: MessageId, answer: Option<RunId>) -> Option<Choices> {
        let tree = Tree::of(self);
        let mut choices = Choices::default();
        let mut at = Some((message, answer));
        while let Some((message, answer)) = at {
            at = *tree.parents.get(&message)?;
            let follows = at.map_or_else(MessageId::beginning, |(before, _)| before);
            if tree.children.get(&follows).is_some_and(|here| here.len() > 1) {
                choices.branches.insert(follows, message);
            }
            let several = tree.answers.get(&message).is_some_and(|answers| answers.len() > 1);
            choices.answers.extend(answer.filter(|_| several).map(|answer| (message, answer)));
        }
        Some(choices)
    }

    /// The parent to name for a message that goes on from this path; none where that is what a message without one follows.
    pub fn parent_at_end(&self, path: &[Turn]) -> Option<MessageId> {
        let end = path.last()?;
        let newest = self.messages.iter().rev().find(|message| asks(message));
        let branches = self.messages.iter().any(|message| message.parent_id.is_some());
        let is_newest = newest.is_some_and(|newest| newest.message_id == end.message);
        let answers: HashMap<MessageId, RunId> =
            self.runs.iter().filter_map(|run| Some((run.answers?, run.run_id))).collect();
        let turned = path.iter().any(|turn| turn.answer.as_ref() != answers.get(&turn.message));
        if !branches && is_newest && !turned {
            return None;
        }
        // An answer that is still being written is no message yet.
        let answer = end.answer.and_then(|run| self.run(run)).and_then(|run| run.message_id);
        Some(answer.filter(|answer| self.message(*answer).is_some()).unwrap_or(end.message))
    }

    /// The parent to name for a message that is to stand in place of this one; none while that is not known.
    pub fn parent_of(&self, message: MessageId) -> Option<MessageId> {
        let mut before = None;
        for other in self.messages.iter().filter(|message| asks(message)) {
            if other.message_id == message {
                let first = || before.or_else(|| self.earlier_cursor.is_none().then(MessageId::beginning));
                return other.parent_id.or_else(first);
            }
            before = Some(other.message_id);
        }
        None
    }

    /// Whether each of these still is where it was chosen; what is gone is forgotten.
    pub fn keep_known(&self, choices: &mut Choices) {
        let messages: HashSet<MessageId> = self.messages.iter().map(|message| message.message_id).collect();
        choices.branches.retain(|_, chosen| messages.contains(chosen));
        choices.answers.retain(|message, _| messages.contains(message));
    }
}

#[cfg(test)]
#[path = "branch_tests.rs"]
mod tests;
