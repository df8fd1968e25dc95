//! What one user is offered.

use std::{future::Future, sync::Arc};

use netra_ws::{ThreadId, model::User};
use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    model::{
        CallToolRequestParams, CallToolResponse, CustomRequest, CustomResult, ErrorCode, GetPromptRequestParams,
        GetPromptResponse, Implementation, JsonObject, ListPromptsResult, ListResourceTemplatesResult,
        ListResourcesResult, ListToolsResult, PaginatedRequestParams, ReadResourceRequestParams, ReadResourceResponse,
        ReadResourceResult, Resource, ResourceContents, ResourceTemplate, ServerCapabilities, ServerConfig, Tool,
        ToolAnnotations,
    },
    service::RequestContext,
};
use serde_json::json;

use super::{conversation, prompts, run};
use crate::server::{
    VERSION,
    error::ApiError,
    metrics::metrics,
    state::AppState,
    store::{ThreadPlace, ThreadQuery},
};

/// What the address of a conversation begins with.
const THREADS: &str = "netra://threads/";

/// Conversations in a page of their list.
const PAGE: usize = 50;

/// The methods of the protocol that are served: parameters that cannot be read are another mistake than a method that is not
/// there.
const METHODS: &[&str] = &[
    "initialize",
    "server/discover",
    "ping",
    "tools/list",
    "tools/call",
    "resources/list",
    "resources/templates/list",
    "resources/read",
    "prompts/list",
    "prompts/get",
];

/// The server as one user sees it.
#[derive(Clone)]
pub struct Offer {
    pub(super) state: AppState,
    pub(super) user: Arc<User>,
}

impl Offer {
    /// What this user is offered.
    pub fn new(state: AppState, user: User) -> Self {
        Self { state, user: Arc::new(user) }
    }

    fn tools(&self) -> Vec<Tool> {
        let agents = self.state.registry.infos(Some(&self.user)).into_iter();
        agents
            .map(|agent| {
                let mut description = agent.description;
                if description.is_empty() {
                    description.clone_from(&agent.title);
                }
                let annotations = ToolAnnotations::with_title(agent.title.clone()).read_only(false).open_world(true);
                Tool::new(agent.name, description, task_schema()).with_title(agent.title).with_annotations(annotations)
            })
            .collect()
    }

    async fn conversations(&self, cursor: Option<String>) -> Result<ListResourcesResult, ErrorData> {
        let after: Option<ThreadPlace> = match cursor {
            Some(cursor) => {
                let place = cursor.parse();
                Some(
                    place
                        .map_err(|_| ErrorData::invalid_params("the cursor is not one that this server gave", None))?,
                )
            }
            None => None,
        };
        let query = ThreadQuery { text: None, archived: false, limit: PAGE, after };
        let (threads, more) = self.state.threads.list(self.user.id, &query).await.map_err(failed)?;
        let resources = threads.iter().map(|thread| {
            let title = if thread.title.is_empty() { "New conversation" } else { &thread.title };
            Resource::new(address(thread.id), title).with_title(title).with_mime_type("text/markdown")
        });
        let mut listed = ListResourcesResult::with_all_items(resources.collect());
        listed.next_cursor = threads.last().filter(|_| more).map(|thread| ThreadPlace::from(thread).to_string());
        Ok(listed)
    }

    async fn conversation(&self, uri: String) -> Result<ReadResourceResult, ErrorData> {
        let unknown = || ErrorData::resource_not_found("there is no such conversation", Some(json!({ "uri": uri })));
        let id: ThreadId = uri.strip_prefix(THREADS).and_then(|id| id.parse().ok()).ok_or_else(unknown)?;
        let text = conversation::text(&self.state.threads, self.user.id, id)
            .await
            .map_err(|error| if error.code == netra_ws::ErrorCode::NotFound { unknown() } else { failed(error) })?;
        let contents = ResourceContents::text(text, uri.clone()).with_mime_type("text/markdown");
        Ok(ReadResourceResult::new(vec![contents]))
    }
}

/// The address of a conversation.
pub(super) fn address(thread: ThreadId) -> String {
    format!("{THREADS}{thread}")
}

/// What goes wrong here as the protocol says it.
pub(super) fn failed(error: ApiError) -> ErrorData {
    let code = match error.code {
        netra_ws::ErrorCode::Internal | netra_ws::ErrorCode::ServerBusy => ErrorCode::INTERNAL_ERROR,
        _ => ErrorCode::INVALID_PARAMS,
    };
    metrics().refused(error.code);
    ErrorData::new(code, error.message, Some(json!({ "code": error.code.as_str() })))
}

/// The arguments of every agent.
fn task_schema() -> JsonObject {
    let schema = json!({
        "type": "object",
        "properties": {
            "task": { "type": "string", "description": "What the agent is asked to do." },
            "thread_id": {
                "type": "string",
                "description": "The conversation to go on with; a new one when absent.",
            },
        },
        "required": ["task"],
        "additionalProperties": false,
    });
    match schema {
        serde_json::Value::Object(schema) => schema,
        _ => JsonObject::new(),
    }
}

impl ServerHandler for Offer {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder().enable_tools().enable_resources().enable_prompts().build();
        ServerConfig::new(capabilities)
            .with_server_info(Implementation::new("netra", VERSION).with_title("Netra"))
            .with_instructions(
                "Each tool is an agent: give it a task, and it answers in a conversation, which is a resource. \
                 `thread_id` goes on with a conversation.",
            )
    }

    fn list_tools(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> impl Future<Output = Result<ListToolsResult, ErrorData>> + Send + '_ {
        std::future::ready(Ok(ListToolsResult::with_all_items(self.tools())))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.tools().into_iter().find(|tool| tool.name == name)
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        run::call(self, request, &context).await.map(CallToolResponse::from)
    }

    async fn list_resources(
        &self,
        request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        self.conversations(request.and_then(|request| request.cursor)).await
    }

    fn list_resource_templates(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> impl Future<Output = Result<ListResourceTemplatesResult, ErrorData>> + Send + '_ {
        let template = ResourceTemplate::new(format!("{THREADS}{{thread_id}}"), "conversation")
            .with_title("A conversation")
            .with_description("What was said in a conversation, as Markdown.");
        std::future::ready(Ok(ListResourceTemplatesResult::with_all_items(vec![template])))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        self.conversation(request.uri).await.map(ReadResourceResponse::from)
    }

    fn list_prompts(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> impl Future<Output = Result<ListPromptsResult, ErrorData>> + Send + '_ {
        std::future::ready(Ok(ListPromptsResult::with_all_items(prompts::list(self))))
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        prompts::get(self, request).await.map(GetPromptResponse::from)
    }

    fn on_custom_request(
        &self,
        request: CustomRequest,
        context: RequestContext<RoleServer>,
    ) -> impl Future<Output = Result<CustomResult, ErrorData>> + Send + '_ {
        // Whoever speaks a version without it has no such method.
        let begins = request.method == "initialize"
            && context.protocol_version().is_some_and(|version| !version.has_initialize());
        let error = if METHODS.contains(&request.method.as_str()) && !begins {
            ErrorData::invalid_params("the parameters are not those of this method", None)
        } else {
            ErrorData::new(ErrorCode::METHOD_NOT_FOUND, "Method not found", None)
        };
        std::future::ready(Err(error))
    }
}
