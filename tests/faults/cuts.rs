//! Random cuts while events flow: whatever the network does, each client has each event once.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use fastrand::Rng;
use futures::future::join_all;
use netra_ws::{FrameId, ThreadId, model::MessageRole};
use tokio::{task::JoinHandle, time::sleep};

use crate::{
    client::Client,
    oracle::{Log, Sum, check, check_newcomer},
    proxy::{Fault, Link, Proxy, Trigger, Way},
    stage::{Feed, Stage, alone, longer, telling},
};

const CLIENTS: u64 = 30;
const THREADS: usize = 8;
const CUTS: u64 = 1_000;

/// How long a fault may take to be noticed, and the link to be live again.
const RECOVERY: Duration = Duration::from_mins(1);

/// A server that is not answered asks within 0.6 s, waits 0.5 s and as long as its last 64 KB may take, which is 5 s, and hears
/// out for 2 s what may still come. The rest is for a busy machine.
const NOTICED: Duration = Duration::from_secs(15);

/// A second link is made after a pause of at most 30 s, and given up when its handshake has taken 10 s.
const NOTICED_TWICE: Duration = Duration::from_secs(55);

/// What was done to a link.
struct Cut {
    what: &'static str,
    /// Links that it costs.
    links: u64,
}

/// A client whose network fails, and a thread that it alone writes to.
struct Victim {
    client: Client,
    proxy: Proxy,
    own: ThreadId,
    said: Vec<FrameId>,
    /// How long each kind of cut took to be felt, at the longest.
    felt: BTreeMap<&'static str, Duration>,
    rng: Rng,
}

impl Victim {
    /// Breaks the link again and again until `left` cuts of all victims are done.
    async fn suffer(&mut self, left: &AtomicU64) {
        while left.load(Ordering::Relaxed) > 0 {
            self.client.wait(RECOVERY, "a live link", crate::client::Book::is_live).await;
            sleep(Duration::from_millis(self.rng.u64(20..500))).await;
            let Some(link) = self.proxy.newest().filter(|_| self.client.book().is_live()) else { continue };
            if self.rng.u8(..) < 60 {
                self.said.push(self.client.say(self.own, &format!("message {}", self.said.len())));
            }
            let (before, start) = (self.client.book().losses(), Instant::now());
            let cut = self.cut(&link).await;
            let bound = if cut.links > 1 { NOTICED_TWICE } else { NOTICED };
            while self.client.book().losses() < before + cut.links {
                let took = start.elapsed();
                assert!(took < bound, "{} was not felt within {took:?}: {}", cut.what, self.client.book());
                sleep(Duration::from_millis(20)).await;
            }
            let longest = self.felt.entry(cut.what).or_default();
            *longest = start.elapsed().max(*longest);
            self.proxy.heal();
            let cuts = self.client.book().losses() - before;
            let _ = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| Some(left.saturating_sub(cuts)));
        }
    }

    /// Breaks the link in one of many ways.
    async fn cut(&mut self, link: &Link) -> Cut {
        let rng = &mut self.rng;
        let fault = if rng.bool() { Fault::Reset } else { Fault::Close };
        let any = [fault, fault, Fault::Silence][rng.usize(0..3)];
        let what = match rng.u8(0..10) {
            0..3 => {
                link.strike(fault);
                "an end"
            }
            3 => {
                link.strike(Fault::Silence);
                "silence"
            }
            // Within an event, or between two.
            4 => {
                link.strike_at(Way::Down, Trigger::After(link.passed(Way::Down) + rng.u64(1..20_000)), any);
                "a break within events"
            }
            5 => {
                link.hole(Way::Down, true);
                "a hole on the way down"
            }
            // The server hears nothing any more, and closes.
            6 => {
                link.hole(Way::Up, true);
                "a hole on the way up"
            }
            7 => {
                link.throttle(Way::Down, Some(rng.u32(5_000..60_000)));
                sleep(Duration::from_millis(rng.u64(100..800))).await;
                link.strike(fault);
                "an end of a slow link"
            }
            // The next link breaks as it is made: in the handshake, the greeting, the answers to `subscribe`, the replay.
            8 => {
                let bytes = rng.u64(0..6_000);
                self.proxy.prepare(move |next| next.strike_at(Way::Down, Trigger::After(bytes), any));
                link.strike(fault);
                return Cut { what: "an end, and a break of the next link's way down", links: 2 };
            }
            _ => {
                let bytes = rng.u64(0..1_500);
                self.proxy.prepare(move |next| next.strike_at(Way::Up, Trigger::After(bytes), any));
                link.strike(fault);
                return Cut { what: "an end, and a break of the next link's way up", links: 2 };
            }
        };
        Cut { what, links: 1 }
    }

    /// What the victim said stands in its thread: everything, once, in the order it was said.
    fn check_said(&self) {
        let book = self.client.book();
        let messages = &book.threads[&self.own].state.messages;
        let stored: Vec<FrameId> =
            messages.iter().filter(|m| m.role == MessageRole::User).map(|m| m.message_id.into()).collect();
        assert_eq!(stored, self.said, "{book}");
        assert!(book.settled.len() == self.said.len() && book.settled.iter().all(|(_, outcome)| outcome.is_ok()));
    }
}

