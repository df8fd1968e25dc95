//! Tells the server what this page cannot read of it, by code: at once, and then at most every half minute.

use std::{cell::RefCell, time::Duration};

use leptos::prelude::{set_timeout, window};
use netra_ws::ErrorCode;

/// The pause between two reports.
const PAUSE: Duration = Duration::from_secs(30);

#[derive(Default)]
struct Unread {
    frames: Vec<(ErrorCode, u64)>,
    is_waiting: bool,
}

thread_local! {
    static UNREAD: RefCell<Unread> = RefCell::default();
}

/// A frame could not be read.
pub(crate) fn report(code: ErrorCode) {
    let is_waiting = UNREAD.with_borrow_mut(|unread| {
        match unread.frames.iter_mut().find(|(known, _)| *known == code) {
            Some((_, frames)) => *frames += 1,
            None => unread.frames.push((code, 1)),
        }
        unread.is_waiting
    });
    if !is_waiting {
        send();
    }
}

fn send() {
    let frames = UNREAD.with_borrow_mut(|unread| {
        unread.is_waiting = !unread.frames.is_empty();
        std::mem::take(&mut unread.frames)
    });
    for (code, frames) in &frames {
        let body = format!(r#"{{"code":"{code}","frames":{frames}}}"#);
        // It is sent even while the page goes away; whether it arrives changes nothing here.
        let _ = window().navigator().send_beacon_with_opt_str("/api/unread", Some(&body));
    }
    if !frames.is_empty() {
        set_timeout(send, PAUSE);
    }
}
