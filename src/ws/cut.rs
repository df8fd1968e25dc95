//! Large arguments and results of tools, cut for snapshots: `{ "cut": true, "bytes": n, "start": "…" }` in their place.

use serde_json::{Value, json};

use crate::model::{Object, Run, Step};

/// A value whose JSON is longer than this many bytes is cut.
pub const LARGE: usize = 4 * 1024;

/// How many bytes of it are kept at most.
const START: usize = 1024;

impl Run {
    /// Cuts the large arguments and results of its tools. The whole run is at `GET /api/threads/{id}/runs/{run_id}`.
    #[must_use]
    pub fn cut(mut self) -> Self {
        for step in &mut self.steps {
            let Step::Tool(call) = step else { continue };
            if let Some(cut) = cut(&call.arguments) {
                call.arguments = cut;
            }
            if let Some(cut) = cut(&call.result) {
                call.result = Value::Object(cut);
            }
        }
        self
    }
}

/// What stands in the place of a value that is too large.
fn cut(value: &impl serde::Serialize) -> Option<Object> {
    // Every value here came from JSON.
    let text = serde_json::to_string(value).ok().filter(|text| text.len() > LARGE)?;
    match json!({ "cut": true, "bytes": text.len(), "start": &text[..text.floor_char_boundary(START)] }) {
        Value::Object(cut) => Some(cut),
        _ => None,
    }
}

/// The size of the whole, in bytes of JSON, and its start, if the value was cut.
pub fn read_cut(value: &Value) -> Option<(u64, &str)> {
    let fields =
        value.as_object().filter(|fields| fields.len() == 3 && fields.get("cut") == Some(&Value::Bool(true)))?;
    Some((fields.get("bytes")?.as_u64()?, fields.get("start")?.as_str()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        id::RunId,
        model::{ToolCall, ToolStatus},
    };

    fn run(arguments: Value, result: Value) -> Run {
        let mut run = Run::queued(RunId::new(), "guide".into(), None);
        let Value::Object(arguments) = arguments else { panic!("arguments are an object") };
        run.steps.push(Step::Tool(ToolCall {
            tool_call_id: "c".into(),
            tool: "t".into(),
            arguments,
            status: Some(ToolStatus::Ok),
            approval_expires_at: None,
            question: None,
            decided_by: None,
            result,
            duration_ms: Some(1),
        }));
        run
    }

    fn call(run: &Run) -> &ToolCall {
        run.tools().next().expect("a call")
    }

    #[test]
    fn only_what_is_large_is_cut_and_says_how_large_it_was() {
        let small = run(json!({ "a": "x".repeat(LARGE - 8) }), json!("x".repeat(LARGE - 2)));
        assert_eq!(small.clone().cut(), small, "exactly 4 KiB");
        let large = run(json!({ "a": "x".repeat(LARGE - 7) }), json!("é".repeat(LARGE)));
        let cut = large.cut();
        let arguments = Value::Object(call(&cut).arguments.clone());
        let (bytes, start) = read_cut(&arguments).expect("cut");
        assert_eq!((bytes, start.len()), (4097, 1024));
        assert!(start.starts_with("{\"a\":\"xxx"));
        let (bytes, start) = read_cut(&call(&cut).result).expect("cut");
        assert_eq!((bytes, start.len()), (8194, 1023), "cut between characters");
        assert_eq!(cut.clone().cut(), cut, "what was cut is not cut again");
    }

    #[test]
    fn a_result_that_looks_alike_is_told_apart() {
        for value in [json!({ "cut": true }), json!({ "cut": false, "bytes": 1, "start": "" }), json!("cut")] {
            assert_eq!(read_cut(&value), None, "{value}");
        }
    }
}
