//! A running `netra serve` with its own port, data folder and log; killed when dropped.

use std::{
    collections::BTreeMap,
    fs::File,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use tempfile::TempDir;
use tokio::time::sleep;

use super::{PATIENCE, answer, port, provider::Provider};

/// How a server is to be started.
pub(crate) struct Setup {
    env: BTreeMap<String, String>,
    args: Vec<String>,
    port: u16,
    home: Arc<TempDir>,
    open_files: Option<(&'static str, u32)>,
    under: Vec<String>,
}

impl Setup {
    /// Development and password sign-in on a free port, a fresh data folder, and an empty `netra.toml`, so that one
    /// lying in the checkout changes nothing.
    pub(crate) fn new() -> Self {
        Self::at(Arc::new(tempfile::tempdir().expect("a temporary folder")))
    }

    /// The same over the folder of a server that ran before.
    pub(crate) fn at(home: Arc<TempDir>) -> Self {
        let port = port::free();
        let setup =
            Self { env: BTreeMap::new(), args: vec!["serve".into()], port, home, open_files: None, under: Vec::new() };
        if !setup.home.path().join("netra.toml").exists() {
            std::fs::write(setup.home.path().join("netra.toml"), "").expect("netra.toml is written");
        }
        let data = setup.home.path().join("data").display().to_string();
        let config = setup.home.path().join("netra.toml").display().to_string();
        setup
            .set("NETRA_ADDR", format!("127.0.0.1:{port}"))
            .set("NETRA_DATA_DIR", data)
            .set("NETRA_CONFIG", config)
            .set("NETRA_AUTH", "dev,password")
            .set("NETRA_LOG", "info")
    }

    /// Sets an environment variable of the server.
    pub(crate) fn set(mut self, name: &str, value: impl ToString) -> Self {
        self.env.insert(name.into(), value.to_string());
        self
    }

    /// Starts it from a shell that allows a process this many open files, until it asks for more.
    #[allow(dead_code, reason = "the tests in tests/faults do not")]
    pub(crate) fn shell_allows_files(mut self, count: u32) -> Self {
        self.open_files = Some(("-Sn", count));
        self
    }

    /// Starts it where a process may never have more open files than this.
    #[allow(dead_code, reason = "the tests in tests/faults do not")]
    pub(crate) fn files_at_most(mut self, count: u32) -> Self {
        self.open_files = Some(("-n", count));
        self
    }

    /// Starts it by another program, which is given its path and arguments and becomes it or stays beside it.
    #[allow(dead_code, reason = "the tests in tests/faults do not")]
    pub(crate) fn under(mut self, program: Vec<String>) -> Self {
        self.under = program;
        self
    }

    /// Adds a command line argument after `serve`.
    pub(crate) fn arg(mut self, arg: &str) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Adds a command line argument before `serve`.
    pub(crate) fn arg_before_serve(mut self, arg: &str) -> Self {
        let at = self.args.iter().position(|arg| arg == "serve").expect("the subcommand");
        self.args.insert(at, arg.to_owned());
        self
    }

    /// Replaces the configuration file.
    pub(crate) fn toml(self, text: &str) -> Self {
        std::fs::write(self.home.path().join("netra.toml"), text).expect("netra.toml is written");
        self
    }

    /// Gives the server the agent `assistant`, played by a provider.
    pub(crate) fn assistant(self, provider: &Provider) -> Self {
        self.assistant_at(&provider.base)
    }

    /// Gives the server the agent `assistant`, at any base URL.
    pub(crate) fn assistant_at(self, base: &str) -> Self {
        self.set("NETRA_LLM_BASE_URL", base)
            .set("NETRA_LLM_API_KEY", super::provider::API_KEY)
            .set("NETRA_LLM_MODEL", super::provider::MODEL)
    }

    /// Takes the address of a server that ran before, as a deploy does.
    pub(crate) fn on(mut self, port: u16) -> Self {
        self.port = port;
        self.set("NETRA_ADDR", format!("127.0.0.1:{port}"))
    }

    /// The data folder that the server is told to use.
    #[allow(dead_code, reason = "the tests in tests/faults do not look into it")]
    pub(crate) fn data(&self) -> PathBuf {
        self.home.path().join("data")
    }

    /// The port that the server is told to use.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    fn command(&self) -> Command {
        let program = env!("CARGO_BIN_EXE_netra");
        let mut command = match (self.open_files, self.under.as_slice()) {
            (None, []) => Command::new(program),
            (None, [first, rest @ ..]) => {
                let mut wrapper = Command::new(first);
                wrapper.args(rest).arg(program);
                wrapper
            }
            (Some((limit, count)), _) => {
                let mut shell = Command::new("sh");
                shell.arg("-c").arg(format!("ulimit {limit} {count} && exec \"$0\" \"$@\"")).arg(program);
                shell
            }
        };
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("NETRA_") {
                command.env_remove(name);
            }
        }
        command
            .args(&self.args)
            .envs(&self.env)
            .env("NO_COLOR", "1")
            .env("NO_PROXY", "127.0.0.1,localhost")
            .env("no_proxy", "127.0.0.1,localhost")
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .stdin(Stdio::null());
        command
    }

    /// Starts the server and waits until it is ready.
    pub(crate) async fn start(self) -> Server {
        match self.start_or_refusal().await {
            Ok(server) => server,
            Err(Refusal { code, stderr }) => panic!("the server ended with {code}:\n{stderr}"),
        }
    }

    /// Starts a server that may well refuse to.
    pub(crate) async fn start_or_refusal(self) -> Result<Server, Refusal> {
        let log = self.home.path().join("server.log");
        let out = File::options().create(true).append(true).open(&log).expect("the log opens");
        let err = out.try_clone().expect("the log opens twice");
        let child = self.command().stdout(out).stderr(err).spawn().expect("the binary starts");
        let base = format!("http://127.0.0.1:{}", self.port);
        let mut server = Server { child, base, home: self.home, log, env: self.env };
        match server.ready().await {
            Some(code) => Err(Refusal { code, stderr: server.log() }),
            None => Ok(server),
        }
    }

    /// Runs a server that is expected to refuse to start.
    pub(crate) async fn refused(self) -> Refusal {
        let err = self.home.path().join("stderr.log");
        let file = File::create(&err).expect("the log opens");
        let mut child = self.command().stdout(Stdio::null()).stderr(file).spawn().expect("the binary starts");
        let code = exit(&mut child, PATIENCE).await;
        if code.is_none() {
            kill(&mut child);
        }
        let stderr = std::fs::read_to_string(&err).expect("the log is text");
        Refusal { code: code.unwrap_or_else(|| panic!("still running with {:?}: {stderr}", self.env)), stderr }
    }
}