/// R7, R14, R16: 1,000 cuts of all kinds while events flow.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_cuts_lose_and_repeat_nothing() {
    let _machine = alone().await;
    let stage = Stage::beating(500, 500).await;
    let healthy = stage.healthy().await;
    let mut threads = Vec::new();
    for _ in 0..THREADS {
        threads.push(stage.thread().await);
    }
    let mut victims = Vec::new();
    for seed in 0..CLIENTS {
        let (proxy, own) = (stage.proxy().await, stage.thread().await);
        let client = stage.client(&proxy.base, seed).await;
        for thread in threads.iter().chain([&own]) {
            client.follow(*thread);
        }
        victims.push(Victim { client, proxy, own, said: Vec::new(), felt: BTreeMap::new(), rng: Rng::with_seed(seed) });
    }
    for thread in &threads {
        healthy.follow(*thread);
    }

    let left = Arc::new(AtomicU64::new(CUTS * longer()));
    let start = Instant::now();
    let suffering: Vec<_> = victims
        .into_iter()
        .map(|mut victim| {
            let left = Arc::clone(&left);
            tokio::spawn(async move {
                victim.suffer(&left).await;
                victim
            })
        })
        .collect();
    let feed = Feed::new(&healthy, &threads, telling(150, 25, 30));
    let took = feed.until(|| suffering.iter().all(JoinHandle::is_finished).then(|| start.elapsed())).await;
    let flowed = healthy.book().delays.len();
    let victims: Vec<Victim> = join_all(suffering).await.into_iter().map(|task| task.expect("recovers")).collect();
    feed.rest(Duration::from_secs(30)).await;

    let mut logs = Vec::new();
    for thread in &threads {
        logs.push(Log::read(&stage.user, *thread).await);
    }
    let (mut sum, mut cuts) = (Sum::default(), 0);
    let (mut kinds, mut felt) = (BTreeMap::new(), BTreeMap::new());
    for victim in &victims {
        victim.client.wait(RECOVERY, "every answer", |book| book.outbox == 0).await;
        check(&victim.client, &logs, &mut sum).await;
        check(&victim.client, &[Log::read(&stage.user, victim.own).await], &mut sum).await;
        victim.check_said();
        let book = victim.client.book();
        assert_eq!(book.snapshots, 0, "the log was never trimmed: {book}");
        cuts += book.losses();
        for (code, n) in &book.closes {
            *kinds.entry(code.to_string()).or_insert(0) += n;
        }
        *kinds.entry("silence".to_owned()).or_insert(0) += book.given_up;
        for (what, took) in &victim.felt {
            let longest = felt.entry(*what).or_insert(*took);
            *longest = (*longest).max(*took);
        }
    }
    check(&healthy, &logs, &mut Sum::default()).await;
    check_newcomer(&stage, &logs).await;
    healthy.was_never_lost();
    let said: usize = victims.iter().map(|victim| victim.said.len()).sum();
    let again: u64 = victims.iter().map(|victim| victim.client.book().duplicate_acks).sum();
    let rate = flowed as u128 * 1_000 / took.as_millis();
    println!(
        "cuts {cuts}, events {}, applied {}, lost {}, duplicated {}; {rate} events/s on each link, {:.1} s; \
         messages {said}, of those sent again after a lost ack {again}; ends {kinds:?}",
        sum.events,
        sum.applied,
        sum.lost,
        sum.duplicated,
        took.as_secs_f64(),
    );
    println!("felt within, at the longest: {felt:?}");
    assert!(cuts >= CUTS * longer(), "{cuts} cuts");
    // How many a quiet machine brings is the benchmarks' matter; here cuts must fall between events that flow.
    assert!(rate >= 40, "{rate} events/s are too few to prove anything; is the machine busy?");
}
