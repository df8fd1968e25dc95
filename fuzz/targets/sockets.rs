//! What comes by a WebSocket, in pieces of any size: its frames are counted, its text is read, and an event is applied once.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, Vec<u8>)| {
    let (piece, bytes) = input;
    netra::server::fuzz::socket(usize::from(piece) + 1, &bytes);
});
