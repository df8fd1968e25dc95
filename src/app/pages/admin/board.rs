//! What a section reads, and what was done with it.

use leptos::{prelude::*, task::spawn_local};
use serde_json::Value;

use super::confirm::Confirmation;
use crate::app::{fetch, sentence::sentence, view::effect};

/// Something that is done over the API.
#[derive(Clone)]
pub(super) struct Deed {
    pub(super) method: &'static str,
    pub(super) path: String,
    pub(super) body: Option<Value>,
    /// What is said once it is done.
    pub(super) done: &'static str,
}

/// A section's state.
#[derive(Clone, Copy)]
pub(super) struct Board {
    path: &'static str,
    /// What the API answered; null until it did.
    pub(super) found: RwSignal<Value>,
    /// What is looked for.
    pub(super) query: RwSignal<String>,
    /// What the last deed came to, or why nothing could be read.
    pub(super) said: RwSignal<String>,
    pub(super) busy: RwSignal<bool>,
    /// A link that is shown this once.
    pub(super) link: RwSignal<String>,
    pub(super) confirmation: Confirmation,
    /// Of several answers that are under way, the one that was asked for last counts.
    asked: StoredValue<usize>,
}

impl Board {
    /// A section that reads this address, now and whenever something else is looked for.
    pub(super) fn reading(path: &'static str) -> Self {
        let board = Self {
            path,
            found: RwSignal::new(Value::Null),
            query: RwSignal::default(),
            said: RwSignal::default(),
            busy: RwSignal::new(false),
            link: RwSignal::default(),
            confirmation: Confirmation::new(),
            asked: StoredValue::new(0),
        };
        effect(move || {
            board.query.track();
            board.read();
        });
        board
    }

    /// Reads it anew.
    pub(super) fn read(self) {
        if self.path.is_empty() {
            return;
        }
        self.asked.update_value(|asked| *asked += 1);
        let asked = self.asked.get_value();
        let query = self.query.get_untracked();
        let query = query.trim();
        let path = if query.is_empty() {
            self.path.to_owned()
        } else {
            let sign = if self.path.contains('?') { '&' } else { '?' };
            format!("{}{sign}query={}", self.path, fetch::escaped(query))
        };
        spawn_local(async move {
            let answer = fetch::get::<Value>(&path).await;
            if self.asked.try_get_value() != Some(asked) {
                return;
            }
            match answer {
                Ok(found) => _ = self.found.try_set(found),
                Err(why) => _ = self.said.try_set(sentence(&why)),
            }
        });
    }

    /// Does something and reads the section again. Links are shown; where it is asked first who is there, that is asked.
    pub(super) fn act(self, deed: Deed) {
        if self.busy.get_untracked() {
            return;
        }
        self.busy.set(true);
        self.link.set(String::new());
        spawn_local(async move {
            let outcome = fetch::send(deed.method, &deed.path, deed.body.as_ref()).await;
            let _ = self.busy.try_set(false);
            match outcome {
                Ok(answer) => {
                    let _ = self.said.try_set(deed.done.to_owned());
                    if let Some(link) = answer.pointer("/url").and_then(Value::as_str) {
                        let _ = self.link.try_set(link.to_owned());
                    }
                    self.read();
                }
                Err(why) => {
                    let _ = self.said.try_set(sentence(&why));
                    self.confirmation.look();
                }
            }
        });
    }
}
