//! The built-in agent. It has no model and says so: it matches a question against its tools, really uses them, and reports
//! what they returned.

mod intent;
mod sentences;

use std::sync::Arc;

use async_trait::async_trait;
use netra_ws::model::Object;
use serde_json::{Value, json};

use super::{Agent, Leave, RunHandle, model::ChatMessage};
use crate::server::tool::{ToolRequest, ToolSpec};
use intent::{Call, Plan};

/// The guide.
pub(super) struct Guide;

#[async_trait]
impl Agent for Guide {
    fn model(&self) -> Option<&str> {
        None
    }

    async fn run(&self, run: &mut RunHandle<'_>) -> Result<(), Leave> {
        let (question, files) = match run.conversation().last() {
            Some(ChatMessage::User { text, files }) => (text.clone(), files.clone()),
            _ => (String::new(), Vec::new()),
        };
        // Reading a question tries expressions out, which is work for a thread that may block. It is read anew when the run is
        // taken up: one that was cut off between two calls goes on with the ones that are missing.
        let plan = tokio::task::spawn_blocking(move || intent::plan(&question)).await;
        let plan = plan.map_err(|_| Leave::failed("the question could not be read"))?;
        let mut results = made(run.finished());
        let missing: Vec<ToolRequest> = requests(&plan, &run.tools())
            .filter(|wanted| !results.iter().any(|(call, _)| same_call(call, wanted)))
            .collect();
        run.begin_step();
        if results.is_empty() {
            for thought in &plan.thoughts {
                run.think(format!("{thought}\n")).await?;
            }
        }
        if !missing.is_empty() {
            let outcomes = run.call(missing.clone()).await?;
            results.extend(missing.into_iter().zip(outcomes.into_iter().map(|outcome| outcome.result)));
            run.begin_step();
        }
        let results: Vec<(&ToolRequest, Value)> = results.iter().map(|(call, result)| (call, result.clone())).collect();
        if !files.is_empty() {
            let names: Vec<String> = files.iter().map(|file| format!("`{}`", file.name.replace('`', "'"))).collect();
            let names = names.join(", ");
            run.say(format!(
                "I have no model and cannot look into files. Yours are kept with this message: {names}.\n\n"
            ))
            .await?;
        }
        for paragraph in sentences::compose(&results) {
            run.say(paragraph).await?;
        }
        run.end_step().await
    }
}

/// The calls that were made already, with their results.
fn made(finished: &[ChatMessage]) -> Vec<(ToolRequest, Value)> {
    let result = |call: &ToolRequest| {
        finished.iter().find_map(|message| match message {
            ChatMessage::Tool { id, result, .. } if *id == call.id => serde_json::from_str(result).ok(),
            ChatMessage::Tool { .. } | ChatMessage::User { .. } | ChatMessage::Assistant { .. } => None,
        })
    };
    finished
        .iter()
        .flat_map(|message| match message {
            ChatMessage::Assistant { calls, .. } => calls.as_slice(),
            ChatMessage::User { .. } | ChatMessage::Tool { .. } => &[],
        })
        .map(|call| (call.clone(), result(call).unwrap_or_default()))
        .collect()
}

fn same_call(made: &ToolRequest, wanted: &ToolRequest) -> bool {
    made.tool == wanted.tool && made.arguments == wanted.arguments
}

/// The plan's calls to tools that are switched on.
fn requests(plan: &Plan, tools: &[Arc<ToolSpec>]) -> impl Iterator<Item = ToolRequest> {
    plan.calls
        .iter()
        .enumerate()
        .map(|(number, call)| {
            let (tool, arguments) = match call {
                Call::Calculate { expression } => ("calculate", json!({ "expression": expression })),
                Call::DateTime { expression, zone: None } => ("date_time", json!({ "expression": expression })),
                Call::DateTime { expression, zone: Some(zone) } => {
                    ("date_time", json!({ "expression": expression, "zone": zone }))
                }
                Call::SearchConversations { query } => ("search_conversations", json!({ "query": query })),
                Call::SearchDocs { query } => ("search_docs", json!({ "query": query })),
            };
            let arguments = match arguments {
                Value::Object(arguments) => arguments,
                _ => Object::new(),
            };
            ToolRequest { id: format!("call_{number}"), tool: tool.to_owned(), arguments: Ok(arguments) }
        })
        .filter(|call| tools.iter().any(|tool| tool.name == call.tool))
}
