//! Tools for tests of what becomes of a call that a crash cuts off: one that must not be made twice, and one that may. They are in
//! development builds alone, and there only when `NETRA_TEST_TOOLS` names the file that the first writes to.

use std::{path::PathBuf, sync::Arc, time::Duration};

use async_trait::async_trait;
use netra_ws::model::Object;
use serde_json::{Value, json};
use tokio::{fs::OpenOptions, io::AsyncWriteExt as _, time::sleep};

use super::{SharedTool, Tool, ToolCaller, ToolError, ToolSpec};

/// How long they stay at work: time enough to be killed in.
const AT_WORK: Duration = Duration::from_millis(1_500);

struct Stamp {
    file: PathBuf,
}

struct Wait;

/// The tools, if the environment asks for them.
pub(crate) fn from_environment() -> Vec<SharedTool> {
    let Some(file) = std::env::var_os("NETRA_TEST_TOOLS") else { return Vec::new() };
    tracing::warn!(file = %file.display(), "tools for tests are there");
    vec![Arc::new(Stamp { file: file.into() }), Arc::new(Wait)]
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
