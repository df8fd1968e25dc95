//! The page's link: it carries out what the session decides, and tells it what happens. Policy is `netra_ws::Session`; the
//! WebSocket itself is in `socket_transport.rs`.

use std::sync::{Arc, Mutex, PoisonError};

use leptos::prelude::*;
use netra_ws::{
    ClientFrame, ErrorCode, FrameId, Incoming, MessageId, RunId, Session, ThreadId,
    frame::Frame,
    message::ClientMessage,
    model::{Attachment, AttachmentRef},
    payload as p,
    room::typing_body,
    session::{Action, Link, Millis},
};

use super::{
    room_view::RoomView,
    store::{AppStore, Pending, PendingState},
};

/// How often a page says that its user types, in milliseconds.
const TYPING_INTERVAL: Millis = 3_000;

/// The page's link to the server. Cloning it clones a handle.
#[derive(Clone)]
pub(crate) struct Socket {
    shared: Arc<Shared>,
}

type Settled = Box<dyn FnOnce(Result<p::Ack, p::ErrorMessage>) + Send>;

struct Shared {
    store: AppStore,
    session: Mutex<Session>,
    waiting: Mutex<Vec<(FrameId, Settled)>>,
    /// Commands that were given before what the browser had kept was read; what is older goes first.
    gate: Mutex<Option<Vec<ClientFrame>>>,
    timer: Mutex<Option<TimeoutHandle>>,
    clock: Mutex<Clock>,
    /// When this page last said that its user types.
    typed: Mutex<Option<Millis>>,
}

/// Opens the link once the page is alive. Called by `App`, and only there.
pub(crate) fn provide_socket(store: AppStore) {
    let limits = store.discovery.with_untracked(|discovery| discovery.ws.limits);
    let shared = Arc::new(Shared {
        session: Mutex::new(Session::new(browser::seed(), limits)),
        store,
        waiting: Mutex::default(),
        gate: Mutex::new(Some(Vec::new())),
        timer: Mutex::default(),
        clock: Mutex::default(),
        typed: Mutex::default(),
    });
    let socket = Socket { shared };
    provide_context(socket.clone());
    // Effects run in the browser only, after hydration.
    Effect::new(move |started: Option<()>| {
        if started.is_none() {
            browser::start(&socket);
        }
    });
}

/// The link, anywhere below `App`.
pub(crate) fn use_socket() -> Socket {
    expect_context()
}

/// While the user signs out nothing is kept in the browser; when that failed, all is again.
pub(crate) fn signs_out(signs_out: bool) {
    browser::rest(signs_out);
}

impl Socket {
    fn now(&self) -> Millis {
        self.shared.clock.lock().unwrap_or_else(PoisonError::into_inner).advance(browser::clocks())
    }

    /// Tells the session something, then does what it says.
    fn drive<T>(&self, tell: impl FnOnce(&mut Session) -> T) -> T {
        let (told, actions, link, outbox, wake_at) = {
            let mut session = self.shared.session.lock().unwrap_or_else(PoisonError::into_inner);
            let told = tell(&mut session);
            let actions: Vec<Action> = std::iter::from_fn(|| session.poll()).collect();
            let outbox = actions
                .contains(&Action::OutboxChanged)
                .then(|| session.outbox().map(|queued| pending(queued, &self.shared.store)).collect::<Vec<_>>());
            (told, actions, session.link().clone(), outbox, session.wake_at())
        };
        let before = outbox.as_ref().map(|outbox| {
            let before = self.shared.store.pending.get_untracked();
            self.shared.store.mirror_outbox(outbox.clone());
            before
        });
        for action in actions {
            self.act(action, &link);
        }
        // Last: a message that was refused is kept as such before it is no longer kept as one on its way.
        if let (Some(before), Some(outbox)) = (before, outbox) {
            browser::keep_outbox(&self.shared.store, &before, &outbox);
        }
        self.schedule(wake_at);
        told
    }

