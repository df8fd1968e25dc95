//! Tells outside of the page, for those who want that, of an answer that ended and of a question that waits, while nobody sees it.

use leptos::prelude::*;

#[cfg(feature = "hydrate")]
use std::{collections::HashMap, time::Duration};

#[cfg(feature = "hydrate")]
use netra_ws::{ThreadId, model::Thread};

#[cfg(feature = "hydrate")]
use crate::app::{
    address::{Address, use_address},
    markdown, notification,
    seen::use_seen,
    store::use_store,
    view::effect,
};

/// Where several tabs are open, the one that is looked at has so long to say that it was seen there.
#[cfg(feature = "hydrate")]
const ELSEWHERE: Duration = Duration::from_millis(600);

/// Follows the conversations; nothing of it is seen.
#[component]
pub(crate) fn Notifier() -> impl IntoView {
    #[cfg(feature = "hydrate")]
    follow();
}

#[cfg(feature = "hydrate")]
fn follow() {
    let threads = use_store().threads;
    let seen = use_seen();
    let address = use_address();
    let mut known: Option<HashMap<ThreadId, (bool, bool)>> = None;
    effect(move || {
        let now = threads.get();
        let states = now.iter().map(|thread| (thread.id, (thread.running, thread.waiting))).collect();
        let Some(before) = known.replace(states) else { return };
        if seen.visible.get_untracked() {
            return;
        }
        for thread in now {
            let Some((ran, waited)) = before.get(&thread.id).copied() else { continue };
            let words = match (thread.waiting && !waited, ran && !thread.running) {
                (true, _) => "An agent waits for you.",
                (false, true) => "The answer is here.",
                (false, false) => continue,
            };
            set_timeout(
                move || {
                    if seen.has_news(&thread) {
                        tell(&thread, words, address);
                    }
                },
                ELSEWHERE,
            );
        }
    });
}

/// Tabs that tell of one conversation replace each other's words.
#[cfg(feature = "hydrate")]
fn tell(thread: &Thread, words: &str, address: Address) {
    let title = if thread.title.is_empty() { "Netra".to_owned() } else { markdown::words(&thread.title) };
    let path = format!("/t/{}", thread.id);
    notification::show(&title, words, &thread.id.to_string(), move || address.go(&path));
}
