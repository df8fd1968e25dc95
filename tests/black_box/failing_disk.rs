//! A disk that takes nothing more: full, or read-only. Runs end with an error that says so, what was shown is kept, commands are
//! refused with a reason, and everything goes on once there is room.

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::sleep;

use crate::support::{
    PATIENCE,
    frame::{error_code, frame, is_event_of, on},
    provider::{Provider, Request},
    rules::{Run, check_dense, check_run, ended, ended_within, event, start_run},
    script::{Reply, Stream},
    server::{Server, Setup},
    socket::Socket,
    user::User,
};

fn model(request: &Request) -> Reply {
    if request.prompt().contains("story") {
        return Stream::new().texts(20_000, "w{k} ", Duration::from_millis(10)).end("stop");
    }
    Reply::text("Here is the answer.")
}

/// Something that makes a disk fail for as long as it lives.
trait Trouble {
    fn end(self);
}

/// A file that takes all the room of a file system.
struct Filler(PathBuf);

impl Filler {
    fn pour(path: PathBuf) -> Self {
        let mut file = File::create(&path).expect("a file");
        let mut block = vec![7; 65_536];
        while !block.is_empty() {
            while file.write_all(&block).is_ok() {}
            block.truncate(block.len() / 2);
        }
        Self(path)
    }
}

impl Trouble for Filler {
    fn end(self) {
        fs::remove_file(&self.0).expect("room is made");
    }
}

/// strace, which lets every write of a process to these files fail.
struct Refusing(Child);

impl Refusing {
    async fn writes(pid: u32, files: &[PathBuf], error: &str) -> Self {
        let mut strace = Command::new("strace");
        strace.args(["-qq", "-f", "-o", "/dev/null", "-p", &pid.to_string(), "-e", "trace=pwrite64"]);
        strace.args(["-e", &format!("inject=pwrite64:error={error}")]);
        for file in files {
            strace.arg("-P").arg(file);
        }
        let child = strace.stdin(Stdio::null()).spawn().expect("strace starts");
        let end = Instant::now() + PATIENCE;
        while Self::tracer(pid) == 0 {
            assert!(Instant::now() < end, "strace does not attach");
            sleep(Duration::from_millis(20)).await;
        }
        Self(child)
    }

    fn tracer(pid: u32) -> u32 {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("a process");
        let line = status.lines().find_map(|line| line.strip_prefix("TracerPid:")).expect("TracerPid");
        line.trim().parse().expect("a number")
    }
}

impl Trouble for Refusing {
    fn end(mut self) {
        let asked = Command::new("kill").arg(self.0.id().to_string()).status();
        assert!(asked.is_ok_and(|status| status.success()), "strace is told to let go");
        self.0.wait().expect("strace lets go");
    }
}

/// A small file system over a folder; nothing where this user may not mount one.
struct Small(PathBuf);

