//! The conductor's side of the workers: starts them, deals out the clients, and puts together what they report.

use std::{process::Stdio, time::Duration};

use indicatif::{ProgressBar, ProgressStyle};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    process::{Child, ChildStdin, Command},
    sync::{mpsc, watch},
    time::{Instant, sleep, timeout},
};

use crate::{
    Failure,
    delays::{Delays, now_us},
    job::{Head, Job, Order, Report, Status, Verdict, Window},
    process,
};

/// Files of a process that are not clients' sockets.
const OTHER_FILES: u64 = 1_000;

/// Ports that one address has for outgoing connections, by the system's default, with some left over.
const PORTS: u64 = 25_000;

/// How long a worker may take to answer.
const ANSWER: Duration = Duration::from_secs(20);

/// Running workers; they end when dropped.
pub(crate) struct Crew {
    workers: Vec<Worker>,
    /// All of their clients.
    pub(crate) clients: usize,
}

struct Worker {
    stdin: ChildStdin,
    status: watch::Receiver<Status>,
    answers: mpsc::UnboundedReceiver<Report>,
    /// Kills the process when dropped.
    _child: Child,
}

/// What all clients saw in a window.
#[derive(Default)]
pub(crate) struct Totals {
    /// Events delivered.
    pub(crate) delivered: u64,
    /// Their bytes.
    pub(crate) bytes: u64,
    /// From commit to delivery.
    pub(crate) delays: Delays,
    /// From the model's writing a piece to its delivery.
    pub(crate) ways: Delays,
    /// From the mark's moment until ready again.
    pub(crate) resumes: Delays,
    /// Sockets that were lost.
    pub(crate) losses: u64,
    /// CPU time of the workers since they began, in microseconds.
    pub(crate) cpu_us: u64,
}

impl Crew {
    /// Starts as many workers as the clients need, or `at_least` so many, and gives each its share.
    pub(crate) async fn start(job: Job, at_least: Option<usize>) -> Result<Self, Failure> {
        let clients = job.clients.len();
        let each = share(clients, process::open_files(), at_least);
        // A port that was bound before it connects is taken from every other program on the machine for a minute, so an
        // address is chosen only when one has too few ports.
        let local = job.host.starts_with("127.") && clients > usize::try_from(PORTS)?;
        let mut workers = Vec::new();
        for (number, share) in job.clients.chunks(each).enumerate() {
            let source = local.then(|| format!("127.0.1.{}", number + 1));
            let share = Job { clients: share.to_vec(), source, ..job.clone() };
            workers.push(Worker::start(&share).await?);
        }
        Ok(Self { workers, clients })
    }

    /// Clients that are ready, and events delivered since the mark.
    pub(crate) fn status(&self) -> Status {
        self.workers.iter().map(|worker| *worker.status.borrow()).fold(Status::default(), |sum, one| Status {
            ready: sum.ready + one.ready,
            delivered: sum.delivered + one.delivered,
            losses: sum.losses + one.losses,
        })
    }

    /// Waits until `count` clients are ready.
    pub(crate) async fn ready(&self, count: usize, limit: Duration, what: &str) -> Result<(), Failure> {
        self.until(count, limit, what, |status| status.ready).await
    }

    /// Waits until `count` sockets were lost since the mark.
    pub(crate) async fn lost(&self, count: usize, limit: Duration) -> Result<(), Failure> {
        self.until(count, limit, "losing", |status| status.losses).await
    }

