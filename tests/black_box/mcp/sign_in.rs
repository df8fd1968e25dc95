//! Servers that a person signs in at: an administrator goes to a real authorization server and comes back, and what that gave is
//! renewed, outlives a restart, and is taken back.

use std::{
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{
    agent,
    authorization::{Guarded, stamps},
    becomes, calls,
};
use crate::{
    browser::{Browser, Page},
    support::{
        PATIENCE,
        provider::{API_KEY, Provider},
        rules::{check_run, ended, payloads, start_run},
        server::{Server, Setup},
        socket::Socket,
        user::User,
    },
};

const CONNECT: &str = "/api/tools/guarded/oauth/connect";
const OAUTH: &str = "/api/tools/guarded/oauth";
const CALLBACK: &str = "/api/tools/guarded/oauth/callback";

/// A Netra that people sign in from, and the servers that they sign in at.
struct World {
    guarded: Guarded,
    _model: Provider,
    server: Server,
    admin: User,
    socket: Socket,
}

impl World {
    /// With these further fields of the server's `oauth`.
    async fn new(more: &str) -> Self {
        Self::with(|_| more.to_owned()).await
    }

    async fn with(more: impl Fn(&Guarded) -> String) -> Self {
        let model = Provider::start(calls).await;
        let setup = Setup::new();
        let guarded = Guarded::start_for(Some(&format!("http://127.0.0.1:{}", setup.port()))).await;
        let server = format!(
            "[[mcp]]\nname = \"guarded\"\nurl = \"{}/mcp\"\noauth = {{ sign_in = true{} }}\n",
            guarded.base,
            more(&guarded)
        );
        let toml = agent(&model, "\"mcp:guarded/*\"") + &server;
        let setup = setup.toml(&toml).set("CALLER_KEY", API_KEY).set("GUARDED", API_KEY).set("NETRA_LOG", "trace");
        let server = setup.start().await;
        let admin = User::dev(&server).await;
        let socket = admin.connect().await;
        Self { guarded, _model: model, server, admin, socket }
    }

    /// Where an administrator is sent.
    async fn entrance(&self) -> String {
        let entrance = self.admin.post(CONNECT, json!({})).await.ok();
        entrance["url"].as_str().unwrap_or_else(|| panic!("no address in {entrance}")).to_owned()
    }

    /// Connects the server as a person does: to the authorization server, through its pages, and back.
    async fn connect(&self) {
        let browser = Browser::new();
        browser.adopt(self.server.host(), &self.admin.cookies());
        let page = browser.sign_in_at(&self.entrance().await, "ada").await;
        assert_eq!(outcome(&page), "made", "{}", self.server.log());
        becomes(&self.admin, "guarded", "ready").await;
    }

    /// The way back to Netra that a round ends with, which nobody has gone yet.
    async fn way_back(&self) -> String {
        let page = Browser::new().sign_in_at(&self.entrance().await, "ada").await;
        self.path_of(&page)
    }

    fn path_of(&self, page: &Page) -> String {
        // A browser without a sign-in at Netra is refused there.
        assert_eq!(page.status, 401, "{} {}", page.url, page.body);
        let path = page.url.as_str().strip_prefix(&self.server.base).expect("an address of Netra's");
        assert!(path.starts_with("/api/tools/guarded/oauth/callback?"), "{path}");
        path.to_owned()
    }

    /// What somebody is told who goes that way.
    async fn comes_back(&self, user: &User, path: &str) -> String {
        let answer = user.get(path).await;
        assert_eq!(answer.status, 303, "{}", answer.body);
        let to = answer.header("location");
        to.strip_prefix("/settings?connection=").unwrap_or_else(|| panic!("led to {to}")).to_owned()
    }

    /// What a call of its tool fails with.
    async fn fails(&self) -> String {
        let run = start_run(&self.socket, "caller", "guarded__stamp {}").await;
        ended(&self.socket, &run).await;
        check_run(&self.socket.frames(), &run);
        let done = payloads(&self.socket.frames(), &run, "tool_completed");
        assert_eq!(done[0]["status"], "error", "{done:?}");
        done[0].to_string()
    }

    /// Whether any token of the person is in the log or on the disk.
    fn keeps_no_secret(&self) {
        let secrets = self.guarded.values();
        assert!(!secrets.is_empty(), "the provider gave no token");
        let mut kept = self.server.log().into_bytes();
        files(self.server.home().path(), &mut kept);
        for secret in secrets {
            let found = kept.windows(secret.len()).any(|part| part == secret.as_bytes());
            assert!(!found, "a token is in the log or on the disk");
        }
    }
}

fn files(folder: &Path, into: &mut Vec<u8>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files(&path, into);
        } else {
            into.extend(std::fs::read(&path).unwrap_or_default());
        }
    }
}