impl Small {
    fn mount(folder: &Path, options: &str) -> Option<Self> {
        fs::create_dir_all(folder).expect("a folder");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", options, "netra-test"]).arg(folder).stderr(Stdio::null());
        mount.status().is_ok_and(|status| status.success()).then(|| Self(folder.to_owned()))
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        // Lazily, since a server that failed its test may still hold it.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// A run in its middle, and who follows it.
async fn streaming(setup: Setup) -> (Server, Provider, User, Socket, Run) {
    let provider = Provider::start(model).await;
    let server = setup.assistant(&provider).set("NETRA_RUN_LEASE_S", 2).start().await;
    let user = User::dev(&server).await;
    let socket = user.connect().await;
    let run = start_run(&socket, "assistant", "Tell a story.").await;
    event(&socket, &run, "partial_result").await;
    (server, provider, user, socket, run)
}

/// Tries to begin conversations until one is refused, and returns the refusal.
async fn refused(socket: &Socket) -> Value {
    let end = Instant::now() + PATIENCE;
    loop {
        let answer =
            socket.call(frame("start_agent", json!({ "agent": "guide", "content": "What is 6 times 7?" }))).await;
        if answer["type"] == "error_message" {
            return answer;
        }
        assert!(Instant::now() < end, "still taken: {answer}");
        sleep(Duration::from_millis(50)).await;
    }
}

/// What was seen of the thread.
fn seen(socket: &Socket, run: &Run) -> Vec<Value> {
    socket.frames().into_iter().filter(|frame| is_event_of(frame, &run.thread)).collect()
}

async fn fails_and_recovers(server: &Server, user: &User, socket: &Socket, run: &Run, trouble: impl Trouble) {
    let answer = refused(socket).await;
    assert_eq!(error_code(&answer), "server_busy", "{answer}");
    assert_eq!(answer["payload"]["retryable"], true, "{answer}");
    let message = answer["payload"]["message"].as_str().expect("a message");
    assert!(message.contains("disk"), "the reason is told: {message}");
    let thread = user.post("/api/threads", json!({ "title": "No room" })).await;
    assert_eq!(thread.error(), (503, "server_busy".to_owned()), "{}", thread.body);
    let failed = |log: &str| log.contains("could not be stored");
    let end = Instant::now() + PATIENCE;
    while !failed(&server.log()) {
        assert!(Instant::now() < end, "the run goes on: {}", server.log());
        sleep(Duration::from_millis(50)).await;
    }
    // Reading goes on: all that was shown is there, and nothing else.
    let shown = seen(socket, run);
    let mut log = Vec::new();
    loop {
        let page =
            user.get(&format!("/api/threads/{}/events?limit=1000&after_seq={}", run.thread, log.len())).await.ok();
        let events = page["events"].as_array().expect("events").clone();
        if events.is_empty() {
            break;
        }
        log.extend(events);
    }
    assert_eq!(shown, log, "what was shown is what is kept");

    trouble.end();
    let end = ended_within(socket, run, PATIENCE).await;
    assert_eq!((&end["type"], &end["payload"]["code"]), (&json!("agent_error"), &json!("internal")), "{end}");
    let message = end["payload"]["message"].as_str().expect("a message");
    assert!(message.contains("store") && message.contains("disk"), "the reason is told: {message}");
    assert_eq!(end["payload"]["retryable"], true, "{end}");
    check_run(&socket.frames(), run);
    check_dense(&socket.frames(), &run.thread, 1);
    assert_eq!(seen(socket, run)[..shown.len()], shown, "what was shown stays");
    let told = &seen(socket, run)[shown.len()..];
    assert!(!told.iter().any(|event| event["payload"]["reset"] == true), "nothing is taken back: {told:?}");
    let next = start_run(socket, "assistant", "And now?").await;
    let end = ended(socket, &next).await;
    assert_eq!(end["payload"]["status"], "completed", "the server goes on: {end}");
    assert_eq!(user.post("/api/threads", json!({ "title": "Room" })).await.status, 201);
}

#[tokio::test]
async fn a_full_disk_ends_runs_with_an_error_and_loses_nothing() {
    let home = Arc::new(TempDir::new().expect("a folder"));
    let data = home.path().join("data");
    let Some(_small) = Small::mount(&data, "size=12m") else {
        println!("skipped, the full disk: this user may not mount a small file system");
        return;
    };
    let (server, _provider, user, socket, run) = streaming(Setup::at(Arc::clone(&home))).await;
    let filler = Filler::pour(data.join("filler"));
    fails_and_recovers(&server, &user, &socket, &run, filler).await;
}

#[tokio::test]
async fn a_disk_that_turned_read_only_ends_runs_with_an_error_and_loses_nothing() {
    if Command::new("strace").arg("-V").output().is_err() {
        println!("skipped, the read-only disk: strace is missing");
        return;
    }
    let (server, _provider, user, socket, run) = streaming(Setup::new()).await;
    let data = server.home().path().join("data");
    let files = ["netra.db", "netra.db-wal"].map(|name| data.join(name));
    let refusing = Refusing::writes(server.pid(), &files, "EROFS").await;
    fails_and_recovers(&server, &user, &socket, &run, refusing).await;
}

#[tokio::test]
async fn a_data_folder_that_cannot_be_written_is_said_at_the_start() {
    let setup = Setup::new();
    let data = setup.data();
    // Permissions do not hold root back.
    let _small = Small::mount(&data, "ro");
    let mut permissions = fs::metadata(&data).expect("a folder").permissions();
    permissions.set_readonly(true);
    let _ = fs::set_permissions(&data, permissions);
    let refusal = setup.refused().await;
    assert_eq!(refusal.code, 2, "{}", refusal.stderr);
    let last = refusal.stderr.trim().lines().last().unwrap_or_default();
    assert!(last.starts_with("netra: ") && last.contains(&data.display().to_string()), "{}", refusal.stderr);
}

#[tokio::test]
async fn a_copy_made_while_in_use_is_whole_or_refused() {
    let (server, _provider, user, socket, run) = streaming(Setup::new()).await;
    let data = server.home().path().join("data");
    let (mut started, mut told) = (0, 0);
    for number in 0..6 {
        sleep(Duration::from_millis(300)).await;
        let setup = Setup::new();
        let copy = setup.data();
        fs::create_dir_all(&copy).expect("a folder");
        // Every other copy lacks what is not yet in the file itself, as of someone who does not know of the log beside it.
        for file in
            ["netra.db", "netra.db-wal", "jwt.key"].iter().filter(|file| number % 2 == 0 || !file.ends_with("wal"))
        {
            fs::copy(data.join(file), copy.join(file)).expect("a copy");
        }
        match setup.start_or_refusal().await {
            Ok(other) => {
                started += 1;
                let user = User::dev(&other).await;
                let answer = user.get(&format!("/api/threads/{}/events?limit=1000", run.thread)).await;
                if number % 2 == 0 {
                    let log = answer.ok();
                    let log = log["events"].as_array().expect("events").clone();
                    assert!(!log.is_empty() && log.iter().zip(1..).all(|(event, seq)| event["seq"] == seq), "{log:?}");
                }
                drop(other);
            }
            Err(refusal) => {
                told += 1;
                let path = copy.join("netra.db").display().to_string();
                assert_eq!(refusal.code, 2, "{}", refusal.stderr);
                let last = refusal.stderr.trim().lines().last().unwrap_or_default();
                assert!(last.contains(&path) && last.contains("copied while in use"), "{}", refusal.stderr);
            }
        }
    }
    println!("{started} copies were whole, {told} refused");
    let stop = on(&run.thread, "stop_agent", json!({ "run_id": run.id }));
    socket.call(stop).await;
    ended(&socket, &run).await;
    assert_eq!(user.get("/readyz").await.status, 200);
}
