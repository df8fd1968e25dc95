//! A model's answer, of any of the three protocols, in pieces of any size: it is read to an end, and the cuts change nothing.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, u8, Vec<u8>)| {
    let (protocol, piece, bytes) = input;
    netra::server::agent::model::fuzz::answer(protocol, usize::from(piece) + 1, &bytes);
});
