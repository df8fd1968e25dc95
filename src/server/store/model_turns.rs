//! What model servers said beside words and want to see again, for as long as they may be asked to go on.

use async_trait::async_trait;
use netra_ws::{RunId, log::Fence};
use serde::{Deserialize, Serialize};

use super::StoreError;

/// Turns that are kept of one thread; those before them are told as words alone.
pub const TURNS_OF_A_THREAD: usize = 200;

/// A turn of a model as its server wants to see it again.
#[derive(Clone, Debug, PartialEq)]
pub struct KeptTurn {
    /// The number of its first call in its run, from 1.
    pub first_call: u32,
    /// The model's own ids of its calls, in order. None in a turn that ended its run.
    pub calls: Vec<KeptCall>,
    /// How much text the run had, in bytes, when the turn ended.
    pub said: usize,
    /// What goes back, as JSON; absent when it was too long to be kept.
    pub replay: Option<String>,
}

/// A call as the model named it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptCall {
    /// The model's id.
    pub id: String,
    /// The tool, by which a call is known for the one that was made.
    pub tool: String,
}

/// Keeps turns of models.
///
/// # Guarantees
/// A turn is kept in a transaction of its own, by the owner of its run alone, before the first event of its calls: whoever finds a
/// call in the log finds the turn. A turn that is taken anew, because a process ended before its calls began, takes the place of
/// the one before. What is kept goes with its thread.
#[async_trait]
pub trait ModelTurns: Send + Sync {
    /// Keeps a turn of the run, sent by `source`; `false` when the run has another owner or has ended.
    async fn keep_turn(&self, fence: Fence, source: &[u8], turn: &KeptTurn) -> Result<bool, StoreError>;
    /// The turns of a run that this source sent, in order.
    async fn kept_turns(&self, run: RunId, source: &[u8]) -> Result<Vec<KeptTurn>, StoreError>;
}
