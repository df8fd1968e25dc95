//! The tool itself, with small sizes, against the server of this build: every scenario counts right and ends well, and a
//! run that cannot be carried out says why.

use std::{path::PathBuf, process::Command};

use serde_json::Value;

/// The server of the same build. Cargo builds it beside this test, as the workspace's tests need it.
fn server() -> PathBuf {
    let tool = PathBuf::from(env!("CARGO_BIN_EXE_netra-load"));
    tool.with_file_name("netra")
}

/// Runs a scenario; its exit code and what it printed.
fn load(arguments: &[&str]) -> (Option<i32>, String, String) {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let output = Command::new(env!("CARGO_BIN_EXE_netra-load"))
        .args(arguments)
        .arg("--server-bin")
        .arg(server())
        .current_dir(root)
        .output()
        .expect("the tool starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

/// Runs a scenario that must be sound; its figures.
fn figures(arguments: &[&str]) -> impl Fn(&str) -> f64 + use<> {
    let (code, out, err) = load(&[arguments, &["--json"]].concat());
    assert_eq!(code, Some(0), "{arguments:?}\n{out}\n{err}");
    let outcome: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!((&outcome["lost"], &outcome["duplicated"]), (&Value::from(0), &Value::from(0)), "{outcome}");
    let said = format!("{arguments:?}: {outcome}");
    move |name| {
        let figures = outcome["figures"].as_array().expect("figures");
        let figure = figures.iter().find(|figure| figure["name"] == name);
        figure.and_then(|figure| figure["value"].as_f64()).unwrap_or_else(|| panic!("{name} in {said}"))
    }
}

#[test]
fn idle_connections_of_several_processes_are_held_and_weighed() {
    let figure = figures(&["idle", "--connections", "200", "--workers", "3", "--seconds", "2"]);
    assert!(figure("server RSS after") > 1.0);
    assert!(figure("RSS per connection") > 0.0);
    assert!(figure("connections lost").abs() < f64::EPSILON);
}

#[test]
fn streamed_events_all_come_and_are_timed() {
    let figure = figures(&[
        "stream",
        "--threads",
        "10",
        "--connections",
        "30",
        "--rate",
        "100",
        "--seconds",
        "3",
        "--workers",
        "2",
    ]);
    let rate = figure("deliveries per second");
    assert!((60.0..140.0).contains(&rate), "{rate} deliveries a second of about 100");
    assert!(figure("emit to delivered, p50") <= figure("emit to delivered, p99"));
}

#[test]
fn clients_come_back_after_a_kill_and_after_sigterm() {
    for signal in ["KILL", "TERM"] {
        let figure = figures(&["resume", "--connections", "60", "--users", "3", "--threads", "2", "--signal", signal]);
        assert!(figure("sockets lost on the way") >= 60.0, "{signal}: every socket ended with the server");
        assert!(figure("last resumed after the new server's start") < 30.0, "{signal}");
    }
}

#[test]
fn many_users_see_their_own_alone() {
    let figure = figures(&["users", "--users", "6", "--rate", "60", "--seconds", "2"]);
    assert!((figure("another's thread refused") - 18.0).abs() < f64::EPSILON, "each of 18 clients asked in vain");
}

#[test]
fn what_cannot_be_carried_out_says_why() {
    let (code, _, err) = load(&["idle", "--url", "http://127.0.0.1:9", "--token", "nonsense"]);
    assert_eq!(code, Some(2), "{err}");
    assert!(err.contains("127.0.0.1:9"), "{err}");
    let (code, _, err) = load(&["resume", "--signal", "HUP"]);
    assert_eq!(code, Some(2), "{err}");
    assert!(err.contains("HUP"), "{err}");
}
