//! A conversation.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_params_map;
use netra_ws::{ThreadId, session::Link};

use super::NotFoundPage;
use crate::app::{
    components::{Composer, MessageList, Notices, Sharing, Topbar, Typing},
    socket::use_socket,
    store::use_store,
    view::{Erase, effect, memo, part},
};

/// The page: the conversation that the address names.
#[component]
pub(crate) fn ThreadPage() -> impl IntoView {
    let params = use_params_map();
    let id = memo(move || params.with(|params| params.get("id").and_then(|id| id.parse::<ThreadId>().ok())));
    part(move || match id.get() {
        Some(thread) => view! { <Conversation thread /> }.erase(),
        None => view! { <NotFoundPage /> }.erase(),
    })
}

#[component]
fn Conversation(thread: ThreadId) -> impl IntoView {
    let app = use_store();
    let socket = use_socket();
    let store = app.thread(thread);
    let head = {
        let store = store.clone();
        memo(move || store.head())
    };
    let title = memo(move || head.get().map(|thread| thread.title).unwrap_or_default());
    let agent = memo(move || head.get().map(|thread| thread.agent).unwrap_or_default());
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
    let gone = {
        let gone = store.gone.clone();
        memo(move || gone.get())
    };
    let mut watched = false;
    effect(move || {
        // Whoever is let in again watches again.
        if !gone.get() || !watched {
            watched = true;
            watching.watch(thread);
        }
    });
    let leaving = socket.clone();
    on_cleanup(move || leaving.leave(thread));
    let shared = memo(move || head.with(|head| head.as_ref().is_some_and(|thread| thread.shared)));
    // A room is for those who are here: in it while the link is live and the thread has members.
    let (room, link) = (socket.clone(), app.link.clone());
    effect(move || {
        if shared.get() && link.get() == Link::Live {
            room.join(thread);
        } else {
            room.leave_room(thread);
        }
    });
    let leaving = socket.clone();
    on_cleanup(move || leaving.leave_room(thread));
    let types = socket.clone();
    let typing = Callback::new(move |typing| types.types(thread, typing));
    let chosen = RwSignal::new(None::<String>);
    let send = Callback::new(move |content: String| socket.say(thread, content, chosen.get_untracked()));
    part(move || {
        if gone.get() {
            return view! { <NotFoundPage /> }.erase();
        }
        view! {
            <Title text=title />
            <Topbar title=title agent=agent_title>
                <Sharing thread head />
            </Topbar>
            <Notices />
            <MessageList thread />
            <div class="dock">
                <Typing />
                <Composer thread=Some(thread) agent chosen typing send />
            </div>
        }
        .erase()
    })
}
