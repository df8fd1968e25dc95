//! MCP servers that an administrator signs in at: connecting one, and taking the connection back.

use leptos::{prelude::*, task::spawn_local};
use serde_json::Value;

use super::admin::Confirmation;
use crate::app::{
    address::use_address,
    api::{self, AgentState},
    fetch,
    sentence::sentence,
    signed_in_at::Outcome,
    view::{Erase, live, view, when},
};

/// What the page knows of its servers, and where failures are told.
#[derive(Clone, Copy)]
pub(super) struct Connecting {
    known: RwSignal<Vec<AgentState>>,
    failure: RwSignal<Option<String>>,
    /// Changes are asked for now and then whether it is still the administrator.
    confirmation: Confirmation,
    busy: RwSignal<bool>,
}

impl Connecting {
    pub(super) fn new(known: RwSignal<Vec<AgentState>>, failure: RwSignal<Option<String>>) -> Self {
        Self { known, failure, confirmation: Confirmation::unasked(), busy: RwSignal::new(false) }
    }

    /// What came of the way to an authorization server and back, and the question who is there while it is asked.
    pub(super) fn view(self) -> AnyView {
        let outcome = untrack(|| use_address().parameter("connection")).and_then(|word| Outcome::of(&word));
        let told = |outcome: Outcome| view! { <p role="status">{outcome.sentence()}</p> }.erase();
        view! {
            {outcome.map_or_else(|| ().erase(), told)}
            {self.confirmation.view()}
        }
        .erase()
    }

    /// The buttons of a server; nothing for whatever nobody signs in at.
    pub(super) fn buttons(self, name: &str, state: Memo<AgentState>) -> AnyView {
        let server = name.strip_prefix("mcp:").unwrap_or(name).to_owned();
        let named = server.clone();
        view! {
            {when(move || state.get().signed_in == Some(false), move || self.connect(server.clone()))}
            {when(move || state.get().signed_in == Some(true), move || self.disconnect(named.clone()))}
        }
        .erase()
    }

    fn connect(self, server: String) -> AnyView {
        let label = format!("Connect {server}");
        let press = move |_| {
            let path = format!("/api/tools/{server}/oauth/connect");
            self.ask("POST", path, |answer| {
                if let Some(url) = answer.pointer("/url").and_then(Value::as_str) {
                    let _ = window().location().assign(url);
                }
            });
        };
        view! {
            <button type="button" class="button" aria-label=label disabled=live(move || self.busy.get()) on:click=press>
                "Connect"
            </button>
        }
        .erase()
    }

    fn disconnect(self, server: String) -> AnyView {
        let label = format!("Disconnect {server}");
        let press = move |_| {
            self.ask("DELETE", format!("/api/tools/{server}/oauth"), move |_| self.read());
        };
        view! {
            <button type="button" class="button" aria-label=label disabled=live(move || self.busy.get()) on:click=press>
                "Disconnect"
            </button>
        }
        .erase()
    }

    fn ask(self, method: &'static str, path: String, done: impl FnOnce(Value) + 'static) {
        if self.busy.get_untracked() {
            return;
        }
        self.busy.set(true);
        spawn_local(async move {
            let outcome = fetch::send(method, &path, None).await;
            let _ = self.busy.try_set(false);
            match outcome {
                Ok(answer) => {
                    let _ = self.failure.try_set(None);
                    done(answer);
                }
                Err(why) => {
                    let _ = self.failure.try_set(Some(sentence(&why)));
                    self.confirmation.look();
                }
            }
        });
    }

    fn read(self) {
        spawn_local(async move {
            if let Ok(states) = api::agent_states().await {
                let _ = self.known.try_set(states);
            }
        });
    }
}
