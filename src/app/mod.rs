//! The page, rendered by the server and taken over by the browser.

// The component macro makes its items `pub`, whatever their module shows.
#![allow(unreachable_pub)]

pub mod api;
pub mod boot;
mod components;
#[cfg(feature = "hydrate")]
mod kept;
mod markdown;
mod pages;
mod room;
mod socket;
mod store;
mod time;
mod title;
mod view;

use leptos::prelude::*;
use leptos_meta::{MetaTags, Title, provide_meta_context};
use leptos_router::{
    components::{ParentRoute, Route, Router, Routes},
    path,
};

use boot::Boot;
use pages::{ChatLayout, HomePage, LoginPage, NotFoundPage, ThreadPage};
use socket::provide_socket;
use store::AppStore;

/// The document around the application.
pub fn shell(options: LeptosOptions) -> impl IntoView {
    let boot = Boot::current().to_script();
    view! {
        <!DOCTYPE html>
        <html lang="en">
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
                <script type="application/json" id=boot::SCRIPT_ID inner_html=boot></script>
                <AutoReload options=options.clone() />
                <HydrationScripts options />
                <MetaTags />
            </head>
            <body>
                <App />
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
    provide_socket(store);
    view! {
        <Title formatter=title::document_title />
        <Router>
            <Routes fallback=NotFoundPage>
                <Route path=path!("/login") view=LoginPage />
                <ParentRoute path=path!("") view=ChatLayout>
                    <Route path=path!("") view=HomePage />
                    <Route path=path!("t/:id") view=ThreadPage />
                </ParentRoute>
            </Routes>
        </Router>
    }
}
