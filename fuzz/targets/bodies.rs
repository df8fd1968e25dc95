//! What comes by HTTP: any body and query is read, or refused in few words.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, Vec<u8>)| {
    let (kind, bytes) = input;
    netra::server::fuzz::body(kind, &bytes);
});
