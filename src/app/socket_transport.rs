//! One WebSocket of the browser's, and which of several it is: what a dead one still says carries its own number.

use std::cell::RefCell;

use netra_ws::{ClientFrame, Incoming};
use wasm_bindgen::{JsCast, closure::Closure};
use web_sys::{CloseEvent, MessageEvent, WebSocket};

use super::Socket;
use crate::app::tap::{Direction, crosses};

thread_local! {
    /// The page has one at a time.
    static CURRENT: RefCell<Option<WebSocket>> = const { RefCell::new(None) };
}

/// The code of a socket that could not be opened at all, as a browser reports a broken one.
const BROKEN: u16 = 1006;

/// Opens a socket in the place of the one before.
pub(super) fn open(socket: &Socket, url: &str, protocols: &[String], generation: u64) {
    close();
    let protocols: js_sys::Array = protocols.iter().map(|protocol| wasm_bindgen::JsValue::from_str(protocol)).collect();
    let Ok(opening) = WebSocket::new_with_str_sequence(&absolute(url), &protocols) else {
        // Blocked by a policy, say. It is told later, as every other end is: the session is at work now.
        let socket = socket.clone();
        leptos::task::spawn_local(async move { socket.closed(generation, BROKEN) });
        return;
    };
    let (opened, heard, closed) = (socket.clone(), socket.clone(), socket.clone());
    let on_open = Closure::<dyn Fn()>::new(move || opened.opened(generation)).into_js_value();
    let on_message = Closure::<dyn Fn(MessageEvent)>::new(move |event: MessageEvent| {
        // The server sends text alone.
        let Some(text) = event.data().as_string() else { return };
        crosses(Direction::In, &text);
        match serde_json::from_str::<Incoming>(&text) {
            Ok(incoming) => heard.hear(generation, incoming),
            Err(error) => leptos::logging::error!("a frame could not be read: {error}"),
        }
    })
    .into_js_value();
    let on_close = Closure::<dyn Fn(CloseEvent)>::new(move |event: CloseEvent| closed.closed(generation, event.code()))
        .into_js_value();
    opening.set_onopen(Some(on_open.unchecked_ref()));
    opening.set_onmessage(Some(on_message.unchecked_ref()));
    opening.set_onclose(Some(on_close.unchecked_ref()));
    CURRENT.set(Some(opening));
}

/// Closes the socket. Nothing more is heard from it.
pub(super) fn close() {
    if let Some(socket) = CURRENT.take() {
        socket.set_onopen(None);
        socket.set_onmessage(None);
        socket.set_onclose(None);
        let _ = socket.close();
    }
}

/// Sends a frame. What does not go out is kept by the session, which hears of the socket's end.
pub(super) fn send(frame: &ClientFrame) {
    let Ok(text) = frame.encode() else {
        leptos::logging::error!("a frame could not be written");
        return;
    };
    let sent = CURRENT.with_borrow(|socket| socket.as_ref().is_some_and(|socket| socket.send_with_str(&text).is_ok()));
    if sent {
        crosses(Direction::Out, &text);
    }
}

/// The server may name its socket by its path alone; not every browser takes that.
fn absolute(url: &str) -> String {
    if !url.starts_with('/') {
        return url.to_owned();
    }
    let location = leptos::prelude::window().location();
    let scheme = if location.protocol().is_ok_and(|protocol| protocol == "https:") { "wss" } else { "ws" };
    format!("{scheme}://{}{url}", location.host().unwrap_or_default())
}
