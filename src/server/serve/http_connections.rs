//! All connections that speak HTTP, how many there may be, and which goes when there are too many.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use tokio::time::Instant;

use super::http_connection::HttpConnection;

/// How many connections there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ConnectionLimits {
    /// Of everyone together, sockets included.
    pub(crate) all: usize,
    /// Of those who have not signed in.
    pub(crate) strangers: usize,
    /// Of those who have not signed in, from one address; those of this machine have no limit of their own, because a proxy
    /// brings everyone's.
    pub(crate) strangers_of_an_address: usize,
}

/// Open files that are kept for the database, for requests to models' servers and for the moment of accepting.
const RESERVED_FILES: u64 = 128;

/// The most strangers, whatever the process may open.
const MAX_STRANGERS: usize = 4_096;

impl ConnectionLimits {
    /// As many as the process may open files for, half of them for strangers.
    pub(crate) fn of_open_files(files: u64, most: usize) -> Self {
        let usable = files.saturating_sub(RESERVED_FILES).max(files / 2);
        let all = usize::try_from(usable).unwrap_or(usize::MAX).clamp(2, most);
        let strangers = (all / 2).min(MAX_STRANGERS);
        Self { all, strangers, strangers_of_an_address: (strangers / 4).max(1) }
    }
}

/// Every connection of the process.
pub(crate) struct HttpConnections {
    limits: ConnectionLimits,
    next: AtomicU64,
    sockets: AtomicUsize,
    http: Mutex<Http>,
}

#[derive(Default)]
struct Http {
    /// Who has not signed in, the oldest first.
    strangers: BTreeMap<u64, Arc<HttpConnection>>,
    strangers_by_address: HashMap<IpAddr, BTreeSet<u64>>,
    /// Who has.
    known: BTreeMap<u64, Arc<HttpConnection>>,
}

impl Http {
    fn remove_stranger(&mut self, id: u64) -> Option<Arc<HttpConnection>> {
        let connection = self.strangers.remove(&id)?;
        if let Some(ids) = self.strangers_by_address.get_mut(&connection.address) {
            ids.remove(&id);
            if ids.is_empty() {
                self.strangers_by_address.remove(&connection.address);
            }
        }
        Some(connection)
    }
}

impl HttpConnections {
    pub(crate) fn new(limits: ConnectionLimits) -> Arc<Self> {
        Arc::new(Self { limits, next: AtomicU64::new(0), sockets: AtomicUsize::new(0), http: Mutex::default() })
    }

    fn http(&self) -> MutexGuard<'_, Http> {
        self.http.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a new connection on. When there are too many, the oldest stranger goes: who signs in does so within moments, who
    /// only holds a place grows old. `None` when all places belong to people who are signed in and busy.
    pub(crate) fn admit(self: &Arc<Self>, address: IpAddr) -> Option<Arc<HttpConnection>> {
        let mut http = self.http();
        let total = http.strangers.len() + http.known.len() + self.sockets.load(Ordering::Acquire);
        let of_address = http.strangers_by_address.get(&address);
        let crowd = of_address
            .filter(|ids| !address.to_canonical().is_loopback() && ids.len() >= self.limits.strangers_of_an_address);
        if let Some(oldest) = crowd.and_then(|ids| ids.first().copied()) {
            end(http.remove_stranger(oldest), "too many from one address");
        } else if http.strangers.len() >= self.limits.strangers || total >= self.limits.all {
            let oldest = http.strangers.keys().next().copied();
            if let Some(oldest) = oldest {
                end(http.remove_stranger(oldest), "too many without a sign-in");
            } else {
                let idle = http.known.iter().find(|(_, connection)| connection.is_idle()).map(|(id, _)| *id);
                end(Some(http.known.remove(&idle?)?), "too many connections");
            }
        }
        let connection =
            Arc::new(HttpConnection::new(self.next.fetch_add(1, Ordering::Relaxed), address, Arc::downgrade(self)));
        http.strangers.insert(connection.id, connection.clone());
        http.strangers_by_address.entry(address).or_default().insert(connection.id);
        Some(connection)
    }

