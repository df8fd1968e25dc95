//! The threads whose messages the page holds: the one that is shown, and those that were shown last.

use netra_ws::{ThreadId, ThreadState};

use super::ThreadStore;

/// How many threads that are not shown are held, so that going back to them shows them at once.
const HELD: usize = 4;

/// A thread with more messages than this is let go when it is left: only its newest are held by the server's first answer, too.
const LARGE: usize = 400;

/// Threads, the one that was shown last at the end.
pub(super) struct OpenThreads(Vec<(ThreadId, ThreadStore)>);

impl OpenThreads {
    pub(super) fn new(threads: impl Iterator<Item = (ThreadId, ThreadStore)>) -> Self {
        Self(threads.collect())
    }

    pub(super) fn get(&self, id: ThreadId) -> Option<&ThreadStore> {
        self.0.iter().find(|(known, _)| *known == id).map(|(_, thread)| thread)
    }

    /// The thread, made when it is not held.
    pub(super) fn show(&mut self, id: ThreadId, make: impl FnOnce() -> ThreadState) -> ThreadStore {
        if let Some(thread) = self.get(id) {
            return thread.clone();
        }
        let thread = ThreadStore::new(make());
        self.0.push((id, thread.clone()));
        thread
    }

    /// The page shows another one now.
    pub(super) fn leave(&mut self, id: ThreadId) {
        let Some(at) = self.0.iter().position(|(known, _)| *known == id) else { return };
        let left = self.0.remove(at);
        if left.1.len() <= LARGE {
            self.0.push(left);
        }
        let over = self.0.len().saturating_sub(HELD);
        self.0.drain(..over);
    }

    #[cfg(not(feature = "ssr"))]
    pub(super) fn all(&self) -> Vec<ThreadStore> {
        self.0.iter().map(|(_, thread)| thread.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use netra_ws::{
        MessageId, Timestamp,
        model::{Message, MessageRole},
    };

    use super::*;

    fn holds(open: &OpenThreads, id: ThreadId) -> bool {
        open.get(id).is_some()
    }

    #[test]
    fn what_was_shown_last_is_held() {
        let mut open = OpenThreads::new(std::iter::empty());
        let ids: Vec<ThreadId> = (0..10).map(|_| ThreadId::new()).collect();
        for id in &ids {
            open.show(*id, ThreadState::default);
            open.leave(*id);
            open.show(ids[0], ThreadState::default);
            open.leave(ids[0]);
        }
        assert!(open.0.len() <= HELD);
        assert!(holds(&open, ids[0]) && holds(&open, ids[9]) && !holds(&open, ids[1]));
    }

    #[test]
    fn a_large_one_is_let_go_once_it_is_left() {
        let mut open = OpenThreads::new(std::iter::empty());
        let id = ThreadId::new();
        let message = Message {
            message_id: MessageId::new(),
            role: MessageRole::User,
            content: String::new(),
            run_id: None,
            author: None,
            parent_id: None,
            seq: 1,
            created_at: Timestamp::default(),
            attachments: Vec::new(),
        };
        let messages = vec![message.into(); LARGE + 1];
        open.show(id, || ThreadState { messages, ..ThreadState::default() });
        assert!(holds(&open, id));
        open.leave(id);
        assert!(!holds(&open, id));
    }
}
