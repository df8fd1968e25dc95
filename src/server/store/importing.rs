//! Conversations that were had elsewhere.

use async_trait::async_trait;
use netra_ws::{
    MessageId, RunId, Timestamp, UserId,
    message::Event,
    model::{Run, Thread},
};

use super::StoreError;

/// Takes conversations in.
///
/// # Guarantees
/// A conversation is there whole or not at all: its thread, events, messages, runs and the sending of its files are one
/// transaction.
#[async_trait]
pub trait Importing: Send + Sync {
    /// Makes a thread of the user's with this in its log.
    async fn import(&self, user: UserId, imported: &Imported) -> Result<Thread, StoreError>;
}

/// A conversation.
#[derive(Debug)]
pub struct Imported {
    /// Its title.
    pub title: String,
    /// The agent that goes on with it.
    pub agent: String,
    /// When it began.
    pub created_at: Timestamp,
    /// When it counts as changed last; with its newest message where this is not said.
    pub updated_at: Option<Timestamp>,
    /// In order.
    pub events: Vec<ImportedEvent>,
    /// The runs that the events tell of.
    pub runs: Vec<ImportedRun>,
}

/// An event of then.
#[derive(Debug)]
pub struct ImportedEvent {
    /// The run that it belongs to.
    pub run: Option<RunId>,
    /// When.
    pub at: Timestamp,
    /// What.
    pub event: Event,
}

/// A run of then.
#[derive(Debug)]
pub struct ImportedRun {
    /// Its id here.
    pub run_id: RunId,
    /// The message that it answers.
    pub message_id: MessageId,
    /// Who answered.
    pub agent: String,
    /// The run as its events tell it.
    pub ended: Run,
}
