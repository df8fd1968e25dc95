//! Where the page's program is, and the script that the page starts with. It has the browser load the program once what the
//! server drew is on the screen: on a slow line the program, ten times as large as the rest, would hold that up.

use leptos::{config::LeptosOptions, prelude::*};

use super::apart;

/// What runs before the application does.
const START: &str = include_str!("start.js");

/// The starting script, with the addresses of the program's script and of its WebAssembly: the whole first, then the parts that
/// this page needs.
pub(super) fn starting_script(options: &LeptosOptions) -> impl IntoView + use<> {
    let folder = format!("/{}", options.site_pkg_dir);
    let name = &options.output_name;
    let files: Vec<_> = std::iter::once(&**name)
        .chain(apart::files().iter().copied())
        .map(|file| format!("{folder}/{file}.wasm"))
        .collect();
    view! {
        <script
            nonce=nonce()
            data-program=format!("{folder}/{name}.js")
            data-files=files.join(" ")
            inner_html=START
        ></script>
    }
}

/// What lets a script of the page run: its content security policy names it.
#[cfg(feature = "ssr")]
fn nonce() -> Option<leptos::nonce::Nonce> {
    leptos::nonce::use_nonce()
}

#[cfg(not(feature = "ssr"))]
fn nonce() -> Option<String> {
    None
}
