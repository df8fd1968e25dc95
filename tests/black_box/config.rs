//! Settings: where they come from, and a wrong one is said before anything starts (§10).

use std::{net::TcpListener, time::Duration};

use crate::support::{
    provider::Provider,
    rules::{ended, start_run},
    script::Stream,
    server::Setup,
    user::User,
};

/// A server that refuses to start: exit code 2, one to three lines that name the setting, and nothing bound.
async fn check_refused(name: &str, setup: Setup, mentions: &[&str]) {
    // The port is taken, so that a server which binds it before it reads its settings complains of that instead.
    let held = TcpListener::bind(("127.0.0.1", setup.port())).expect("the port is free");
    let refusal = setup.refused().await;
    drop(held);
    let stderr = refusal.stderr.trim();
    assert_eq!(refusal.code, 2, "{name}: {stderr}");
    assert!((1..=3).contains(&stderr.lines().count()), "{name}: {stderr}");
    assert!(!stderr.contains("panicked"), "{name}: {stderr}");
    for mention in mentions {
        assert!(names(stderr, mention), "{name}: {mention:?} is not in {stderr:?}");
    }
}

/// Whether the text holds the name, and not only a longer one that it is a part of.
fn names(text: &str, name: &str) -> bool {
    let in_name = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    text.match_indices(name)
        .any(|(at, _)| !in_name(text[..at].chars().next_back()) && !in_name(text[at + name.len()..].chars().next()))
}

#[tokio::test]
async fn a_wrong_value_is_one_clear_line() {
    let cases = [
        ("NETRA_ADDR", "nonsense"),
        ("NETRA_ADDR", "127.0.0.1"),
        ("NETRA_ADDR", "127.0.0.1:99999"),
        ("NETRA_DATABASE_URL", "mysql://somewhere/netra"),
        ("NETRA_DURABILITY", "disk"),
        ("NETRA_DURABILITY", "Power"),
        ("NETRA_AUTH", "magic"),
        ("NETRA_AUTH", "dev,magic"),
        ("NETRA_PUBLIC_URL", "chat.example"),
        ("NETRA_PUBLIC_URL", "ftp://chat.example"),
        ("NETRA_ALLOWED_ORIGINS", "chat.example"),
        ("NETRA_LLM_BASE_URL", "nowhere"),
        ("NETRA_LOG_FORMAT", "xml"),
        ("NETRA_LOG", "inof"),
        ("NETRA_HEARTBEAT_INTERVAL_MS", "soon"),
        ("NETRA_HEARTBEAT_TIMEOUT_MS", "-1"),
        ("NETRA_MAX_FRAME_BYTES", "64k"),
        ("NETRA_MAX_SUBSCRIPTIONS", "many"),
        ("NETRA_COMMANDS_PER_MINUTE", "1.5"),
        ("NETRA_HANDSHAKES_PER_MINUTE", "x"),
        ("NETRA_CONNECTIONS_PER_USER", "0"),
        ("NETRA_WS_TOKEN_TTL_S", "five minutes"),
        ("NETRA_WS_TOKEN_TTL_S", "3600"),
        ("NETRA_WS_TOKEN_GRACE_S", "x"),
        ("NETRA_RUN_LEASE_S", "x"),
        ("NETRA_DRAIN_S", "x"),
    ];
    for (name, value) in cases {
        check_refused(&format!("{name}={value}"), Setup::new().set(name, value), &[name]).await;
    }
    check_refused("--addr nonsense", Setup::new().arg("--addr").arg("nonsense"), &["addr"]).await;
    check_refused("no such file", Setup::new().set("NETRA_CONFIG", "/no/such/netra.toml"), &["/no/such/netra.toml"])
        .await;
}

#[tokio::test]
async fn a_place_that_cannot_be_used_is_a_wrong_setting_too() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let path = file.path().display().to_string();
    check_refused("the data folder is a file", Setup::new().set("NETRA_DATA_DIR", &path), &[&path]).await;
    let database = format!("sqlite:{path}/netra.db");
    let names = ["database", &format!("{path}/netra.db")];
    check_refused("the database's is, too", Setup::new().set("NETRA_DATABASE_URL", database), &names).await;
    let home = tempfile::tempdir().expect("a folder");
    let missing = home.path().join("missing/netra.db").display().to_string();
    let database = format!("sqlite:{missing}?mode=rwc");
    check_refused("no folder for it", Setup::new().set("NETRA_DATABASE_URL", database), &[&missing]).await;
    let home = std::sync::Arc::new(tempfile::tempdir().expect("a folder"));
    let setup = Setup::at(std::sync::Arc::clone(&home));
    let data = setup.data();
    std::fs::create_dir(&data).expect("a data folder");
    let path = data.join("netra.db").display().to_string();
    let text = "This is no database, and longer than a header of one would be: so it is not taken for an empty one.";
    std::fs::write(&path, text).expect("a file");
    check_refused("another file", setup, &["database", &path]).await;
    assert_eq!(std::fs::read_to_string(&path).expect("the file"), text, "it is left as it was");
}

