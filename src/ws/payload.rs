//! What each message carries. Field by field as on the wire; optional fields are left out, never `null`.

mod client;
mod event;
mod server;

use serde::{Deserialize, Serialize};

pub use client::*;
pub use event::*;
pub use server::*;

/// `{}`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Empty {}
