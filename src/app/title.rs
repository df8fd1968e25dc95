//! The document's title.

/// The page's name and the product's. `leptos_meta` writes it into the server's HTML as it is, so it is escaped there; in the
/// browser it is set as text.
///
/// Before it stands what a page has to say that nobody sees.
pub(crate) fn document_title(attention: &str, page: &str) -> String {
    let between = if page.is_empty() { "" } else { " · " };
    written(format!("{attention}{page}{between}Netra"))
}

#[cfg(feature = "ssr")]
fn written(title: String) -> String {
    title.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(not(feature = "ssr"))]
fn written(title: String) -> String {
    title
}
