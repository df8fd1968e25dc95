//! A run against `@copilotkit/aimock`, an OpenAI-compatible server that others wrote.

use std::{
    fs::File,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::json;
use tempfile::TempDir;

use crate::support::{
    PATIENCE,
    rules::{check_answer, check_critical, check_dense, check_run, ended, payloads, start_run},
    server::Setup,
    user::User,
};

/// The running server; killed when dropped.
struct Aimock {
    child: Child,
    base: String,
    _home: TempDir,
}

impl Aimock {
    async fn start(fixtures: &serde_json::Value) -> Self {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("node_modules/.bin/llmock");
        assert!(program.exists(), "{} is missing: run `npm ci` first", program.display());
        let home = tempfile::tempdir().expect("a temporary folder");
        let (file, log) = (home.path().join("fixtures.json"), home.path().join("aimock.log"));
        std::fs::write(&file, fixtures.to_string()).expect("the fixtures are written");
        let out = File::create(&log).expect("the log opens");
        let err = out.try_clone().expect("the log opens twice");
        let child = Command::new(program)
            .args(["--port", "0", "--chunk-size", "3", "--validate-on-load", "--fixtures"])
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .spawn()
            .expect("aimock starts");
        let mut aimock = Self { child, base: String::new(), _home: home };
        let end = Instant::now() + PATIENCE;
        while aimock.base.is_empty() {
            let said = std::fs::read_to_string(&log).expect("the log is text");
            assert!(Instant::now() < end, "aimock is not ready: {said}");
            if let Some((_, url)) = said.split_once("listening on ").filter(|(_, rest)| rest.contains('\n')) {
                aimock.base = format!("{}/v1", url.lines().next().unwrap_or_default().trim());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        aimock
    }
}

impl Drop for Aimock {
    fn drop(&mut self) {
        // Both fail only when the process is gone, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn the_five_events_come_from_a_foreign_provider_too() {
    let aimock = Aimock::start(&json!({ "fixtures": [
        {
            "match": { "userMessage": "six times seven", "hasToolResult": false },
            "response": {
                "reasoning": "A product; the tool knows.",
                "toolCalls": [{ "name": "calculate", "arguments": { "expression": "6*7" } }],
            },
        },
        {
            "match": { "userMessage": "six times seven", "hasToolResult": true, "toolResultContains": "42" },
            "response": { "content": "Six times seven is **42**." },
        },
    ] }))
    .await;
    let server = Setup::new().assistant_at(&aimock.base).start().await;
    let socket = User::dev(&server).await.connect().await;
    let run = start_run(&socket, "assistant", "What is six times seven?").await;
    let end = ended(&socket, &run).await;
    assert_eq!(end["payload"]["status"], "completed", "{end}");

    let frames = socket.frames();
    check_critical(&check_run(&frames, &run));
    check_dense(&frames, &run.thread, 1);
    check_answer(&frames, &run, "Six times seven is **42**.");
    let calls = payloads(&frames, &run, "tool_executing");
    assert_eq!(calls[0]["arguments"], json!({ "expression": "6*7" }), "{calls:?}");
    assert!(payloads(&frames, &run, "tool_completed")[0]["result"].to_string().contains("42"));
    assert!(end["payload"]["usage"]["total_tokens"].as_u64() > Some(0), "{end}");
}
