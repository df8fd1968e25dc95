//! Files that say the same thing in two places say the same thing.

#![cfg(feature = "ssr")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use toml::Table;

/// What `cargo leptos` and `tools/page.mjs` build the page by.
fn leptos_options() -> Table {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let manifest: Table = fs::read_to_string(path).expect("the file is there").parse().expect("the file is TOML");
    let options = manifest["workspace"]["metadata"]["leptos"][0].clone();
    options.as_table().expect("a table").clone()
}

/// The server looks for the page where the build puts it (R27).
#[test]
fn leptos_options_are_the_same_for_the_build_and_for_the_server() {
    use netra::server::site::{OUTPUT_NAME, PKG_DIR, SITE_ROOT};
    let build = leptos_options();
    for (name, value) in [("output-name", OUTPUT_NAME), ("site-root", SITE_ROOT), ("site-pkg-dir", PKG_DIR)] {
        assert_eq!(build[name].as_str(), Some(value), "{name}");
    }
}

/// Plain cargo and cargo-leptos compile the same names into the page (R27).
#[test]
fn plain_cargo_is_told_what_cargo_leptos_tells() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(".cargo/config.toml");
    let config: Table = fs::read_to_string(path).expect("the file is there").parse().expect("the file is TOML");
    let build = leptos_options();
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

/// The database's driver is known where its statements are, and nowhere else: another store is a folder beside that one.
#[test]
fn only_the_sqlite_store_knows_its_driver() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let home = src.join("server/store/sqlite");
    let sources = sources(&src);
    let at_home = sources.iter().filter(|(_, text)| text.contains("sqlx")).inspect(|(path, _)| {
        assert!(path.starts_with(&home), "{} names sqlx", path.display());
    });
    let (files, at_home) = (sources.len(), at_home.count());
    assert!(files > 200 && at_home > 10, "{at_home} of {files} files name it");
}

/// Every source file below a folder, with its text.
fn sources(folder: &Path) -> Vec<(PathBuf, String)> {
    let (mut folders, mut found) = (vec![folder.to_owned()], Vec::new());
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                found.push((path.clone(), fs::read_to_string(path).expect("a text")));
            }
        }
    }
    found
}

/// Folders of the root that were built, installed or written by tests.
const NO_ROOMS: [&str; 5] = ["target", "node_modules", "data", "proptest-regressions", "results"];

/// Files and functions that the architecture names without a folder are somewhere.
#[test]
fn every_name_of_the_architecture_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("ARCHITECTURE.md")).expect("the page is there");
    let mut sources_of_all = sources(&root.join("src"));
    sources_of_all.extend(sources(&root.join("tests")));
    let mut seen = 0;
    for quoted in page.split("```").step_by(2).flat_map(|prose| prose.split('`').skip(1).step_by(2)) {
        let (name, test) = quoted.split_once(": ").map_or((quoted, None), |(name, test)| (name, Some(test)));
        if Path::new(name).extension().is_some_and(|extension| extension == "rs") && !name.contains('/') {
            let mut files = sources_of_all.iter().filter(|(path, _)| path.ends_with(name));
            let holds = |(_, text): &(PathBuf, String)| test.is_none_or(|test| text.contains(&format!("fn {test}(")));
            assert!(files.any(holds), "`{quoted}` is nowhere");
            seen += 1;
        }
        if let Some((kind, function)) = quoted.split_once("::").filter(|(kind, _)| kind.starts_with(char::is_uppercase))
        {
            let says = |what: &str| sources_of_all.iter().any(|(_, text)| text.contains(what));
            let made = says(&format!("fn {function}(")) || says(&format!("fn {function}<"));
            assert!(made && says(&format!(" {kind}")), "`{quoted}` is nowhere");
            seen += 1;
        }
        if quoted.len() > 3 && quoted.chars().all(|letter| letter.is_ascii_uppercase() || letter == '_') {
            assert!(sources_of_all.iter().any(|(_, text)| text.contains(quoted)), "`{quoted}` is nowhere");
        }
    }
    assert!(seen > 30, "{seen} names");
}

/// The map, the walk of a message and the lists of where to add things name files that are there.
#[test]
fn every_path_of_the_architecture_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("ARCHITECTURE.md")).expect("the page is there");
    let mut seen = 0;
    for quoted in page.split("```").step_by(2).flat_map(|prose| prose.split('`').skip(1).step_by(2)) {
        let path = quoted.split(": ").next().unwrap_or_default();
        let known =
            ["src/", "tests/", "tools/", "docs/", "clients/", "end2end/", "migrations", "schema", "style", "public"];
        if known.iter().any(|start| path.starts_with(start)) && !path.contains([' ', '*', '<', '{']) {
            assert!(root.join(path).exists(), "`{path}` is not there");
            seen += 1;
        }
    }
    assert!(seen > 40, "{seen} paths");
    // Every folder of the program has its row.
    for parent in ["", "src", "src/server", "tests", "tools"] {
        for entry in fs::read_dir(root.join(parent)).expect("a folder").flatten().filter(|entry| entry.path().is_dir())
        {
            let name = entry.file_name().to_string_lossy().into_owned();
            // What is hidden, built or installed is no room of the house.
            if parent.is_empty() && (name.starts_with('.') || NO_ROOMS.contains(&&*name)) {
                continue;
            }
            let path = if parent.is_empty() { name } else { format!("{parent}/{name}") };
            assert!(page.contains(&format!("`{path}")), "the map has no row for {path}");
        }
    }
}

/// The files of the server's socket use each other in one direction: each can be read with only those below it in mind.
#[test]
fn the_sockets_files_use_each_other_without_a_circle() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/server/http/socket");
    let read = |entry: fs::DirEntry| {
        let name = entry.path().file_stem().expect("a name").to_string_lossy().into_owned();
        (name, fs::read_to_string(entry.path()).expect("it can be read"))
    };
    let files: BTreeMap<String, String> =
        fs::read_dir(folder).expect("the folder is there").map(|entry| read(entry.expect("an entry"))).collect();
    // Every way to name a neighbour: `use super::{…}` up to its semicolon, and `super::name::` in the code.
    let named = |text: &str| -> BTreeSet<String> {
        let code = text.split("mod tests {").next().unwrap_or_default();
        let after = code.split("super::").skip(1).filter_map(|rest| rest.split(';').next());
        let words = after.flat_map(|rest| rest.split(|letter: char| !letter.is_alphanumeric() && letter != '_'));
        words.filter(|word| files.contains_key(*word) && *word != "mod").map(str::to_owned).collect()
    };
    let uses: BTreeMap<&str, BTreeSet<String>> =
        files.iter().filter(|(name, _)| *name != "mod").map(|(name, text)| (name.as_str(), named(text))).collect();
    assert!(uses["handshake"].contains("duplex"), "the imports are read: {uses:?}");
    // Whoever uses nothing that is left is taken away, until nobody is left.
    let mut left = uses.clone();
    while !left.is_empty() {
        let free: Vec<&str> = left
            .iter()
            .filter(|(_, uses)| uses.iter().all(|used| !left.contains_key(used.as_str())))
            .map(|(name, _)| *name)
            .collect();
        assert!(!free.is_empty(), "these use each other in a circle: {left:?}");
        left.retain(|name, _| !free.contains(name));
    }
}