fn outcome(page: &Page) -> String {
    assert_eq!((page.url.path(), page.status), ("/settings", 200), "{} {}", page.url, page.body);
    let found = page.url.query_pairs().find(|(name, _)| name == "connection");
    found.unwrap_or_else(|| panic!("no outcome in {}", page.url)).1.into_owned()
}

fn reason(state: &Value) -> &str {
    state["reason"].as_str().unwrap_or_else(|| panic!("no reason in {state}"))
}

/// What `netra agents check` says of it.
async fn checked(server: &Server) -> String {
    let mut check = Command::new(env!("CARGO_BIN_EXE_netra"));
    check.args(["agents", "check", "mcp:guarded"]).env("NETRA_CONFIG", server.home().path().join("netra.toml"));
    check.env("NETRA_DATA_DIR", server.home().path().join("data")).env("CALLER_KEY", API_KEY).env("GUARDED", API_KEY);
    let checked = tokio::task::spawn_blocking(move || check.output()).await.expect("it ends").expect("it runs");
    format!("{}{}", String::from_utf8_lossy(&checked.stdout), String::from_utf8_lossy(&checked.stderr))
}

/// Waits until the provider has noted something.
async fn noted(guarded: &Guarded, what: &str) {
    let end = Instant::now() + PATIENCE;
    while guarded.noted(what) == 0 {
        assert!(Instant::now() < end, "no {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn an_administrator_connects_a_server_for_everybody_and_takes_it_back() {
    let mut world = World::new("").await;
    let state = becomes(&world.admin, "guarded", "away").await;
    assert_eq!(state["signed_in"], false, "{state}");
    assert_eq!(reason(&state), "Not connected: an administrator has to connect it");
    let said = checked(&world.server).await;
    assert!(said.contains("guarded") && said.contains("Not connected"), "{said}");

    let entrance = url::Url::parse(&world.entrance().await).expect("an address");
    assert!(entrance.as_str().starts_with(&world.guarded.issuer), "{entrance}");
    let asked = |name: &str| entrance.query_pairs().find(|(of, _)| of == name).map(|(_, value)| value.into_owned());
    assert_eq!(asked("code_challenge_method").as_deref(), Some("S256"));
    assert_eq!(asked("resource"), Some(format!("{}/mcp", world.guarded.base)));
    assert_eq!(asked("scope").as_deref(), Some("stamps offline_access"));
    assert!(asked("state").is_some_and(|state| state.len() > 15));

    world.connect().await;
    assert!(world.guarded.noted("registered") > 0);
    stamps(&world.socket).await;
    let given = world.guarded.noted("person");
    stamps(&world.socket).await;
    assert_eq!(world.guarded.noted("person"), given, "a token is used until it is over");
    let state = becomes(&world.admin, "guarded", "ready").await;
    assert_eq!(state["signed_in"], true, "{state}");
    let said = checked(&world.server).await;
    assert!(said.contains("guarded") && said.contains("1 tool"), "{said}");

    // The server takes the token no more, before its time: it is renewed, and the call is made once.
    world.guarded.forget().await;
    stamps(&world.socket).await;
    assert_eq!((world.guarded.noted("renewed"), world.guarded.noted("stamp")), (1, 3));

    world.server = world.server.restart("TERM").await;
    world.admin = world.admin.moved(&world.server);
    world.socket = world.admin.connect().await;
    becomes(&world.admin, "guarded", "ready").await;
    stamps(&world.socket).await;
    world.guarded.forget().await;
    stamps(&world.socket).await;
    assert_eq!(world.guarded.noted("renewed"), 2, "the connection is renewed by whoever serves");
    world.keeps_no_secret();

    let answer = world.admin.delete(OAUTH).await;
    assert_eq!(answer.status, 204, "{}", answer.body);
    let state = becomes(&world.admin, "guarded", "away").await;
    assert_eq!(
        (&state["signed_in"], reason(&state)),
        (&json!(false), "Not connected: an administrator has to connect it")
    );
    let said = world.fails().await;
    assert!(said.contains("there is no tool called"), "what is away is not offered: {said}");
    noted(&world.guarded, "revoked").await;
    assert_eq!(world.admin.delete(OAUTH).await.status, 204, "what is not connected stays so");

    let lines = world.admin.get("/api/admin/audit?query=mcp_server").await.ok();
    let lines = lines["lines"].as_array().expect("lines");
    let actions: Vec<(&str, &str)> = lines
        .iter()
        .map(|line| (line["action"].as_str().unwrap_or_default(), line["subject"].as_str().unwrap_or_default()))
        .collect();
    for action in ["mcp_server.connected", "mcp_server.disconnected"] {
        assert!(actions.contains(&(action, "guarded")), "{actions:?}");
    }
    let log = world.server.log();
    assert!(log.contains("an MCP server was disconnected") && log.contains("server=\"guarded\""), "{log}");
    world.connect().await;
    stamps(&world.socket).await;
}

#[tokio::test]
async fn tokens_are_renewed_before_they_are_over() {
    let world = World::new("").await;
    world.guarded.does("life?seconds=4").await;
    world.connect().await;
    let end = Instant::now() + PATIENCE;
    while world.guarded.noted("renewed") < 2 {
        assert!(Instant::now() < end, "nothing was renewed: {}", world.server.log());
        stamps(&world.socket).await;
    }
    stamps(&world.socket).await;
    world.keeps_no_secret();
}

#[tokio::test]
async fn a_connection_that_is_renewed_no_more_is_over_and_says_so() {
    let world = World::new("").await;
    world.connect().await;
    stamps(&world.socket).await;
    world.guarded.does("revoke").await;
    world.guarded.forget().await;
    let said = world.fails().await;
    assert!(said.contains("guarded is away: Not connected: an administrator has to connect it"), "{said}");
    let state = becomes(&world.admin, "guarded", "away").await;
    assert_eq!(state["signed_in"], false, "{state}");
    assert!(reason(&state).contains("renews its token no more"), "{state}");
    assert!(world.server.log().contains("an MCP server is not connected any more"), "{}", world.server.log());
    world.connect().await;
    stamps(&world.socket).await;
}

#[tokio::test]
async fn a_connection_is_good_for_the_address_that_it_was_made_for() {
    let mut world = World::new("").await;
    world.connect().await;
    let home = world.server.home();
    let file = home.path().join("netra.toml");
    let settings = std::fs::read_to_string(&file).expect("settings");
    std::fs::write(&file, settings.replace("/mcp\"", "/mcp?team=7\"")).expect("the file is written");
    world.server = world.server.restart("TERM").await;
    world.admin = world.admin.moved(&world.server);
    let state = becomes(&world.admin, "guarded", "away").await;
    assert!(reason(&state).contains("made for another address"), "{state}");
    assert_eq!(world.guarded.noted("stamp"), 0);
    world.connect().await;
    world.socket = world.admin.connect().await;
    stamps(&world.socket).await;
}

#[tokio::test]
async fn a_client_of_the_settings_signs_in_where_its_secret_may_go() {
    let client = ", client_id = \"known\", client_secret_env = \"GUARDED\", scopes = [\"stamps\"]";
    let world = World::with(|guarded| format!("{client}, issuer = \"{}\"", guarded.issuer)).await;
    world.connect().await;
    stamps(&world.socket).await;
    world.guarded.forget().await;
    stamps(&world.socket).await;
    assert_eq!((world.guarded.noted("registered"), world.guarded.noted("renewed")), (0, 1));
    world.keeps_no_secret();

    // Metadata alone takes the secret nowhere.
    let world = World::new(client).await;
    let refused = world.admin.post(CONNECT, json!({})).await;
    assert_eq!(refused.error(), (502, "upstream_unavailable".to_owned()));
    assert!(refused.body.contains("name that as `issuer`"), "{}", refused.body);
}

#[tokio::test]
async fn who_comes_back_wrongly_connects_nothing() {
    let mut world = World::new("").await;
    becomes(&world.admin, "guarded", "away").await;
    let part = |path: &str, name: &str| {
        let query = url::Url::parse(&format!("http://a{path}")).expect("an address");
        query.query_pairs().find(|(of, _)| of == name).map(|(_, value)| value.into_owned()).unwrap_or_default()
    };
    let path = world.way_back().await;
    let (code, state) = (part(&path, "code"), part(&path, "state"));
    assert!(path.contains("iss="), "{path}");

    // Another's state, none, one that was made up; another sign-in of the same person.
    for wrong in [path.replace(&state, "made-up"), path.replace("state=", "other="), format!("{CALLBACK}?code={code}")]
    {
        assert_eq!(world.comes_back(&world.admin, &wrong).await, "stale", "{wrong}");
    }
    let elsewhere = User::dev(&world.server).await;
    assert_eq!(world.comes_back(&elsewhere, &path).await, "stale");

    // Nobody but administrators.
    let _first = User::register(&world.server).await;
    let member = User::register(&world.server).await;
    for answer in [member.get(&path).await, member.post(CONNECT, json!({})).await, member.delete(OAUTH).await] {
        assert_eq!(answer.error(), (403, "forbidden".to_owned()));
    }
    for answer in [
        world.admin.get(&path.replace("/guarded/", "/tickets/")).await,
        world.admin.post("/api/tools/tickets/oauth/connect", json!({})).await,
        world.admin.delete("/api/tools/tickets/oauth").await,
    ] {
        assert_eq!(answer.error(), (404, "not_found".to_owned()));
    }
    let foreign = [("origin", "https://evil.example")];
    let forged = world.admin.send(reqwest::Method::POST, CONNECT, Some("{}".to_owned()), &foreign).await;
    assert_eq!(forged.error(), (403, "origin_not_allowed".to_owned()));

    // After all of that the round is still good, once.
    assert_eq!(world.guarded.noted("person"), 0);
    assert_eq!(world.comes_back(&world.admin, &path).await, "made");
    assert_eq!(world.comes_back(&world.admin, &path).await, "stale");
    becomes(&world.admin, "guarded", "ready").await;
    assert_eq!(world.admin.delete(OAUTH).await.status, 204);
    becomes(&world.admin, "guarded", "away").await;

    // A code that was never given, another authorization server's word, an error that is none of ours.
    for (name, value, words) in [
        ("code", "never-given", "gives no token"),
        ("iss", "http%3A%2F%2F127.0.0.1%3A1", "another authorization server"),
        ("code", "", "sent no code"),
    ] {
        let path = world.way_back().await;
        let pairs: Vec<String> = path
            .split_once('?')
            .expect("a query")
            .1
            .split('&')
            .map(|pair| if pair.starts_with(&format!("{name}=")) { format!("{name}={value}") } else { pair.to_owned() })
            .collect();
        let wrong = format!("{CALLBACK}?{}", pairs.join("&"));
        assert_eq!(world.comes_back(&world.admin, &wrong).await, "failed", "{wrong}");
        assert_eq!(world.comes_back(&world.admin, &path).await, "stale", "a round is over, however it went");
        let state = becomes(&world.admin, "guarded", "away").await;
        assert!(reason(&state).contains("the last try failed") && reason(&state).contains(words), "{state}");
    }

    // The person says no.
    let browser = Browser::new();
    let asks = browser.go(&world.entrance().await, None).await;
    let denied = browser.go(&format!("{}/abort", asks.url), None).await;
    let path = world.path_of(&denied);
    assert!(path.contains("error=access_denied"), "{path}");
    assert_eq!(world.comes_back(&world.admin, &path).await, "denied");

    // The authorization server is away, at the beginning and at the end.
    let path = world.way_back().await;
    world.guarded.end();
    assert_eq!(world.comes_back(&world.admin, &path).await, "failed");
    let refused = world.admin.post(CONNECT, json!({})).await;
    assert_eq!(refused.error(), (502, "upstream_unavailable".to_owned()));
    assert!(
        refused.body.contains("guarded cannot be connected") && refused.body.contains("cannot be reached"),
        "{}",
        refused.body
    );
    world.keeps_no_secret();
}
