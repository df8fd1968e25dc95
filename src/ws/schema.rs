//! The specification, made from the types: JSON Schema 2020-12 of every frame, and AsyncAPI 3 of the socket.
//!
//! Field names, descriptions and shapes come from the types; what a frame of each message carries beside its payload is said
//! here. A test holds the committed files equal to what this module makes.

mod asyncapi;
mod examples;
mod frames;

pub use asyncapi::asyncapi;
pub use examples::example;
pub use frames::{Direction, closed, messages};

#[cfg(test)]
#[path = "schema_tests.rs"]
mod tests;
