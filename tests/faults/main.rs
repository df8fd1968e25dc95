//! Netra behind a network that fails: the real binary, the real client session, and a TCP proxy between them that cuts,
//! silences and slows connections.
//!
//! - [`proxy`]: what the network does. [`client`]: the session and the reducer of the browser over a native socket.
//! - [`stage`]: a server, a scripted model and a user. [`oracle`]: what a client must have in the end.
//! - the other modules: one kind of failure each.
#![cfg(feature = "ssr")]

// The black-box tests use all of it; these use a part.
#[allow(dead_code)]
#[path = "../black_box/support/mod.rs"]
mod support;

mod client;
mod narrow;
mod oracle;
mod proxy;
mod stage;

mod cuts;
mod expiry;
mod half_open;
mod last_event;
mod lost_ack;
mod overtaking;
mod proxied;
mod rate;
mod slow_readers;
mod upload;
