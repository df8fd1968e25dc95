//! A conversation.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_params_map;
use netra_ws::ThreadId;

use super::NotFoundPage;
use crate::app::{
    components::{Composer, MessageList, Notices, Topbar},
    socket::use_socket,
    store::use_store,
};

/// The page: the conversation that the address names.
#[component]
pub(crate) fn ThreadPage() -> impl IntoView {
    let params = use_params_map();
    let id = Memo::new(move |_| params.with(|params| params.get("id").and_then(|id| id.parse::<ThreadId>().ok())));
    move || match id.get() {
        Some(thread) => view! { <Conversation thread /> }.into_any(),
        None => view! { <NotFoundPage /> }.into_any(),
    }
}

#[component]
fn Conversation(thread: ThreadId) -> impl IntoView {
    let app = use_store();
    let socket = use_socket();
    let store = app.thread(thread);
    let head = {
        let store = store.clone();
        Memo::new(move |_| store.head())
    };
    let title = Memo::new(move |_| head.get().map(|thread| thread.title).unwrap_or_default());
    let agent = Memo::new(move |_| head.get().map(|thread| thread.agent).unwrap_or_default());
    let agent_title = {
        let discovery = app.discovery.clone();
        Signal::derive(move || {
            let name = agent.get();
            discovery.with(|discovery| {
                discovery.agents.iter().find(|agent| agent.name == name).map_or(name, |agent| agent.title.clone())
            })
        })
    };
    // The thread is watched for as long as the page shows it. The effect runs in the browser alone.
    let watching = socket.clone();
    Effect::new(move |_| watching.watch(thread));
    let leaving = socket.clone();
    on_cleanup(move || leaving.leave(thread));
    let chosen = RwSignal::new(None::<String>);
    let send = Callback::new(move |content: String| socket.say(thread, content, chosen.get_untracked()));
    let gone = store.gone.clone();
    move || {
        if gone.get() {
            return view! { <NotFoundPage /> }.into_any();
        }
        view! {
            <Title text=move || title.get() />
            <Topbar title=title agent=agent_title />
            <Notices />
            <MessageList thread />
            <div class="dock">
                <Composer thread=Some(thread) agent chosen send />
            </div>
        }
        .into_any()
    }
}
