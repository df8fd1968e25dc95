//! Icons: one path each, drawn with the text's colour. They are decoration; what they mean stands beside them in words.

use leptos::prelude::*;

use crate::app::view::{Erase, view};

/// The shapes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Icon {
    Plus,
    Search,
    Send,
    Clip,
    Stop,
    Copy,
    Check,
    Cross,
    Dash,
    Alert,
    Clock,
    Chevron,
    Pencil,
    Pin,
    Bin,
    Menu,
    Close,
    Down,
    People,
    Archive,
    Restore,
    Export,
    Pulse,
    Sun,
    Moon,
    Screen,
}

impl Icon {
    const fn path(self) -> &'static str {
        match self {
            Self::Plus => "M8 3v10M3 8h10",
            Self::Search => "M7 12A5 5 0 1 0 7 2a5 5 0 0 0 0 10ZM14 14l-3.5-3.5",
            Self::Send => "M8 13V3M3.5 7.5 8 3l4.5 4.5",
            Self::Clip => {
                "M13 7.5 8 12.5a3.2 3.2 0 0 1-4.5-4.5L9 2.5a2.1 2.1 0 0 1 3 3L6.7 10.8a1 1 0 0 1-1.5-1.5L10 4.5"
            }
            Self::Stop => "M4 4h8v8H4z",
            Self::Copy => "M6 6h8v8H6zM10 6V2H2v8h4",
            Self::Check => "M3 8.5 6.5 12 13 4.5",
            Self::Cross => "M4 4l8 8M12 4l-8 8",
            Self::Dash => "M3.5 8h9",
            Self::Alert => "M8 2 15 14H1ZM8 6.5v3M8 11.8v.2",
            Self::Clock => "M8 14.5a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13ZM8 4.5V8l2.5 1.5",
            Self::Chevron => "M6 3.5 10.5 8 6 12.5",
            Self::Pencil => "M2.5 13.5 3 10.5l7.5-7.5 2.5 2.5L5.5 13ZM9 4.5 11.5 7",
            Self::Pin => "M6 2h4l.5 5L13 9.5H3L5.5 7ZM8 9.5V14",
            Self::Bin => "M2.5 4h11M6 4V2h4v2M4 4l.7 10h6.6L12 4M6.7 6.8v4.6M9.3 6.8v4.6",
            Self::Menu => "M2 4h12M2 8h12M2 12h12",
            Self::Close => "M10.5 3.5 6 8l4.5 4.5",
            Self::People => {
                "M6 7.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5ZM1.5 13.5a4.5 4.5 0 0 1 9 0M11 3a2.3 2.3 0 0 1 0 4.4M12 9.6a4 4 0 0 1 2.5 3.9"
            }
            Self::Archive => "M2 3h12v3H2ZM3 6v7h10V6M6.5 9h3",
            Self::Restore => "M2 3h12v3H2ZM3 6v7h10V6M8 11.5v-4M6 9.2 8 7.2l2 2",
            Self::Export => "M8 2v8M4.5 6.5 8 10l3.5-3.5M2.5 11v3h11v-3",
            Self::Pulse => "M1.5 8.5h3L6.5 3l3 10 2-4.5h3",
            Self::Sun => {
                "M8 11a3 3 0 1 0 0-6 3 3 0 0 0 0 6ZM8 1v1.5M8 13.5V15M1 8h1.5M13.5 8H15M3 3l1 1M12 12l1 1M13 3l-1 1M4 12l-1 1"
            }
            Self::Moon => "M13.5 9.5A6 6 0 1 1 6.5 2.5a5 5 0 0 0 7 7Z",
            Self::Screen => "M2 3h12v8H2ZM5.5 13.5h5",
            Self::Down => "M8 3v10M3.5 8.5 8 13l4.5-4.5",
        }
    }

    /// The icon as an element.
    pub(crate) fn view(self) -> AnyView {
        self.with_class("icon")
    }

    /// The icon with classes of its own.
    pub(crate) fn with_class(self, class: &'static str) -> AnyView {
        drawn(self.path(), class)
    }
}

/// A path of its own as an icon, for what is not on every page.
pub(super) fn drawn(path: &'static str, class: &'static str) -> AnyView {
    view! {
        <svg
            class=class
            viewBox="0 0 16 16"
            fill="none"
            stroke="currentColor"
            stroke-width="1.5"
            stroke-linecap="round"
            stroke-linejoin="round"
            aria-hidden="true"
        >
            <path d=path></path>
        </svg>
    }
    .erase()
}

/// The mark: an iris.
#[component]
pub(crate) fn Mark(#[prop(default = "mark")] class: &'static str) -> impl IntoView {
    view! {
        <svg
            class=class
            viewBox="0 0 16 16"
            fill="none"
            stroke="currentColor"
            stroke-width="1.9"
            stroke-linecap="round"
            aria-hidden="true"
        >
            <path d="M1.4 8.2A7 7 0 0 1 12.2 3.5M14.6 7.8A7 7 0 0 1 3.8 12.5M6.8 8a1.2 1.2 0 1 0 2.4 0a1.2 1.2 0 1 0-2.4 0M8 8h.01"></path>
        </svg>
    }
    .erase()
}
