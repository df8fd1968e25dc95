//! HTTP: one file a concern.

pub mod account;
pub mod admin;
pub mod ag_ui;
pub mod attachments;
pub mod auth;
pub mod commands;
pub mod connections;
pub mod continuing;
pub mod discovery;
pub(crate) mod drain;
pub mod export;
mod extract;
pub(crate) mod forms;
pub mod guard;
pub mod health;
pub mod import;
pub mod invitations;
pub mod members;
pub mod metrics;
pub mod oidc;
pub mod openapi;
pub mod page;
mod page_size;
pub mod read_only_links;
pub mod socket;
pub mod thread_export;
pub mod threads;
pub mod tokens;
pub mod unread;

pub use extract::{ApiJson, ApiPath, ApiQuery, session_cookie, signed_out_cookie};
pub(crate) use extract::{asker, bearer, session_secret};
