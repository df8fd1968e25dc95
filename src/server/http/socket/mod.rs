//! `GET /ws`: the handshake, the two halves of a connection, and what each client message does.

mod connection;
mod dispatch;
mod handshake;
mod inbound;
mod subscribe;

pub use handshake::upgrade;
