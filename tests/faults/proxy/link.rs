//! One proxied connection and the handle that a test breaks it with.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use tokio::{net::TcpStream, sync::watch};

use super::lane::{Fault, Lane, Trigger, Way, pump};

/// What is wrong with a connection.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Plan {
    up: Lane,
    down: Lane,
    end: Option<Fault>,
}

impl Plan {
    pub(super) fn lane(&self, way: Way) -> &Lane {
        match way {
            Way::Up => &self.up,
            Way::Down => &self.down,
        }
    }

    /// Whether the connection is to end.
    pub(super) fn ends(&self) -> bool {
        self.end.is_some()
    }

    fn lane_mut(&mut self, way: Way) -> &mut Lane {
        match way {
            Way::Up => &mut self.up,
            Way::Down => &mut self.down,
        }
    }

    fn strike(&mut self, fault: Fault) {
        match fault {
            Fault::Close | Fault::Reset => self.end = Some(fault),
            Fault::Silence => (self.up.hole, self.down.hole) = (true, true),
        }
    }
}

struct State {
    plan: watch::Sender<Plan>,
    open: AtomicBool,
    broken: AtomicBool,
    up: AtomicU64,
    down: AtomicU64,
}

/// A proxied connection. Cloning it clones a handle.
#[derive(Clone)]
pub(crate) struct Link(Arc<State>);

impl Link {
    pub(super) fn new() -> Self {
        Self(Arc::new(State {
            plan: watch::Sender::new(Plan::default()),
            open: AtomicBool::new(true),
            broken: AtomicBool::new(false),
            up: AtomicU64::new(0),
            down: AtomicU64::new(0),
        }))
    }

    /// Breaks the connection now.
    pub(crate) fn strike(&self, fault: Fault) {
        self.0.broken.store(true, Ordering::Relaxed);
        self.0.plan.send_modify(|plan| plan.strike(fault));
    }

    /// Breaks the connection at a place in one of its lanes.
    pub(crate) fn strike_at(&self, way: Way, trigger: Trigger, fault: Fault) {
        self.0.plan.send_modify(|plan| plan.lane_mut(way).breaks = Some((trigger, fault)));
    }

    /// Lets nothing pass one way, or lets it pass again; what was sent meanwhile arrives then.
    pub(crate) fn hole(&self, way: Way, hole: bool) {
        self.0.plan.send_modify(|plan| plan.lane_mut(way).hole = hole);
    }

    /// Slows a lane down to so many bytes a second, or lets it run again.
    pub(crate) fn throttle(&self, way: Way, rate: Option<u32>) {
        self.0.plan.send_modify(|plan| plan.lane_mut(way).rate = rate);
    }

    /// Whether both sides still hold it, as far as the proxy lets them know.
    pub(crate) fn is_open(&self) -> bool {
        self.0.open.load(Ordering::Relaxed)
    }

    /// Whether a fault struck it.
    pub(crate) fn is_broken(&self) -> bool {
        self.0.broken.load(Ordering::Relaxed)
    }

    /// Bytes that passed so far.
    pub(crate) fn passed(&self, way: Way) -> u64 {
        self.counter(way).load(Ordering::Relaxed)
    }

    pub(super) fn plan(&self) -> watch::Receiver<Plan> {
        self.0.plan.subscribe()
    }

    pub(super) fn count(&self, way: Way, bytes: usize) {
        self.counter(way).fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(super) fn over(&self) {
        self.0.open.store(false, Ordering::Relaxed);
    }

    /// The place where a lane was to break is reached: it breaks once.
    pub(super) fn broke(&self, way: Way, fault: Fault) {
        self.0.broken.store(true, Ordering::Relaxed);
        self.0.plan.send_modify(|plan| {
            plan.lane_mut(way).breaks = None;
            plan.strike(fault);
        });
    }

    /// Carries bytes both ways until both are done or the connection breaks.
    pub(super) async fn carry(&self, mut client: TcpStream, mut server: TcpStream) {
        // Fails only when the client is gone already.
        let _ = client.set_nodelay(true);
        let mut plan = self.plan();
        let resets = {
            let ((from_client, to_client), (from_server, to_server)) = (client.split(), server.split());
            let both = async {
                tokio::try_join!(
                    pump(self, Way::Up, from_client, to_server),
                    pump(self, Way::Down, from_server, to_client)
                )
            };
            tokio::select! {
                biased;
                end = plan.wait_for(Plan::ends) => end.is_ok_and(|plan| plan.end == Some(Fault::Reset)),
                done = both => done.is_err(),
            }
        };
        if resets {
            // Fail only on sockets that are gone already.
            let _ = (client.set_zero_linger(), server.set_zero_linger());
        }
        self.over();
    }

    fn counter(&self, way: Way) -> &AtomicU64 {
        match way {
            Way::Up => &self.0.up,
            Way::Down => &self.0.down,
        }
    }
}
