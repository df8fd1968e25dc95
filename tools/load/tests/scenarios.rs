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

/// Runs a command that starts no server.
fn load_as_is(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_netra-load")).args(arguments).output().expect("the tool starts");
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
    // A machine with much else to do brings them later, but all of them and no more.
    assert!(rate > 0.0 && rate < 140.0, "{rate} deliveries a second of about 100");
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
fn pieces_are_timed_from_the_model_to_the_page() {
    let figure = figures(&["agents", "--threads", "20", "--rate", "100", "--seconds", "3", "--users", "2"]);
    let came = figure("part of the pieces that came");
    assert!(came > 0.0 && came < 150.0, "{came} % of 100 pieces a second");
    let (way, commit) = (figure("model to applied, p50"), figure("emit to delivered, p50"));
    assert!(way > 0.0 && commit > 0.0, "{way} ms all the way, {commit} ms of it from the commit on");
    assert!(figure("all pieces, model to applied, p99") >= way);
}

#[test]
fn durable_events_climb_until_they_come_late() {
    let figure = figures(&["durable", "--threads", "4", "--rate", "40", "--seconds", "1", "--alone"]);
    assert!(figure("durable events per second") > 0.0 || figure("too much: events per second, asked for") > 0.0);
    assert!(figure("there: model to applied, p99") >= figure("there: model to applied, p50"));
}

#[test]
fn the_bare_loop_writes_rows_and_syncs_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let database = folder.path().join("rows.db");
    let (code, out, err) = load_as_is(&["rows", &database.display().to_string(), "20", "1"]);
    assert_eq!(code, Some(0), "{err}");
    let written: Value = serde_json::from_str(&out).expect("JSON");
    assert!(written["per_second"].as_f64().is_some_and(|rows| rows > 0.0), "{written}");
    assert!(std::fs::metadata(&database).expect("a file").len() > 0);
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
