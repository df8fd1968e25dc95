//! The same fan-out through four servers, one after another in one run: Netra with its durable log, a bare axum loop,
//! Socket.IO and ws. The offered rate rises until a server no longer keeps up.

use std::time::Duration;

use tokio::time::sleep;

use super::{
    CONNECTING, OPENING, SETTLING,
    peer::{Kind, Peer},
};
use crate::{
    Failure,
    cli::Options,
    crew::{self, Crew, Totals},
    delays::float,
    job::{Job, Plan, Speech, Verdict},
    report::{Budget, Outcome},
    stage::{Owned, Stage},
};

/// Netra's threads. A thread joins pieces that come within 25 ms; over this many each event stays one, as each message of
/// the others does.
const THREADS: usize = 25;

/// Deliveries a second in the first step, and by how much more each next step has.
const FIRST: f64 = 60_000.0;
const FACTOR: f64 = 1.25;

/// The highest rate of events: beyond it Netra's threads would join pieces.
const LAST: f64 = 25.0 * 24.0;

/// A step counts as kept up with when 99 of 100 come within this time: whoever falls behind is late at once. What counts is
/// what came, since the publishers share the machine and may publish less than they were asked to.
const PROMPT_MS: f64 = 250.0;

/// By how much more must come than in the step before; otherwise the publisher has reached its end.
const GROWTH: f64 = 1.05;

/// Bytes of a piece of text.
const PIECE: usize = 10;

/// A message of the others is as long as a frame of Netra's: what a frame of a streamed answer measures.
const MESSAGE: usize = 335;

/// One rate through one server.
#[derive(Clone, Copy, Debug)]
struct Step {
    rate: f64,
    /// Deliveries a second.
    delivered: f64,
    /// Microseconds of the server's CPU time for each.
    cpu_us: f64,
    p99_ms: f64,
}

/// How a server did.
struct Climb {
    name: &'static str,
    /// The steps that it kept up with, the same rates for all.
    steps: Vec<Step>,
    /// The best step, which may lie between two of those.
    best: Option<Step>,
    /// The first step that was too much.
    too_much: Option<Step>,
    /// What its clients say after the last of them.
    verdict: Verdict,
}

/// Who takes part.
#[derive(Clone, Copy)]
enum Contender {
    Netra,
    Peer(Kind),
}

/// A server under load.
enum Subject {
    Netra { stage: Box<Stage>, crew: Crew, threads: Vec<Owned>, accounts: Vec<crate::job::Account> },
    Peer(Peer),
}

impl Subject {
    async fn netra(options: &Options, connections: usize) -> Result<Self, Failure> {
        let stage = Stage::open(&options.target).await?;
        let accounts = stage.accounts(1).await?;
        let threads = stage.threads(THREADS, &accounts).await?;
        let job = Job {
            speech: Speech::LeanNetra,
            host: stage.host.clone(),
            path: "/ws".to_owned(),
            source: None,
            limits: None,
            accounts: accounts.clone(),
            threads: threads.iter().map(|thread| thread.id).collect(),
            clients: vec![Plan { threads: (0..THREADS).collect(), ..Plan::default() }; connections],
            opening: OPENING,
        };
        let crew = Crew::start(job, options.workers).await?;
        crew.ready(connections, CONNECTING, "connecting").await?;
        stage.ask(&threads, &accounts, |_| "word".to_owned()).await?;
        stage.answering(THREADS).await?;
        Ok(Self::Netra { stage: Box::new(stage), crew, threads, accounts })
    }

    fn rate(&self, rate: f64) {
        match self {
            Self::Netra { stage, .. } => stage.model.pace(rate / float(THREADS as u64), PIECE),
            Self::Peer(peer) => peer.rate(rate),
        }
    }

    fn cpu_us(&self) -> u64 {
        match self {
            Self::Netra { stage, .. } => stage.cpu_us(),
            Self::Peer(peer) => peer.server.cpu_us(),
        }
    }

    fn crew(&mut self) -> &mut Crew {
        match self {
            Self::Netra { crew, .. } => crew,
            Self::Peer(peer) => &mut peer.crew,
        }
    }

    /// Measures one rate.
    async fn step(&mut self, rate: f64, seconds: u64, name: &str) -> Result<Step, Failure> {
        self.rate(rate);
        sleep(Duration::from_secs(1)).await;
        self.crew().mark().await?;
        let (cpu, begin) = (self.cpu_us(), std::time::Instant::now());
        crew::wait(seconds, &format!("{name}, {rate:.0} a second")).await;
        let (cpu, took) = (self.cpu_us() - cpu, begin.elapsed().as_secs_f64());
        let Totals { delivered, delays, .. } = self.crew().take().await?;
        Ok(Step {
            rate,
            delivered: float(delivered) / took,
            cpu_us: float(cpu) / float(delivered.max(1)),
            p99_ms: delays.quantile_ms(0.99),
        })
    }

    /// Pauses until all that was published has come.
    async fn pause_and_check(&mut self) -> Result<Verdict, Failure> {
        self.rate(0.0);
        sleep(Duration::from_millis(150)).await;
        match self {
            Self::Netra { stage, crew, threads, accounts } => {
                let heads = stage.heads(threads, accounts).await?;
                crew.check(&heads, SETTLING).await
            }
            Self::Peer(peer) => {
                let heads = peer.heads();
                peer.crew.check(&heads, SETTLING).await
            }
        }
    }
}

