//! Switches between light, dark, and as the system has it.

use leptos::prelude::*;

use super::Icon;
use crate::app::{
    theme::Theme,
    view::{Erase, live, part, view},
};

/// One button; each press is the next choice.
#[component]
pub(crate) fn ThemeSwitch() -> impl IntoView {
    let theme = RwSignal::new(Theme::current());
    let words = move || theme.get().words();
    let press = move |_| {
        theme.update(|theme| *theme = theme.next());
        theme.get_untracked().apply();
    };
    view! {
        <button
            type="button"
            class="icon-button theme-switch"
            aria-label=live(words)
            title=live(words)
            on:click=press
        >
            {part(move || match theme.get() {
                Theme::System => Icon::Screen.view(),
                Theme::Light => Icon::Sun.view(),
                Theme::Dark => Icon::Moon.view(),
            })}
        </button>
    }
    .erase()
}
