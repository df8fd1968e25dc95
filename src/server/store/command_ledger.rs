//! Which commands were carried out, and with what answer.

use async_trait::async_trait;
use netra_ws::{CommandId, MessageId, RunId, ThreadId, UserId, log::LogError, payload::Ack};

use super::StoreError;

/// Keeps the answers to commands for as long as their threads live. A person's message is kept by the log, in the transaction
/// of its event.
///
/// # Guarantees
/// A command is carried out once per user and id: looking for an earlier answer, doing it and keeping the answer are one
/// transaction. A resend gets the first answer, marked as a duplicate; another command under the same id is refused with
/// [`LogError::IdConflict`]. Commands of rooms, which change nothing in the store, are remembered for a day, and not across a
/// crash: their answer says nothing that the command itself does not, and to carry one out again changes nothing.
#[async_trait]
pub trait CommandLedger: Send + Sync {
    /// What the command was answered before, marked as a duplicate; `IdConflict` when it was another command.
    async fn earlier_answer(&self, user: UserId, command: CommandId, digest: &[u8]) -> Result<Option<Ack>, LogError>;
    /// Keeps a command of a room: the first answer when it was carried out before.
    async fn record_command(&self, command: Recorded<'_>) -> Result<Ack, LogError>;
    /// The thread of a person's message that the user may read, and the agent that was asked first.
    async fn find_asked(
        &self,
        user: UserId,
        message: MessageId,
        thread: Option<ThreadId>,
    ) -> Result<Option<(ThreadId, String)>, StoreError>;
    /// Adds a run that answers a message once more, with the command that asked for it: the first answer when it was carried out
    /// before. A message that as many answer as may ([`netra_ws::branch::MAX_BRANCHES`]) is not answered again.
    async fn record_run(
        &self,
        run: RunId,
        message: MessageId,
        agent: &str,
        command: Recorded<'_>,
    ) -> Result<Ack, LogError>;
    /// Keeps that a run and all that work for it are to stop, with the command that said so, and which they are: the first answer
    /// when it was carried out before.
    async fn record_stop(&self, run: RunId, command: Recorded<'_>) -> Result<(Ack, Vec<RunId>), LogError>;
}

/// A command that adds no message, and its answer.
#[derive(Clone, Copy, Debug)]
pub struct Recorded<'a> {
    /// Who gave it.
    pub user_id: UserId,
    /// The idempotency key.
    pub command_id: CommandId,
    /// A digest of its body, to tell a resend from a clash.
    pub digest: &'a [u8],
    /// The thread that it is about; the record lives as long.
    pub thread_id: ThreadId,
    /// The answer.
    pub ack: &'a Ack,
}