    fn act(&self, action: Action, link: &Link) {
        match action {
            Action::Open { generation, token } => {
                let info = self.shared.store.discovery.get_untracked().ws;
                let protocols = [info.subprotocol, format!("{}{token}", info.token_prefix)];
                transport::open(self, &info.url, &protocols, generation);
            }
            Action::Close => transport::close(),
            Action::Send(frame) => transport::send(&frame),
            Action::FetchToken => browser::fetch_token(self.clone()),
            Action::Deliver(frame) => {
                if let netra_ws::ServerMessage::Connect(connect) = &frame.message {
                    self.greeted(&connect.server_version);
                    // What happened to other threads while nobody listened was said once and is not said again.
                    browser::refresh_threads(self.shared.store.clone());
                }
                self.shared.store.deliver(&frame);
            }
            Action::Skip(place) => self.shared.store.skip(&place),
            Action::Settled { id, outcome } => {
                let waiting = {
                    let mut waiting = self.shared.waiting.lock().unwrap_or_else(PoisonError::into_inner);
                    let found = waiting.iter().position(|(command, _)| *command == id);
                    found.map(|at| waiting.swap_remove(at).1)
                };
                if let Some(settled) = waiting {
                    settled(outcome);
                }
            }
            Action::Refused { thread_id, error } => {
                leptos::logging::warn!("thread {thread_id}: {}", error.message);
                self.shared.store.thread(thread_id).gone.set(true);
            }
            Action::LinkChanged => {
                self.shared.store.clock.set(self.now());
                self.shared.store.link.set(link.clone());
                if *link == Link::SignedOut {
                    browser::forget(&self.shared.store);
                }
            }
            Action::OutboxChanged => {}
        }
    }

    /// The socket of this number is open.
    #[cfg_attr(not(feature = "hydrate"), allow(dead_code))]
    fn opened(&self, generation: u64) {
        let now = self.now();
        self.drive(|session| session.opened(now, generation));
    }

    /// It is closed, or could not be opened.
    #[cfg_attr(not(feature = "hydrate"), allow(dead_code))]
    fn closed(&self, generation: u64, code: u16) {
        let now = self.now();
        self.drive(|session| session.closed(now, generation, code));
    }

    /// Something came on it.
    #[cfg_attr(not(feature = "hydrate"), allow(dead_code))]
    fn hear(&self, generation: u64, incoming: Incoming) {
        let now = self.now();
        match incoming {
            Incoming::Frame(frame) => self.drive(|session| session.frame(now, generation, *frame)),
            // A newer server's message: this page has no use for what it says.
            Incoming::Unknown(place) => {
                browser::report_unread(ErrorCode::UnknownType);
                self.shared.store.outdated.set(true);
                self.drive(|session| session.unknown(now, generation, place));
            }
            // An event that cannot be read still counts: asking for it again would bring the same.
            Incoming::Bad(error, place) => {
                leptos::logging::error!("a frame could not be read: {error}");
                browser::report_unread(error.code);
                self.shared.store.outdated.set(true);
                self.drive(|session| session.unknown(now, generation, place));
            }
        }
    }

    /// A server of another version may have other agents: discovery is read again. And it may say what this page cannot read.
    fn greeted(&self, version: &str) {
        if version != super::boot::VERSION {
            self.shared.store.outdated.set(true);
        }
        if self.shared.store.discovery.with_untracked(|discovery| discovery.version != version) {
            browser::refresh_discovery(self.shared.store.clone());
        }
    }

    fn schedule(&self, wake_at: Option<Millis>) {
        let mut timer = self.shared.timer.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(timer) = timer.take() {
            timer.clear();
        }
        let Some(wake_at) = wake_at else { return };
        let pause = wake_at.saturating_sub(self.now());
        let this = self.clone();
        *timer = browser::after(pause, move || {
            let now = this.now();
            this.drive(|session| session.tick(now));
        });
    }

    /// Watches a thread until [`Socket::leave`].
    pub(crate) fn watch(&self, thread: ThreadId) {
        let cursor = self.shared.store.thread(thread).cursor();
        self.drive(|session| session.subscribe(thread, cursor));
    }

    /// Stops watching a thread.
    pub(crate) fn leave(&self, thread: ThreadId) {
        self.drive(|session| session.unsubscribe(thread));
        self.shared.store.leave(thread);
    }