/// How a server ended that refused to start.
pub(crate) struct Refusal {
    /// The exit code; -1 when a signal ended it.
    pub(crate) code: i32,
    /// All it said on standard error.
    pub(crate) stderr: String,
}

/// A server that is ready.
pub(crate) struct Server {
    child: Child,
    /// `http://127.0.0.1:<port>`.
    pub(crate) base: String,
    home: Arc<TempDir>,
    log: PathBuf,
    env: BTreeMap<String, String>,
}

impl Server {
    /// Waits until it is ready; its exit code when it ended instead.
    async fn ready(&mut self) -> Option<i32> {
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            if let Some(status) = self.child.try_wait().expect("the process can be asked") {
                return Some(status.code().unwrap_or(-1));
            }
            if answer::http().get(format!("{}/readyz", self.base)).send().await.is_ok_and(|r| r.status() == 200) {
                return None;
            }
            sleep(Duration::from_millis(20)).await;
        }
        panic!("not ready within {PATIENCE:?}:\n{}", self.log());
    }

    /// `127.0.0.1:<port>`.
    pub(crate) fn host(&self) -> &str {
        self.base.trim_start_matches("http://")
    }

    /// The process.
    #[allow(dead_code, reason = "the tests in tests/faults look at its memory")]
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Kilobytes of memory that its process holds.
    pub(crate) fn resident_kb(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("a process");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
        line.trim().trim_end_matches(" kB").parse().expect("kilobytes")
    }

    /// The folder that holds the data, the log and `netra.toml`.
    pub(crate) fn home(&self) -> Arc<TempDir> {
        Arc::clone(&self.home)
    }

    /// Everything logged so far.
    pub(crate) fn log(&self) -> String {
        read(&self.log)
    }

    /// Waits until the log, from byte `from` on, satisfies `wanted`; returns that part.
    pub(crate) async fn logged(&self, from: usize, what: &str, wanted: impl Fn(&str) -> bool) -> String {
        let end = Instant::now() + Duration::from_secs(3);
        loop {
            let log = self.log();
            let part = log.get(from..).unwrap_or_default();
            if wanted(part) {
                return part.to_owned();
            }
            assert!(Instant::now() < end, "not in the log: {what}\n{part}");
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Sends a signal: `TERM`, `KILL`.
    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill").arg(format!("-{name}")).arg(self.child.id().to_string()).status();
        assert!(status.is_ok_and(|s| s.success()), "kill -{name} failed");
    }

    /// Waits for the end of the process and returns its exit code, -1 after a signal.
    pub(crate) async fn exit(&mut self, limit: Duration) -> i32 {
        let code = exit(&mut self.child, limit).await;
        code.unwrap_or_else(|| panic!("still running after {limit:?}:\n{}", self.log()))
    }

    /// Ends the server with a signal and starts it again over the same data, with the same settings and a new port.
    pub(crate) async fn restart(mut self, signal: &str) -> Self {
        self.signal(signal);
        self.exit(PATIENCE).await;
        let mut setup = Setup::at(self.home());
        let address = setup.env["NETRA_ADDR"].clone();
        setup.env = std::mem::take(&mut self.env);
        setup.set("NETRA_ADDR", address).start().await
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        kill(&mut self.child);
        if !std::thread::panicking()
            && let Some(secret) = leaked(&self.log())
        {
            panic!("a secret is in the log: {secret}");
        }
    }
}

