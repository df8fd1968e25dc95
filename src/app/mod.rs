//! The page, rendered by the server and taken over by the browser.

// The component macro makes its items `pub`, whatever their module shows.
#![allow(unreachable_pub)]

pub mod account;
pub mod address;
mod apart;
pub mod api;
pub mod boot;
pub mod call;
pub(crate) mod components;
#[cfg(feature = "ssr")]
mod device;
mod fetch;
#[cfg(feature = "hydrate")]
mod kept;
mod keyboard;
pub(crate) mod markdown;
pub(crate) mod next;
#[cfg_attr(not(feature = "hydrate"), allow(dead_code))]
mod notification;
mod offline;
mod pages;
mod program;
mod remembered;
mod room_view;
mod seen;
mod sentence;
pub mod settings;
pub(crate) mod signed_in_at;
pub(crate) mod size;
mod socket;
mod standing;
mod store;
mod tap;
mod theme;
mod time;
mod title;
#[cfg(feature = "hydrate")]
mod unread;
mod view;
#[cfg(feature = "hydrate")]
mod within;

use leptos::prelude::*;
use leptos_meta::{MetaTags, Title, provide_meta_context};

use address::{Address, Page};
#[cfg(feature = "ssr")]
pub(crate) use apart::CONVERSATION_STYLE;
use apart::provide_parts;
use boot::Boot;
use pages::{ChatLayout, LoginPage};
use seen::Seen;
use socket::provide_socket;
use store::AppStore;
use view::{Erase, memo, part};

/// The element that the application is drawn into. It has one of its own, for `body` belongs to extensions as well.
pub const ROOT_ID: &str = "netra";

/// The document around the application.
pub fn shell(options: LeptosOptions) -> impl IntoView {
    let boot = Boot::current().to_script();
    let style = apart::style(&options.site_pkg_dir).map(|address| view! { <link rel="stylesheet" href=address /> });
    view! {
        <!DOCTYPE html>
        <html lang="en" data-theme=theme::Theme::current().attribute()>
            <head>
                <meta charset="utf-8" />
                <meta
                    name="viewport"
                    content="width=device-width, initial-scale=1, viewport-fit=cover, interactive-widget=resizes-content"
                />
                <meta name="color-scheme" content="light dark" />
                <meta name="theme-color" media="(prefers-color-scheme: light)" content="#fbfcfe" />
                <meta name="theme-color" media="(prefers-color-scheme: dark)" content="#0d0f15" />
                <meta name="description" content="A self-hosted chat for AI agents" />
                <link rel="icon" href="/favicon.svg" type="image/svg+xml" />
                <link rel="apple-touch-icon" href="/apple-touch-icon.png" />
                <link rel="manifest" href="/manifest.webmanifest" />
                <link rel="stylesheet" href=options.css_path() />
                {style}
                {program::starting_script(&options)}
                <script type="application/json" id=boot::SCRIPT_ID inner_html=boot></script>
                <AutoReload options />
                <MetaTags />
            </head>
            <body>
                <noscript>
                    <p class="start">
                        "This page needs JavaScript to send messages and to follow answers. What is here can be read without it."
                    </p>
                </noscript>
                <div class="start" id="start-trouble" role="alert" hidden>
                    <p id="start-words"></p>
                    <a class="button" href="">
                        "Reload"
                    </a>
                </div>
                // A translator that came before the application would change what the application expects to find.
                <div id=ROOT_ID translate="no">
                    <App />
                </div>
            </body>
        </html>
    }
}

/// The application: its state, its socket, and its pages. The socket is made here, above every page, so that no navigation
/// touches it.
#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    let store = AppStore::new(Boot::current());
    provide_context(store.clone());
    #[cfg(feature = "hydrate")]
    offline::provide(&store);
    provide_socket(store.clone());
    components::watch_history();
    let address = Address::current();
    provide_context(address);
    address.listen();
    provide_parts(&store);
    let attention = Seen::provide(&store).attention(&store);
    provide_context(theme::Chosen::new());
    let signs_in = memo(move || address.page() == Page::Login);
    view! {
        <Title formatter=move |page: String| title::document_title(&attention.get(), &page) />
        {part(move || if signs_in.get() { view! { <LoginPage /> }.erase() } else { view! { <ChatLayout /> }.erase() })}
    }
}

/// Takes over what the server rendered, then tells `start.js`, which has kept what was typed and pressed until now.
///
/// # Panics
/// When the page is not one that this program can take over; `start.js` says so.
#[cfg(feature = "hydrate")]
pub fn start() {
    use leptos::{mount::hydrate_from, wasm_bindgen::JsCast, web_sys::Event};

    let Some(root) = document().get_element_by_id(ROOT_ID) else {
        wasm_bindgen::throw_str("the page has no place for it");
    };
    // Leptos has its own executor once it draws.
    wasm_bindgen_futures::spawn_local(async move {
        if apart::load_first().await.is_err() {
            wasm_bindgen::throw_str("a part of it did not come");
        }
        hydrate_from(root.unchecked_into(), App).forget();
        if let Ok(alive) = Event::new("netra:alive") {
            let _ = window().dispatch_event(&alive);
        }
    });
}
