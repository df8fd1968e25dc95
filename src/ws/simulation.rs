//! Histories: the real session, manager, subscriptions, emitters and committer in one deterministic world that cuts, delays,
//! reorders, repeats, slows down, fails and restarts. What each client applied must be the log: dense, once, in order (R14). Runs
//! call tools, ask people, work for each other and wait; what was asked, decided and stopped must be what the events tell.
//!
//! Any store can be the ground that a history is played on, as with [`conformance`](crate::conformance). `NETRA_SIM_HISTORIES`
//! says how many, `NETRA_SIM_SEED` where to begin. A failure names its seed, and a seed always gives the same history.

mod agent;
mod faulty;
mod ground;
mod line;
mod people;
mod tab;
mod world;

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{runtime::Runtime, time::sleep};

#[cfg(test)]
use crate::memory::MemoryLog;
use tab::Tab;
use world::World;

pub use crate::memory::{Claimed, Ruling, Verdict};
pub use ground::{Ground, StoreFault};

/// Steps of a history.
const STEPS: usize = 22;

/// How often the clients are asked to come to rest before they count as stuck.
const ROUNDS: usize = 4_000;

/// The shortest pause while things move, and the longest while nothing does.
const PAUSE: Duration = Duration::from_millis(3);
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

macro_rules! totals {
    ($($(#[$doc:meta])* $field:ident: $name:literal,)*) => {
        /// What happened, over all histories: a simulation in which nothing goes wrong proves nothing.
        #[derive(Default)]
        pub struct Totals {
            $($(#[$doc])* pub $field: AtomicU64,)*
        }

        impl Totals {
            /// Each with its name.
            pub fn told(&self) -> Vec<(&'static str, u64)> {
                vec![$(($name, self.$field.load(Ordering::Relaxed)),)*]
            }
        }
    };
}

totals! {
    /// Events that were committed.
    events: "events",
    /// Events that clients applied.
    applied: "applied",
    /// Commands that were given.
    commands: "commands",
    /// Connections that broke.
    cuts: "cuts",
    /// Connections on which nothing passed any more.
    silences: "silences",
    /// Readers that were closed because they were slow.
    slow: "slow readers closed",
    /// Processes that died.
    restarts: "restarts",
    /// Subscriptions that went on from a cursor.
    resumed: "resumed",
    /// Subscriptions that began with a snapshot.
    snapshots: "snapshots",
    /// Holes in the live stream that were read from the log.
    repairs: "holes repaired",
    /// Commands that were sent again and answered as duplicates.
    duplicates: "duplicates answered",
    /// Frames that were refused for their rate.
    limited: "rate limited",
    /// Writes of owners that had lost their run.
    fenced: "late writes refused",
    /// Commits that failed before anything was stored.
    failed: "commits failed",
    /// Commits that were stored and whose answer was lost.
    unclear: "commits stored and not answered",
    /// Reads that failed.
    unread: "reads failed",
    /// Processes of those that died in the middle of what an agent did.
    died: "deaths in the middle",
    /// Tools that had their effect.
    calls: "tools called",
    /// Calls whose process died, and which were not made again.
    interrupted: "calls interrupted",
    /// Questions to people.
    asked: "questions",
    /// Decisions that counted.
    decided: "decided",
    /// Decisions after another.
    conflicts: "decided again",
    /// Questions that nobody answered in time.
    expired: "expired",
    /// Decisions after the time.
    too_late: "decided too late",
    /// Times that a run began to wait.
    waits: "waits",
    /// Waits that ended.
    woken: "woken",
    /// Runs that worked for another.
    children: "nested runs",
    /// Runs that were stopped.
    stops: "stops",
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// Which histories to play.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// The first seed.
    pub first: u64,
    /// How many.
    pub count: u64,
    /// How many at a time.
    pub workers: usize,
    /// A runtime of one thread with a clock that is paused and moves on by itself.
    pub runtime: fn() -> Runtime,
    /// The command that repeats one, told when it fails.
    pub repeat: &'static str,
}

impl Plan {
    /// As the environment has it: `share` of what `NETRA_SIM_HISTORIES` says, which is 10,000 if it says nothing. A plan of a
    /// single history stays one.
    pub fn from_env(share: f64, runtime: fn() -> Runtime, repeat: &'static str) -> Self {
        let number = |variable| std::env::var(variable).ok().and_then(|value| value.parse::<u32>().ok());
        let all = number("NETRA_SIM_HISTORIES").unwrap_or(10_000);
        let first = number("NETRA_SIM_SEED").map_or(1, u64::from);
        // At most what a u32 holds.
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a part of a small positive number"
        )]
        let count = (f64::from(all) * share).ceil() as u64;
        Self { first, count, workers: 2, runtime, repeat }
    }

    /// Plays them all, each on the ground that `ground` gives.
    ///
    /// # Panics
    /// A history failed; its seed is in the message.
    pub fn play(&self, ground: impl Fn() -> Arc<dyn Ground> + Sync) -> Arc<Totals> {
        let totals = Arc::new(Totals::default());
        let next = AtomicU64::new(self.first);
        let failed = Mutex::new(None);
        let work = || {
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                let over = failed.lock().unwrap_or_else(PoisonError::into_inner).is_some();
                if over || seed >= self.first + self.count {
                    return;
                }
                let told = catch_unwind(AssertUnwindSafe(|| self.one(seed, ground(), &totals)));
                if told.is_err() {
                    failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(seed);
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..self.workers {
                scope.spawn(work);
            }
        });
        if let Some(seed) = failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
            panic!(
                "history {seed} failed (why is above); repeat it: NETRA_SIM_SEED={seed} NETRA_SIM_HISTORIES=1 {}",
                self.repeat
            );
        }
        let told: Vec<String> = totals.told().iter().map(|(name, count)| format!("{name} {count}")).collect();
        println!("{} histories from seed {}: {}; lost 0, repeated 0", self.count, self.first, told.join(", "));
        totals
    }

    /// Plays one history and gives what it came to: the same for the same seed.
    ///
    /// # Panics
    /// The history failed.
    pub fn one(&self, seed: u64, ground: Arc<dyn Ground>, totals: &Arc<Totals>) -> u64 {
        (self.runtime)().block_on(history(seed, ground, totals))
    }
}

async fn history(seed: u64, ground: Arc<dyn Ground>, totals: &Arc<Totals>) -> u64 {
    let mut world = World::new(seed, ground, totals).await;
    let mut tabs: Vec<Tab> = (0..4).map(|number| Tab::new(&mut world, number)).collect();
    for _ in 0..STEPS {
        let died = world.step().await.is_err();
        for tab in &mut tabs {
            tab.suffer(&mut world).await;
        }
        if died || world.random.u8(0..30) == 0 {
            world.restart().await;
            for tab in &mut tabs {
                tab.lose(totals);
            }
        }
    }
    // The last words come while clients are still coming back; after them there is silence.
    for tab in &mut tabs {
        tab.cut(&world, 1006);
    }
    world.heal();
    world.come_to_an_end().await;
    let last_words = world.last_words().await;
    let mut pause = PAUSE;
    for _ in 0..ROUNDS {
        let mut moved = false;
        for tab in &mut tabs {
            moved |= tab.recover(&mut world).await;
        }
        if last_words.is_finished() && tabs.iter().all(|tab| tab.is_done(&world)) {
            break;
        }
        // Most of the time everyone sits out a pause.
        pause = if moved { PAUSE } else { (pause * 2).min(LONGEST_PAUSE) };
        sleep(pause).await;
    }
    assert!(last_words.await.is_ok(), "the agents had their say");
    for tab in &tabs {
        tab.check(&world).await;
    }
    world.check(&tabs).await;
    let mut digest = DefaultHasher::new();
    for tab in &tabs {
        tab.digest(&mut digest);
    }
    world.lengths().hash(&mut digest);
    digest.finish()
}

/// Lets everything that is ready run.
async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

#[cfg(test)]
#[path = "simulation_tests.rs"]
mod tests;
