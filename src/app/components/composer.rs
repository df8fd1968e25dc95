//! The composer: Enter sends, Shift+Enter breaks the line, it grows with its text, and it keeps its draft.

use leptos::{html, prelude::*};
use netra_ws::{ThreadId, discovery::AgentInfo};

use super::Icon;
use crate::app::{
    store::use_store,
    view::{Erase, Key, Row, effect, list, live},
};

/// Room that a message leaves for the frame around it, in bytes.
const ENVELOPE: usize = 1_024;

/// Where a message is written.
#[component]
pub(crate) fn Composer(
    /// The thread whose draft it keeps; none for a new conversation.
    thread: Option<ThreadId>,
    /// The agent that answers unless the reader chooses another.
    #[prop(into)]
    agent: Signal<String>,
    /// The reader's choice.
    chosen: RwSignal<Option<String>>,
    /// Hears that the reader types, or no longer does.
    #[prop(optional)]
    typing: Option<Callback<bool>>,
    /// Takes the message.
    send: Callback<String>,
) -> impl IntoView {
    let store = use_store();
    let text = RwSignal::new(String::new());
    let field = NodeRef::<html::Textarea>::new();
    let discovery = store.discovery.clone();
    let max_bytes = discovery.with_untracked(|discovery| discovery.ws.limits.max_frame_bytes).saturating_sub(ENVELOPE);
    drafts::keep(store.user().map(|user| user.id), thread, text);
    effect(move || {
        if let Some(field) = field.get()
            && !drafts::is_touch()
        {
            let _ = field.focus();
        }
    });
    let too_long = move || text.with(|text| text.bytes().map(in_json).sum::<usize>()) > max_bytes;
    let submit = move || {
        let content = text.get_untracked();
        if content.trim().is_empty() || too_long() {
            return;
        }
        text.set(String::new());
        if let Some(typing) = typing {
            typing.run(false);
        }
        send.run(content);
    };
    let agents = move || {
        let row = |option: AgentInfo| {
            let (key, name) = (Key::Name(option.name.clone()), option.name.clone());
            let selected = live(move || chosen.get().unwrap_or_else(|| agent.get()) == name);
            let row = move || view! { <option value=option.name selected=selected>{option.title}</option> }.erase();
            Row::new(key, row)
        };
        discovery.get().agents.into_iter().map(row).collect()
    };
    view! {
        <form
            class="composer"
            on:submit=move |event| {
                event.prevent_default();
                submit();
            }
        >
            <textarea
                id="message"
                rows="1"
                aria-label="Message"
                placeholder="Ask something"
                node_ref=field
                prop:value=text
                on:input=move |event| {
                    let typed = event_target_value(&event);
                    if let Some(typing) = typing {
                        typing.run(!typed.is_empty());
                    }
                    text.set(typed);
                }
                on:keydown=move |event| {
                    // While an input method composes, Enter picks a candidate.
                    if event.key() == "Enter" && !event.shift_key() && !event.is_composing() {
                        event.prevent_default();
                        submit();
                    }
                }
            ></textarea>
            <div class="composer-bar">
                <label class="agent-picker">
                    <span class="visually-hidden">"Agent"</span>
                    <select on:change=move |event| chosen.set(Some(event_target_value(&event)))>
                        {list(agents)}
                    </select>
                </label>
                <span class="composer-hint" role="status">
                    {live(move || if too_long() { "This message is too long to send." } else { "" })}
                </span>
                <button
                    type="submit"
                    class="send"
                    aria-label="Send"
                    disabled=live(move || text.with(|text| text.trim().is_empty()) || too_long())
                >
                    {Icon::Send.view()}
                </button>
            </div>
        </form>
    }
    .erase()
}

/// How many bytes a byte of text takes in JSON.
const fn in_json(byte: u8) -> usize {
    match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 2,
        0..0x20 => 6,
        _ => 1,
    }
}

#[cfg(feature = "hydrate")]
mod drafts {
    use leptos::prelude::*;
    use netra_ws::{ThreadId, UserId};

    /// Brings the user's draft back, then keeps it as it changes. Another who signs in with this browser does not see it.
    pub(super) fn keep(user: Option<UserId>, thread: Option<ThreadId>, text: RwSignal<String>) {
        let Some(user) = user else { return };
        let thread = thread.map_or_else(|| "new".to_owned(), |thread| thread.to_string());
        let key = format!("netra.draft.{user}.{thread}");
        Effect::new(move |began: Option<()>| {
            let Some(storage) = window().local_storage().ok().flatten() else { return };
            if began.is_none() {
                let draft = storage.get_item(&key).ok().flatten().unwrap_or_default();
                if !draft.is_empty() && text.with_untracked(String::is_empty) {
                    text.set(draft);
                }
                text.track();
                return;
            }
            // A full storage only costs the draft's survival.
            let _ = text
                .with(|text| if text.is_empty() { storage.remove_item(&key) } else { storage.set_item(&key, text) });
        });
    }

    /// Focusing would open a keyboard over half of the page.
    pub(super) fn is_touch() -> bool {
        window().match_media("(pointer: coarse)").ok().flatten().is_some_and(|query| query.matches())
    }
}

#[cfg(not(feature = "hydrate"))]
mod drafts {
    use leptos::prelude::*;
    use netra_ws::{ThreadId, UserId};

    pub(super) fn keep(_: Option<UserId>, _: Option<ThreadId>, _: RwSignal<String>) {}

    pub(super) fn is_touch() -> bool {
        false
    }
}
