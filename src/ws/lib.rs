//! The real-time core of Netra: everything about the live link that needs neither a web framework nor a database.
//!
//! # The protocol on one page
//! One WebSocket per page, subprotocol `netra.v1`. Every message is a text frame holding one JSON object:
//!
//! ```json
//! { "v": 1, "type": "agent_thinking", "id": "<uuid v7>", "ts": "2026-11-20T10:00:00.123Z",
//!   "thread_id": "<uuid>", "run_id": "<uuid>", "epoch": "<8 hex>", "seq": 17, "payload": { } }
//! ```
//!
//! A client sends commands ([`ClientMessage`]) and gets answers that carry `reply_to`. The server sends events
//! ([`ServerMessage`]). Durable events ([`Event`]) belong to a thread's log and carry `(epoch, seq)`, dense from 1; everything else is
//! ephemeral. A client keeps the last pair it applied as its cursor and resumes with it after a cut.
//!
//! # Layout
//! Shared by browser and server:
//! - [`id`], [`time`]: newtype ids and the server's clock as it stands on the wire.
//! - [`frame`]: the envelope; encoded once, decoded once.
//! - [`message`], [`payload`], [`model`]: the one enum each way, what each variant carries, and the objects inside.
//! - [`open_enum`]: enumerations that may grow; what a later server says is kept as unknown.
//! - [`room`]: what is said in rooms.
//! - [`discovery`]: what a client reads before it connects.
//! - [`error`], [`close`]: error codes, and close codes that say what a client should do.
//! - [`cut`]: large arguments and results, cut for snapshots.
//! - [`state`]: [`ThreadState::apply`], the reducer that both sides run. [`shared`]: what its states have in common.
//! - [`session`]: the client's half as a state machine without I/O: connect, back-off, outbox, cursors, resume.
//!
//! The server's half (feature `native`), in the order an event travels:
//! - `emitter`: the one emitter and its pool. `lane`: one thread's events in order. `committer`: one transaction for all lanes.
//! - `log`: the log that numbers events; `memory`: one without a disk; `conformance`: what every one must do. `bus`: tells every node of new ones.
//! - `manager`: the one connection manager. `watch`: snapshot or replay, and repair. `subscription`: one peer watching one
//!   thread, without a seam.
//! - `room_registry`: who is in which room.
//! - `connection`: one peer, its bounded queue and its removal on drop.
//!
//! `simulation` plays histories of all of it, in which everything goes wrong that can, on any log.
//!
//! The specification (feature `schema`): `schema`, made from the types.

mod allowance;
pub mod branch;
pub mod close;
pub mod cut;
pub mod discovery;
pub mod error;
pub mod frame;
pub mod history;
pub mod id;
pub mod message;
pub mod model;
pub mod open_enum;
pub mod payload;
pub mod recording;
pub mod room;
pub mod session;
pub mod shared;
pub mod state;
pub mod time;

#[cfg(feature = "native")]
pub mod bus;
#[cfg(feature = "native")]
mod committer;
#[cfg(feature = "native")]
pub mod conformance;
#[cfg(feature = "native")]
pub mod connection;
#[cfg(feature = "native")]
pub mod emitter;
#[cfg(feature = "native")]
mod lane;
#[cfg(feature = "native")]
pub mod log;
#[cfg(feature = "native")]
pub mod manager;
#[cfg(feature = "native")]
pub mod memory;
#[cfg(feature = "native")]
pub mod room_registry;
#[cfg(feature = "schema")]
pub mod schema;
#[cfg(feature = "native")]
pub mod seat;
#[cfg(feature = "native")]
pub mod simulation;
#[cfg(feature = "native")]
pub mod subscription;
#[cfg(feature = "native")]
pub mod watch;

pub use close::{CloseCode, Retry};
pub use error::{ErrorCode, FrameError};
pub use frame::{ClientFrame, EventFrame, Incoming, ServerFrame};
pub use id::{AttachmentId, CommandId, ConnectionId, FrameId, MessageId, RunId, ThreadId, UserId};
pub use message::{ClientMessage, Event, ServerMessage};
pub use session::Session;
pub use state::ThreadState;
pub use time::Timestamp;

/// The subprotocol's name: offered by the client, echoed by the server (RFC 6455 §1.9).
pub const PROTOCOL: &str = "netra.v1";

/// The prefix of the second subprotocol entry, which carries the token: `jwt.<token>`.
pub const TOKEN_PREFIX: &str = "jwt.";

/// The value of `v` in every frame.
pub const VERSION: u8 = 1;
