//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::Failure;

/// Measures a Netra server with real sessions: load, latency, memory.
#[derive(Debug, Parser)]
#[command(name = "netra-load", version)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// A scenario, or all of them.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Memory of connections that are signed in, subscribed and idle.
    Idle(Options),
    /// One streaming thread and many watchers.
    Fanout(Options),
    /// A thousand events a second over many threads, all durable.
    Stream(Options),
    /// The server ends and starts again: how long until everyone is back, and whether anything is lost.
    Resume(Options),
    /// Readers that do not read, beside readers that do.
    Slow(Options),
    /// Many users with threads of their own: nobody sees another's.
    Users(Options),
    /// A thousand conversations whose models speak at once.
    Agents(Options),
    /// As many durable events a second as come in time, beside a bare SQLite loop and durable-streams-server.
    Durable(Options),
    /// The same fan-out through Netra, a bare axum loop, Socket.IO and ws.
    Compare(Options),
    /// Everything above with the sizes of the budgets.
    Bench {
        /// Where the figures go as JSON.
        #[arg(long)]
        out: Option<PathBuf>,
        /// The server.
        #[command(flatten)]
        target: Target,
    },
    /// A process with a part of the clients; started by the others.
    #[command(hide = true)]
    Worker,
    /// A loop that writes rows and syncs them; started by `durable`.
    #[command(hide = true)]
    Rows {
        /// The database's file.
        database: PathBuf,
        /// Threads, of which each commit has a row.
        threads: usize,
        /// How long it takes.
        seconds: u64,
    },
}

/// Sizes of a scenario. What is not given has a default that depends on the scenario.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Options {
    /// Clients.
    #[arg(long)]
    pub(crate) connections: Option<usize>,
    /// How long the measured part takes.
    #[arg(long)]
    pub(crate) seconds: Option<u64>,
    /// Events a second, over all threads.
    #[arg(long)]
    pub(crate) rate: Option<f64>,
    /// Threads that stream.
    #[arg(long)]
    pub(crate) threads: Option<usize>,
    /// Users.
    #[arg(long)]
    pub(crate) users: Option<usize>,
    /// How `resume` ends the server.
    #[arg(long, value_enum, ignore_case = true)]
    pub(crate) signal: Option<Signal>,
    /// Processes that hold the clients, at least; more are started when one may not open enough files.
    #[arg(long)]
    pub(crate) workers: Option<usize>,
    /// Without the servers and loops that a scenario is compared with.
    #[arg(long)]
    pub(crate) alone: bool,
    /// Prints JSON in place of the table.
    #[arg(long)]
    pub(crate) json: bool,
    /// The server.
    #[command(flatten)]
    pub(crate) target: Target,
}

/// How a server is ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "UPPER")]
pub(crate) enum Signal {
    /// At once.
    #[default]
    Kill,
    /// It is asked to.
    Term,
}

impl Signal {
    /// Its name without `SIG`.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Kill => "KILL",
            Self::Term => "TERM",
        }
    }
}

/// The server that is measured.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Target {
    /// The server to start; target/release/netra, else target/debug/netra.
    #[arg(long)]
    pub(crate) server_bin: Option<PathBuf>,
    /// What its commits outlive: `power` or `process`; `power` unless it is said.
    #[arg(long)]
    pub(crate) durability: Option<String>,
    /// A server that runs already, for `idle`. Its memory and CPU time are then not known.
    #[arg(long, requires = "token")]
    pub(crate) url: Option<String>,
    /// An API token of a user there.
    #[arg(long, env = "NETRA_LOAD_TOKEN", hide_env_values = true)]
    pub(crate) token: Option<String>,
}

impl Target {
    /// The server's binary.
    pub(crate) fn binary(&self) -> Result<PathBuf, Failure> {
        let given = self.server_bin.clone().into_iter();
        let built = ["target/release/netra", "target/debug/netra"].map(PathBuf::from);
        let found = given.chain(built).find(|path| path.exists()).map(std::fs::canonicalize);
        match (found, &self.url) {
            (Some(path), _) => Ok(path?),
            (None, Some(_)) => Ok(PathBuf::new()),
            (None, None) => Err("there is no server to start; build one with `make build`, or name it".into()),
        }
    }
}
