//! Netra from outside: the real binary, real sockets, a real HTTP provider.
//!
//! Nothing here knows the server's types. Each test reads the wire contract as a client author would, starts its own
//! server on a free port with its own data folder, and speaks JSON to it.
//!
//! - [`support`]: the server process, a user, a socket, the order rules, a scripted provider.
//! - the other modules: one part of the contract each.
#![cfg(feature = "ssr")]

mod support;

mod accounts;
mod accounts_closed;
mod acp;
mod administration;
mod agents_check;
mod aimock;
mod api_tokens;
mod approvals;
mod attachments;
mod attacks;
mod bounded;
mod branches;
mod browser;
mod bucket;
mod chosen_ids;
mod clock;
mod config;
mod conform;
mod continuing;
mod deploy;
mod failing_disk;
mod fanout;
mod faults_inside;
mod frames;
mod handshake;
mod hostile_cursors;
mod http;
mod idempotency;
mod importing;
mod isolation;
mod jsonrpc;
mod killed;
mod kills;
mod limits;
mod liveness;
mod logs;
mod mail;
mod mcp;
mod members;
mod metrics;
mod notices;
mod printed;
mod queue;
mod read_only_links;
mod record;
mod remote;
mod replayed;
mod restart;
mod resume;
mod roles;
mod rooms;
mod runs;
mod scripted;
mod second_factor;
mod shapes;
mod shutdown;
mod single_sign_on;
mod snapshot;
mod sub_agents;
mod taken_up;
mod tokens;
mod traces;
mod trimming;
mod upstream;
mod variants;
