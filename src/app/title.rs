//! The document's title.

/// The page's name and the product's. `leptos_meta` writes it into the server's HTML as it is, so it is escaped there; in the
/// browser it is set as text.
pub(crate) fn document_title(page: String) -> String {
    let title = if page.is_empty() { "Netra".to_owned() } else { format!("{page} · Netra") };
    written(title)
}

#[cfg(feature = "ssr")]
fn written(title: String) -> String {
    title.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(not(feature = "ssr"))]
fn written(title: String) -> String {
    title
}
