//! `[[mcp]]`, `NETRA_MCP_CONFIG`, and what `netra agents check` says of them.

use std::process::Command;

use super::{everything, program};
use crate::support::{port, server::Setup};

#[tokio::test]
async fn what_is_wrong_is_said_before_anything_starts() {
    let agent = "[[agents]]\nname = \"a\"\nkind = \"openai\"\nbase_url = \"http://127.0.0.1:1/v1\"\nmodel = \"m\"\n";
    let cases = [
        ("[[mcp]]\nname = \"a\"\n", "mcp.a: needs a command or a url"),
        ("[[mcp]]\nname = \"a\"\ncommand = []\n", "command is empty"),
        ("[[mcp]]\nname = \"a\"\ncommand = [\"x\"]\nurl = \"http://x\"\n", "both a command and a url"),
        ("[[mcp]]\nname = \"A b\"\ncommand = [\"x\"]\n", "a name is made of"),
        ("[[mcp]]\nname = \"a__b\"\ncommand = [\"x\"]\n", "without __"),
        ("[[mcp]]\nname = \"a\"\nurl = \"ftp://x\"\n", "is not an http address"),
        (
            "[[mcp]]\nname = \"a\"\nurl = \"http://x\"\nheaders_env = { Authorization = \"NOT_SET\" }\n",
            "names NOT_SET, which is not set",
        ),
        ("[[mcp]]\nname = \"a\"\ncommand = [\"x\"]\npass_env = [\"NOT_SET\"]\n", "names NOT_SET, which is not set"),
        ("[[mcp]]\nname = \"a\"\ncommand = [\"x\"]\ntimeout_s = 0\n", "timeout_s is 0"),
        ("[[mcp]]\nname = \"a\"\ncommand = [\"x\"]\ncomand = 1\n", "comand"),
        (
            "[[mcp]]\nname = \"a\"\ncommand = [\"x\"]\n[[mcp]]\nname = \"a\"\ncommand = [\"y\"]\n",
            "two servers are called",
        ),
        (
            &format!("{agent}tools = [\"mcp:b/*\"]\n[[mcp]]\nname = \"a\"\ncommand = [\"x\"]\n"),
            "[[mcp]] has none called \"b\"",
        ),
        (&format!("{agent}tools = [\"mcp:b\"]\n"), "mcp:<server>/<tool>"),
        (&format!("{agent}tools = [\"calculat\"]\n"), "is no tool"),
    ];
    for (toml, words) in cases {
        let refusal = Setup::new().toml(toml).refused().await;
        assert_eq!(refusal.code, 2, "{toml}: {}", refusal.stderr);
        assert!(refusal.stderr.contains(words), "{toml}: {}", refusal.stderr);
        assert_eq!(refusal.stderr.trim().lines().count(), 1, "{toml}: {}", refusal.stderr);
    }
    let home = tempfile::tempdir().expect("a temporary folder");
    let file = home.path().join("servers");
    for (text, words) in [
        ("{", "not a file of servers"),
        ("{\"mcpServers\":{\"a\":{\"command\":\"x\",\"headers\":{\"Authorization\":\"secret\"}}}}", "headers"),
        ("{\"mcpServers\":{\"a\":{}}}", "mcp.a: needs a command or a url"),
        ("[[agents]]\n", "has no place in it"),
        ("mcp = 1\n", "NETRA_MCP_CONFIG"),
    ] {
        std::fs::write(&file, text).expect("the file is written");
        let refusal = Setup::new().set("NETRA_MCP_CONFIG", file.display()).refused().await;
        assert_eq!(refusal.code, 2, "{text}: {}", refusal.stderr);
        assert!(refusal.stderr.contains(words) && !refusal.stderr.contains("secret"), "{text}: {}", refusal.stderr);
    }
    let refusal = Setup::new().set("NETRA_MCP_CONFIG", "/no/such/file").refused().await;
    assert!(refusal.stderr.contains("NETRA_MCP_CONFIG: /no/such/file"), "{}", refusal.stderr);
}

/// Runs the command over these settings; its exit code, and all that it said.
async fn check(toml: &str, servers: Option<&str>, name: Option<&str>) -> (i32, String) {
    let home = tempfile::tempdir().expect("a temporary folder");
    let file = home.path().join("netra.toml");
    std::fs::write(&file, toml).expect("the settings are written");
    let mut command = Command::new(env!("CARGO_BIN_EXE_netra"));
    command.args(["agents", "check"]).args(name).arg("--config").arg(&file);
    for (variable, _) in std::env::vars_os() {
        if variable.to_string_lossy().starts_with("NETRA_") {
            command.env_remove(variable);
        }
    }
    if let Some(servers) = servers {
        let file = home.path().join("servers.json");
        std::fs::write(&file, servers).expect("the servers are written");
        command.env("NETRA_MCP_CONFIG", file);
    }
    command.env("NO_PROXY", "127.0.0.1").current_dir(home.path());
    let done = tokio::task::spawn_blocking(move || command.output().expect("the command runs")).await.expect("it ends");
    let said = String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
    drop(home);
    (done.status.code().unwrap_or(-1), said)
}

#[tokio::test]
async fn the_command_line_checks_servers() {
    let path = everything().display().to_string();
    let toml = program("everything", &["node", &path, "stdio"])
        + &program("silent", &["false"])
        + &format!("[[mcp]]\nname = \"nowhere\"\nurl = \"http://127.0.0.1:{}/mcp\"\n", port::free());
    let (code, said) = check(&toml, None, None).await;
    assert_eq!(code, 1, "{said}");
    let line =
        |name: &str| said.lines().find(|line| line.starts_with(&format!("mcp:{name} "))).unwrap_or_default().to_owned();
    for (name, words) in [
        ("everything", "(stdio): "),
        ("everything", "prompts, resources, MCP 2025-11-25"),
        ("silent", "FAILED: its program ended: exit status: 1"),
        ("nowhere", "(http): FAILED: Connection refused"),
    ] {
        assert!(line(name).contains(words), "{name}: {said}");
    }
    assert!(said.contains("2 of 3 agents and MCP servers did not answer"), "{said}");
    let (code, said) = check(&toml, None, Some("mcp:everything")).await;
    assert!(code == 0 && said.starts_with("mcp:everything ") && !said.contains("mcp:silent"), "{said}");
    // As other programs' files have it.
    let servers = format!(
        "{{\"mcpServers\":{{\"ev\":{{\"type\":\"stdio\",\"command\":\"node\",\"args\":[{path:?},\"stdio\"]}}}}}}"
    );
    let (code, said) = check("", Some(&servers), None).await;
    assert!(code == 0 && said.starts_with("mcp:ev (stdio): "), "{said}");
}
