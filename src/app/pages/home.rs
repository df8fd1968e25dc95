//! A new conversation: what the agent can do, four questions that work, and the composer.

use std::time::Duration;

use leptos::{ev::MouseEvent, prelude::*};
use leptos_meta::Title;
use netra_ws::{discovery::AgentInfo, model::Attachment};

use crate::app::{
    address::use_address,
    components::{Composer, Mark, Notices, Topbar, waiting_row},
    keyboard::is_first,
    pages::Layout,
    socket::use_socket,
    store::{Pending, PendingState, use_store},
    view::{Erase, Key, Row, effect, list, memo, view, words},
};

/// For how long an example that was pressed is not pressed again: the second half of a double click.
const DOUBLE_CLICK: Duration = Duration::from_secs(1);

/// The page.
#[component]
pub(crate) fn HomePage() -> impl IntoView {
    let store = use_store();
    let socket = use_socket();
    let address = use_address();
    let discovery = store.discovery.clone();
    let chosen = RwSignal::new(None::<String>);
    // An agent that was asked for elsewhere, such as in the palette.
    let wanted = expect_context::<Layout>().agent;
    effect(move || {
        if let Some(name) = wanted.get() {
            chosen.set(Some(name));
            wanted.set(None);
        }
    });
    let agent = memo(move || {
        let agents = discovery.get().agents;
        let wanted = chosen.get().and_then(|name| agents.iter().find(|agent| agent.name == name).cloned());
        wanted.or_else(|| agents.into_iter().next())
    });
    let field = move |read: fn(AgentInfo) -> String| agent.get().map(read).unwrap_or_default();
    let here = StoredValue::new(true);
    on_cleanup(move || here.set_value(false));
    let send = Callback::new(move |(content, files): (String, Vec<Attachment>)| {
        socket.start(content, files, agent.get_untracked().map(|agent| agent.name), move |thread| {
            // Whoever has gone elsewhere meanwhile is not pulled back; the conversation is in the sidebar.
            if here.try_get_value() == Some(true) {
                address.go(&format!("/t/{thread}"));
            }
        });
    });
    let pending = store.pending.clone();
    let waiting = move || {
        let starts = |item: &Pending| item.frame.thread_id.is_none() && item.content().is_some();
        pending.get().into_iter().filter(starts).map(waiting_row).collect()
    };
    let pressed = StoredValue::new(None::<String>);
    let known = store.pending.clone();
    let ask = Callback::new(move |example: String| {
        // Pressed twice, or pressed again while the first waits for the server: it is one conversation.
        let starts =
            |item: &Pending| item.content() == Some(&example) && !matches!(item.state, PendingState::Failed(_));
        if pressed.with_value(|pressed| pressed.as_deref() == Some(&*example))
            || known.with_untracked(|known| known.iter().any(starts))
        {
            return;
        }
        pressed.set_value(Some(example.clone()));
        set_timeout(move || _ = pressed.try_set_value(None), DOUBLE_CLICK);
        send.run((example, Vec::new()));
    });
    let examples = move || {
        let row = |example: String| {
            let key = Key::Name(example.clone());
            Row::new(key, move || view! { <Example example ask /> }.erase())
        };
        agent.get().map(|agent| agent.examples).unwrap_or_default().into_iter().map(row).collect()
    };
    view! {
        <Title text="" />
        <Topbar title="New chat" agent=Signal::derive(move || field(|agent| agent.title)) />
        <Notices />
        <div class="welcome">
            <Mark class="mark mark-large" />
            <h2 class="welcome-title">"What would you like to know?"</h2>
            <p class="welcome-text">{words(move || field(|agent| agent.description))}</p>
            <ul class="examples">
                {list(examples)}
            </ul>
            {list(waiting)}
            <p class="welcome-more">
                "Building something on it? "
                <a href="/docs" rel="external">
                    "The protocol"
                </a>
            </p>
        </div>
        <div class="dock">
            <Composer thread=None agent=Signal::derive(move || field(|agent| agent.name)) chosen send />
        </div>
    }
    .erase()
}

#[component]
fn Example(example: String, ask: Callback<String>) -> impl IntoView {
    let content = example.clone();
    let press = move |event: MouseEvent| {
        if is_first(&event) {
            ask.run(content.clone());
        }
    };
    view! {
        <li>
            <button type="button" class="example" on:click=press>
                <span class="example-text">{example}</span>
            </button>
        </li>
    }
    .erase()
}
