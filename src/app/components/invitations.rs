//! Invitations to conversations, in the sidebar: nobody is in one without having accepted. What draws them comes when there are
//! any (`apart.rs`).

use leptos::{prelude::*, task::spawn_local};
use netra_ws::{ThreadId, session::Link};

use crate::app::{
    address::{Address, use_address},
    apart::{Part, Piece, draw},
    api::{self, InvitedTo},
    store::use_store,
    view::{Erase, Key, Row, effect, list, part, view, when, words},
};

/// What waits for an answer. It is read when the link comes up, and again when the server has something to say.
#[component]
pub(crate) fn Invitations() -> impl IntoView {
    let store = use_store();
    let (link, notices) = (store.link.clone(), store.notices.clone());
    let invited = Invited { waiting: RwSignal::new(Vec::new()), trouble: RwSignal::new(String::new()) };
    effect(move || {
        notices.track();
        if link.get() == Link::Live {
            spawn_local(async move {
                // A list that cannot be read now is read with the next link.
                if let Ok(found) = api::invitations().await {
                    invited.show(found);
                }
            });
        }
    });
    when(
        move || !invited.waiting.with(Vec::is_empty),
        move || part(move || draw(Part::Conversation, Piece::Invited(invited))),
    )
}

/// What waits for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Invited {
    waiting: RwSignal<Vec<InvitedTo>>,
    trouble: RwSignal<String>,
}

impl Invited {
    fn show(self, found: Vec<InvitedTo>) {
        let _ = self.trouble.try_set(String::new());
        let _ = self.waiting.try_set(found);
    }

    fn answer(self, thread: ThreadId, accept: bool, address: Address) {
        spawn_local(async move {
            let outcome = api::answer_invitation(thread, accept, None).await;
            if accept && outcome.is_ok() {
                address.go(&format!("/t/{thread}"));
            }
            match outcome {
                Ok(found) => self.show(found),
                Err(error) => _ = self.trouble.try_set(api::reason(&error)),
            }
        });
    }

    /// The list of them.
    pub(crate) fn view(self) -> AnyView {
        let address = use_address();
        let rows = move || {
            let row = move |invitation: InvitedTo| {
                let thread = invitation.thread;
                Row::new(Key::Id(thread.uuid(), "invited"), move || {
                    let title =
                        if invitation.title.is_empty() { "a conversation".to_owned() } else { invitation.title };
                    let reads = if invitation.viewer { " (to read)" } else { "" };
                    let words = format!("{} invites you to “{title}”{reads}", invitation.from);
                    view! {
                        <li class="invitation">
                            <p class="invitation-words">{words}</p>
                            <button type="button" class="button" on:click=move |_| self.answer(thread, true, address)>
                                "Accept"
                            </button>
                            <button
                                type="button"
                                class="button quiet"
                                on:click=move |_| self.answer(thread, false, address)
                            >
                                "Decline"
                            </button>
                        </li>
                    }
                    .erase()
                })
            };
            self.waiting.get().into_iter().map(row).collect()
        };
        view! {
            <section class="invitations" aria-label="Invitations">
                <ul>{list(rows)}</ul>
                <p role="status">{words(move || self.trouble.get())}</p>
            </section>
        }
        .erase()
    }
}
