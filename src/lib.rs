//! Netra: a self-hosted chat for AI agents. `app` is the page, on both sides; `server` is the backend,
//! `conform` holds any server to the protocol.

// Views are nested types.
#![recursion_limit = "512"]

pub mod app;
#[cfg(feature = "ssr")]
pub mod conform;
#[cfg(feature = "ssr")]
pub mod server;

/// Takes over the page that the server rendered; the crate in `src/page` is what the browser loads.
#[cfg(feature = "hydrate")]
pub fn hydrate() {
    console_error_panic_hook::set_once();
    app::start();
}
