//! The composer: Enter sends, Shift+Enter breaks the line, it grows with its text, keeps its draft, and stops what it started.

use leptos::{html, prelude::*};
use netra_ws::{
    ThreadId,
    discovery::{AgentInfo, Discovery},
    model::Attachment,
};

use super::{Icon, attachments::Files, commands::Slash};
use crate::app::{
    apart::{Part, Piece, draw},
    keyboard,
    remembered::{agent_key, recall, remember},
    store::{Storage, use_store},
    view::{Erase, Key, Row, effect, list, live, memo, part, view, when, words},
};

/// Room that a message leaves for the frame around it, in bytes.
const ENVELOPE: usize = 1_024;

/// What works on an answer in the conversation.
#[derive(Clone, Copy)]
pub(crate) struct Work {
    /// Whether something does.
    pub(crate) on: Memo<bool>,
    /// Ends it.
    pub(crate) stop: Callback<()>,
}

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
    /// Words that come back to be said in another way, or not at all.
    #[prop(optional)]
    back: Option<RwSignal<Option<String>>>,
    /// What can be stopped here.
    #[prop(optional)]
    work: Option<Work>,
    /// Takes the message and its files.
    send: Callback<(String, Vec<Attachment>)>,
) -> impl IntoView {
    let store = use_store();
    let user = store.user().map(|user| user.id);
    let text = RwSignal::new(String::new());
    let field = NodeRef::<html::Textarea>::new();
    let discovery = store.discovery.clone();
    let limit = discovery.with_untracked(|discovery| discovery.ws.limits.max_frame_bytes).saturating_sub(ENVELOPE);
    hold(text, field);
    keep_draft(&store, thread, text);
    let slash = Slash::provide(text, memo(move || chosen.get().unwrap_or_else(|| agent.get())));
    take_back(back, text);
    remember_agent(agent_key(user, thread), chosen);
    effect(move || {
        if field.get().is_some() {
            keyboard::offer_composer();
        }
    });
    let files = Files::new();
    files.keep(&store, thread);
    let blank = memo(move || text.with(|text| text.trim().is_empty()) && files.is_empty());
    let size = memo(move || text.with(|text| text.bytes().map(in_json).sum::<usize>()));
    let too_long = move || size.get() > limit;
    let storage = store.storage.clone();
    let hint = memo(move || {
        if too_long() {
            let (size, limit) = (kilobytes(size.get()), kilobytes(limit));
            return format!(
                "This message is too long: it takes {size}, and {limit} can be sent. Shorten it, or send it in parts."
            );
        }
        if let Some(hindrance) = files.hindrance() {
            return hindrance;
        }
        match storage.get() {
            Storage::Closed(why) if !blank.get() => {
                format!("This browser does not keep what you write: {why}. Send it before you close the page.")
            }
            Storage::Closed(_) | Storage::Open | Storage::Loading => String::new(),
        }
    });
    let submit = move || {
        let content = text.get_untracked();
        if blank.get_untracked() || too_long() || !untrack(|| files.are_kept()) {
            return;
        }
        spend_draft(user, thread);
        text.set(String::new());
        if let Some(typing) = typing {
            typing.run(false);
        }
        send.run((content, files.take()));
        keyboard::focus_composer();
    };
    let works = memo(move || work.is_some_and(|work| work.on.get()));
    let stop = move || {
        if let Some(work) = work {
            work.stop.run(());
            keyboard::focus_composer();
        }
    };
    // One button for both, so that the focus stays on it whatever it means.
    let stops = move || works.get() && blank.get();
    let picker = agent_picker(discovery, agent, chosen);
    let second = move || {
        view! {
            <button
                type="button"
                class="button stop"
                title="Stop (Escape)"
                on:mousedown=|event| event.prevent_default()
                on:click=move |_| stop()
            >
                {Icon::Stop.view()}
                "Stop"
            </button>
        }
        .erase()
    };
    view! {
        <form
            class="composer"
            on:submit=move |event| {
                event.prevent_default();
                submit();
            }
            on:dragover=|event| event.prevent_default()
            on:drop=move |event| {
                if files.dropped(&event) {
                    event.prevent_default();
                }
            }
        >
            {files.view()}
            {when(move || slash.is_meant(), || draw(Part::Conversation, Piece::Commands))}
            <textarea
                id=keyboard::COMPOSER
                rows="1"
                dir="auto"
                autocomplete="off"
                aria-label="Message"
                aria-describedby="message-hint"
                placeholder="Ask something"
                node_ref=field
                on:input=move |event| {
                    let typed = event_target_value(&event);
                    if let Some(typing) = typing {
                        typing.run(!typed.is_empty());
                    }
                    text.set(typed);
                }
                on:paste=move |event| {
                    if files.pasted(&event) {
                        event.prevent_default();
                    }
                }
                on:keydown=move |event| {
                    if keyboard::sends(&event) {
                        event.prevent_default();
                        submit();
                    }
                }
            ></textarea>
            <p class="composer-hint" id="message-hint" role="status" data-warns=live(move || (!hint.with(String::is_empty)).to_string())>
                {words(move || hint.get())}
            </p>
            <div
                class="composer-bar"
                // A press beside the buttons, or on one that is disabled, leaves the focus where it is.
                on:mousedown=|event| {
                    if event.target() == event.current_target() {
                        event.prevent_default();
                    }
                }
            >
                {files.button()}
                {picker}
                <span class="composer-gap"></span>
                {when(move || works.get() && !blank.get(), second)}
                <button
                    type="submit"
                    class=live(move || if stops() { "send button stop" } else { "send" })
                    aria-label=live(move || if stops() { "Stop" } else { "Send" })
                    title=live(move || if stops() { "Stop (Escape)" } else { "Send" })
                    disabled=live(move || !stops() && (blank.get() || too_long() || !files.are_kept()))
                    // The keyboard of a phone stays up.
                    on:mousedown=|event| event.prevent_default()
                    on:click=move |event| {
                        if works.get_untracked() && blank.get_untracked() {
                            event.prevent_default();
                            // The second half of a double click on Send means nothing.
                            if event.detail() < 2 {
                                stop();
                            }
                        }
                    }
                >
                    {part(move || if stops() { Icon::Stop.view() } else { Icon::Send.view() })}
                </button>
            </div>
        </form>
    }
    .erase()
}

