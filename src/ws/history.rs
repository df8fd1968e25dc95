//! Earlier messages. A snapshot holds a thread's newest messages; what came before is read in pages and put before them.

use serde::{Deserialize, Serialize};

use crate::{
    ThreadState,
    id::MessageId,
    model::{Message, MessageRole, Run, RunStatus},
    payload::ThreadSnapshot,
    shared::Shared,
};

/// A page of messages, as `GET /api/threads/{id}/messages` answers it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Earlier {
    /// Oldest first.
    pub messages: Vec<Message>,
    /// The runs that answer or wrote one of them.
    #[serde(default)]
    pub runs: Vec<Run>,
    /// Where still older ones are; absent at the beginning of the thread.
    #[serde(default)]
    pub next_cursor: Option<String>,
}

impl ThreadState {
    /// Puts a page before what is known. `cursor` is what it was asked with: a page for another place, because a snapshot has come
    /// meanwhile, changes nothing, and the answer is `false`.
    pub fn prepend(&mut self, cursor: &str, page: Earlier) -> bool {
        if self.earlier_cursor.as_deref() != Some(cursor) {
            return false;
        }
        self.earlier_cursor = page.next_cursor;
        let first = self.messages.first().map(|message| message.seq);
        let older = |message: &Message| first.is_none_or(|first| message.seq < first);
        let messages: Vec<Message> = page.messages.into_iter().filter(older).collect();
        let mut runs: Vec<Run> = page.runs.into_iter().filter(|run| self.run(run.run_id).is_none()).collect();
        let mut asked: Option<MessageId> = None;
        for message in &messages {
            if message.role == MessageRole::User {
                asked = Some(message.message_id);
            } else if message.role == MessageRole::Assistant
                && let Some(id) = message.run_id
                && self.run(id).is_none()
                && runs.iter().all(|run| run.run_id != id)
            {
                // A server that sends no runs with a page sends their answers all the same.
                let mut run = Run::queued(id, String::new(), asked);
                run.status = RunStatus::Completed;
                run.message_id = Some(message.message_id);
                run.text.clone_from(&message.content);
                runs.push(run);
            }
        }
        self.messages.splice(0..0, messages.into_iter().map(Shared::from));
        self.runs.splice(0..0, runs.into_iter().map(Shared::from));
        true
    }

    /// Takes a snapshot in. What was read of older messages stays, as far as the snapshot goes on from it.
    pub(crate) fn replace(&mut self, snapshot: ThreadSnapshot) {
        let before = std::mem::replace(self, Self::from_snapshot(snapshot));
        let Some(first) = self.messages.first().map(|message| message.seq) else { return };
        let overlaps = before.messages.last().is_some_and(|newest| newest.seq >= first);
        if before.epoch != self.epoch || !overlaps {
            return;
        }
        let older: Vec<Shared<Message>> = before.messages.into_iter().filter(|message| message.seq < first).collect();
        if older.is_empty() {
            return;
        }
        let theirs = |run: &Shared<Run>| {
            let answers =
                |id: Option<MessageId>| id.is_some_and(|id| older.iter().any(|message| message.message_id == id));
            answers(run.answers) || answers(run.message_id)
        };
        let runs: Vec<Shared<Run>> =
            before.runs.into_iter().filter(|run| self.run(run.run_id).is_none()).filter(theirs).collect();
        self.earlier_cursor = before.earlier_cursor;
        self.messages.splice(0..0, older);
        self.runs.splice(0..0, runs);
    }
}

#[cfg(test)]
#[path = "history_tests.rs"]
mod tests;
