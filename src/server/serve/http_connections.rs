//! All connections that speak HTTP, how many there may be, and which goes when there are too many.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, hash_map::Entry},
    hash::Hash,
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use netra_ws::UserId;
use tokio::time::Instant;

use super::http_connection::HttpConnection;
use crate::server::auth::network;

/// How many connections there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ConnectionLimits {
    /// Of everyone together, sockets included.
    pub(crate) all: usize,
    /// Of those who have not signed in.
    pub(crate) strangers: usize,
    /// Of those who have not signed in, from one network (an IPv4 address, or the 64 bits of an IPv6 one); those of this machine
    /// have no limit of their own, because a proxy brings everyone's.
    pub(crate) strangers_of_an_address: usize,
}

/// Open files that are kept for the database, for requests to models' servers and for the moment of accepting.
const RESERVED_FILES: u64 = 128;

/// The most strangers, whatever the process may open.
const MAX_STRANGERS: usize = 4_096;

/// Connections that speak HTTP for one user. Sockets have a limit of their own.
const OF_A_USER: usize = 64;

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
    strangers_by_network: HashMap<IpAddr, BTreeSet<u64>>,
    /// Who has, and as whom last: proxies ask for many on one connection.
    known: BTreeMap<u64, (UserId, Arc<HttpConnection>)>,
    known_by_user: HashMap<UserId, BTreeSet<u64>>,
}

impl Http {
    fn remove_stranger(&mut self, id: u64) -> Option<Arc<HttpConnection>> {
        let connection = self.strangers.remove(&id)?;
        forget(&mut self.strangers_by_network, network(connection.address), id);
        Some(connection)
    }

    fn remove_known(&mut self, id: u64) -> Option<Arc<HttpConnection>> {
        let (user, connection) = self.known.remove(&id)?;
        forget(&mut self.known_by_user, user, id);
        Some(connection)
    }

    /// The oldest connection of somebody who is signed in on which nothing is asked: without a byte first, then with half a head.
    fn spare(&self) -> Option<u64> {
        let oldest = |wanted: fn(&HttpConnection) -> bool| {
            self.known.iter().find(|(_, (_, connection))| wanted(connection)).map(|(id, _)| *id)
        };
        oldest(HttpConnection::is_idle).or_else(|| oldest(HttpConnection::asks_nothing))
    }

    /// The same among one user's.
    fn spare_of(&self, user: UserId) -> Option<u64> {
        let asks_nothing = |id: &u64| self.known.get(id).is_some_and(|(_, connection)| connection.asks_nothing());
        self.known_by_user.get(&user)?.iter().copied().find(asks_nothing)
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
        let of_network = http.strangers_by_network.get(&network(address));
        let crowd = of_network
            .filter(|ids| !address.to_canonical().is_loopback() && ids.len() >= self.limits.strangers_of_an_address);
        if let Some(oldest) = crowd.and_then(|ids| ids.first().copied()) {
            end(http.remove_stranger(oldest), "too many from one network");
        } else if http.strangers.len() >= self.limits.strangers || total >= self.limits.all {
            let oldest = http.strangers.keys().next().copied();
            if let Some(oldest) = oldest {
                end(http.remove_stranger(oldest), "too many without a sign-in");
            } else {
                let spare = http.spare()?;
                end(http.remove_known(spare), "too many connections");
            }
        }
        let connection =
            Arc::new(HttpConnection::new(self.next.fetch_add(1, Ordering::Relaxed), address, Arc::downgrade(self)));
        http.strangers.insert(connection.id, connection.clone());
        http.strangers_by_network.entry(network(address)).or_default().insert(connection.id);
        Some(connection)
    }

    /// The connection's other end is signed in. Of one user's too many the oldest goes on which nothing is asked.
    pub(super) fn signed_in(&self, connection: &HttpConnection, user: UserId) {
        let mut http = self.http();
        let connection = match http.known.get(&connection.id) {
            Some((known, _)) if *known == user => return,
            Some(_) => http.remove_known(connection.id),
            None => http.remove_stranger(connection.id),
        };
        let Some(connection) = connection else { return };
        if http.known_by_user.get(&user).is_some_and(|ids| ids.len() >= OF_A_USER)
            && let Some(spare) = http.spare_of(user)
        {
            end(http.remove_known(spare), "too many of one user");
        }
        http.known_by_user.entry(user).or_default().insert(connection.id);
        http.known.insert(connection.id, (user, connection));
    }

    /// The connection speaks HTTP no more.
    pub(super) fn became_socket(&self, id: u64) {
        let mut http = self.http();
        self.sockets.fetch_add(1, Ordering::AcqRel);
        if http.remove_stranger(id).is_none() {
            http.remove_known(id);
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
            http.remove_known(id);
        }
    }

    /// Ends what has taken too long.
    pub(crate) fn sweep(&self) {
        let now = Instant::now();
        let all: Vec<Arc<HttpConnection>> = {
            let http = self.http();
            let known = http.known.values().map(|(_, connection)| connection);
            http.strangers.values().chain(known).cloned().collect()
        };
        for connection in all {
            if let Some(overdue) = connection.overdue(now) {
                tracing::debug!(address = %connection.address, what = overdue.as_str(), "connection timed out");
                connection.end.notify_one();
            }
        }
    }
}

/// Takes a connection out of a list by key.
fn forget<K: Hash + Eq>(lists: &mut HashMap<K, BTreeSet<u64>>, key: K, id: u64) {
    if let Entry::Occupied(mut list) = lists.entry(key) {
        list.get_mut().remove(&id);
        if list.get().is_empty() {
            list.remove();
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
        signed_in.signed_in(UserId::new());
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
        busy.signed_in(UserId::new());
        busy.begin_request();
        table.admit(HERE).expect("a place").become_socket();
        assert!(table.admit(HERE).is_none());
        busy.end_request();
        assert!(table.admit(HERE).is_some() && ended(&busy), "an idle one makes room");
        table.socket_ended();
        assert!(table.admit(HERE).is_some());
    }

    /// A sign-in takes no more places than others leave: one user's are few, and half a head keeps none.
    #[tokio::test]
    async fn one_user_has_a_share() {
        let table = HttpConnections::new(limits(1_000, 500, 500));
        let (eve, ada) = (UserId::new(), UserId::new());
        let alone = table.admit(HERE).expect("a place");
        alone.signed_in(ada);
        let many: Vec<_> = (0..OF_A_USER + 10)
            .map(|_| {
                let connection = table.admit(HERE).expect("a place");
                connection.signed_in(eve);
                connection.read(1);
                connection
            })
            .collect();
        assert_eq!(many.iter().filter(|one| ended(one)).count(), 10);
        assert!(!ended(&alone), "another's stays");
        let full = HttpConnections::new(limits(2, 2, 2));
        let held: Vec<_> = (0..2)
            .map(|_| {
                let connection = full.admit(HERE).expect("a place");
                connection.signed_in(eve);
                connection.read(1);
                connection
            })
            .collect();
        assert!(full.admit(HERE).is_some() && ended(&held[0]), "half a head makes room");
    }

    #[tokio::test]
    async fn addresses_of_one_network_count_together() {
        let table = HttpConnections::new(limits(100, 50, 2));
        let many: Vec<_> = (1..=5_u16)
            .map(|last| table.admit(IpAddr::from([0x2001, 0xdb8, 0, 1, 0, 0, 0, last])).expect("a place"))
            .collect();
        assert_eq!(many.iter().filter(|one| ended(one)).count(), 3);
    }
}