    /// The connection's other end has signed in.
    pub(super) fn signed_in(&self, connection: &HttpConnection) {
        let mut http = self.http();
        if let Some(connection) = http.remove_stranger(connection.id) {
            http.known.insert(connection.id, connection);
        }
    }

    /// The connection speaks HTTP no more.
    pub(super) fn became_socket(&self, id: u64) {
        let mut http = self.http();
        self.sockets.fetch_add(1, Ordering::AcqRel);
        if http.remove_stranger(id).is_none() {
            http.known.remove(&id);
        }
    }

    /// A socket has ended.
    pub(super) fn socket_ended(&self) {
        self.sockets.fetch_sub(1, Ordering::AcqRel);
    }

    /// A connection has ended.
    pub(super) fn ended(&self, id: u64) {
        let mut http = self.http();
        if http.remove_stranger(id).is_none() {
            http.known.remove(&id);
        }
    }

    /// Ends what has taken too long.
    pub(crate) fn sweep(&self) {
        let now = Instant::now();
        let all: Vec<Arc<HttpConnection>> = {
            let http = self.http();
            http.strangers.values().chain(http.known.values()).cloned().collect()
        };
        for connection in all {
            if let Some(overdue) = connection.overdue(now) {
                tracing::debug!(address = %connection.address, what = overdue.as_str(), "connection timed out");
                connection.end.notify_one();
            }
        }
    }
}

fn end(connection: Option<Arc<HttpConnection>>, why: &'static str) {
    if let Some(connection) = connection {
        tracing::debug!(address = %connection.address, why, "connection ended for a new one");
        connection.end.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn ended(connection: &HttpConnection) -> bool {
        connection.end.notified().now_or_never().is_some()
    }

    fn limits(all: usize, strangers: usize, strangers_of_an_address: usize) -> ConnectionLimits {
        ConnectionLimits { all, strangers, strangers_of_an_address }
    }

    #[test]
    fn open_files_are_shared_out() {
        assert_eq!(ConnectionLimits::of_open_files(1_024, 100_000), limits(896, 448, 112));
        assert_eq!(ConnectionLimits::of_open_files(1 << 20, 100_000), limits(100_000, 4_096, 1_024));
        assert_eq!(ConnectionLimits::of_open_files(64, 100_000), limits(32, 16, 4));
    }

    #[tokio::test]
    async fn the_oldest_stranger_makes_room() {
        let table = HttpConnections::new(limits(10, 3, 2));
        let signed_in = table.admit(HERE).expect("a place");
        signed_in.signed_in();
        let strangers: Vec<_> = (0..3).map(|_| table.admit(HERE).expect("a place")).collect();
        table.admit(HERE).expect("a place");
        assert!(ended(&strangers[0]) && !ended(&strangers[1]) && !ended(&signed_in));
    }

    #[tokio::test]
    async fn one_address_has_its_share() {
        let table = HttpConnections::new(limits(100, 50, 2));
        let (crowd, other) = (IpAddr::from([203, 0, 113, 9]), IpAddr::from([203, 0, 113, 10]));
        let alone = table.admit(other).expect("a place");
        let many: Vec<_> = (0..5).map(|_| table.admit(crowd).expect("a place")).collect();
        assert_eq!(many.iter().map(|one| ended(one)).collect::<Vec<_>>(), [true, true, true, false, false]);
        assert!(!ended(&alone));
    }

    #[tokio::test]
    async fn who_is_busy_is_never_cut_off() {
        let table = HttpConnections::new(limits(2, 2, 2));
        let busy = table.admit(HERE).expect("a place");
        busy.signed_in();
        busy.begin_request(false);
        table.admit(HERE).expect("a place").become_socket();
        assert!(table.admit(HERE).is_none());
        busy.end_request();
        assert!(table.admit(HERE).is_some() && ended(&busy), "an idle one makes room");
        table.socket_ended();
        assert!(table.admit(HERE).is_some());
    }
}
