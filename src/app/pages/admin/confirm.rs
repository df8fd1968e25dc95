//! Who administers is asked from time to time whether it is still them.

use leptos::{html, prelude::*, task::spawn_local};
use serde_json::{Value, json};

use crate::app::{
    fetch,
    sentence::sentence,
    view::{Erase, effect, live, view, when, words},
};

/// Whether it is asked now.
#[derive(Clone, Copy)]
pub(in crate::app::pages) struct Confirmation {
    wanted: RwSignal<bool>,
    said: RwSignal<String>,
    busy: RwSignal<bool>,
}

impl Confirmation {
    pub(super) fn new() -> Self {
        let this = Self::unasked();
        effect(move || this.look());
        this
    }

    /// The same for a page where little is changed: it is asked when something was refused.
    pub(in crate::app::pages) fn unasked() -> Self {
        Self { wanted: RwSignal::new(false), said: RwSignal::default(), busy: RwSignal::new(false) }
    }

    /// Finds out whether it is to be asked.
    pub(in crate::app::pages) fn look(self) {
        spawn_local(async move {
            // What cannot be found out now is said by the next deed.
            if let Ok(found) = fetch::get::<Value>("/api/account").await {
                let _ = self.wanted.try_set(found.pointer("/confirmed_until").is_none());
            }
        });
    }

    fn confirm(self, shown: String) {
        if self.busy.get_untracked() {
            return;
        }
        self.busy.set(true);
        // Six digits are no password: those have eight characters.
        let is_code = shown.len() == 6 && shown.bytes().all(|byte| byte.is_ascii_digit());
        let body = if is_code { json!({ "code": shown }) } else { json!({ "password": shown }) };
        spawn_local(async move {
            let outcome = fetch::send("POST", "/api/auth/confirm", Some(&body)).await;
            let _ = self.busy.try_set(false);
            let _ = self.said.try_set(outcome.err().map(|why| sentence(&why)).unwrap_or_default());
            self.look();
        });
    }

    /// The question, while it is asked.
    pub(in crate::app::pages) fn view(self) -> AnyView {
        let field = NodeRef::<html::Input>::new();
        let confirm = move || {
            let Some(field) = field.get_untracked() else { return };
            let shown = field.value();
            field.set_value("");
            self.confirm(shown);
        };
        when(
            move || self.wanted.get(),
            move || {
                view! {
                    <form
                        class="admin-form admin-confirm"
                        on:submit=move |event| {
                            event.prevent_default();
                            confirm();
                        }
                    >
                        <p>"You signed in a while ago. Changes are made after your password, or a code of your app."</p>
                        <label class="field">
                            <span class="field-label">"Password or code"</span>
                            <input type="password" autocomplete="current-password" required node_ref=field />
                        </label>
                        <button type="submit" class="button" disabled=live(move || self.busy.get())>
                            "Confirm"
                        </button>
                        <p role="status">{words(move || self.said.get())}</p>
                    </form>
                }
                .erase()
            },
        )
    }
}
