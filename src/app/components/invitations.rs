//! Invitations to conversations, in the sidebar: nobody is in one without having accepted.

use leptos::{prelude::*, task::spawn_local};
use netra_ws::session::Link;

use crate::app::{
    address::use_address,
    api::{self, InvitedTo},
    store::use_store,
    view::{Erase, Key, Row, effect, list, view, when, words},
};

/// What waits for an answer. It is read when the link comes up, and again when the server has something to say.
#[component]
pub(crate) fn Invitations() -> impl IntoView {
    let store = use_store();
    let (link, notices) = (store.link.clone(), store.notices.clone());
    let waiting = RwSignal::new(Vec::<InvitedTo>::new());
    let trouble = RwSignal::new(String::new());
    let show = move |outcome: Result<Vec<InvitedTo>, ServerFnError>| match outcome {
        Ok(found) => {
            let _ = trouble.try_set(String::new());
            let _ = waiting.try_set(found);
        }
        Err(error) => _ = trouble.try_set(api::reason(&error)),
    };
    effect(move || {
        notices.track();
        if link.get() == Link::Live {
            spawn_local(async move {
                // A list that cannot be read now is read with the next link.
                if let Ok(found) = api::invitations().await {
                    show(Ok(found));
                }
            });
        }
    });
    let address = use_address();
    let answer = move |invitation: &InvitedTo, accept: bool| {
        let thread = invitation.thread;
        spawn_local(async move {
            let outcome = api::answer_invitation(thread, accept, None).await;
            if accept && outcome.is_ok() {
                address.go(&format!("/t/{thread}"));
            }
            show(outcome);
        });
    };
    let answer = StoredValue::new(answer);
    let rows = move || {
        let row = move |invitation: InvitedTo| {
            Row::new(Key::Id(invitation.thread.uuid(), "invited"), move || {
                let (yes, no) = (invitation.clone(), invitation.clone());
                let title = if invitation.title.is_empty() { "a conversation".to_owned() } else { invitation.title };
                let reads = if invitation.viewer { " (to read)" } else { "" };
                view! {
                    <li class="invitation">
                        <p class="invitation-words">{format!("{} invites you to “{title}”{reads}", invitation.from)}</p>
                        <button
                            type="button"
                            class="button"
                            on:click=move |_| answer.with_value(|answer| answer(&yes, true))
                        >
                            "Accept"
                        </button>
                        <button
                            type="button"
                            class="button quiet"
                            on:click=move |_| answer.with_value(|answer| answer(&no, false))
                        >
                            "Decline"
                        </button>
                    </li>
                }
                .erase()
            })
        };
        waiting.get().into_iter().map(row).collect()
    };
    view! {
        {when(
            move || !waiting.with(Vec::is_empty),
            move || {
                view! {
                    <section class="invitations" aria-label="Invitations">
                        <ul>{list(rows)}</ul>
                        <p role="status">{words(move || trouble.get())}</p>
                    </section>
                }
                    .erase()
            },
        )}
    }
    .erase()
}
