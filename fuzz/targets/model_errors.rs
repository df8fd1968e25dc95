//! What a model's server says when it refuses: any bytes give words of bounded length.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| netra::server::agent::model::fuzz::refusal(bytes));
