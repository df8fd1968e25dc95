//! Tools for tests of what becomes of a call that a crash cuts off: one that must not be made twice, and one that may; and faults
//! that no input is known to cause. They are in development builds alone, and there only when `NETRA_TEST_TOOLS` names the file
//! that the first writes to.

use std::{
    path::PathBuf,
    sync::{Arc, LazyLock},
    time::Duration,
};

use async_trait::async_trait;
use netra_ws::model::Object;
use serde_json::{Value, json};
use tokio::{fs::OpenOptions, io::AsyncWriteExt as _, time::sleep};

use super::{SharedTool, Tool, ToolCaller, ToolError, ToolSpec};

/// How long they stay at work: time enough to be killed in.
const AT_WORK: Duration = Duration::from_millis(1_500);

/// Their names.
pub(crate) const NAMES: [&str; 3] = ["stamp", "wait", "fault"];

struct Stamp {
    file: PathBuf,
}

struct Wait;

struct Fault;

/// The kind of an event in a model's stream whose reader is to panic.
const FAULT: &str = "netra-test-fault";

/// Panics on the event that asks for it.
///
/// # Panics
/// As it says, where tools for tests are there.
pub(crate) fn fault(event: &str) {
    static ASKED_FOR: LazyLock<bool> = LazyLock::new(|| std::env::var_os("NETRA_TEST_TOOLS").is_some());
    assert!(event != FAULT || !*ASKED_FOR, "a fault of the reader, as the test asked for");
}

/// The tools, if the environment asks for them.
pub(crate) fn from_environment() -> Vec<SharedTool> {
    let Some(file) = std::env::var_os("NETRA_TEST_TOOLS") else { return Vec::new() };
    tracing::warn!(file = %file.display(), "tools for tests are there");
    vec![Arc::new(Stamp { file: file.into() }), Arc::new(Wait), Arc::new(Fault)]
}

fn spec(name: &str, description: &str, idempotent: bool) -> ToolSpec {
    let parameters = json!({ "type": "object", "properties": {}, "additionalProperties": false });
    ToolSpec { name: name.to_owned(), description: description.to_owned(), parameters, idempotent }
}

#[async_trait]
impl Tool for Stamp {
    fn spec(&self) -> ToolSpec {
        spec("stamp", "Adds a line to a file, once for each call.", false)
    }

    async fn call(&self, _caller: ToolCaller, _arguments: &Object) -> Result<Value, ToolError> {
        let failed = |error: std::io::Error| ToolError(error.to_string());
        let mut file = OpenOptions::new().create(true).append(true).open(&self.file).await.map_err(failed)?;
        file.write_all(b"stamped\n").await.map_err(failed)?;
        file.flush().await.map_err(failed)?;
        sleep(AT_WORK).await;
        Ok(json!({ "stamped": true }))
    }
}

#[async_trait]
impl Tool for Wait {
    fn spec(&self) -> ToolSpec {
        spec("wait", "Takes its time.", true)
    }

    async fn call(&self, _caller: ToolCaller, _arguments: &Object) -> Result<Value, ToolError> {
        sleep(AT_WORK).await;
        Ok(json!({ "waited": true }))
    }
}

#[async_trait]
impl Tool for Fault {
    fn spec(&self) -> ToolSpec {
        spec("fault", "Falls over.", true)
    }

    async fn call(&self, _caller: ToolCaller, _arguments: &Object) -> Result<Value, ToolError> {
        tokio::task::yield_now().await;
        panic!("a fault of the tool, as the test asked for")
    }
}
