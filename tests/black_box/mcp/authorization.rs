//! Servers that want tokens of an authorization server: the protocol's own SDK behind npm's `oidc-provider`.

use std::{
    fs::File,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::json;
use tempfile::TempDir;

use super::{agent, becomes, calls, script};
use crate::support::{
    PATIENCE,
    answer::http,
    provider::{API_KEY, Provider},
    rules::{check_run, ended, payloads, start_run},
    server::{Server, Setup},
    socket::Socket,
    user::User,
};

/// The server and who gives out its tokens; killed when dropped.
pub(super) struct Guarded {
    child: Child,
    pub(super) base: String,
    pub(super) issuer: String,
    notes: PathBuf,
    _home: TempDir,
}

impl Guarded {
    async fn start() -> Self {
        Self::start_for(None).await
    }

    /// The same where people sign in, too, for the Netra at this address.
    pub(super) async fn start_for(netra: Option<&str>) -> Self {
        let home = tempfile::tempdir().expect("a folder");
        let (notes, said) = (home.path().join("notes"), home.path().join("said"));
        let child = Command::new("node")
            .arg(script("mcp_oauth.mjs"))
            .arg(&notes)
            // A key that no log may hold.
            .arg(API_KEY)
            .args(netra)
            .stdin(Stdio::null())
            .stdout(File::create(&said).expect("a file"))
            .stderr(Stdio::null())
            .spawn()
            .expect("node starts");
        let end = Instant::now() + PATIENCE;
        let (base, issuer) = loop {
            let told = std::fs::read_to_string(&said).expect("text");
            assert!(Instant::now() < end, "the servers are not ready: {told}");
            let line =
                told.lines().find_map(|line| line.strip_prefix("listening on ")).filter(|_| told.ends_with('\n'));
            if let Some((base, issuer)) = line.and_then(|line| line.split_once(' ')) {
                break (base.to_owned(), issuer.to_owned());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        Self { child, base, issuer, notes, _home: home }
    }

    pub(super) fn noted(&self, what: &str) -> usize {
        let notes = std::fs::read_to_string(&self.notes).unwrap_or_default();
        notes.lines().filter(|line| *line == what).count()
    }

    /// The tokens that people's clients were given.
    pub(super) fn values(&self) -> Vec<String> {
        let notes = std::fs::read_to_string(&self.notes).unwrap_or_default();
        notes.lines().filter_map(|line| line.strip_prefix("value ")).map(str::to_owned).collect()
    }

    /// Has the servers do something that they do for tests.
    pub(super) async fn does(&self, what: &str) {
        let answer = http().post(format!("{}/test/{what}", self.base)).send().await.expect("it answers");
        assert!(answer.status().is_success());
    }

    /// Takes none of the tokens any more that there are.
    pub(super) async fn forget(&self) {
        self.does("forget").await;
    }

    /// Ends both servers.
    pub(super) fn end(&mut self) {
        // Both fail only when the process is gone, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// A Netra that may use it, with further lines of its `oauth`.
    async fn netra(&self, provider: &Provider, secret: &str, more: &str) -> (Server, User, Socket) {
        let server = format!(
            "[[mcp]]\nname = \"guarded\"\nurl = \"{}/mcp\"\noauth = {{ client_id = \"netra\", client_secret_env = \"GUARDED\", scopes = [\"stamps\"]{more} }}\n",
            self.base
        );
        let toml = agent(provider, "\"mcp:guarded/*\"") + &server;
        let setup = Setup::new().toml(&toml).set("CALLER_KEY", API_KEY).set("GUARDED", secret);
        let server = setup.start().await;
        let user = User::dev(&server).await;
        let socket = user.connect().await;
        (server, user, socket)
    }

    fn issuer(&self) -> String {
        format!(", issuer = \"{}\"", self.issuer)
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        self.end();
    }
}

pub(super) async fn stamps(socket: &Socket) {
    let run = start_run(socket, "caller", "guarded__stamp {}").await;
    ended(socket, &run).await;
    check_run(&socket.frames(), &run);
    let done = payloads(&socket.frames(), &run, "tool_completed");
    assert_eq!((&done[0]["status"], &done[0]["result"]["text"]), (&json!("ok"), &json!("done")), "{done:?}");
}

#[tokio::test]
async fn a_server_that_wants_tokens_is_given_them() {
    let provider = Provider::start(calls).await;
    let guarded = Guarded::start().await;
    let (server, user, socket) = guarded.netra(&provider, API_KEY, &guarded.issuer()).await;
    becomes(&user, "guarded", "ready").await;
    stamps(&socket).await;
    let before = guarded.noted("token");
    stamps(&socket).await;
    assert_eq!(guarded.noted("token"), before, "a token is used until it is over");

    // It was taken back early: another is asked for, and the call is made once.
    guarded.forget().await;
    stamps(&socket).await;
    assert_eq!((guarded.noted("token"), guarded.noted("stamp")), (before + 1, 3));
    becomes(&user, "guarded", "ready").await;

    let mut check = Command::new(env!("CARGO_BIN_EXE_netra"));
    check.args(["agents", "check"]).env("NETRA_CONFIG", server.home().path().join("netra.toml"));
    check.env("NETRA_DATA_DIR", server.home().path().join("data")).env("CALLER_KEY", API_KEY).env("GUARDED", API_KEY);
    // The provider answers meanwhile.
    let checked = tokio::task::spawn_blocking(move || check.output()).await.expect("it ends").expect("it runs");
    let said = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(said.lines().any(|line| line.contains("guarded") && line.contains("1 tool")), "{said}");
    assert!(!said.contains(API_KEY), "the secret is shown");
}

#[tokio::test]
async fn a_secret_that_is_refused_or_would_go_elsewhere_is_told() {
    let provider = Provider::start(calls).await;
    let guarded = Guarded::start().await;
    for (secret, more, reason) in [
        ("not the secret", guarded.issuer(), "refuses: invalid_client".to_owned()),
        (API_KEY, String::new(), format!("its authorization server is {}; name that as `issuer`", guarded.issuer)),
        (API_KEY, format!(", issuer = \"{}\"", guarded.base), format!("says that it is {}", guarded.issuer)),
    ] {
        let (_server, user, _) = guarded.netra(&provider, secret, &more).await;
        let state = becomes(&user, "guarded", "away").await;
        assert!(state["reason"].as_str().is_some_and(|said| said.contains(&reason)), "{state}");
        assert_eq!(guarded.noted("token"), 0, "{more}");
    }
}

#[tokio::test]
async fn what_cannot_work_is_said_before_anything_starts() {
    for (entry, problem) in [
        (
            "url = \"https://a.example/mcp\"\noauth = { client_id = \"a\", client_secret_env = \"NOT_SET\" }",
            "names NOT_SET",
        ),
        (
            "command = [\"node\"]\noauth = { client_id = \"a\", client_secret_env = \"CALLER_KEY\" }",
            "oauth is for a url",
        ),
        ("url = \"https://a.example/mcp\"\noauth = { client_id = \"a\" }", "or sign_in = true"),
        ("url = \"https://a.example/mcp\"\noauth = { scopes = [\"a\"] }", "or sign_in = true"),
        ("url = \"https://a.example/mcp\"\noauth = { sign_in = 1 }", "expected a boolean"),
        ("command = [\"node\"]\noauth = { sign_in = true }", "oauth is for a url"),
        (
            "url = \"https://a.example/mcp\"\noauth = { sign_in = true, client_secret_env = \"CALLER_KEY\" }",
            "a client_id, which is missing",
        ),
        ("url = \"https://a.example/mcp\"\noauth = { sign_in = true, client_id = \" \" }", "are not empty"),
        (
            "url = \"https://a.example/mcp\"\noauth = { client_id = \"a\", client_secret_env = \"CALLER_KEY\", issuer = \"a.example\" }",
            "is not an http address",
        ),
        (
            "url = \"https://a.example/mcp\"\noauth = { client_id = \"a\", client_secret_env = \"CALLER_KEY\", scopes = [\"a b\"] }",
            "is no scope",
        ),
        (
            "url = \"https://a.example/mcp\"\nheaders_env = { authorization = \"CALLER_KEY\" }\noauth = { client_id = \"a\", client_secret_env = \"CALLER_KEY\" }",
            "both oauth and an Authorization header",
        ),
    ] {
        let refusal =
            Setup::new().toml(&format!("[[mcp]]\nname = \"a\"\n{entry}\n")).set("CALLER_KEY", API_KEY).refused().await;
        assert_eq!(refusal.code, 2, "{}", refusal.stderr);
        assert!(refusal.stderr.contains(problem), "{}", refusal.stderr);
    }
}
