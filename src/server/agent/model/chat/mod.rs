//! Chat completions with `stream: true`, as OpenAI describes them and others vary them.

mod chunk;
mod request;

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Settings, Turn, parts::Part, stream::Wire};
use chunk::Assembly;

/// What every OpenAI-compatible endpoint speaks.
pub struct Chat;

impl Wire for Chat {
    const PATH: &str = "chat/completions";
    type Answer = Assembly;

    fn request(settings: &Settings, turn: &Turn<'_>, left_out: &BTreeSet<Part>) -> Value {
        request::body(settings, turn, left_out)
    }
}
