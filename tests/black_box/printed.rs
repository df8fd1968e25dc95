//! What the documentation prints works as printed: commands of the program, targets of the Makefile, scripts and files.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::{Value, json};

use crate::support::{
    server::{Server, Setup},
    user::User,
};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every page for people, by its path.
fn pages() -> BTreeMap<PathBuf, String> {
    let folder = fs::read_dir(root().join("docs")).expect("docs").map(|entry| entry.expect("an entry").path());
    let single = ["README.md", "CONTRIBUTING.md", "ARCHITECTURE.md", "clients/typescript/README.md"];
    folder
        .filter(|path| path.extension().is_some_and(|ending| ending == "md"))
        .chain(single.iter().map(|path| root().join(path)))
        .map(|path| (path.clone(), fs::read_to_string(&path).expect("a page")))
        .collect()
}

/// The lines of all blocks of shell, without comments.
fn shell_lines() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for (path, text) in pages() {
        let mut inside = false;
        for line in text.lines() {
            match line.trim() {
                "```sh" => inside = true,
                "```" => inside = false,
                line if inside => {
                    let line = line.split("  #").next().unwrap_or_default().trim();
                    found.push((path.clone(), line.to_owned()));
                }
                _ => {}
            }
        }
    }
    assert!(found.len() > 30, "{} lines", found.len());
    found
}

/// What stands in backquotes.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split("```").step_by(2).flat_map(|prose| prose.split('`').skip(1).step_by(2))
}

/// The arguments of a command of the program, if it is one.
fn arguments(command: &str) -> Option<Vec<String>> {
    let command = command.rsplit("$(").next().unwrap_or_default().trim_end_matches(')');
    let rest = ["./target/release/netra ", "netra ", "/netra "].iter().find_map(|name| command.strip_prefix(name))?;
    let mut words = vec![String::new()];
    let mut open = false;
    for c in rest.chars() {
        match c {
            '"' => open = !open,
            ' ' if !open => words.push(String::new()),
            c => words.last_mut().expect("a word").push(c),
        }
    }
    Some(words)
}

fn run(server: &Server, arguments: &[String]) -> Output {
    let data = server.home().path().join("data");
    Command::new(env!("CARGO_BIN_EXE_netra"))
        .args(arguments)
        .env("NETRA_ADDR", server.host())
        .env("NETRA_DATA_DIR", data)
        .env("NETRA_CONFIG", server.home().path().join("netra.toml"))
        .env("NETRA_AUTH", "dev,password")
        .env("NETRA_LOG", "warn")
        .env_remove("NETRA_TOKEN")
        .output()
        .expect("the binary runs")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_of_the_program_do_what_is_printed() {
    let server = Setup::new().start().await;
    let visitor = User::visitor(&server);
    let ada = json!({ "name": "Ada", "email": "ada@example.org", "password": "correct horse battery" });
    assert_eq!(visitor.post("/api/auth/register", ada).await.status, 201);
    let prose: Vec<String> =
        pages().values().flat_map(|text| quoted(text).map(str::to_owned).collect::<Vec<_>>()).collect();
    let blocks = shell_lines().into_iter().map(|(_, line)| line);
    let mut ran = BTreeSet::new();
    for command in blocks.chain(prose) {
        let Some(mut arguments) = arguments(&command) else { continue };
        let name = arguments[0].clone();
        // Addresses of a reader's own server are this one's; what needs a placeholder is only read, as is what takes long.
        let address = arguments.iter_mut().find(|word| word.contains("127.0.0.1:3000"));
        if let Some(address) = address {
            *address = address.replace("127.0.0.1:3000", server.host());
        }
        let is_whole = match &*name {
            "token" => command.contains("--name"),
            "broadcast" => arguments.len() > 1,
            _ => false,
        };
        let read_only = !is_whole || command.contains("...");
        if read_only {
            arguments.retain(|word| word != "...");
            arguments.push("--help".to_owned());
        }
        let output = run(&server, &arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{command}: {said}");
        if name == "token" && !read_only {
            assert!(String::from_utf8_lossy(&output.stdout).starts_with("netra_"), "{command}");
        }
        ran.insert(name);
    }
    for name in ["token", "broadcast", "conform", "serve"] {
        assert!(ran.contains(name), "no page prints `netra {name}`: {ran:?}");
    }
}

#[test]
fn every_target_and_script_that_is_named_is_there() {
    let makefile = fs::read_to_string(root().join("Makefile")).expect("a Makefile");
    let targets: BTreeSet<&str> = makefile
        .lines()
        .filter_map(|line| line.split_once(':').map(|(name, _)| name))
        .filter(|name| {
            !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        })
        .collect();
    let package = |folder: &str| -> Value {
        let text = fs::read_to_string(root().join(folder).join("package.json")).expect("package.json");
        serde_json::from_str(&text).expect("JSON")
    };
    let scripts = [package("."), package("clients/typescript")];
    let mut made = 0;
    for (path, text) in pages() {
        let lines = shell_lines().into_iter().filter(|(page, _)| *page == path).map(|(_, line)| line);
        for command in lines.chain(quoted(&text).map(str::to_owned)) {
            let command = command.as_str();
            if let Some(rest) = command.strip_prefix("make ") {
                for target in rest
                    .split_whitespace()
                    .take_while(|word| *word != "&&")
                    .filter(|word| !word.contains('=') && !word.starts_with('-'))
                {
                    assert!(targets.contains(target), "{}: `{command}` is no target", path.display());
                    made += 1;
                }
            }
            for (_, rest) in command.match_indices("npm run ").map(|(at, found)| (at, &command[at + found.len()..])) {
                let name = rest.split_whitespace().find(|word| !word.starts_with('-')).unwrap_or_default();
                let is_there = scripts.iter().any(|package| package["scripts"].get(name).is_some());
                assert!(is_there, "{}: `{command}` is no script", path.display());
            }
        }
    }
    assert!(made > 10, "{made} targets");
}

/// `make test` is what the pages say it is.
#[test]
fn the_list_of_what_make_test_does_is_whole() {
    let makefile = fs::read_to_string(root().join("Makefile")).expect("a Makefile");
    let rule = makefile.lines().find_map(|line| line.strip_prefix("test:")).expect("a rule");
    let parts = rule.split("##").next().unwrap_or_default().split_whitespace();
    let parts: BTreeSet<&str> =
        parts.filter(|part| !matches!(*part, "setup" | "browser" | "faketime" | "strace" | "s3" | "agents")).collect();
    let page = fs::read_to_string(root().join("CONTRIBUTING.md")).expect("a page");
    let row = page.lines().find(|line| line.starts_with("| `make test`")).expect("a row");
    let listed: BTreeSet<&str> = quoted(row).filter(|word| *word != "make test").collect();
    assert_eq!(listed, parts, "{row}");
}

/// Programs that are printed with an interpreter are files where the reader stands.
#[test]
fn programs_that_are_printed_are_there() {
    let mut seen = 0;
    for (path, line) in shell_lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let program = words.iter().position(|word| matches!(*word, "python3" | "python" | "node"));
        let Some(file) = program.and_then(|at| words[at + 1..].iter().find(|word| !word.starts_with('-'))) else {
            continue;
        };
        let ending = Path::new(file).extension().and_then(|ending| ending.to_str());
        if !matches!(ending, Some("py" | "mjs")) {
            continue;
        }
        let here = [root().to_path_buf(), path.parent().expect("a folder").to_path_buf()];
        assert!(here.iter().any(|folder| folder.join(file).exists()), "{}: {line}", path.display());
        seen += 1;
    }
    assert!(seen >= 2, "{seen} programs");
}