/// Who is to answer.
fn agent_picker(discovery: ArcRwSignal<Discovery>, agent: Signal<String>, chosen: RwSignal<Option<String>>) -> AnyView {
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
        <label class="agent-picker">
            <span class="visually-hidden">"Agent"</span>
            <select on:change=move |event| chosen.set(Some(event_target_value(&event)))>
                {list(agents)}
            </select>
        </label>
    }
    .erase()
}

/// Keeps the field and the text the same. What was typed before the page was alive stands in the field and is taken over; and
/// the field is not written to while it is right, which would move the caret and end a composition.
fn hold(text: RwSignal<String>, field: NodeRef<html::Textarea>) {
    let taken_over = StoredValue::new(false);
    effect(move || {
        let Some(field) = field.get() else { return };
        if !taken_over.get_value() {
            taken_over.set_value(true);
            let typed = field.value();
            if !typed.is_empty() {
                text.set(typed);
            }
        }
        let wanted = text.get();
        if field.value() != wanted {
            field.set_value(&wanted);
        }
    });
}

/// Puts words that come back behind those that are there.
fn take_back(back: Option<RwSignal<Option<String>>>, text: RwSignal<String>) {
    effect(move || {
        if let Some((back, words)) = back.and_then(|back| Some((back, back.get()?))) {
            back.set(None);
            text.update(|text| {
                if !text.trim().is_empty() {
                    text.push('\n');
                }
                text.push_str(&words);
            });
        }
    });
}

/// Brings back the agent that was chosen here last, if there still is one of that name, and remembers the next choice.
fn remember_agent(key: Option<String>, chosen: RwSignal<Option<String>>) {
    let Some(key) = key else { return };
    let discovery = use_store().discovery;
    let recalled = StoredValue::new(false);
    effect(move || {
        if !recalled.get_value() {
            recalled.set_value(true);
            let known = |name: &String| {
                discovery.with_untracked(|discovery| discovery.agents.iter().any(|agent| agent.name == *name))
            };
            if let Some(name) = recall(&key).filter(known) {
                chosen.set(Some(name));
            }
        }
        if let Some(name) = chosen.get() {
            remember(&key, &name);
        }
    });
}

/// How many bytes a byte of text takes in JSON.
const fn in_json(byte: u8) -> usize {
    match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 2,
        0..0x20 => 6,
        _ => 1,
    }
}

fn kilobytes(bytes: usize) -> String {
    format!("{} KB", bytes.div_ceil(1_024))
}

#[cfg(feature = "hydrate")]
use crate::app::kept::{keep_draft, spend_draft};

#[cfg(not(feature = "hydrate"))]
fn keep_draft(_: &crate::app::store::AppStore, _: Option<ThreadId>, _: RwSignal<String>) {}

#[cfg(not(feature = "hydrate"))]
fn spend_draft(_: Option<netra_ws::UserId>, _: Option<ThreadId>) {}
