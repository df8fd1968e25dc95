//! A server's tool as one of ours.

use std::sync::Arc;

use async_trait::async_trait;
use netra_ws::model::Object;
use rmcp::model::{CallToolRequestParams, PaginatedRequestParams, Tool as Listed};
use serde_json::{Value, json};

use super::{McpServer, content, listing::Has, server::Lost};
use crate::server::tool::{KnownTool, Notes, Tool, ToolCaller, ToolError, ToolFailure, ToolSpec, names, text_argument};

/// Resources that are listed at a time.
const RESOURCES: usize = 200;

/// Attempts to make a call of a server that goes away: one that was not asked may be asked.
const ATTEMPTS: usize = 3;

/// What a tool does.
enum Deed {
    /// Calls the server's tool.
    Call(Box<Listed>),
    /// Lists the server's resources.
    ListResources,
    /// Reads one of them.
    ReadResource,
}

struct McpTool {
    server: Arc<McpServer>,
    deed: Deed,
}

/// A server's tools; and two that read its resources, unless it has some of that name.
pub(super) fn tools(server: &Arc<McpServer>, has: &Has) -> Vec<KnownTool> {
    let listed = has.tools.iter().map(|tool| Deed::Call(Box::new(tool.clone())));
    let resources = [Deed::ListResources, Deed::ReadResource];
    let resources =
        resources.into_iter().filter(|deed| has.resources && !has.tools.iter().any(|tool| tool.name == deed.name()));
    listed.chain(resources).map(|deed| KnownTool::new(Arc::new(McpTool { server: server.clone(), deed }))).collect()
}

impl Deed {
    fn name(&self) -> &str {
        match self {
            Self::Call(tool) => &tool.name,
            Self::ListResources => "list_resources",
            Self::ReadResource => "read_resource",
        }
    }
}

impl McpTool {
    async fn call_once(&self, arguments: &Object, notes: &Arc<Notes>) -> Result<Result<Value, ToolFailure>, Lost> {
        match &self.deed {
            Deed::Call(tool) => {
                let request = CallToolRequestParams::new(tool.name.clone()).with_arguments(arguments.clone());
                Ok(content::outcome(self.server.call(request, notes).await?))
            }
            Deed::ListResources => {
                let peer = self.server.peer()?;
                let cursor = arguments.get("cursor").and_then(Value::as_str).map(str::to_owned);
                let page = PaginatedRequestParams::default().with_cursor(cursor);
                let listed = self.server.in_time(peer.list_resources(Some(page))).await?;
                let resources: Vec<Value> = listed
                    .resources
                    .into_iter()
                    .take(RESOURCES)
                    .map(|resource| {
                        json!({ "uri": resource.uri, "name": resource.name, "description": resource.description, "media_type": resource.mime_type })
                    })
                    .collect();
                Ok(Ok(json!({ "resources": resources, "next_cursor": listed.next_cursor })))
            }
            Deed::ReadResource => match text_argument(arguments, "uri") {
                Ok(uri) => Ok(Ok(content::resource(self.server.read(uri).await?))),
                Err(error) => Ok(Err(error.into())),
            },
        }
    }

    fn idempotent(&self) -> bool {
        match &self.deed {
            Deed::Call(tool) => tool
                .annotations
                .as_ref()
                .is_some_and(|said| said.idempotent_hint == Some(true) || said.read_only_hint == Some(true)),
            Deed::ListResources | Deed::ReadResource => true,
        }
    }
}

#[async_trait]
impl Tool for McpTool {
    fn spec(&self) -> ToolSpec {
        let server = self.server.name();
        let (description, parameters) = match &self.deed {
            Deed::Call(tool) => {
                let said = tool.description.as_deref().or(tool.title.as_deref()).unwrap_or_default();
                (said.to_owned(), tool.schema_as_json_value())
            }
            Deed::ListResources => (
                format!("Lists the resources of {server}: each has an address (`uri`) that can be read."),
                json!({ "type": "object", "properties": { "cursor": { "type": "string", "description": "`next_cursor` of the list before" } } }),
            ),
            Deed::ReadResource => (
                format!("Reads a resource of {server}."),
                json!({ "type": "object", "properties": { "uri": { "type": "string" } }, "required": ["uri"] }),
            ),
        };
        ToolSpec {
            name: names::of_mcp(server, self.deed.name()),
            description,
            parameters,
            idempotent: self.idempotent(),
        }
    }

    async fn call(&self, caller: ToolCaller, arguments: &Object) -> Result<Value, ToolError> {
        let (notes, _) = Notes::new(None);
        self.work(caller, arguments, &Arc::new(notes)).await.map_err(|failure| match failure {
            ToolFailure::Failed(value) => ToolError(value.to_string()),
            ToolFailure::Interrupted(why) => ToolError(why),
        })
    }

    async fn work(&self, _caller: ToolCaller, arguments: &Object, notes: &Arc<Notes>) -> Result<Value, ToolFailure> {
        let failed = |why: String| Err(ToolFailure::Failed(json!({ "error": why })));
        let mut again = false;
        for _ in 0..ATTEMPTS {
            let before = self.server.found();
            match self.call_once(arguments, notes).await {
                Ok(outcome) => return outcome,
                Err(Lost::Failed(why) | Lost::Away(why)) => return failed(why),
                Err(Lost::Broken(why)) if !self.server.back(before).await => return failed(why),
                Err(Lost::Broken(_)) => {}
                Err(Lost::Interrupted(why)) => {
                    if again || !self.idempotent() || !self.server.back(before).await {
                        return Err(ToolFailure::Interrupted(why));
                    }
                    tracing::info!(server = self.server.name(), tool = self.deed.name(), "a call is made again");
                    again = true;
                }
            }
        }
        failed(format!("the MCP server {} goes away again and again", self.server.name()))
    }

    fn keeps_time(&self) -> bool {
        true
    }
}