    /// Comes into a thread's room. To be asked again whenever the link is back.
    pub(crate) fn join(&self, thread: ThreadId) {
        self.shared.store.room.set(RoomView::of(thread));
        self.say_once(ClientMessage::JoinRoom(p::Room { room: thread.to_string() }));
    }

    /// Goes out of it.
    pub(crate) fn leave_room(&self, thread: ThreadId) {
        if self.shared.store.room.with_untracked(|room| room.thread == Some(thread)) {
            self.shared.store.room.set(RoomView::default());
            self.say_once(ClientMessage::LeaveRoom(p::Room { room: thread.to_string() }));
        }
    }

    /// Tells the thread's room that the user types, or no longer does; at most every few seconds.
    pub(crate) fn types(&self, thread: ThreadId, typing: bool) {
        if self.shared.store.room.with_untracked(|room| room.thread != Some(thread)) {
            return;
        }
        let now = self.now();
        {
            let mut typed = self.shared.typed.lock().unwrap_or_else(PoisonError::into_inner);
            let due = match *typed {
                Some(last) => !typing || now.saturating_sub(last) >= TYPING_INTERVAL,
                None => typing,
            };
            if !due {
                return;
            }
            *typed = typing.then_some(now);
        }
        let say = p::RoomSay { room: thread.to_string(), body: typing_body(typing) };
        self.say_once(ClientMessage::RoomMessage(say));
    }

    /// Asks the server to answer at once, so that the way there and back can be timed.
    pub(crate) fn ping(&self) {
        self.say_once(ClientMessage::Ping(p::Ping::default()));
    }

    fn say_once(&self, message: ClientMessage) {
        let now = self.now();
        self.drive(|session| session.say_once(now, Frame::new(message)));
    }

    /// Sends a message to a thread, after this one of its messages, or after the newest.
    pub(crate) fn say(
        &self,
        thread: ThreadId,
        content: String,
        files: Vec<Attachment>,
        agent: Option<String>,
        parent_id: Option<MessageId>,
    ) {
        let attachments = files.into_iter().map(AttachmentRef::Told).collect();
        let message = p::UserMessage { content, agent, attachments, parent_id };
        self.command(Frame::new(ClientMessage::UserMessage(message)).in_thread(thread), |_| {});
    }

    /// Starts an agent in a new thread; `made` hears which.
    pub(crate) fn start(
        &self,
        content: String,
        files: Vec<Attachment>,
        agent: Option<String>,
        made: impl FnOnce(ThreadId) + Send + 'static,
    ) {
        let attachments = files.into_iter().map(AttachmentRef::Told).collect();
        let start = p::StartAgent { agent, content, attachments, ..p::StartAgent::default() };
        let store = self.shared.store.clone();
        self.command(Frame::new(ClientMessage::StartAgent(start)), move |ack| {
            if let Some(thread) = ack.thread_id {
                store.begin(thread);
                made(thread);
            }
        });
    }

    /// Has a message answered once more.
    pub(crate) fn regenerate(&self, thread: ThreadId, message_id: MessageId, agent: Option<String>) {
        let again = p::Regenerate { message_id, agent };
        self.command(Frame::new(ClientMessage::Regenerate(again)).in_thread(thread), |_| {});
    }

    /// Stops a run.
    pub(crate) fn stop(&self, thread: ThreadId, run_id: RunId) {
        self.command(Frame::new(ClientMessage::StopAgent(p::StopAgent { run_id })).in_thread(thread), |_| {});
    }

    /// Decides on a call that waits for a person; `refused` hears when that came to nothing.
    pub(crate) fn decide(&self, thread: ThreadId, decision: p::ToolApproval, refused: impl FnOnce() + Send + 'static) {
        let frame = Frame::new(ClientMessage::ToolApproval(decision)).in_thread(thread);
        let store = self.shared.store.clone();
        let (id, failed) = (frame.id, frame.clone());
        let settled: Settled = Box::new(move |outcome| {
            if let Err(error) = outcome {
                // Somebody else decided: the event that tells of it closes the question.
                if error.code != ErrorCode::Conflict {
                    store.fail(failed, error);
                }
                refused();
            }
        });
        self.shared.waiting.lock().unwrap_or_else(PoisonError::into_inner).push((id, settled));
        self.hand(frame);
    }

