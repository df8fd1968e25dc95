//! `GET /ws`: the handshake, the two halves of a connection, and what each client message does.
//!
//! Each file uses only those below it: `handshake`, `duplex`, then `inbound`, `dispatch`, `presence`, `reply` to read and
//! `writer`, `rest`, `deadlines` to write.

mod deadlines;
mod dispatch;
mod duplex;
mod handshake;
mod inbound;
mod presence;
mod reply;
mod rest;
mod writer;

pub use handshake::upgrade;
