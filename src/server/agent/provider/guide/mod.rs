//! The built-in agent. It has no model and says so: it matches a question against its tools, really uses them, and reports
//! what they returned.

mod answer;
mod intent;

use async_trait::async_trait;
use netra_ws::model::Object;
use serde_json::{Value, json};

use super::{ChatMessage, Piece, Provider, ProviderError, Turn, TurnRequest, TurnSink};
use crate::server::tool::ToolRequest;
use intent::{Call, Plan};

/// The guide.
pub struct Guide;

#[async_trait]
impl Provider for Guide {
    fn model(&self) -> Option<&str> {
        None
    }

    async fn turn(&self, request: TurnRequest<'_>, sink: &mut dyn TurnSink) -> Result<Turn, ProviderError> {
        let asked = request.messages.iter().rposition(|message| matches!(message, ChatMessage::User(_)));
        let (question, since) = match asked.map(|at| (&request.messages[at], &request.messages[at + 1..])) {
            Some((ChatMessage::User(question), since)) => (question.as_str(), since),
            _ => ("", &[][..]),
        };
        let made: Vec<&ToolRequest> = since
            .iter()
            .flat_map(|message| match message {
                ChatMessage::Assistant { calls, .. } => calls.as_slice(),
                ChatMessage::User(_) | ChatMessage::Tool { .. } => &[],
            })
            .collect();
        // Reading a question tries expressions out, which is work for a thread that may block. It is read anew in every
        // turn: a run that was cut off between two calls goes on with the ones that are missing.
        let question = question.to_owned();
        let plan = tokio::task::spawn_blocking(move || intent::plan(&question)).await;
        let plan = plan.map_err(|_| ProviderError::protocol("the question could not be read"))?;
        let missing: Vec<ToolRequest> =
            requests(&plan, &request).filter(|wanted| !made.iter().any(|call| same_call(call, wanted))).collect();
        if made.is_empty() {
            for thought in &plan.thoughts {
                sink.piece(Piece::Thinking(format!("{thought}\n"))).await?;
            }
        }
        if !missing.is_empty() {
            return Ok(Turn { calls: missing, usage: None });
        }
        let result = |call: &ToolRequest| {
            since.iter().find_map(|message| match message {
                ChatMessage::Tool { id, result } if *id == call.id => serde_json::from_str(result).ok(),
                _ => None,
            })
        };
        let results: Vec<(&ToolRequest, Value)> =
            made.iter().map(|call| (*call, result(call).unwrap_or_default())).collect();
        for paragraph in answer::compose(&results) {
            sink.piece(Piece::Text(paragraph)).await?;
        }
        Ok(Turn::default())
    }
}

fn same_call(made: &ToolRequest, wanted: &ToolRequest) -> bool {
    made.tool == wanted.tool && made.arguments == wanted.arguments
}

/// The plan's calls to tools that are switched on.
fn requests(plan: &Plan, request: &TurnRequest<'_>) -> impl Iterator<Item = ToolRequest> {
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
        .filter(|call| request.tools.iter().any(|tool| tool.name == call.tool))
}