#[tokio::test]
async fn what_a_commit_outlives_is_told_at_the_start() {
    for (setup, durability) in [
        (Setup::new(), "power"),
        (Setup::new().toml("durability = \"process\""), "process"),
        (Setup::new().toml("durability = \"process\"").set("NETRA_DURABILITY", "power"), "power"),
    ] {
        let server = setup.start().await;
        let word = format!("durability=\"{durability}\"");
        server.logged(0, &word, |log| log.contains("listening") && log.contains(&word)).await;
    }
}

#[tokio::test]
async fn what_could_only_be_ignored_is_wrong() {
    for value in ["developmnt", "dev", "Development"] {
        check_refused("NETRA_ENV", Setup::new().set("NETRA_ENV", value), &["NETRA_ENV", value]).await;
    }
    for (name, value) in [("NETRA_LLM_MODEL", "gpt"), ("NETRA_LLM_API_KEY", "sk-secret-of-nobody")] {
        let refusal = Setup::new().set(name, value).refused().await;
        assert_eq!(refusal.code, 2, "{}", refusal.stderr);
        assert!(names(&refusal.stderr, name) && names(&refusal.stderr, "NETRA_LLM_BASE_URL"), "{}", refusal.stderr);
        assert!(!refusal.stderr.contains("sk-secret"), "{}", refusal.stderr);
    }
    for url in [
        "https://chat.example/netra",
        "https://chat.example/?x=1",
        "https://chat.example/#x",
        "https://a:b@chat.example",
    ] {
        let setup = Setup::new().set("NETRA_AUTH", "password").set("NETRA_PUBLIC_URL", url);
        check_refused(url, setup, &["NETRA_PUBLIC_URL", "path"]).await;
    }
    let setup = Setup::new().set("NETRA_AUTH", "password").set("NETRA_PUBLIC_URL", "https://chat.example/");
    setup.set("NETRA_ENV", "production").start().await;
}

#[tokio::test]
async fn agents_that_could_not_work_are_wrong() {
    let openai = "[[agents]]\nname = \"a\"\nkind = \"openai\"\nbase_url = \"http://127.0.0.1:1/v1\"\nmodel = \"m\"\n";
    let guide = "[[agents]]\nname = \"a\"\nkind = \"guide\"\n";
    for (agent, line, mention) in [
        (openai, "max_steps = 0", "max_steps"),
        (openai, "max_seconds = 0", "max_seconds"),
        (openai, "tools = [\"calculate\", \"calculator\"]", "calculator"),
        (guide, "tools = [\"bash\"]", "bash"),
        (guide, "model = \"m\"", "model"),
        (guide, "base_url = \"http://127.0.0.1:1/v1\"", "base_url"),
        (guide, "system = \"Be brief.\"", "system"),
    ] {
        check_refused(line, Setup::new().toml(&format!("{agent}{line}")), &["agents.a", mention]).await;
    }
}

/// Whatever tool is offered to a model can also be named for an agent.
#[tokio::test]
async fn every_tool_that_is_offered_can_be_named() {
    let provider = Provider::start(|_| Stream::new().texts(1, "Done.", Duration::ZERO).end("stop")).await;
    let server = Setup::new().assistant(&provider).start().await;
    let socket = User::dev(&server).await.connect().await;
    ended(&socket, &start_run(&socket, "assistant", "Hello.").await).await;
    let offered: Vec<String> = provider.requests()[0].body["tools"]
        .as_array()
        .expect("tools")
        .iter()
        .map(|tool| tool["function"]["name"].to_string())
        .collect();
    assert!(offered.len() >= 4, "{offered:?}");
    let named = format!("[[agents]]\nname = \"a\"\nkind = \"guide\"\ntools = [{}]", offered.join(", "));
    Setup::new().toml(&named).start().await;
}

/// Nothing is bound before it is known that everything can be: the address is one that no machine here has.
#[tokio::test]
async fn an_address_of_another_machine_is_a_wrong_setting() {
    let foreign = "192.0.2.1:9464";
    let setup = Setup::new().set("NETRA_METRICS_ADDR", foreign);
    check_refused("the metrics' address", setup, &["NETRA_METRICS_ADDR", foreign]).await;
    let setup = Setup::new().set("NETRA_AUTH", "password").set("NETRA_ADDR", foreign);
    check_refused("the server's own", setup, &["NETRA_ADDR", foreign]).await;
    // A port that is taken is no wrong setting: the next start may find it free.
    let setup = Setup::new();
    let held = TcpListener::bind(("127.0.0.1", setup.port())).expect("the port is free");
    let refusal = setup.refused().await;
    assert_eq!(refusal.code, 1, "{}", refusal.stderr);
    drop(held);
}

