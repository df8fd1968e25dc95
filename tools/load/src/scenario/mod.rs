//! The scenarios, one file each, and what they share.

mod agents;
mod bench;
mod compare;
mod durable;
mod fanout;
mod idle;
mod log_server;
mod peer;
mod resume;
mod slow;
mod stream;
mod users;

use std::time::Duration;

pub(crate) use agents::agents;
pub(crate) use bench::bench;
pub(crate) use compare::compare;
pub(crate) use durable::durable;
pub(crate) use fanout::fanout;
pub(crate) use idle::idle;
pub(crate) use resume::resume;
pub(crate) use slow::slow;
pub(crate) use stream::stream;
pub(crate) use users::users;

use crate::{
    Failure,
    cli::Options,
    crew::{self, Crew, Totals},
    delays::float,
    job::{Account, Job, Plan, Speech, Verdict},
    report::Outcome,
    stage::{Owned, Stage},
};

/// Handshakes under way at once while a scenario builds up.
const OPENING: usize = 64;

/// How long all clients may take to connect.
const CONNECTING: Duration = Duration::from_mins(3);

/// How long the last events may take to come.
const SETTLING: Duration = Duration::from_secs(30);

/// Bytes of a piece of text that says when it was written, with which a frame of a streamed answer is about 345 bytes.
const PIECE: usize = 20;

/// A stage with its users, their threads, and the clients that watch them.
struct Scene {
    stage: Stage,
    accounts: Vec<Account>,
    threads: Vec<Owned>,
    crew: Crew,
}

/// What happened in a measured window.
struct Measured {
    totals: Totals,
    seconds: f64,
    /// The server's CPU time, in microseconds.
    server_cpu_us: f64,
    /// The workers' CPU time, in microseconds.
    workers_cpu_us: f64,
}

impl Scene {
    /// Connects clients and waits until all are subscribed.
    async fn connect(
        options: &Options,
        stage: Stage,
        accounts: Vec<Account>,
        threads: Vec<Owned>,
        clients: Vec<Plan>,
    ) -> Result<Self, Failure> {
        let job = Job {
            speech: Speech::Session,
            host: stage.host.clone(),
            path: "/ws".to_owned(),
            source: None,
            limits: Some(stage.discovery.ws.limits),
            accounts: accounts.clone(),
            threads: threads.iter().map(|thread| thread.id).collect(),
            clients,
            opening: OPENING,
        };
        let crew = Crew::start(job, options.workers).await?;
        crew.ready(crew.clients, CONNECTING, "connecting").await?;
        Ok(Self { stage, accounts, threads, crew })
    }

    /// Starts a run in the first `count` threads, which then waits for the model's pace.
    async fn ask(&self, count: usize, word: impl Fn(usize) -> String) -> Result<(), Failure> {
        self.stage.ask(&self.threads[..count], &self.accounts, word).await?;
        self.stage.answering(count).await
    }

    /// Measures for so long.
    async fn measure(&mut self, seconds: u64, what: &str) -> Result<Measured, Failure> {
        self.crew.mark().await?;
        let workers = self.crew.take().await?.cpu_us;
        let (server, begin) = (self.stage.cpu_us(), std::time::Instant::now());
        crew::wait(seconds, what).await;
        let (took, server) = (begin.elapsed(), self.stage.cpu_us() - server);
        let totals = self.crew.take().await?;
        let workers_cpu_us = float(totals.cpu_us - workers);
        Ok(Measured { totals, seconds: took.as_secs_f64(), server_cpu_us: float(server), workers_cpu_us })
    }

    /// Ends the answers, and compares every client with the log.
    async fn settle(&mut self) -> Result<Verdict, Failure> {
        self.stage.model.finish();
        self.stage.answering(0).await?;
        // The last event follows the model's last word.
        let mut heads = self.stage.heads(&self.threads, &self.accounts).await?;
        loop {
            tokio::time::sleep(Duration::from_millis(500)).await;
            let again = self.stage.heads(&self.threads, &self.accounts).await?;
            let still = again.iter().zip(&heads).all(|(now, before)| now.seq == before.seq);
            heads = again;
            if still {
                break;
            }
        }
        self.crew.check(&heads, SETTLING).await
    }
}

impl Measured {
    /// The figures that every scenario with deliveries has.
    fn figures(&self, outcome: &mut Outcome) {
        let Totals { delivered, bytes, delays, ways, .. } = &self.totals;
        let count = float(*delivered).max(1.0);
        outcome.add("deliveries per second", float(*delivered) / self.seconds, "");
        outcome.add("bytes per delivery", float(*bytes) / count, "B");
        outcome.add("pieces per second", float(ways.count()) / self.seconds, "");
        outcome.add("model to applied, p50", ways.quantile_ms(0.5), "ms");
        outcome.add("model to applied, p99", ways.quantile_ms(0.99), "ms");
        outcome.add("model to applied, longest", ways.max_ms(), "ms");
        outcome.add("emit to delivered, p50", delays.quantile_ms(0.5), "ms");
        outcome.add("emit to delivered, p99", delays.quantile_ms(0.99), "ms");
        outcome.add("emit to delivered, longest", delays.max_ms(), "ms");
        outcome.add("server CPU per delivery", self.server_cpu_us / count, "us");
        outcome.add("server CPU", self.server_cpu_us / self.seconds / 1e4, "% of a core");
        outcome.add("clients' CPU", self.workers_cpu_us / self.seconds / 1e4, "% of a core");
    }
}

/// This many clients, dealt out to the threads in turn; each is of its thread's owner.
fn one_thread_each(count: usize, threads: &[Owned]) -> Vec<Plan> {
    (0..count)
        .map(|number| {
            let thread = number % threads.len();
            Plan { account: threads[thread].account, threads: vec![thread], ..Plan::default() }
        })
        .collect()
}
