//! HTTP: one file a concern.

pub mod admin;
pub mod auth;
pub mod discovery;
mod extract;
pub mod guard;
pub mod health;
pub mod members;
pub mod metrics;
pub mod openapi;
pub mod page;
pub mod socket;
pub mod threads;
pub mod tokens;

pub use extract::{ApiJson, ApiPath, ApiQuery, session_cookie, signed_out_cookie};
pub(crate) use extract::{bearer, identify};
