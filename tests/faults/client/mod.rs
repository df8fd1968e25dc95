//! A native client: the session and the reducer that the browser runs, over a real socket.
//!
//! [`driver`] carries out what [`netra_ws::Session`] decides, as `src/app/socket.rs` does in the browser; [`wire`] is the
//! socket itself, [`tokens`] asks the server for tokens, and [`book`] keeps what was seen. Nothing here knows the tests.

mod book;
mod driver;
mod tokens;
mod wire;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use netra_ws::{ClientFrame, FrameId, ThreadId, frame::Frame, message::ClientMessage, payload as p};
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
    time::{Instant, timeout},
};

pub(crate) use book::{Book, digest};
pub(crate) use tokens::{Tokens, from_server};

/// Where a client connects and what it is told before.
#[derive(Clone)]
pub(crate) struct Endpoint {
    /// `ws://…/ws`.
    pub(crate) url: String,
    /// Where tokens come from.
    pub(crate) tokens: Tokens,
    /// The limits that discovery names.
    pub(crate) limits: p::Limits,
}

/// What a client is asked to do.
enum Order {
    Subscribe { thread: ThreadId, at: Option<(String, u64)> },
    Command(Box<ClientFrame>),
}

/// A running client; gone without a word when dropped.
pub(crate) struct Client {
    orders: mpsc::UnboundedSender<Order>,
    book: Arc<Mutex<Book>>,
    changed: watch::Receiver<()>,
    task: JoinHandle<()>,
}

impl Client {
    /// Starts a client, which connects at once. `seed` makes its random pauses repeatable.
    pub(crate) fn start(endpoint: Endpoint, seed: u64) -> Self {
        let (orders, inbox) = mpsc::unbounded_channel();
        let (tell, changed) = watch::channel(());
        let book = Arc::new(Mutex::new(Book::default()));
        let task = tokio::spawn(driver::run(endpoint, seed, inbox, Arc::clone(&book), tell));
        Self { orders, book, changed, task }
    }

    /// Follows a thread from its first event on.
    pub(crate) fn follow(&self, thread: ThreadId) {
        self.subscribe(thread, Some((String::new(), 0)));
    }

    /// Follows a thread from a cursor on; without one, from a snapshot.
    pub(crate) fn subscribe(&self, thread: ThreadId, at: Option<(String, u64)>) {
        self.order(Order::Subscribe { thread, at });
    }

    /// Says something in a thread; it goes out when the link is live, and stays in the outbox until it is answered.
    pub(crate) fn say(&self, thread: ThreadId, content: &str) -> FrameId {
        let message = p::UserMessage { content: content.to_owned(), ..p::UserMessage::default() };
        self.command(Frame::new(ClientMessage::UserMessage(message)).in_thread(thread))
    }

    /// Takes a command into the outbox.
    pub(crate) fn command(&self, frame: ClientFrame) -> FrameId {
        let id = frame.id;
        self.order(Order::Command(Box::new(frame)));
        id
    }

    fn order(&self, order: Order) {
        assert!(self.orders.send(order).is_ok(), "the client's task has ended");
    }

    /// What was seen so far. A second guard in one expression waits for ever.
    pub(crate) fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The one link it ever had is still there.
    pub(crate) fn was_never_lost(&self) {
        let book = self.book();
        assert_eq!((book.connects, book.losses()), (1, 0), "{book}");
    }

    /// Waits until the book satisfies `wanted`, and says how long that took.
    pub(crate) async fn wait(&self, limit: Duration, what: &str, wanted: impl Fn(&Book) -> bool) -> Duration {
        let start = Instant::now();
        let mut changed = self.changed.clone();
        loop {
            changed.mark_unchanged();
            if wanted(&self.book()) {
                return start.elapsed();
            }
            let left = limit.saturating_sub(start.elapsed());
            let more = !left.is_zero() && matches!(timeout(left, changed.changed()).await, Ok(Ok(())));
            assert!(more, "{what} did not come within {limit:?}: {}", self.book());
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.task.abort();
    }
}