#[tokio::test]
async fn where_traces_go_is_checked_too() {
    let endpoint = "OTEL_EXPORTER_OTLP_ENDPOINT";
    check_refused("no address", Setup::new().set(endpoint, "nowhere"), &[endpoint]).await;
    let setup = Setup::new().set(endpoint, "http://127.0.0.1:9").set("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc");
    check_refused("another protocol", setup, &["OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"]).await;
}

#[tokio::test]
async fn what_this_version_has_no_use_for_is_said() {
    let server =
        Setup::new().set("NETRA_NATS_URL", "nats://127.0.0.1:4222").toml("[log]\nlevel = \"info\"").start().await;
    assert!(server.log().contains("NETRA_NATS_URL"), "{}", server.log());
    let server = Setup::new().start().await;
    assert!(!server.log().contains("no effect in this version"), "{}", server.log());
}

#[tokio::test]
async fn an_unknown_key_is_told_the_nearest_known_one() {
    let cases = [
        ("adress = \"127.0.0.1:1\"", "adress", "addr"),
        ("public_ulr = \"https://chat.example\"", "public_ulr", "public_url"),
        ("[limits]\nheartbeat_intervall_ms = 1", "heartbeat_intervall_ms", "heartbeat_interval_ms"),
        ("durabilty = \"power\"", "durabilty", "durability"),
        ("[log]\nfromat = \"json\"", "fromat", "format"),
        ("[auth]\nmode = [\"dev\"]", "mode", "modes"),
        ("[[agents]]\nname = \"a\"\nkind = \"guide\"\ntitel = \"A\"", "titel", "title"),
    ];
    for (toml, wrong, right) in cases {
        check_refused(toml, Setup::new().toml(toml), &[wrong, right]).await;
    }
}

#[tokio::test]
async fn a_file_that_is_wrong_in_other_ways_is_refused_too() {
    let agent = "[[agents]]\nname = \"twin\"\nkind = \"openai\"\nbase_url = \"http://127.0.0.1:1/v1\"\nmodel = \"m\"\n";
    let cases = [
        ("no TOML", "addr = ".to_owned(), "netra.toml"),
        ("another type", "[limits]\nmax_frame_bytes = \"64k\"".to_owned(), "max_frame_bytes"),
        ("an unknown kind", agent.replace("openai", "oracle"), "oracle"),
        ("a name used twice", format!("{agent}{agent}"), "twin"),
        ("a variable that is not set", format!("{agent}api_key_env = \"NO_SUCH_VARIABLE\""), "NO_SUCH_VARIABLE"),
    ];
    for (name, toml, mention) in cases {
        check_refused(name, Setup::new().toml(&toml), &[mention]).await;
    }
}

#[tokio::test]
async fn a_key_in_the_clear_is_refused_and_not_repeated() {
    let toml = "[[agents]]\nname = \"a\"\nkind = \"openai\"\nbase_url = \"http://127.0.0.1:1/v1\"\nmodel = \"m\"\n\
                api_key = \"sk-in-the-clear\"";
    let refusal = Setup::new().toml(toml).refused().await;
    assert_eq!(refusal.code, 2, "{}", refusal.stderr);
    assert!(refusal.stderr.contains("api_key_env"), "{}", refusal.stderr);
    assert!(!refusal.stderr.contains("sk-in-the-clear"), "{}", refusal.stderr);
}

#[tokio::test]
async fn flags_beat_the_environment_which_beats_the_file() {
    let toml = "[limits]\nheartbeat_interval_ms = 11111\nheartbeat_timeout_ms = 2222\n";
    let setup = Setup::new().toml(toml).set("NETRA_HEARTBEAT_TIMEOUT_MS", 3333);
    let address = format!("127.0.0.1:{}", setup.port());
    let server = setup.set("NETRA_ADDR", "127.0.0.1:1").arg("--addr").arg(&address).start().await;
    assert_eq!(server.host(), address);
    let ws = User::visitor(&server).get("/api/config").await.ok()["ws"].clone();
    assert_eq!((&ws["heartbeat_interval_ms"], &ws["heartbeat_timeout_ms"]), (&11_111.into(), &3_333.into()));

    let setup = Setup::new();
    let address = format!("127.0.0.1:{}", setup.port());
    let setup = setup.set("NETRA_ADDR", "127.0.0.1:1").arg_before_serve("--addr").arg_before_serve(&address);
    assert_eq!(setup.start().await.host(), address, "also before the subcommand");
}

#[tokio::test]
async fn development_sign_in_stays_at_home() {
    for auth in ["dev", "dev,password"] {
        let setup = Setup::new().set("NETRA_AUTH", auth);
        let port = setup.port();
        let open = setup.set("NETRA_ADDR", format!("0.0.0.0:{port}"));
        check_refused("dev on every address", open, &["dev"]).await;
    }
    let setup = Setup::new().set("NETRA_AUTH", "dev").set("NETRA_ENV", "development");
    let port = setup.port();
    let server = setup.set("NETRA_ADDR", format!("0.0.0.0:{port}")).start().await;
    User::dev(&server).await.connect().await.alive().await;
}
