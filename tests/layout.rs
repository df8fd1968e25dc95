//! Files that say the same thing in two places say the same thing.

use std::{fs, path::Path};

use toml::{Table, Value};

fn leptos_options(file: &str) -> Table {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let table: Table = fs::read_to_string(&path).expect("the file is there").parse().expect("the file is TOML");
    let options =
        ["package", "metadata", "leptos"].iter().try_fold(Value::Table(table), |at, key| at.get(key).cloned());
    let Some(Value::Table(options)) = options else { panic!("{file} has no [package.metadata.leptos]") };
    options
}

/// A server that runs without cargo reads Leptos.toml, the build reads Cargo.toml (R27).
#[test]
fn leptos_options_are_the_same_for_the_build_and_for_a_deployed_server() {
    let (build, deployed) = (leptos_options("Cargo.toml"), leptos_options("Leptos.toml"));
    let shared = ["output-name", "site-root", "site-pkg-dir"];
    for name in shared {
        assert!(build.contains_key(name) && deployed.get(name) == build.get(name), "{name} differs");
    }
    for name in deployed.keys() {
        assert!(shared.contains(&name.as_str()) || name == "env", "{name} is not compared here");
    }
    assert_eq!((build["env"].as_str(), deployed["env"].as_str()), (Some("DEV"), Some("PROD")));
}

/// Plain cargo and cargo-leptos compile the same names into the page (R27).
#[test]
fn plain_cargo_is_told_what_cargo_leptos_tells() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(".cargo/config.toml");
    let config: Table = fs::read_to_string(path).expect("the file is there").parse().expect("the file is TOML");
    let build = leptos_options("Cargo.toml");
    for (variable, name) in [
        ("LEPTOS_OUTPUT_NAME", "output-name"),
        ("LEPTOS_SITE_ROOT", "site-root"),
        ("LEPTOS_SITE_PKG_DIR", "site-pkg-dir"),
    ] {
        assert_eq!(config["env"].get(variable), build.get(name), "{variable}");
    }
}

/// Every promise has a row, every row a proof, and every file that a proof names exists.
#[test]
fn every_promise_names_its_proof() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/coherence.md")).expect("the page is there");
    let mut seen = Vec::new();
    for row in page.lines().filter(|line| line.starts_with("| R")) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [name, promise, proof, _] = cells[..] else { panic!("four cells: {row}") };
        assert!(!promise.is_empty() && !proof.is_empty(), "{name} is empty");
        for quoted in proof.split('`').skip(1).step_by(2) {
            let file = quoted.split(':').next().unwrap_or_default();
            let path = match file.split_once('/') {
                Some(("black_box", rest)) => root.join("tests/black_box").join(rest),
                Some(("e2e", rest)) => root.join("end2end/tests").join(rest),
                Some(_) => root.join(file),
                None => continue,
            };
            assert!(path.exists(), "{name} names {file}, which is not there");
        }
        seen.push(name.to_owned());
    }
    let wanted: Vec<String> = (1..=27).map(|number| format!("R{number}")).collect();
    assert_eq!(seen, wanted);
}