    /// Sends a refused message again.
    pub(crate) fn retry(&self, frame: ClientFrame) {
        let id = frame.id;
        self.shared.store.keep_anew(id);
        self.shared.store.forget_failed(id);
        // Transactions are carried out in order: the message is on the disk as a command before it is no longer there as refused.
        self.command(frame, |_| {});
        browser::forget_refused(&self.shared.store, id);
    }

    /// Puts a refused message away.
    pub(crate) fn discard(&self, id: FrameId) {
        browser::forget_refused(&self.shared.store, id);
        self.shared.store.forget_failed(id);
    }

    /// What becomes of a command: `done` hears its first answer, a refusal stays on the page.
    fn expect(&self, frame: &ClientFrame, done: impl FnOnce(p::Ack) + Send + 'static) {
        let (store, failed) = (self.shared.store.clone(), frame.clone());
        let settled: Settled = Box::new(move |outcome| match outcome {
            Ok(ack) => done(ack),
            Err(error) => {
                if super::store::adds_message(&failed.message) {
                    browser::keep_refused(&store, &failed, &error);
                }
                store.fail(failed, error);
            }
        });
        self.shared.waiting.lock().unwrap_or_else(PoisonError::into_inner).push((frame.id, settled));
    }

    fn command(&self, frame: ClientFrame, done: impl FnOnce(p::Ack) + Send + 'static) {
        if super::store::adds_message(&frame.message) {
            browser::begin(&self.shared.store, &frame);
        }
        self.expect(&frame, done);
        self.hand(frame);
    }

    fn hand(&self, frame: ClientFrame) {
        if let Some(waiting) = &mut *self.shared.gate.lock().unwrap_or_else(PoisonError::into_inner) {
            waiting.push(frame);
            return;
        }
        let now = self.now();
        self.drive(|session| session.command(now, frame));
    }

    /// The user asks to try now.
    pub(crate) fn try_now(&self) {
        let now = self.now();
        self.drive(|session| session.wake(now));
    }

    /// The user signed out.
    pub(crate) fn sign_out(&self) {
        self.drive(Session::sign_out);
    }
}

fn pending(queued: &netra_ws::session::Queued, store: &AppStore) -> Pending {
    let state = if queued.is_sent() { PendingState::Sent } else { PendingState::Queued };
    Pending { kept: store.kept(queued.frame.id), frame: queued.frame.clone(), state }
}

/// A clock that never goes back, follows the wall clock through sleep, and survives a wall clock that is set back.
#[derive(Default)]
struct Clock {
    /// With its fractions: a clock that drops them stands still while frames come thick and fast.
    at: f64,
    last: Option<(f64, f64)>,
}

impl Clock {
    fn advance(&mut self, (steady, wall): (f64, f64)) -> Millis {
        if let Some((last_steady, last_wall)) = self.last.replace((steady, wall)) {
            self.at += (steady - last_steady).max(wall - last_wall).max(0.0);
        }
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        {
            self.at as Millis
        }
    }
}

#[cfg(feature = "hydrate")]
#[path = "socket_browser.rs"]
mod browser;

#[cfg(not(feature = "hydrate"))]
#[path = "socket_server.rs"]
mod browser;

#[cfg(feature = "hydrate")]
#[path = "socket_transport.rs"]
mod transport;

#[cfg(not(feature = "hydrate"))]
use browser::transport;

#[cfg(test)]
mod tests {
    use super::Clock;

    #[test]
    fn the_clock_never_goes_back() {
        let mut clock = Clock::default();
        assert_eq!(clock.advance((0.0, 1_000_000.0)), 0);
        assert_eq!(clock.advance((100.0, 1_000_100.0)), 100);
        // Asleep: only the wall clock went on.
        assert_eq!(clock.advance((100.0, 1_060_100.0)), 60_100);
        // Set back by an hour: the steady clock goes on.
        assert_eq!(clock.advance((150.0, -2_500_000.0)), 60_150);
    }

    #[test]
    fn the_clock_counts_fractions() {
        let mut clock = Clock::default();
        let last = (0..=4_000).map(|step| clock.advance((f64::from(step) / 4.0, 0.0))).last();
        assert_eq!(last, Some(1_000));
    }
}