    async fn until(&self, count: usize, limit: Duration, what: &str, of: fn(Status) -> u64) -> Result<(), Failure> {
        let (count, end) = (u64::try_from(count)?, Instant::now() + limit);
        let bar = bar(count, what);
        loop {
            let reached = of(self.status());
            bar.set_position(reached);
            if reached >= count {
                bar.finish_and_clear();
                return Ok(());
            }
            if Instant::now() > end {
                return Err(format!("{what}: {reached} of {count} after {limit:?}").into());
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Begins a window; delays of resuming are measured from now. Returns when every worker has begun it: what happens
    /// afterwards is in the window.
    pub(crate) async fn mark(&mut self) -> Result<(), Failure> {
        self.tell(&Order::Mark { at_us: now_us() }).await?;
        self.take().await.map(drop)
    }

    /// Lets those that stall stop reading, or go on.
    pub(crate) async fn stall(&mut self, stall: bool) -> Result<(), Failure> {
        self.tell(&Order::Stall(stall)).await
    }

    /// The window since the mark.
    pub(crate) async fn take(&mut self) -> Result<Totals, Failure> {
        self.tell(&Order::Take).await?;
        let mut totals = Totals::default();
        for worker in &mut self.workers {
            let Report::Window(Window { delivered, bytes, delays, ways, resumes, losses, cpu_us }) =
                worker.answer().await?
            else {
                return Err("a worker answered something else".into());
            };
            totals.delivered += delivered;
            totals.bytes += bytes;
            totals.delays.add(&delays);
            totals.ways.add(&ways);
            totals.resumes.add(&resumes);
            totals.losses += losses;
            totals.cpu_us += cpu_us;
        }
        Ok(totals)
    }

    /// Compares all clients with the heads, again and again until nothing is missing or the time is over.
    pub(crate) async fn check(&mut self, heads: &[Head], limit: Duration) -> Result<Verdict, Failure> {
        let end = Instant::now() + limit;
        loop {
            self.tell(&Order::Check(heads.to_vec())).await?;
            let mut verdict = Verdict::default();
            for worker in &mut self.workers {
                let Report::Verdict(one) = worker.answer().await? else {
                    return Err("a worker answered something else".into());
                };
                verdict.add(one);
            }
            if verdict.missing == 0 || Instant::now() > end {
                return Ok(verdict);
            }
            sleep(Duration::from_millis(100)).await;
        }
    }

    async fn tell(&mut self, order: &Order) -> Result<(), Failure> {
        for worker in &mut self.workers {
            worker.tell(order).await?;
        }
        Ok(())
    }
}

/// How many clients a worker gets.
fn share(clients: usize, open_files: u64, at_least: Option<usize>) -> usize {
    let most = open_files.saturating_sub(OTHER_FILES).clamp(100, PORTS);
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    most.min(clients.div_ceil(at_least.unwrap_or(1).max(1))).max(1)
}

impl Worker {
    async fn start(job: &Job) -> Result<Self, Failure> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("worker")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let (Some(mut stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("a worker without pipes".into());
        };
        let (tell_status, status) = watch::channel(Status::default());
        let (tell_answer, answers) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            let mut lines = BufReader::new(stdout).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                match serde_json::from_str(&line) {
                    Ok(Report::Status(status)) => _ = tell_status.send_replace(status),
                    // Nobody listens when the crew is gone.
                    Ok(report) => _ = tell_answer.send(report),
                    Err(error) => eprintln!("a worker said {line:?}: {error}"),
                }
            }
        });
        stdin.write_all(&serde_json::to_vec(job)?).await?;
        stdin.write_all(b"\n").await?;
        Ok(Self { stdin, status, answers, _child: child })
    }

    async fn tell(&mut self, order: &Order) -> Result<(), Failure> {
        let mut line = serde_json::to_vec(order)?;
        line.push(b'\n');
        self.stdin.write_all(&line).await?;
        Ok(())
    }

    async fn answer(&mut self) -> Result<Report, Failure> {
        timeout(ANSWER, self.answers.recv()).await?.ok_or_else(|| "a worker is gone".into())
    }
}

/// A progress bar on standard error, when that is a terminal.
fn bar(length: u64, what: &str) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg:24} {wide_bar} {pos}/{len}");
    let bar = ProgressBar::new(length).with_message(what.to_owned());
    style.map_or_else(|_| bar.clone(), |style| bar.clone().with_style(style))
}

/// Waits, and shows how much of it is over.
pub(crate) async fn wait(seconds: u64, what: &str) {
    let bar = bar(seconds * 10, what);
    for _ in 0..seconds * 10 {
        sleep(Duration::from_millis(100)).await;
        bar.inc(1);
    }
    bar.finish_and_clear();
}

#[cfg(test)]
mod tests {
    use super::share;

    #[test]
    fn a_worker_gets_what_its_files_and_ports_allow() {
        assert_eq!(share(15_000, 1 << 20, None), 15_000);
        assert_eq!(share(60_000, 1 << 20, None), 25_000, "one address has no more ports");
        assert_eq!(share(15_000, 4_096, None), 3_096);
        assert_eq!(share(15_000, 10, None), 100, "the system refuses what is too many, and says so");
        assert_eq!(share(10, 1 << 20, Some(3)), 4);
        assert_eq!(share(2, 1 << 20, Some(8)), 1, "no worker is without a client");
    }
}