impl Step {
    fn keeps_up(&self, before: Option<&Self>) -> bool {
        self.p99_ms <= PROMPT_MS && self.delivered > before.map_or(0.0, |before| before.delivered * GROWTH)
    }
}

impl Contender {
    async fn start(self, options: &Options, connections: usize) -> Result<Subject, Failure> {
        match self {
            Self::Netra => Subject::netra(options, connections).await,
            Self::Peer(kind) => Ok(Subject::Peer(Peer::start(kind, connections, options.workers, MESSAGE).await?)),
        }
    }

    /// Raises the rate until it is too much, then tries once between. A rate that was too much is tried a second time on a
    /// fresh server, since anything else on the machine may have been at fault. What a server drops when it is asked for
    /// more than it can do is not held against it: its clients' word is taken after each step that it kept up with.
    async fn climb(self, name: &'static str, options: &Options) -> Result<Climb, Failure> {
        let (connections, seconds) = sizes(options);
        let mut climb = Climb { name, steps: Vec::new(), best: None, too_much: None, verdict: Verdict::default() };
        let mut subject = self.start(options, connections).await?;
        let (mut rate, mut tries) = (FIRST / float(connections as u64), 0);
        while rate <= LAST && tries < 2 {
            let step = subject.step(rate, seconds, name).await?;
            if step.keeps_up(climb.steps.last()) {
                climb.verdict = subject.pause_and_check().await?;
                climb.steps.push(step);
                climb.too_much = None;
                (rate, tries) = (rate * FACTOR, 0);
            } else {
                tries += 1;
                climb.too_much = Some(step);
                drop(subject);
                subject = self.start(options, connections).await?;
            }
        }
        climb.best = climb.steps.last().copied();
        if tries == 2 {
            let between = subject.step(rate / FACTOR.sqrt(), seconds, name).await?;
            climb.best = climb.best.map(|best| if between.keeps_up(Some(&best)) { between } else { best });
        }
        Ok(climb)
    }
}

/// Watchers, and seconds of a step.
fn sizes(options: &Options) -> (usize, u64) {
    (options.connections.unwrap_or(1_000), options.seconds.unwrap_or(3))
}

pub(crate) async fn compare(options: &Options) -> Result<Outcome, Failure> {
    let (connections, _) = sizes(options);
    let mut climbs = vec![Contender::Netra.climb("Netra", options).await?];
    for (name, kind) in [("bare axum", Kind::Bare), ("Socket.IO", Kind::SocketIo), ("ws", Kind::Ws)] {
        climbs.push(Contender::Peer(kind).climb(name, options).await?);
    }
    let mut outcome = Outcome::new(format!("compare: {connections} watchers, messages of about {MESSAGE} bytes"));
    // The highest rate that all of them kept up with.
    let common = climbs.iter().map(|climb| climb.steps.len()).min().unwrap_or(0);
    for Climb { name, steps, best, too_much, verdict } in &climbs {
        let Some(best) = best else {
            outcome.faults.push(format!("{name} did not keep up with the first step"));
            continue;
        };
        outcome.add(format!("{name}: deliveries per second"), best.delivered, "");
        outcome.add(format!("{name}: p99 there"), best.p99_ms, "ms");
        outcome.add(format!("{name}: server CPU per delivery there"), best.cpu_us, "us");
        if let Some(step) = common.checked_sub(1).and_then(|at| steps.get(at)) {
            let offered = step.rate * float(connections as u64);
            outcome.add(format!("{name}: server CPU per delivery at {offered:.0}/s"), step.cpu_us, "us");
            outcome.add(format!("{name}: p99 at {offered:.0}/s"), step.p99_ms, "ms");
        }
        if let Some(step) = too_much {
            let offered = step.rate * float(connections as u64);
            outcome.add(format!("{name}: too much, part that came"), 100.0 * step.delivered / offered, "%");
            outcome.add(format!("{name}: too much, p99"), step.p99_ms, "ms");
        }
        outcome.lost += verdict.missing + verdict.gaps;
        outcome.duplicated += verdict.duplicated;
        if verdict.bad > 0 {
            outcome.faults.push(format!("{name}: {} sockets ended or cursors do not fit", verdict.bad));
        }
    }
    ratios(&mut outcome, &climbs, common);
    Ok(outcome)
}

fn ratios(outcome: &mut Outcome, climbs: &[Climb], common: usize) {
    let Some((netra, others)) = climbs.split_first() else { return };
    for other in others {
        let (Some(ours), Some(theirs)) = (netra.best, other.best) else { continue };
        let name = format!("Netra / {}: deliveries per second", other.name);
        let ratio = ours.delivered / theirs.delivered;
        match other.name {
            "bare axum" => outcome.held(name, ratio, "", Budget::AtLeast(1.5)),
            "Socket.IO" => outcome.held(name, ratio, "", Budget::AtLeast(4.0)),
            _ => outcome.add(name, ratio, ""),
        }
        let Some(at) = common.checked_sub(1) else { continue };
        let ratio = netra.steps[at].cpu_us / other.steps[at].cpu_us;
        outcome.add(format!("Netra / {}: server CPU per delivery, same rate", other.name), ratio, "");
    }
}
