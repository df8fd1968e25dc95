//! Small choices that this browser remembers: the agent, whether the sidebar is open, what Enter means. Losing one costs nothing, so they
//! lie in `localStorage`, which is read at once; what a person has typed is kept elsewhere, with more care.

use netra_ws::{ThreadId, UserId};

pub(crate) use browser::{recall, remember};

/// The choice of a sidebar beside the page. `start.js` reads it too, before the page is drawn.
pub(crate) const SIDEBAR: &str = "netra.sidebar";

/// Whether Enter sends (`enter`, the default) or only Control and Enter do (`control`). `start.js` reads it too.
pub(crate) const SENDS: &str = "netra.sends";

/// Whether rows stand close together (`compact`). `start.js` reads it, before the page is drawn.
pub(crate) const DENSITY: &str = "netra.density";

/// Whether the reader wants to be told outside of the page (`on`).
pub(crate) const NOTIFIES: &str = "netra.notifies";

/// The choice of an agent: for new conversations, or for one.
pub(crate) fn agent_key(user: Option<UserId>, thread: Option<ThreadId>) -> Option<String> {
    let user = user?;
    Some(thread.map_or_else(|| format!("netra.agent.{user}"), |thread| format!("netra.agent.{user}.{thread}")))
}

#[cfg(feature = "hydrate")]
mod browser {
    use leptos::prelude::*;

    /// What was chosen last.
    pub(crate) fn recall(key: &str) -> Option<String> {
        window().local_storage().ok().flatten()?.get_item(key).ok().flatten()
    }

    /// Remembers a choice. A browser that stores nothing forgets it, as its owner wants.
    pub(crate) fn remember(key: &str, value: &str) {
        if let Ok(Some(storage)) = window().local_storage() {
            let _ = storage.set_item(key, value);
        }
    }
}

#[cfg(not(feature = "hydrate"))]
mod browser {
    pub(crate) fn recall(_: &str) -> Option<String> {
        None
    }

    pub(crate) fn remember(_: &str, _: &str) {}
}
