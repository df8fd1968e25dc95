//! The tools that come with Netra.

pub(crate) mod calculate;
pub(crate) mod date_time;
mod docs;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use netra_ws::model::Object;
use serde_json::{Value, json};

use super::{SharedTool, Tool, ToolCaller, ToolError, ToolSpec, text_argument};
use crate::server::searches::{SearchError, Searches};
pub(crate) use docs::DocsIndex;

/// How long a calculation may take.
const CALCULATION_DEADLINE: Duration = Duration::from_secs(2);

/// Results of a search.
const RESULTS: usize = 5;

/// The names of all of them; a test holds them equal to what the tools say.
pub const NAMES: [&str; 4] = ["calculate", "date_time", "search_conversations", "search_docs"];

/// All of them.
pub fn all(searches: Arc<Searches>) -> Vec<SharedTool> {
    vec![
        Arc::new(Calculate),
        Arc::new(DateTime),
        Arc::new(SearchConversations { searches }),
        Arc::new(SearchDocs { index: DocsIndex::default() }),
    ]
}

fn spec(name: &str, description: &str, properties: Value, required: &[&str]) -> ToolSpec {
    ToolSpec {
        name: name.to_owned(),
        description: description.to_owned(),
        parameters: json!({
            "type": "object", "properties": properties, "required": required, "additionalProperties": false
        }),
        idempotent: true,
    }
}

fn to_value(result: impl serde::Serialize) -> Result<Value, ToolError> {
    serde_json::to_value(result).map_err(|error| ToolError(error.to_string()))
}

struct Calculate;

#[async_trait]
impl Tool for Calculate {
    fn spec(&self) -> ToolSpec {
        spec(
            "calculate",
            "Exact arithmetic with units and percentages, for example `17.5% of 2480`, `3 km in metres`, `2^100`, `sqrt(2)`.",
            json!({ "expression": { "type": "string", "description": "What to calculate" } }),
            &["expression"],
        )
    }

    async fn call(&self, _caller: ToolCaller, arguments: &Object) -> Result<Value, ToolError> {
        let expression = text_argument(arguments, "expression")?.to_owned();
        let result = tokio::task::spawn_blocking(move || calculate::calculate(&expression, CALCULATION_DEADLINE)).await;
        let result = result.map_err(|_| ToolError("this cannot be calculated".to_owned()))?;
        to_value(result.map_err(|error| ToolError(error.to_string()))?)
    }
}

struct DateTime;

#[async_trait]
impl Tool for DateTime {
    fn spec(&self) -> ToolSpec {
        spec(
            "date_time",
            "Dates and times: `now`, `next friday`, `2026-11-20 + 90 days`, `days between 2026-01-01 and 2026-12-25`, \
             `weekday of 2026-11-20`, `time in Tokyo`.",
            json!({
                "expression": { "type": "string", "description": "What to work out" },
                "zone": { "type": "string", "description": "IANA time zone, such as Europe/Berlin; UTC when absent" }
            }),
            &["expression"],
        )
    }

    async fn call(&self, _caller: ToolCaller, arguments: &Object) -> Result<Value, ToolError> {
        let expression = text_argument(arguments, "expression")?;
        let zone = arguments.get("zone").and_then(Value::as_str);
        let answer = date_time::date_time(expression, zone, jiff::Timestamp::now());
        to_value(answer.map_err(|error| ToolError(error.to_string()))?)
    }
}

struct SearchConversations {
    searches: Arc<Searches>,
}

#[async_trait]
impl Tool for SearchConversations {
    fn spec(&self) -> ToolSpec {
        spec(
            "search_conversations",
            "Full-text search over the user's own conversations. Every word must occur.",
            json!({ "query": { "type": "string", "description": "Words to look for" } }),
            &["query"],
        )
    }

    async fn call(&self, caller: ToolCaller, arguments: &Object) -> Result<Value, ToolError> {
        let query = text_argument(arguments, "query")?;
        let found =
            self.searches.messages(caller.user_id, caller.thread_id, query, RESULTS).await.map_err(|error| {
                if let SearchError::Store(cause) = &error {
                    tracing::error!(%cause, "conversation search failed");
                }
                ToolError(error.to_string())
            })?;
        let results: Vec<Value> = found
            .iter()
            .map(|hit| {
                json!({
                    "thread_id": hit.thread_id, "title": hit.title, "excerpt": hit.excerpt, "said_at": hit.created_at
                })
            })
            .collect();
        Ok(json!({ "query": query, "results": results }))
    }
}

struct SearchDocs {
    index: DocsIndex,
}

#[async_trait]
impl Tool for SearchDocs {
    fn spec(&self) -> ToolSpec {
        spec(
            "search_docs",
            "Looks something up in Netra's own documentation.",
            json!({ "query": { "type": "string", "description": "Words to look for" } }),
            &["query"],
        )
    }

    async fn call(&self, _caller: ToolCaller, arguments: &Object) -> Result<Value, ToolError> {
        let query = text_argument(arguments, "query")?;
        let results = self.index.search(query, RESULTS).await.map_err(|error| {
            tracing::error!(%error, "documentation search failed");
            ToolError("the search failed".to_owned())
        })?;
        Ok(json!({ "query": query, "results": to_value(results)? }))
    }
}