/// A JWT, an API token, a password or a key in the log: every test looks for them.
pub(crate) fn leaked(log: &str) -> Option<&str> {
    let known = [super::user::PASSWORD, super::provider::API_KEY];
    if let Some(secret) = known.into_iter().find(|secret| log.contains(secret)) {
        return Some(secret);
    }
    log.split(|c: char| !(c.is_ascii_alphanumeric() || "._-".contains(c))).find(|word| {
        let jwt = word.starts_with("eyJ") && word.matches('.').count() == 2;
        let token = word.strip_prefix("netra_").is_some_and(|rest| rest.len() >= 20);
        jwt || token
    })
}

#[test]
fn secrets_in_a_log_are_found() {
    for line in [
        "token=eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIx.c2lnbmF0dXJl peer=127.0.0.1",
        "bearer netra_MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1ub3A",
        super::user::PASSWORD,
        super::provider::API_KEY,
    ] {
        assert!(leaked(line).is_some(), "{line}");
    }
    let clean = "INFO connection{user_id=019a peer=127.0.0.1:5} connected netra_ws::session eyJ";
    assert_eq!(leaked(clean), None);
}

fn read(path: &Path) -> String {
    String::from_utf8_lossy(&std::fs::read(path).expect("the log is readable")).into_owned()
}

fn kill(child: &mut Child) {
    // Both fail only when the process is gone, which is what is wanted.
    let _ = child.kill();
    let _ = child.wait();
}

async fn exit(child: &mut Child, limit: Duration) -> Option<i32> {
    let end = Instant::now() + limit;
    while Instant::now() < end {
        if let Some(status) = child.try_wait().expect("the process can be asked") {
            return Some(status.code().unwrap_or(-1));
        }
        sleep(Duration::from_millis(10)).await;
    }
    None
}
