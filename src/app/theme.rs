//! Light, dark, or as the system has it.
//!
//! The choice is a cookie: the server writes it into the document, so that no page is drawn in the wrong colours first.

use leptos::prelude::RwSignal;

/// The theme that the page has, for all who show or change it.
#[derive(Clone, Copy)]
pub(crate) struct Chosen(pub(crate) RwSignal<Theme>);

impl Chosen {
    /// As the document has it.
    pub(crate) fn new() -> Self {
        Self(RwSignal::new(Theme::current()))
    }

    /// Shows the page so.
    pub(crate) fn set(self, theme: Theme) {
        leptos::prelude::Set::set(&self.0, theme);
        theme.apply();
    }
}

/// What the reader chose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Theme {
    /// As the system has it.
    #[default]
    System,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

/// The cookie that keeps it.
const COOKIE: &str = "netra_theme";

impl Theme {
    /// The choice after this one.
    pub(crate) const fn next(self) -> Self {
        match self {
            Self::System => Self::Light,
            Self::Light => Self::Dark,
            Self::Dark => Self::System,
        }
    }

    /// What the document's `data-theme` says; nothing when the system decides.
    pub(crate) const fn attribute(self) -> Option<&'static str> {
        match self {
            Self::System => None,
            Self::Light => Some("light"),
            Self::Dark => Some("dark"),
        }
    }

    /// In words.
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::System => "Theme: as the system",
            Self::Light => "Theme: light",
            Self::Dark => "Theme: dark",
        }
    }

    #[cfg(any(feature = "ssr", test))]
    fn of_cookies(cookies: &str) -> Self {
        let value = cookies.split(';').filter_map(|cookie| cookie.trim().split_once('='));
        match value.into_iter().find(|(name, _)| *name == COOKIE) {
            Some((_, "light")) => Self::Light,
            Some((_, "dark")) => Self::Dark,
            Some(_) | None => Self::System,
        }
    }

    /// The reader's choice, from the request.
    #[cfg(feature = "ssr")]
    pub(crate) fn current() -> Self {
        let parts = leptos::prelude::use_context::<axum::http::request::Parts>();
        let cookies = parts.iter().flat_map(|parts| parts.headers.get_all(axum::http::header::COOKIE));
        let mut chosen = cookies.filter_map(|cookies| cookies.to_str().ok()).map(Self::of_cookies);
        chosen.find(|theme| *theme != Self::System).unwrap_or_default()
    }

    /// The reader's choice, from the document.
    #[cfg(not(feature = "ssr"))]
    pub(crate) fn current() -> Self {
        let root = leptos::prelude::document().document_element();
        match root.and_then(|root| root.get_attribute("data-theme")).as_deref() {
            Some("light") => Self::Light,
            Some("dark") => Self::Dark,
            Some(_) | None => Self::System,
        }
    }

    /// Shows the page so, and keeps the choice for a year.
    #[cfg(feature = "hydrate")]
    pub(crate) fn apply(self) {
        use wasm_bindgen::JsCast;
        let document = leptos::prelude::document();
        if let Some(root) = document.document_element() {
            let set = match self.attribute() {
                Some(name) => root.set_attribute("data-theme", name),
                None => root.remove_attribute("data-theme"),
            };
            if set.is_err() {
                leptos::logging::warn!("the theme could not be changed");
            }
        }
        let (value, age) = self.attribute().map_or(("", 0), |name| (name, 365 * 24 * 3600));
        let cookie = format!("{COOKIE}={value}; Path=/; Max-Age={age}; SameSite=Lax");
        // Where cookies are forbidden, the choice lasts as long as the page.
        let kept = document.dyn_ref::<web_sys::HtmlDocument>().is_some_and(|page| page.set_cookie(&cookie).is_ok());
        if !kept {
            leptos::logging::warn!("the theme is not kept");
        }
    }

    /// Only browsers show pages.
    #[cfg(not(feature = "hydrate"))]
    #[allow(clippy::unused_self)]
    pub(crate) fn apply(self) {}
}

#[cfg(test)]
mod tests {
    use super::Theme;

    #[test]
    fn cookies() {
        let check = |cookies: &str, theme: Theme| assert_eq!(Theme::of_cookies(cookies), theme, "{cookies:?}");
        check("a=b; netra_theme=dark", Theme::Dark);
        check("netra_theme=light;a=b", Theme::Light);
        check("netra_theme=\"><script>", Theme::System);
        check("xnetra_theme=dark", Theme::System);
        check("", Theme::System);
    }
}
