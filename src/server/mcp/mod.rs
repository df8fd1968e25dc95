//! The Model Context Protocol, both ways: the tools of others for our agents ([`client`]), and our agents as tools for others ([`server`]).

pub mod client;
pub mod server;
