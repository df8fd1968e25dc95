//! The HTTP interface beside the socket (§1, §9), and the pages.

mod auth;
mod bodies;
mod discovery;
mod finding;
mod list;
mod messages;
mod page;
mod reference;
mod refusals;
mod security;
mod specification;
mod threads;
