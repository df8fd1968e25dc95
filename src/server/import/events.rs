//! What was said elsewhere as events of a conversation here.

use netra_ws::{
    MessageId, RunId, Timestamp,
    message::Event,
    model::{Attachment, Author, MessageRole, Run},
    payload::{AgentCompleted, AgentResponse, AgentStarted, AgentThinking, CompletedStatus, ThreadMessage},
};

use super::LONGEST_TEXT;
use crate::server::store::importing::{ImportedEvent, ImportedRun};

/// Who answered, where the file does not say.
const SOMEBODY: &str = "assistant";

/// The longest name of an agent or a model.
const LONGEST_NAME: usize = 64;

/// A conversation's events as they are gathered.
pub(in crate::server) struct Events {
    pub(in crate::server) title: String,
    pub(in crate::server) created_at: Timestamp,
    pub(in crate::server) events: Vec<ImportedEvent>,
    pub(in crate::server) runs: Vec<ImportedRun>,
    messages: usize,
    /// Times only grow: a log is in one order.
    last: Timestamp,
}

/// An answer as it is put together.
#[derive(Clone, Default)]
pub(super) struct Answer {
    text: String,
    thoughts: String,
    model: Option<String>,
    began: Option<Timestamp>,
    at: Option<Timestamp>,
}

impl Answer {
    /// Bytes of text.
    pub(super) fn len(&self) -> usize {
        self.text.len() + self.thoughts.len()
    }

    /// More of it, as much as a message may have.
    pub(super) fn add(&mut self, text: &str, thoughts: &str, model: Option<String>, at: Option<Timestamp>) {
        for (whole, part) in [(&mut self.text, text), (&mut self.thoughts, thoughts)] {
            if !part.trim().is_empty() {
                if !whole.is_empty() {
                    whole.push_str("\n\n");
                }
                whole.push_str(part);
                whole.truncate(whole.floor_char_boundary(LONGEST_TEXT));
            }
        }
        self.model = model.or(self.model.take());
        self.began = self.began.or(at);
        self.at = at.or(self.at);
    }
}

impl Events {
    pub(super) fn new(title: String, created_at: Option<Timestamp>) -> Self {
        let now = Timestamp::now();
        let created_at = created_at.filter(|at| *at <= now).unwrap_or(now);
        Self { title, created_at, events: Vec::new(), runs: Vec::new(), messages: 0, last: created_at }
    }

    pub(super) fn messages(&self) -> usize {
        self.messages
    }

    /// The time of the next event: never before the last, and never to come.
    fn next(&mut self, at: Option<Timestamp>) -> Timestamp {
        let at = at.unwrap_or(self.last).min(Timestamp::now()).max(self.last);
        self.last = at;
        at
    }

    pub(super) fn push(&mut self, run: Option<RunId>, at: Option<Timestamp>, event: Event) -> Timestamp {
        let at = self.next(at);
        self.messages += usize::from(matches!(event, Event::ThreadMessage(_) | Event::AgentResponse(_)));
        self.events.push(ImportedEvent { run, at, event });
        at
    }

    /// A person's message.
    pub(super) fn person(&mut self, content: String, follows: Option<MessageId>, at: Option<Timestamp>) -> MessageId {
        self.said(content, follows, at, None, Vec::new())
    }

    /// A person's message with who wrote it, and its files.
    pub(super) fn said(
        &mut self,
        content: String,
        follows: Option<MessageId>,
        at: Option<Timestamp>,
        author: Option<Author>,
        attachments: Vec<Attachment>,
    ) -> MessageId {
        let message_id = MessageId::new();
        let parent_id = Some(follows.unwrap_or_else(MessageId::beginning));
        let message = ThreadMessage {
            message_id,
            role: MessageRole::User,
            content,
            answered_by: None,
            agent: None,
            author,
            parent_id,
            attachments,
        };
        self.push(None, at, Event::ThreadMessage(message));
        message_id
    }

    /// A whole answer; nothing when it has no words and no thought.
    pub(super) fn answer(&mut self, asked: MessageId, answer: Answer) -> Option<MessageId> {
        if answer.text.is_empty() && answer.thoughts.is_empty() {
            return None;
        }
        let Answer { text, thoughts, model, began, at } = answer;
        let agent = model.as_deref().map_or_else(|| SOMEBODY.to_owned(), short);
        let (run, message_id) = (RunId::new(), MessageId::new());
        let started = AgentStarted {
            agent: agent.clone(),
            answers: Some(asked),
            parent_run_id: None,
            tool_call_id: None,
            model: model.as_deref().map(short),
            iteration: 1,
        };
        let mut told = vec![(began, Event::AgentStarted(started))];
        if !thoughts.is_empty() {
            let thought = AgentThinking { agent: agent.clone(), thought: thoughts, step: None, total_steps: None };
            told.push((began, Event::AgentThinking(thought)));
        }
        told.push((at, Event::AgentResponse(AgentResponse { message_id, content: text, usage: None })));
        let duration_ms = began.zip(at).map_or(0, |(began, at)| at.millis_since(began));
        let done =
            AgentCompleted { agent: agent.clone(), status: CompletedStatus::Completed, duration_ms, usage: None };
        told.push((at, Event::AgentCompleted(done)));
        self.run(run, asked, agent, told);
        Some(message_id)
    }

    /// A run with its events, of which the last ends it.
    pub(super) fn run(&mut self, id: RunId, asked: MessageId, agent: String, told: Vec<(Option<Timestamp>, Event)>) {
        let mut folded = Run::queued(id, agent.clone(), Some(asked));
        for (at, event) in told {
            let at = self.push(Some(id), at, event.clone());
            folded.apply(&event, at);
        }
        self.runs.push(ImportedRun { run_id: id, message_id: asked, agent, ended: folded });
    }
}

/// A name within bounds.
pub(super) fn short(name: &str) -> String {
    let name: String = name.chars().filter(|sign| !sign.is_control()).take(LONGEST_NAME).collect();
    if name.trim().is_empty() { SOMEBODY.to_owned() } else { name }
}
