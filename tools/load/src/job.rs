//! What the conductor tells its workers and hears from them: one JSON object a line.

use netra_ws::{ThreadId, payload::Limits};
use serde::{Deserialize, Serialize};

/// How a worker's clients speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Speech {
    /// The whole client: `netra_ws::Session`, with every frame decoded.
    Session,
    /// Netra's frames, read only as far as their number; what the comparison uses.
    LeanNetra,
    /// Plain JSON messages, read as lean.
    LeanPlain,
    /// The same inside Socket.IO's packets over Engine.IO's WebSocket transport.
    LeanSocketIo,
}

/// A user of the server.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Account {
    /// Its id.
    pub(crate) id: String,
    /// The header that proves it, and its value.
    pub(crate) proof: (String, String),
    /// A token for the socket.
    pub(crate) token: String,
    /// Its life when it was asked for, in milliseconds.
    pub(crate) lives_ms: u64,
}

/// One client.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Plan {
    /// Whose it is: an index into the job's accounts.
    pub(crate) account: usize,
    /// What it watches: indices into the job's threads.
    pub(crate) threads: Vec<usize>,
    /// A thread of someone else that it asks for in vain.
    pub(crate) foreign: Option<usize>,
    /// The one word that its threads' answers consist of; any, when absent.
    pub(crate) word: Option<String>,
    /// Whether it stops reading when told to.
    pub(crate) stalls: bool,
}

/// All that a worker needs to begin.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Job {
    /// How its clients speak.
    pub(crate) speech: Speech,
    /// `host:port` of the server.
    pub(crate) host: String,
    /// The path of the socket.
    pub(crate) path: String,
    /// The address that its connections come from, when there is more than one to choose from.
    pub(crate) source: Option<String>,
    /// What discovery said.
    pub(crate) limits: Option<Limits>,
    /// The users.
    pub(crate) accounts: Vec<Account>,
    /// The threads.
    pub(crate) threads: Vec<ThreadId>,
    /// The clients.
    pub(crate) clients: Vec<Plan>,
    /// Handshakes that may be under way at once in the beginning.
    pub(crate) opening: usize,
}

/// How far a thread has come, by the server's own word.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Head {
    /// An index into the job's threads.
    pub(crate) thread: usize,
    /// The log's epoch; empty where there is none.
    pub(crate) epoch: String,
    /// Its last event.
    pub(crate) seq: u64,
}

/// What a worker is asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Order {
    /// Counts and delays begin anew; `at_us` is the moment that resuming is measured from.
    Mark {
        /// Microseconds since the Unix epoch.
        at_us: u64,
    },
    /// Report the window since the mark.
    Take,
    /// Those that stall stop reading, or go on.
    Stall(bool),
    /// Compare every client with these heads.
    Check(Vec<Head>),
}

/// What a worker tells.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Report {
    /// Ten times a second.
    Status(Status),
    /// The answer to [`Order::Take`].
    Window(Window),
    /// The answer to [`Order::Check`].
    Verdict(Verdict),
}

/// Where a worker stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Status {
    /// Clients with all of their subscriptions answered on a live link.
    pub(crate) ready: u64,
    /// Events delivered since the mark.
    pub(crate) delivered: u64,
    /// Sockets lost since the mark.
    pub(crate) losses: u64,
}

/// What came since the mark.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Window {
    /// Events delivered.
    pub(crate) delivered: u64,
    /// Their bytes on the wire, without frame headers.
    pub(crate) bytes: u64,
    /// Microseconds from commit to delivery, with how often each.
    pub(crate) delays: Vec<(u64, u64)>,
    /// Microseconds from the model's writing a piece to its delivery, with how often each.
    pub(crate) ways: Vec<(u64, u64)>,
    /// Microseconds from the mark's moment until each client was ready again, with how often each.
    pub(crate) resumes: Vec<(u64, u64)>,
    /// Sockets that were lost.
    pub(crate) losses: u64,
    /// The worker's own CPU time, in microseconds, since it began.
    pub(crate) cpu_us: u64,
}

/// Whether every client has what it should.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Verdict {
    /// Events that are missing, over all clients.
    pub(crate) missing: u64,
    /// Events that came twice, or out of order.
    pub(crate) duplicated: u64,
    /// Events that came before one that should have come first. A session repairs them.
    pub(crate) gaps: u64,
    /// Frames that belong to another user, or speak with another's words.
    pub(crate) foreign: u64,
    /// Subscriptions that were refused.
    pub(crate) refused: u64,
    /// Frames that could not be read, and logs whose epoch changed.
    pub(crate) bad: u64,
}

impl Verdict {
    /// Both together.
    pub(crate) fn add(&mut self, other: Self) {
        self.missing += other.missing;
        self.duplicated += other.duplicated;
        self.gaps += other.gaps;
        self.foreign += other.foreign;
        self.refused += other.refused;
        self.bad += other.bad;
    }
}
