//! Runs one program that strangers wrote: kept to its folders, with limits, and ended with all that it started.
//!
//! The server starts itself again for that, as `netra confine`, and that process stays as the program's keeper. It hands on what it
//! reads; when its input ends, the server is done or gone, and the program goes with it. All that the program starts stays below
//! the keeper, also what leaves its group and its session.
//!
//! - `wall`: what of the file system the program can reach; `tree`: what it started; `usage`: what its folder takes.

mod tree;
mod usage;
mod wall;

use std::{
    ffi::OsString,
    fs::{self, File},
    io::{self, Read as _, Write as _},
    os::unix::process::ExitStatusExt as _,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, ExitCode, ExitStatus, Stdio},
    sync::mpsc::{self, RecvTimeoutError, Sender},
    thread,
    time::{Duration, Instant},
};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

pub use wall::is_there as has_wall;

/// The keeper could not start the program.
pub const NOT_STARTED: u8 = 120;

/// The keeper ended the program, whose folder had grown too large.
pub const DISK_FULL: u8 = 121;

/// The keeper ended the program, which had started too many others.
pub const TOO_MANY: u8 = 122;

/// The keeper ended the program, which held too much memory with all that it started.
pub const TOO_LARGE: u8 = 123;

/// Where the program works, below its own folder.
pub const FILES: &str = "files";

/// Where it keeps what is its own, below its own folder.
pub const HOME: &str = "home";

/// How long a program whose input has ended may take to end by itself.
const GOING: Duration = Duration::from_secs(1);

/// How often what the program started is counted.
const LOOK: Duration = Duration::from_millis(250);

/// How often its folder is measured, at the most; a folder that takes long to measure is measured less often.
const MEASURE: Duration = Duration::from_secs(1);

/// How much rarer than it takes.
const MEASURED_SHARE: u32 = 20;

/// How long the folder may be held by a keeper before this one, which ends with its server.
const BEFORE: Duration = Duration::from_secs(10);

/// Open files of the program.
const OPEN_FILES: u64 = 65_536;

/// Threads of this user that there may be beside those that are there at the start; the system counts them for all processes.
#[cfg(target_os = "linux")]
const THREADS: u64 = 4_096;

/// What is run, and how.
#[derive(Clone, Debug, clap::Args)]
pub struct Order {
    /// The program's folder.
    #[arg(long)]
    pub folder: PathBuf,
    /// What it may read and run beside the system's own folders.
    #[arg(long)]
    pub readable: Vec<PathBuf>,
    /// Bytes that its folder may take.
    #[arg(long)]
    pub disk: u64,
    /// Bytes of memory that it may hold, with all that it starts.
    #[arg(long)]
    pub memory: u64,
    /// Processes that it may be, with all that it starts.
    #[arg(long)]
    pub processes: usize,
    /// The program and its arguments.
    #[arg(last = true, required = true)]
    pub command: Vec<OsString>,
}

/// What the keeper waits for.
enum News {
    /// The program ended.
    Ended(io::Result<ExitStatus>),
    /// The server has no more to say.
    InputEnded,
}

/// Runs the program to its end; gives what it ended with.
pub fn run(order: &Order) -> ExitCode {
    match keep(order) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("netra: {error}");
            tree::end();
            ExitCode::from(NOT_STARTED)
        }
    }
}

