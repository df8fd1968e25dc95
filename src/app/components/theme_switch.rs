//! Switches between light, dark, and as the system has it.

use leptos::prelude::*;

use super::Icon;
use crate::app::{
    theme::{Chosen, Theme},
    view::{Erase, live, part, view},
};

/// One button; each press is the next choice.
#[component]
pub(crate) fn ThemeSwitch() -> impl IntoView {
    let chosen = expect_context::<Chosen>();
    let theme = chosen.0;
    let words = move || theme.get().words();
    let press = move |_| chosen.set(theme.get_untracked().next());
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
