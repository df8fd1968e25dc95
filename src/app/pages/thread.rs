//! A conversation.

use leptos::{ev, prelude::*};
use leptos_meta::Title;
use netra_ws::{ThreadId, model::Attachment, session::Link};

use super::NotFoundPage;
use crate::app::{
    address::use_address,
    components::{
        Composer, EventPanel, Export, MessageList, Notices, PanelButton, Queue, RewindBar, Sharing, Spoken, Topbar,
        Typing, Work, provide_answering, provide_panel, provide_rewind, provide_way,
    },
    keyboard, markdown, next, offline,
    seen::use_seen,
    socket::use_socket,
    standing::{ReadsOnly, provide_standing},
    store::use_store,
    view::{Erase, effect, live, memo, part, view, when},
};

/// The page: the conversation that the address names.
#[component]
pub(crate) fn ThreadPage() -> impl IntoView {
    let address = use_address();
    let id = memo(move || address.path().strip_prefix("/t/").and_then(|id| id.parse::<ThreadId>().ok()));
    part(move || match id.get() {
        Some(thread) => view! { <Conversation thread /> }.erase(),
        None => view! { <NotFoundPage /> }.erase(),
    })
}

/// Has the style of conversations come where the document was that of another page. Its own address names the build.
#[cfg(feature = "hydrate")]
fn bring_style() {
    use crate::app::apart::CONVERSATION_STYLE;

    effect(|| {
        let document = document();
        let one = |of: &str| document.query_selector(of).ok().flatten();
        let (Some(head), Some(style), None) =
            (document.head(), one("link[rel=stylesheet]"), one("link[href^='/conversation.css']"))
        else {
            return;
        };
        let address = style.get_attribute("href").unwrap_or_default();
        let folder = address.rsplit_once('/').map_or("", |(folder, _)| folder.trim_start_matches('/'));
        let Ok(link) = document.create_element("link") else { return };
        let set = link.set_attribute("rel", "stylesheet");
        let set = set.and_then(|()| link.set_attribute("href", &format!("{CONVERSATION_STYLE}?{folder}")));
        if set.and_then(|()| head.append_child(&link)).is_err() {
            leptos::logging::warn!("some of a conversation stays without its look");
        }
    });
}

/// The document brings it.
#[cfg(not(feature = "hydrate"))]
fn bring_style() {}

#[component]
fn Conversation(thread: ThreadId) -> impl IntoView {
    bring_style();
    let app = use_store();
    let socket = use_socket();
    let store = app.thread(thread);
    let head = {
        let store = store.clone();
        memo(move || store.head())
    };
    let title =
        memo(move || head.with(|head| head.as_ref().map(|head| markdown::words(&head.title))).unwrap_or_default());
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
    use_seen().follow(head, store.clone());
    offline::keep(head);
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
    let signed_out = {
        let link = app.link.clone();
        memo(move || link.get() == Link::SignedOut)
    };
    let chosen = RwSignal::new(None::<String>);
    let back = RwSignal::new(None::<String>);
    let way = provide_way(thread);
    let panel = provide_panel();
    let standing = provide_standing(thread, head);
    provide_context(standing);
    let reads_only = standing.0;
    let rewind = provide_rewind(thread, way);
    let past = rewind.is_on();
    provide_context(ReadsOnly(memo(move || reads_only.get() || past.get())));
    let work = work(thread, reads_only);
    let keys = window_event_listener(ev::keydown, move |event| {
        if keyboard::escapes(&event) && past.get_untracked() {
            event.prevent_default();
            rewind.back();
        } else if keyboard::escapes(&event) && work.on.get_untracked() {
            event.prevent_default();
            work.stop.run(());
            keyboard::focus_composer();
        }
    });
    on_cleanup(move || keys.remove());
    let answering = provide_answering(thread, back);
    let send = Callback::new(move |(content, files): (String, Vec<Attachment>)| {
        if answering.takes(&content, &files) {
            return;
        }
        socket.say(thread, content, files, chosen.get_untracked(), way.end(thread));
    });
    part(move || {
        if gone.get() {
            return view! { <NotFoundPage /> }.erase();
        }
        view! {
            <Title text=title />
            <Topbar title=title agent=agent_title>
                <PanelButton panel />
                <Export thread />
                <Sharing thread head />
            </Topbar>
            <Notices />
            {when(move || signed_out.get(), move || signed_out_view(thread))}
            <MessageList thread />
            <Spoken thread />
            <RewindBar rewind />
            <div class="dock" inert=live(move || past.get())>
                <Typing />
                <Queue thread back />
                {part(move || {
                    if reads_only.get() {
                        return view! {
                            <p class="dock-words">
                                "You read this conversation. Whoever owns it can let you write in it."
                            </p>
                        }
                        .erase();
                    }
                    view! { {answering.view()} <Composer thread=Some(thread) agent chosen typing work back send /> }.erase()
                })}
            </div>
            <EventPanel thread panel rewind />
        }
        .erase()
    })
}

/// What works in the thread, and how to stop it.
fn work(thread: ThreadId, reads_only: Memo<bool>) -> Work {
    let socket = use_socket();
    let store = use_store().thread(thread);
    let run = memo(move || store.working());
    let stop = Callback::new(move |()| {
        if let Some(run) = run.get_untracked() {
            socket.stop(thread, run);
        }
    });
    Work { on: memo(move || run.get().is_some() && !reads_only.get()), stop }
}

/// What stands in place of the conversation once the reader is no longer signed in.
fn signed_out_view(thread: ThreadId) -> AnyView {
    view! {
        <div class="page signed-out">
            <h2>"You are signed out"</h2>
            <p>"The conversation is shown again once you have signed in. What you have typed is kept."</p>
            <a class="button primary" href=next::login("", &format!("/t/{thread}")) rel="external">
                "Sign in"
            </a>
        </div>
    }
    .erase()
}