fn keep(order: &Order) -> io::Result<u8> {
    let _held = hold(&order.folder)?;
    tree::adopt();
    limit(order);
    let mut child = start(order)?;
    let (input, own) = (child.stdin.take(), child.id());
    let (news, heard) = mpsc::channel();
    let told = news.clone();
    thread::spawn(move || hand_on(input, &told));
    thread::spawn(move || news.send(News::Ended(child.wait())));
    let (mut next, mut ends) = (Instant::now(), None::<Instant>);
    let code = loop {
        let pause = ends.map_or(LOOK, |at| at.saturating_duration_since(Instant::now()));
        match heard.recv_timeout(pause) {
            Ok(News::Ended(status)) => break code_of(status?),
            Ok(News::InputEnded) => ends = Some(Instant::now() + GOING),
            Err(RecvTimeoutError::Disconnected) => break NOT_STARTED,
            Err(RecvTimeoutError::Timeout) if ends.is_some_and(|at| at <= Instant::now()) => break 0,
            Err(RecvTimeoutError::Timeout) => {}
        }
        // A program that reads no more holds up what comes before the end.
        if ends.is_none() && input_is_closed() {
            ends = Some(Instant::now() + GOING);
        }
        let taken = tree::taken(own);
        if taken.processes > order.processes {
            break TOO_MANY;
        }
        if taken.memory > order.memory {
            break TOO_LARGE;
        }
        if next <= Instant::now() {
            let begun = Instant::now();
            if usage::exceeds(&order.folder, order.disk) {
                break DISK_FULL;
            }
            next = Instant::now() + (begun.elapsed() * MEASURED_SHARE).max(MEASURE);
        }
    };
    tree::end();
    Ok(code)
}

/// Keeps the folder to this keeper: one before it may still be at its end.
fn hold(folder: &Path) -> io::Result<File> {
    let file = File::options().create(true).truncate(false).write(true).open(folder.join("lock"))?;
    let end = Instant::now() + BEFORE;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(fs::TryLockError::WouldBlock) if Instant::now() < end => thread::sleep(Duration::from_millis(20)),
            Err(fs::TryLockError::WouldBlock) => {
                return Err(io::Error::other("another process holds the agent's folder"));
            }
            Err(fs::TryLockError::Error(error)) => return Err(error),
        }
    }
}

/// What a process is limited in, all that it starts is, too. What the system does not take is left as it is.
fn limit(order: &Order) {
    use rlimit::Resource;
    let lower = |resource: Resource, most: u64| {
        let hard = resource.get_hard().unwrap_or(u64::MAX);
        let most = most.min(hard);
        let _ = resource.set(most, most);
    };
    lower(Resource::CORE, 0);
    lower(Resource::FSIZE, order.disk);
    lower(Resource::NOFILE, OPEN_FILES);
    #[cfg(target_os = "linux")]
    lower(Resource::NPROC, tree::threads_of_user() + THREADS);
}

/// Starts the program behind its wall. Walls are around threads: this one's is around what it starts, and not around the keeper, so
/// that the program cannot end the keeper.
fn start(order: &Order) -> io::Result<Child> {
    let (program, arguments) =
        order.command.split_first().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "no command"))?;
    let mut command = Command::new(program);
    command.args(arguments).current_dir(order.folder.join(FILES)).stdin(Stdio::piped());
    let (folder, readable, named) = (order.folder.clone(), order.readable.clone(), program.clone());
    let started = thread::spawn(move || {
        wall::build(&folder, &readable, &named)?;
        command.spawn().map_err(|error| io::Error::other(format!("{} does not start: {error}", named.display())))
    });
    started.join().unwrap_or_else(|_| Err(io::Error::other("the keeper failed")))
}

/// Hands on what the server says. A program that reads no more changes nothing: the end still counts.
fn hand_on(mut input: Option<ChildStdin>, told: &Sender<News>) {
    let mut bytes = vec![0; 64 << 10];
    let mut from = io::stdin().lock();
    loop {
        match from.read(&mut bytes) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Ok(0) | Err(_) => break,
            Ok(read) => {
                if input.as_mut().is_some_and(|input| input.write_all(&bytes[..read]).is_err()) {
                    input = None;
                }
            }
        }
    }
    drop(input);
    let _ = told.send(News::InputEnded);
}

/// Whether nobody writes to this process any more, whatever is still to be read.
fn input_is_closed() -> bool {
    let input = io::stdin();
    let mut polled = [PollFd::new(&input, PollFlags::empty())];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut polled, Some(&now)).is_ok_and(|_| polled[0].revents().contains(PollFlags::HUP))
}

fn code_of(status: ExitStatus) -> u8 {
    let signalled = || status.signal().map_or(1, |signal| signal.saturating_add(128));
    u8::try_from(status.code().unwrap_or_else(signalled)).unwrap_or(1)
}
