//! Which page is shown, and going from one to another without loading the document.

use leptos::prelude::*;

/// The pages that there are, as the server's routes name them.
#[cfg(feature = "ssr")]
pub const PATHS: [&str; 7] = ["/", "/login", "/t/{id}", "/account", "/settings", "/admin", "/admin/{section}"];

/// A page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Page {
    Login,
    Home,
    Thread,
    Account,
    Settings,
    Admin,
    Unknown,
}

impl Page {
    /// The page of a path.
    pub(crate) fn of(path: &str) -> Self {
        match path {
            "/login" => Self::Login,
            "/" => Self::Home,
            "/account" => Self::Account,
            "/settings" => Self::Settings,
            "/admin" => Self::Admin,
            path if names_one(path, "/t/") => Self::Thread,
            path if names_one(path, "/admin/") => Self::Admin,
            _ => Self::Unknown,
        }
    }
}

/// Whether a path is this one and a name.
fn names_one(path: &str, under: &str) -> bool {
    path.strip_prefix(under).is_some_and(|name| !name.is_empty() && !name.contains('/'))
}

/// The address of what is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    path: RwSignal<String>,
    /// What follows the question mark.
    query: RwSignal<String>,
}

/// The address, for whoever is drawn inside the application.
pub(crate) fn use_address() -> Address {
    expect_context()
}

impl Address {
    /// The path; follows it.
    pub(crate) fn path(self) -> String {
        self.path.get()
    }

    /// The path as it is now.
    pub(crate) fn path_now(self) -> String {
        self.path.get_untracked()
    }

    /// The page; follows it.
    pub(crate) fn page(self) -> Page {
        self.path.with(|path| Page::of(path))
    }

    /// A parameter of the query; follows it.
    pub(crate) fn parameter(self, name: &str) -> Option<String> {
        self.query.with(|query| parameter(query, name))
    }
}

#[cfg(not(feature = "hydrate"))]
impl Address {
    /// The address that was asked for.
    pub(super) fn current() -> Self {
        #[cfg(feature = "ssr")]
        let uri = use_context::<axum::http::request::Parts>().map(|parts| parts.uri).unwrap_or_default();
        #[cfg(feature = "ssr")]
        let (path, query) = (uri.path().to_owned(), uri.query().unwrap_or_default().to_owned());
        #[cfg(not(feature = "ssr"))]
        let (path, query) = (String::new(), String::new());
        Self { path: RwSignal::new(path), query: RwSignal::new(query) }
    }

    #[expect(clippy::unused_self, reason = "in the browser it listens")]
    pub(super) fn listen(self) {}

    /// Nobody goes anywhere on the server.
    #[expect(clippy::unused_self, reason = "in the browser it goes")]
    pub(crate) fn go(self, _: &str) {}
}

#[cfg(feature = "ssr")]
fn parameter(query: &str, name: &str) -> Option<String> {
    url::form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

#[cfg(not(any(feature = "ssr", feature = "hydrate")))]
fn parameter(_: &str, _: &str) -> Option<String> {
    None
}

#[cfg(feature = "hydrate")]
use browser::parameter;

#[cfg(feature = "hydrate")]
mod browser {
    use leptos::{ev, prelude::*};
    use wasm_bindgen::{JsCast, JsValue};
    use web_sys::{HtmlAnchorElement, MouseEvent, UrlSearchParams};

    use super::{Address, Page};
    use crate::app::{apart::when_here, offline::asks_for_document};

    pub(super) fn parameter(query: &str, name: &str) -> Option<String> {
        UrlSearchParams::new_with_str(query).ok()?.get(name)
    }

    /// Path and query of the document.
    fn shown() -> (String, String) {
        let location = window().location();
        (location.pathname().unwrap_or_default(), location.search().unwrap_or_default())
    }

    impl Address {
        /// The document's address.
        pub(crate) fn current() -> Self {
            let (path, query) = shown();
            Self { path: RwSignal::new(path), query: RwSignal::new(query) }
        }

        /// Follows links, Back and Forward from now on.
        pub(crate) fn listen(self) {
            let clicks = window_event_listener(ev::click, move |event| {
                if let Some(link) = link_to_page(&event) {
                    event.prevent_default();
                    self.go(&format!("{}{}", link.pathname(), link.search()));
                }
            });
            let moves = window_event_listener(ev::popstate, move |_| self.show());
            on_cleanup(move || {
                clicks.remove();
                moves.remove();
            });
        }

        /// Goes to a page.
        pub(crate) fn go(self, to: &str) {
            let (path, query) = shown();
            if to == format!("{path}{query}") {
                return;
            }
            let path = to.split_once('?').map_or(to, |(path, _)| path);
            if asks_for_document(path) && window().location().assign(to).is_ok() {
                return;
            }
            let page = Page::of(path);
            let to = to.to_owned();
            when_here(page, move || self.push(&to));
        }

        fn push(self, to: &str) {
            let pushed =
                window().history().and_then(|history| history.push_state_with_url(&JsValue::NULL, "", Some(to)));
            match pushed {
                Ok(()) => self.show(),
                Err(_) => leptos::logging::error!("the page cannot be left for {to}"),
            }
        }

        fn show(self) {
            let (path, query) = shown();
            // What has not changed makes nothing anew.
            if self.query.with_untracked(|known| *known != query) {
                self.query.set(query);
            }
            if self.path.with_untracked(|known| *known != path) {
                self.path.set(path);
            }
        }
    }

    /// The link that was clicked, if it leads to a page of the application and nothing asks for another window.
    fn link_to_page(event: &MouseEvent) -> Option<HtmlAnchorElement> {
        let elsewhere = event.meta_key() || event.alt_key() || event.ctrl_key() || event.shift_key();
        if event.default_prevented() || event.button() != 0 || elsewhere {
            return None;
        }
        let target = event.target()?.dyn_into::<web_sys::Element>().ok()?;
        let link = target.closest("a[href]").ok()??.dyn_into::<HtmlAnchorElement>().ok()?;
        let external = link.rel().split_whitespace().any(|word| word == "external");
        let ours = link.origin() == window().location().origin().ok()?;
        // What leads to a place in the page is the browser's.
        let leads_here = link.target().is_empty() && !link.has_attribute("download") && link.hash().is_empty();
        (ours && leads_here && !external).then_some(link)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_has_its_paths() {
        for (path, page) in [
            ("/", Page::Home),
            ("/login", Page::Login),
            ("/t/0199", Page::Thread),
            ("/account", Page::Account),
            ("/settings", Page::Settings),
            ("/admin", Page::Admin),
            ("/admin/sign-ins", Page::Admin),
            ("/admin/", Page::Unknown),
            ("/admin/users/1", Page::Unknown),
            ("/t/", Page::Unknown),
            ("/t/1/2", Page::Unknown),
            ("/nothing", Page::Unknown),
        ] {
            assert_eq!(Page::of(path), page, "{path}");
        }
        assert!(PATHS.iter().all(|path| Page::of(path) != Page::Unknown));
    }

    #[test]
    fn parameters_are_read_as_forms_write_them() {
        assert_eq!(parameter("next=/t/1%3Fa&mode=x+y", "mode").as_deref(), Some("x y"));
        assert_eq!(parameter("next=/t/1%3Fa", "next").as_deref(), Some("/t/1?a"));
        assert_eq!(parameter("", "next"), None);
    }
}
