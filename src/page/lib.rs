//! What the browser loads: the page's one entry.

#![cfg(feature = "hydrate")]

use wasm_bindgen::prelude::wasm_bindgen;

/// Takes over the page that the server rendered.
#[wasm_bindgen]
pub fn hydrate() {
    netra::hydrate();
}
