//! Within `netra.v1` nothing is taken away: today's schema against those of released versions, and their frames against
//! today's decoder (R22). `schema/released/<version>` is written once, when the version is released.
#![cfg(feature = "ssr")]

mod breaking;
mod later;

use std::{
    fs,
    path::{Path, PathBuf},
};

use netra_ws::{ClientFrame, ServerFrame, ThreadState, schema::messages};
use serde_json::{Value, json};

use breaking::{breaks, breaks_http};
use netra::server::specification::openapi;

fn released() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema/released");
    let mut versions: Vec<PathBuf> = fs::read_dir(folder)
        .expect("schema/released")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.is_dir())
        .collect();
    versions.sort();
    assert!(!versions.is_empty(), "no version is released");
    versions
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn nothing_that_was_released_is_taken_away() {
    let now = messages();
    for version in released() {
        let then: Value = serde_json::from_str(&read(&version.join("messages.schema.json"))).expect("JSON");
        let mut broken = breaks(&then, &now);
        let then: Value = serde_json::from_str(&read(&version.join("openapi.json"))).expect("JSON");
        broken.extend(breaks_http(&then, &openapi()));
        assert!(
            broken.is_empty(),
            "clients of {} would notice:\n{}\nThat needs netra.v2: see docs/protocol.md, \"What may change\".",
            version.display(),
            broken.join("\n")
        );
    }
}

#[test]
fn this_version_is_recorded_once_it_is_released() {
    let version = env!("CARGO_PKG_VERSION");
    let recorded = released().iter().any(|path| path.ends_with(version));
    assert!(recorded || version.contains('-'), "record {version} (see CONTRIBUTING.md), or call it {version}-dev");
}

#[test]
fn frames_of_released_versions_can_be_read() {
    let now = jsonschema::options().build(&messages()).expect("a schema");
    for version in released() {
        let path = version.join("frames.jsonl");
        let (mut lines, mut events, mut state) = (0, 0, ThreadState::default());
        for (line, text) in read(&path).lines().enumerate() {
            let at = || format!("{}:{}", path.display(), line + 1);
            let recorded: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{}: {error}", at()));
            let frame = &recorded["frame"];
            assert!(now.is_valid(frame), "{}: not as today's schema says", at());
            match recorded["from"].as_str() {
                Some("client") => {
                    let read = ClientFrame::decode(&frame.to_string());
                    assert!(read.is_ok(), "{}: {read:?}", at());
                }
                Some("server") => {
                    let frame = ServerFrame::decode(&frame.to_string()).unwrap_or_else(|e| panic!("{}: {e:?}", at()));
                    if frame.seq == Some(1) {
                        state = ThreadState::default();
                    }
                    if frame.seq.is_some() {
                        state.apply(&frame);
                        events += 1;
                        assert_eq!(Some(state.seq), frame.seq, "{}: the log's events follow each other", at());
                    }
                }
                other => panic!("{}: from {other:?}", at()),
            }
            lines += 1;
        }
        assert!(lines > 50 && events > 20, "{}: {lines} frames, {events} events", path.display());
    }
}

/// The values of an enumeration, or the kinds of an object.
fn values<'a>(defs: &'a mut Value, name: &str) -> &'a mut Vec<Value> {
    defs[name]["anyOf"].as_array_mut().expect("values")
}

/// What a change of the schema is found to break, if anything.
#[test]
fn what_breaks_a_client_is_found() {
    type Change = fn(&mut Value);
    let cases: [(Change, &str); 19] = [
        (|defs| drop(defs.as_object_mut().expect("definitions").remove("Ack")), "Ack is gone"),
        (|defs| drop(defs["Ack"]["properties"].as_object_mut().expect("fields").remove("seq")), "Ack.seq is gone"),
        (|defs| defs["Ack"]["properties"]["seq"]["type"] = json!("string"), "Ack.seq"),
        (|defs| defs["Ack"]["required"] = json!([]), "Ack.duplicate may be absent"),
        (|defs| defs["StartAgent"]["required"] = json!(["content", "title"]), "StartAgent.title must be given"),
        (
            |defs| defs["ThreadMessage"]["properties"]["content"] = json!({ "type": ["string", "null"] }),
            "ThreadMessage.content",
        ),
        (|defs| drop(defs["ServerFrame"]["oneOf"].as_array_mut().expect("types").pop()), "ServerFrame"),
        // Names and kinds may grow: clients read them as unknown. They stay names and kinds, and keep their fields.
        (|defs| drop(values(defs, "ToolStatus").remove(0)), ""),
        (|defs| values(defs, "ToolStatus").push(json!({ "type": "string", "const": "late" })), ""),
        (|defs| values(defs, "ErrorCode").push(json!({ "type": "string", "const": "late" })), ""),
        (|defs| values(defs, "ToolStatus").push(json!({ "type": "integer" })), "ToolStatus"),
        (
            |defs| {
                let kind = json!({ "type": "string", "const": "late" });
                values(defs, "Step").push(json!({ "type": "object", "properties": { "kind": kind } }));
            },
            "",
        ),
        (
            |defs| drop(values(defs, "Step")[0]["properties"].as_object_mut().expect("fields").remove("text")),
            "Step.\"thinking\".text is gone",
        ),
        (|defs| drop(defs["Decision"]["oneOf"].as_array_mut().expect("values").pop()), "Decision"),
        (|defs| drop(defs["Ack"]["properties"]["seq"].as_object_mut().expect("a field").remove("minimum")), "Ack.seq"),
        (|defs| defs["StartAgent"]["properties"]["content"]["maxLength"] = json!(9), "StartAgent.content"),
        (
            |defs| drop(defs["server_ack"]["properties"]["ts"].as_object_mut().expect("ts").remove("format")),
            "server_ack.ts",
        ),
        (|defs| defs["Ack"]["properties"]["more"] = json!({ "type": "string" }), ""),
        (|defs| defs["ServerFrame"]["oneOf"].as_array_mut().expect("types").push(json!({ "$ref": "#/$defs/Ack" })), ""),
    ];
    let then = messages();
    assert_eq!(breaks(&then, &then), Vec::<String>::new());
    for (number, (change, wanted)) in cases.into_iter().enumerate() {
        let mut now = then.clone();
        change(&mut now["$defs"]);
        let broken = breaks(&then, &now);
        if wanted.is_empty() {
            assert!(broken.is_empty(), "case {number}: {broken:?}");
        } else {
            assert!(broken.iter().any(|what| what.contains(wanted)), "case {number}: {wanted} is not in {broken:?}");
        }
    }
}
