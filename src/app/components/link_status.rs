//! The link, in words that are true.

use std::time::Duration;

use leptos::prelude::*;
use netra_ws::session::Link;

use crate::app::{
    address::use_address,
    next,
    socket::use_socket,
    store::use_store,
    view::{Erase, effect, live, memo, part, view, words},
};

/// What the link is doing, and a way to try again.
#[component]
pub(crate) fn LinkStatus() -> impl IntoView {
    let store = use_store();
    let socket = use_socket();
    // Seconds since the state changed, for the countdown; the moment to count to is the session's.
    let elapsed = RwSignal::new(0_u64);
    let link = store.link.clone();
    let counting = memo(move || {
        elapsed.set(0);
        matches!(link.get(), Link::Reconnecting { .. } | Link::Unreachable { retry_at: Some(_), .. })
    });
    let ticking = StoredValue::new(None::<IntervalHandle>);
    let tick = move || elapsed.update(|seconds| *seconds += 1);
    let stop = move || {
        if let Some(handle) = ticking.try_get_value().flatten() {
            handle.clear();
        }
    };
    effect(move || {
        stop();
        let counting = counting.get().then(|| set_interval_with_handle(tick, Duration::from_secs(1)).ok()).flatten();
        ticking.set_value(counting);
    });
    on_cleanup(stop);
    let described = {
        let store = store.clone();
        move || {
            let since = store.clock.get();
            let left = |at: u64| (at.saturating_sub(since) / 1000 + 1).saturating_sub(elapsed.get()).max(1);
            match store.link.get() {
                Link::Connecting => ("connecting", "Connecting".to_owned(), String::new(), None),
                Link::Live => ("live", "Live".to_owned(), String::new(), None),
                Link::Reconnecting { retry_at } => {
                    ("reconnecting", "Reconnecting".to_owned(), format!(" in {} s", left(retry_at)), Some("Try now"))
                }
                Link::Offline => {
                    ("offline", "Offline: messages will go out when you are back".to_owned(), String::new(), None)
                }
                Link::Unreachable { reason, retry_at } => {
                    let next = retry_at.map(|at| format!(", next try in {} s", left(at))).unwrap_or_default();
                    ("unreachable", format!("Cannot reach the server: {reason}"), next, Some("Retry"))
                }
                Link::SignedOut => ("signed-out", "Signed out".to_owned(), String::new(), None),
            }
        }
    };
    let described = memo(described);
    let address = use_address();
    // Made anew when it becomes another, not with each second of a countdown: the focus may be on it.
    let way_out = memo(move || described.with(|(state, .., retry)| (*state == "signed-out", *retry)));
    view! {
        <div class="link-status" role="status" data-state=live(move || described.get().0)>
            <span class="link-dot" aria-hidden="true"></span>
            <span class="link-text">
                <span>{words(move || described.get().1)}</span>
                // The seconds are for the eye: they would be read out one by one.
                <span aria-hidden="true">{words(move || described.get().2)}</span>
            </span>
            {part(move || {
                let socket = socket.clone();
                match way_out.get() {
                    (_, Some(label)) => {
                        view! {
                            <button type="button" class="link-retry" on:click=move |_| socket.try_now()>
                                {label}
                            </button>
                        }
                            .erase()
                    }
                    (true, None) => {
                        view! {
                            <a class="link-retry" href=live(move || next::login("", &address.path())) rel="external">
                                "Sign in"
                            </a>
                        }
                            .erase()
                    }
                    (false, None) => ().erase(),
                }
            })}
        </div>
    }
    .erase()
}
