//! An answer's Markdown, growing or whole: it becomes known elements that all end, and links that lead where they may.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (bool, Vec<u8>)| {
    let (growing, bytes) = input;
    netra::server::fuzz::answer(growing, &bytes);
});
