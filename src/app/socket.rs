//! The only file that touches a WebSocket: it carries out what the session decides, and tells it what happens.
//!
//! Transport is leptos-use's `use_websocket` with its own reconnecting off; policy is `netra_ws::Session`.

use std::sync::{
    Arc, Mutex, OnceLock, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use codee::string::JsonSerdeCodec;
use leptos::prelude::*;
use leptos_use_websocket::{
    DummyEncoder, ReconnectLimit, UseWebSocketError, UseWebSocketOptions, UseWebSocketReturn,
    use_websocket_with_options,
};
use netra_ws::{
    ClientFrame, FrameId, Incoming, RunId, Session, ThreadId,
    frame::Frame,
    message::ClientMessage,
    payload as p,
    room::typing_body,
    session::{Action, Link, Millis},
};

use super::{
    room::RoomView,
    store::{AppStore, Pending, PendingState},
};

/// How often a page says that its user types, in milliseconds.
const TYPING_INTERVAL: Millis = 3_000;

/// The page's link to the server. Cloning it clones a handle.
#[derive(Clone)]
pub(crate) struct Socket {
    shared: Arc<Shared>,
}

type Send = dyn Fn(&ClientFrame) + std::marker::Send + Sync;
type Settled = Box<dyn FnOnce(Result<p::Ack, p::ErrorMessage>) + std::marker::Send>;

struct Shared {
    store: AppStore,
    session: Mutex<Session>,
    /// The socket that is open or being opened.
    generation: AtomicU64,
    protocols: ArcRwSignal<Option<Vec<String>>>,
    transport: OnceLock<Transport>,
    waiting: Mutex<Vec<(FrameId, Settled)>>,
    timer: Mutex<Option<TimeoutHandle>>,
    clock: Mutex<Clock>,
    /// When this page last said that its user types.
    typed: Mutex<Option<Millis>>,
}

struct Transport {
    open: Box<dyn Fn() + std::marker::Send + Sync>,
    close: Box<dyn Fn() + std::marker::Send + Sync>,
    send: Box<Send>,
}

/// Opens the link once the page is alive. Called by `App`, and only there.
pub(crate) fn provide_socket(store: AppStore) {
    let discovery = store.discovery.get_untracked();
    let protocols: ArcRwSignal<Option<Vec<String>>> = ArcRwSignal::new(None);
    let shared = Arc::new(Shared {
        session: Mutex::new(Session::new(browser::seed(), discovery.ws.limits)),
        store,
        generation: AtomicU64::new(0),
        protocols: protocols.clone(),
        transport: OnceLock::new(),
        waiting: Mutex::default(),
        timer: Mutex::default(),
        clock: Mutex::default(),
        typed: Mutex::default(),
    });
    let socket = Socket { shared };
    let (opened, heard, closed) = (socket.clone(), socket.clone(), socket.clone());
    let options = UseWebSocketOptions::default()
        .immediate(false)
        .reconnect_limit(ReconnectLimit::Limited(0))
        .protocols(Signal::<Option<Vec<String>>>::from(protocols))
        .on_open(move |_| {
            let (now, generation) = (opened.now(), opened.generation());
            opened.drive(|session| session.opened(now, generation));
        })
        .on_message(move |incoming: &Incoming| heard.hear(incoming))
        .on_error(|error| Socket::report(&error))
        .on_close(move |event| {
            let (now, generation) = (closed.now(), closed.generation());
            closed.drive(|session| session.closed(now, generation, event.code()));
        });
    let UseWebSocketReturn { open, close, send, .. } =
        use_websocket_with_options::<ClientFrame, Incoming, JsonSerdeCodec, (), DummyEncoder>(
            &discovery.ws.url,
            options,
        );
    let transport = Transport { open: Box::new(open), close: Box::new(close), send: Box::new(send) };
    if socket.shared.transport.set(transport).is_err() {
        leptos::logging::error!("the page has one socket");
    }
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

impl Socket {
    fn generation(&self) -> u64 {
        self.shared.generation.load(Ordering::Relaxed)
    }

    fn now(&self) -> Millis {
        self.shared.clock.lock().unwrap_or_else(PoisonError::into_inner).advance(browser::clocks())
    }

    /// Tells the session something, then does what it says.
    fn drive<T>(&self, tell: impl FnOnce(&mut Session) -> T) -> T {
        let (told, actions, link, outbox, wake_at) = {
            let mut session = self.shared.session.lock().unwrap_or_else(PoisonError::into_inner);
            let told = tell(&mut session);
            let actions: Vec<Action> = std::iter::from_fn(|| session.poll()).collect();
            let outbox =
                actions.contains(&Action::OutboxChanged).then(|| session.outbox().map(pending).collect::<Vec<_>>());
            (told, actions, session.link().clone(), outbox, session.wake_at())
        };
        if let Some(outbox) = outbox {
            browser::keep_outbox(&self.shared.store, &outbox);
            self.shared.store.mirror_outbox(outbox);
        }
        for action in actions {
            self.act(action, &link);
        }
        self.schedule(wake_at);
        told
    }

    fn act(&self, action: Action, link: &Link) {
        let Some(transport) = self.shared.transport.get() else { return };
        match action {
            Action::Open { generation, token } => {
                self.shared.generation.store(generation, Ordering::Relaxed);
                let info = self.shared.store.discovery.get_untracked().ws;
                self.shared.protocols.set(Some(vec![info.subprotocol, format!("{}{token}", info.token_prefix)]));
                (transport.open)();
            }
            Action::Close => (transport.close)(),
            Action::Send(frame) => (transport.send)(&frame),
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
            }
            Action::OutboxChanged => {}
        }
    }

    fn hear(&self, incoming: &Incoming) {
        match incoming {
            Incoming::Frame(frame) => {
                let (now, generation) = (self.now(), self.generation());
                self.drive(|session| session.frame(now, generation, (**frame).clone()));
            }
            // A newer server's message: this page has no use for what it says.
            Incoming::Unknown(place) => {
                let (now, generation) = (self.now(), self.generation());
                self.drive(|session| session.unknown(now, generation, place.clone()));
            }
            // An event that cannot be read still counts: asking for it again would bring the same.
            Incoming::Bad(error, place) => {
                leptos::logging::error!("a frame could not be read: {error}");
                let (now, generation) = (self.now(), self.generation());
                self.drive(|session| session.unknown(now, generation, place.clone()));
            }
        }
    }

    fn report<E, D>(error: &UseWebSocketError<E, D>) {
        match error {
            // A close event follows, and says more.
            UseWebSocketError::Event(_) => {}
            UseWebSocketError::Codec(_) | UseWebSocketError::HeartbeatCodec(_) => {
                leptos::logging::error!("a frame could not be read or written");
            }
        }
    }

    /// A server of another version may have other agents: discovery is read again.
    fn greeted(&self, version: &str) {
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

    /// Stops watching a thread; what is known of it stays.
    pub(crate) fn leave(&self, thread: ThreadId) {
        self.drive(|session| session.unsubscribe(thread));
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

    fn say_once(&self, message: ClientMessage) {
        let now = self.now();
        self.drive(|session| session.say_once(now, Frame::new(message)));
    }

    /// Sends a message to a thread.
    pub(crate) fn say(&self, thread: ThreadId, content: String, agent: Option<String>) {
        let message = p::UserMessage { content, agent, ..p::UserMessage::default() };
        self.command(Frame::new(ClientMessage::UserMessage(message)).in_thread(thread), |_| {});
    }

    /// Starts an agent in a new thread; `made` hears which.
    pub(crate) fn start(
        &self,
        content: String,
        agent: Option<String>,
        made: impl FnOnce(ThreadId) + std::marker::Send + 'static,
    ) {
        let start = p::StartAgent { agent, content, title: None };
        let store = self.shared.store.clone();
        self.command(Frame::new(ClientMessage::StartAgent(start)), move |ack| {
            if let Some(thread) = ack.thread_id {
                store.begin(thread);
                made(thread);
            }
        });
    }

    /// Stops a run.
    pub(crate) fn stop(&self, thread: ThreadId, run_id: RunId) {
        self.command(Frame::new(ClientMessage::StopAgent(p::StopAgent { run_id })).in_thread(thread), |_| {});
    }

    /// Sends a refused message again.
    pub(crate) fn retry(&self, frame: ClientFrame) {
        self.discard(frame.id);
        self.command(frame, |_| {});
    }

    /// Puts a refused message away.
    pub(crate) fn discard(&self, id: FrameId) {
        browser::forget_refused(&self.shared.store, id);
        self.shared.store.forget_failed(id);
    }

    /// What becomes of a command: `done` hears its first answer, a refusal stays on the page.
    fn expect(&self, frame: &ClientFrame, done: impl FnOnce(p::Ack) + std::marker::Send + 'static) {
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

    fn command(&self, frame: ClientFrame, done: impl FnOnce(p::Ack) + std::marker::Send + 'static) {
        self.expect(&frame, done);
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

fn pending(queued: &netra_ws::session::Queued) -> Pending {
    let state = if queued.is_sent() { PendingState::Sent } else { PendingState::Queued };
    Pending { frame: queued.frame.clone(), state }
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
