//! What the socket needs of a browser: clocks, timers, events, storage, and server functions.

use std::{sync::PoisonError, time::Duration};

use leptos::{leptos_dom::helpers::TimeoutHandle, prelude::*, task::spawn_local};
use netra_ws::{
    ClientFrame, FrameId,
    payload::ErrorMessage,
    session::{Millis, TokenError},
};
use wasm_bindgen::JsCast;

pub(super) use crate::app::unread::report as report_unread;

use super::{Pending, Socket};
use crate::app::{
    api, kept, offline,
    store::{AppStore, Kept, Storage},
    within::within,
};

/// How long the server may take to hand out a token.
const TOKEN_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the browser may take to say what it has kept. New messages wait for that, the link does not.
const STORAGE_TIMEOUT: Duration = Duration::from_secs(3);

pub(super) fn seed() -> u64 {
    js_sys::Math::random().to_bits()
}

/// The steady clock and the wall clock, in milliseconds.
pub(super) fn clocks() -> (f64, f64) {
    (window().performance().map_or(0.0, |performance| performance.now()), js_sys::Date::now())
}

pub(super) fn after(pause: Millis, then: impl FnOnce() + 'static) -> Option<TimeoutHandle> {
    set_timeout_with_handle(then, Duration::from_millis(pause)).ok()
}

pub(super) fn start(socket: &Socket) {
    let Some(user) = socket.shared.store.user().map(|user| user.id) else { return };
    listen(socket);
    let (now, token) = (socket.now(), socket.shared.store.token());
    let online = window().navigator().on_line();
    socket.drive(|session| {
        session.belongs_to(user);
        session.start(now, token, Vec::new());
        if !online {
            session.network(now, false);
        }
    });
    kept::keep_through_clearing(&socket.shared.store, user);
    // New messages wait a moment for those that were kept, so that they stay in order.
    let late = socket.clone();
    let timer = set_timeout_with_handle(
        move || {
            late.shared.store.storage.set(Storage::Closed("its storage does not answer".to_owned()));
            open_gate(&late);
        },
        STORAGE_TIMEOUT,
    );
    let socket = socket.clone();
    spawn_local(async move {
        let store = &socket.shared.store;
        let kept = kept::load(store, user).await;
        if let Ok(timer) = timer {
            timer.clear();
        }
        // Those of this page, which a slow storage has only now told of, are on their way already.
        let known =
            |frame: &ClientFrame| store.pending.with_untracked(|all| all.iter().any(|one| one.frame.id == frame.id));
        for frame in kept.into_iter().filter(|frame| !known(frame)) {
            store.set_kept(frame.id, Kept::Saved);
            socket.expect(&frame, |_| {});
            let now = socket.now();
            socket.drive(|session| session.command(now, frame));
        }
        open_gate(&socket);
    });
}

/// Lets out the messages that were waiting, and from now on each at once.
fn open_gate(socket: &Socket) {
    let waiting = socket.shared.gate.lock().unwrap_or_else(PoisonError::into_inner).take().unwrap_or_default();
    for frame in waiting {
        let now = socket.now();
        socket.drive(|session| session.command(now, frame));
    }
}

/// Whatever may mean that the link has to be looked at.
fn listen(socket: &Socket) {
    let network = |online: bool| {
        let socket = socket.clone();
        move |_: web_sys::Event| {
            let now = socket.now();
            socket.drive(|session| session.network(now, online));
        }
    };
    let wake = || {
        let socket = socket.clone();
        move |_: web_sys::Event| {
            if document().visibility_state() == web_sys::VisibilityState::Visible {
                socket.try_now();
            }
        }
    };
    for (name, handler) in [
        ("online", Box::new(network(true)) as Box<dyn Fn(web_sys::Event)>),
        ("offline", Box::new(network(false))),
        ("pageshow", Box::new(wake())),
        ("visibilitychange", Box::new(wake())),
    ] {
        // `visibilitychange` bubbles from the document to the window. The listeners live as long as the page.
        let handler = wasm_bindgen::closure::Closure::<dyn Fn(web_sys::Event)>::new(handler).into_js_value();
        let added = window().add_event_listener_with_callback(name, handler.unchecked_ref());
        if added.is_err() {
            leptos::logging::error!("cannot listen for {name}");
        }
    }
}

pub(super) fn fetch_token(socket: Socket) {
    spawn_local(async move {
        let outcome = match within(TOKEN_TIMEOUT, api::ws_token()).await {
            Some(Ok(Some(token))) => Ok(token),
            Some(Ok(None)) => Err(TokenError::SignedOut),
            Some(Err(ServerFnError::Request(_))) | None => {
                Err(TokenError::Unreachable("it does not answer".to_owned()))
            }
            Some(Err(error)) => Err(TokenError::Unreachable(reason(&error))),
        };
        let now = socket.now();
        socket.drive(|session| session.token(now, outcome));
    });
}

fn reason(error: &ServerFnError) -> String {
    match error {
        ServerFnError::ServerError(message) => message.clone(),
        error => error.to_string(),
    }
}

pub(super) fn refresh_discovery(store: AppStore) {
    spawn_local(async move {
        match api::read_discovery().await {
            Ok(discovery) => store.discovery.set(discovery),
            Err(error) => leptos::logging::warn!("discovery could not be read: {error}"),
        }
    });
}

/// Reads the list of threads anew. Should an event change it meanwhile, what was read may be older, and is read again.
pub(super) fn refresh_threads(store: AppStore) {
    spawn_local(async move {
        for _ in 0..3 {
            let before = store.threads_version();
            match api::list_threads(None, None).await {
                Ok(threads) if store.threads_version() == before => return store.replace_threads(threads),
                Ok(_) => {}
                Err(error) => return leptos::logging::warn!("the list of threads could not be read: {error}"),
            }
        }
    });
}

/// A message is about to go out: from now on it survives a reload.
pub(super) fn begin(store: &AppStore, frame: &ClientFrame) {
    if let Some(user) = store.user() {
        kept::begin(user.id, frame);
    }
}

/// Keeps the outbox, which was `before`, where it survives a reload.
pub(super) fn keep_outbox(store: &AppStore, before: &[Pending], outbox: &[Pending]) {
    if let Some(user) = store.user() {
        kept::keep_outbox(store, user.id, before, outbox);
    }
}

/// Keeps a refused message until it is sent again or put away.
pub(super) fn keep_refused(store: &AppStore, frame: &ClientFrame, error: &ErrorMessage) {
    if let Some(user) = store.user() {
        kept::keep_refused(store, user.id, frame, error);
    }
}

/// Forgets a refused message.
pub(super) fn forget_refused(store: &AppStore, id: FrameId) {
    if let Some(user) = store.user() {
        kept::forget_refused(store, user.id, id);
    }
}

/// Writes nothing more to the disk, or goes on with it.
pub(super) fn rest(rests: bool) {
    kept::rest(rests);
    if rests {
        offline::forget();
    }
}

/// Takes everything of the user's off the page.
pub(super) fn forget(store: &AppStore) {
    offline::forget();
    store.forget();
}
