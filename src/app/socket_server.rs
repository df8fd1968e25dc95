//! The server renders the page and opens no socket: what a browser would do is never asked for here.

use leptos::leptos_dom::helpers::TimeoutHandle;
use netra_ws::{ClientFrame, ErrorCode, FrameId, payload::ErrorMessage, session::Millis};

use super::{Pending, Socket};
use crate::app::store::AppStore;

pub(super) const fn seed() -> u64 {
    0
}

pub(super) const fn clocks() -> (f64, f64) {
    (0.0, 0.0)
}

pub(super) fn after(_: Millis, _: impl FnOnce() + 'static) -> Option<TimeoutHandle> {
    None
}

pub(super) fn start(_: &Socket) {}

pub(super) fn fetch_token(_: Socket) {}

pub(super) fn refresh_discovery(_: AppStore) {}

pub(super) fn refresh_threads(_: AppStore) {}

pub(super) fn begin(_: &AppStore, _: &ClientFrame) {}

pub(super) fn keep_outbox(_: &AppStore, _: &[Pending], _: &[Pending]) {}

pub(super) fn keep_refused(_: &AppStore, _: &ClientFrame, _: &ErrorMessage) {}

pub(super) fn forget_refused(_: &AppStore, _: FrameId) {}

pub(super) fn rest(_: bool) {}

pub(super) fn report_unread(_: ErrorCode) {}

pub(super) fn forget(_: &AppStore) {}

pub(super) mod transport {
    use netra_ws::ClientFrame;

    use super::Socket;

    pub(in super::super) fn open(_: &Socket, _: &str, _: &[String], _: u64) {}

    pub(in super::super) fn close() {}

    pub(in super::super) fn send(_: &ClientFrame) {}
}
