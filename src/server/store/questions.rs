//! What people are asked by runs that wait, and what they decide.

use async_trait::async_trait;
use netra_ws::{
    ErrorCode, RunId, ThreadId, UserId,
    log::LogError,
    model::{Author, Object, Question, Run},
    payload::{Ack, ToolApproval},
};

use super::{Recorded, StoreError};

/// Keeps questions, decisions, and the answers of runs that work for others.
///
/// # Guarantees
/// A question stands as soon as the event that tells of it does: the log writes both in one transaction, and in the same one as
/// the run's wait when there is nothing else to do. Deciding is one transaction: that nobody decided before, the decision, the
/// command with its answer, and that the run can be claimed again. The first decision counts. Questions end by the store's clock:
/// what ended is not decided any more, and what was decided in time counts whenever a worker comes to it.
#[async_trait]
pub trait Questions: Send + Sync {
    /// Decides on a call for a user who may: whoever the run works for, and the thread's owner.
    async fn decide(&self, command: Recorded<'_>, decision: &ToolApproval) -> Result<Decided, LogError>;
    /// The thread and the run of a question, if the user may read them.
    async fn find_question(&self, user: UserId, tool_call_id: &str) -> Result<Option<(ThreadId, RunId)>, StoreError>;
    /// The questions of a run.
    async fn questions_of(&self, run: RunId) -> Result<Vec<KeptQuestion>, StoreError>;
    /// What the user decided about a tool for the rest of the conversation.
    async fn consent(&self, thread: ThreadId, user: UserId, tool: &str) -> Result<Option<bool>, StoreError>;
    /// The runs that work for this one.
    async fn children_of(&self, run: RunId) -> Result<Vec<Child>, StoreError>;
}

/// What a decision came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decided {
    /// It counts, or it did when it came first.
    Done(Ack),
    /// It does not.
    Refused(ErrorCode, String),
}

/// A question as it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct KeptQuestion {
    /// The call that waits for it.
    pub tool_call_id: String,
    /// What is asked.
    pub question: Question,
    /// What became of it.
    pub verdict: Verdict,
    /// Who decided.
    pub decided_by: Option<Author>,
}

/// What became of a question.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// Nobody has decided yet.
    Open,
    /// Nobody decided in time.
    Expired,
    /// Yes, with what was chosen and filled in.
    Approved {
        /// The id of an option.
        option: Option<String>,
        /// What was filled in.
        answer: Option<Object>,
    },
    /// No, and why.
    Denied {
        /// In the person's words.
        reason: Option<String>,
    },
}

/// A run that works for another.
#[derive(Clone, Debug, PartialEq)]
pub struct Child {
    /// Which.
    pub run_id: RunId,
    /// The call that it answers.
    pub tool_call_id: String,
    /// The run as it ended; absent while it works.
    pub ended: Option<Run>,
}
