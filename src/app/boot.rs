//! What the page carries from the server: enough to render it, and to open the socket without a round trip.

use leptos::prelude::*;
use netra_ws::{
    ThreadId, Timestamp,
    discovery::{AuthInfo, Discovery, SocketInfo},
    model::User,
    payload::{Limits, ThreadSnapshot},
    session::Token,
};
use serde::{Deserialize, Serialize};

use super::api::ThreadPage;

/// The version of this program.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The element that holds it.
pub const SCRIPT_ID: &str = "netra-boot";

/// The page's first state, the same on both sides.
#[derive(Clone, Serialize, Deserialize)]
pub struct Boot {
    /// What a client reads before it connects.
    pub discovery: Discovery,
    /// The server's clock when it rendered the page.
    pub now: Timestamp,
    /// Who is signed in.
    pub user: Option<User>,
    /// A token for the socket.
    pub token: Option<Token>,
    /// The newest threads.
    pub threads: ThreadPage,
    /// The thread that the page shows.
    pub thread: Option<ThreadSnapshot>,
    /// Whether the server sends mail, with which a forgotten password is set anew.
    #[serde(default)]
    pub mail: bool,
    /// Whether its reader may only read it.
    #[serde(default)]
    pub reads_only: bool,
    /// The thread that was asked for and is not there.
    pub missing: Option<ThreadId>,
}

impl Boot {
    /// A page for nobody.
    pub fn new(discovery: Discovery, now: Timestamp) -> Self {
        Self {
            discovery,
            now,
            user: None,
            token: None,
            threads: ThreadPage::default(),
            thread: None,
            mail: false,
            reads_only: false,
            missing: None,
        }
    }

    /// The page's own, from the request on the server and from the document in the browser.
    pub fn current() -> Self {
        Self::read().unwrap_or_else(|| Self::new(nowhere(), Timestamp::default()))
    }

    #[cfg(feature = "ssr")]
    fn read() -> Option<Self> {
        // Absent when Leptos lists the routes at start.
        use_context::<axum::http::request::Parts>()?.extensions.get().cloned()
    }

    #[cfg(not(feature = "ssr"))]
    fn read() -> Option<Self> {
        let element = document().get_element_by_id(SCRIPT_ID)?;
        let text = element.text_content()?;
        // By way of a value, like every frame: the types are then read in one way, and their code is loaded once.
        let boot: Option<Self> = serde_json::from_str(&text).and_then(serde_json::from_value).ok();
        // A cache may hand out a program of one version with a page of another. Each alone would be right.
        let Some(boot) = boot.filter(|boot| boot.discovery.version == VERSION) else {
            wasm_bindgen::throw_str("it is of another version than the server")
        };
        // The token has been read; it need not stay in the document.
        element.remove();
        Some(boot)
    }

    /// The JSON inside a `<script>`: `<` is escaped, so that no text of a message can end it.
    pub fn to_script(&self) -> String {
        serde_json::to_string(self).unwrap_or_default().replace('<', "\\u003c")
    }
}

fn nowhere() -> Discovery {
    Discovery {
        version: String::new(),
        protocol: netra_ws::PROTOCOL.to_owned(),
        ws: SocketInfo {
            url: "/ws".to_owned(),
            subprotocol: netra_ws::PROTOCOL.to_owned(),
            token_prefix: netra_ws::TOKEN_PREFIX.to_owned(),
            limits: Limits {
                heartbeat_interval_ms: 25_000,
                heartbeat_timeout_ms: 10_000,
                max_frame_bytes: 65_536,
                max_subscriptions: 200,
                commands_per_minute: 600,
            },
        },
        auth: AuthInfo { modes: Vec::new(), registration: None },
        agents: Vec::new(),
    }
}
