//! `GET /ws`: the handshake, the two halves of a connection, and what each client message does.

mod connection;
mod dispatch;
mod handshake;
mod inbound;
mod rest;
mod rooms;
mod subscribe;

pub use handshake::upgrade;
