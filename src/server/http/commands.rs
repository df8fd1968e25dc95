//! `/api/commands`: what an agent itself offers, and the prompts of MCP servers, as commands of the composer. A command is filled in
//! here and becomes text that its reader may change before it is sent; nothing is sent by it.

use std::collections::BTreeMap;

use axum::{Json, extract::State};
use netra_ws::ErrorCode;
use rmcp::model::{ContentBlock, GetPromptRequestParams, GetPromptResult, Prompt, ResourceContents, Role};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ApiJson, ApiPath, ApiQuery};
use crate::server::{
    agent::{AgentCommand, Listed},
    auth::Identity,
    error::ApiError,
    mcp::client::{McpServer, McpStanding},
    state::AppState,
    tool::names,
};

/// The longest text that a command may become, in bytes: what a composer takes.
const LONGEST: usize = 64 << 10;

/// The longest value of an argument, in bytes.
const LONGEST_VALUE: usize = 16 << 10;

/// Whose commands are asked for.
#[derive(Deserialize, JsonSchema)]
pub struct CommandsQuery {
    /// The agent; the first that the user may ask when absent.
    agent: Option<String>,
}

/// `GET /api/commands`
#[derive(JsonSchema, Serialize)]
pub struct Commands {
    commands: Vec<Command>,
}

/// A command.
#[derive(JsonSchema, Serialize)]
pub struct Command {
    /// What is typed behind the slash: the agent's own word, or `<server>:<prompt>`.
    name: String,
    /// Its name for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    /// What it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    /// What it wants to know.
    arguments: Vec<CommandArgument>,
}

/// Something that a command wants to know.
#[derive(JsonSchema, Serialize)]
pub struct CommandArgument {
    /// Its name.
    name: String,
    /// What it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    /// Whether the command cannot do without.
    required: bool,
}

/// `POST /api/commands/{name}`
#[derive(Deserialize, JsonSchema)]
pub struct FillIn {
    /// The agent; the first that the user may ask when absent.
    agent: Option<String>,
    /// Values by argument.
    #[serde(default)]
    arguments: BTreeMap<String, String>,
}

/// What a command became.
#[derive(JsonSchema, Serialize)]
pub struct FilledIn {
    /// For the composer.
    text: String,
}

/// The commands of an agent.
pub async fn list(
    State(state): State<AppState>,
    identity: Identity,
    ApiQuery(asked): ApiQuery<CommandsQuery>,
) -> Result<Json<Commands>, ApiError> {
    let agent = agent(&state, &identity, asked.agent.as_deref())?;
    let own = agent.agent.offers().commands.into_iter().map(own_command);
    let servers = servers(&state, agent);
    let there = servers.filter(|server| server.state().standing == McpStanding::Ready);
    let commands = there.flat_map(|server| server.prompts().into_iter().map(|prompt| command(server.name(), prompt)));
    Ok(Json(Commands { commands: own.chain(commands).collect() }))
}

/// Fills a command in.
pub async fn fill_in(
    State(state): State<AppState>,
    identity: Identity,
    ApiPath(name): ApiPath<String>,
    ApiJson(given): ApiJson<FillIn>,
) -> Result<Json<FilledIn>, ApiError> {
    let unknown = || ApiError::new(ErrorCode::NotFound, "this agent has no such command");
    let agent = agent(&state, &identity, given.agent.as_deref())?;
    if agent.agent.offers().commands.iter().any(|offered| offered.name == name) {
        return own_text(&name, &given.arguments).map(Json);
    }
    let (server, prompt) = name.split_once(':').ok_or_else(unknown)?;
    let mut servers = servers(&state, agent);
    let server = servers.find(|known| known.name() == server).ok_or_else(unknown)?;
    let known = server.prompts().into_iter().find(|known| known.name == prompt).ok_or_else(unknown)?;
    check(&known, &given.arguments)?;
    let arguments = given.arguments.into_iter().map(|(name, value)| (name, value.into())).collect();
    let mut request = GetPromptRequestParams::new(prompt);
    request.arguments = Some(arguments);
    tracing::info!(user_id = %identity.user.id, server = server.name(), "a command is filled in");
    let text = match server.prompt(request).await {
        Ok(prompt) => text(prompt),
        Err(why) => {
            let message = format!("{} could not fill this in: {why}", server.name());
            return Err(ApiError::new(ErrorCode::AgentFailed, message));
        }
    };
    if text.len() > LONGEST {
        let message = format!("the command became {} bytes, and a message may have {LONGEST}", text.len());
        return Err(ApiError::new(ErrorCode::InvalidPayload, message));
    }
    Ok(Json(FilledIn { text }))
}

/// The agent that is asked about; the first that the user may ask when none is named.
fn agent<'a>(state: &'a AppState, identity: &'a Identity, name: Option<&str>) -> Result<&'a Listed, ApiError> {
    let mut agents = state.registry.of(&identity.user);
    agents.find(|listed| name.is_none_or(|name| listed.name == name)).ok_or_else(|| {
        let message = format!("there is no agent called {:?}", name.unwrap_or_default());
        ApiError::new(ErrorCode::AgentUnknown, message)
    })
}

/// The MCP servers of which an agent uses something.
fn servers<'a>(state: &'a AppState, agent: &'a Listed) -> impl Iterator<Item = &'a McpServer> {
    let uses = |server: &&McpServer| {
        let mut named = agent.tools.iter().flatten().filter_map(|pattern| names::parts_of_mcp(pattern));
        named.any(|(of, _)| names::matches(of, server.name()))
    };
    state.mcp.servers().iter().map(AsRef::as_ref).filter(uses)
}

/// What is said behind an agent's own command.
const WORDS: &str = "words";

fn own_command(offered: AgentCommand) -> Command {
    let words = CommandArgument { name: WORDS.to_owned(), description: offered.hint, required: false };
    let description = Some(offered.description).filter(|words| !words.is_empty());
    Command { name: offered.name, title: None, description, arguments: vec![words] }
}

/// The agent takes its own commands as they are typed.
fn own_text(name: &str, given: &BTreeMap<String, String>) -> Result<FilledIn, ApiError> {
    let wrong = |message| Err(ApiError::new(ErrorCode::InvalidPayload, message));
    if let Some(name) = given.keys().find(|name| *name != WORDS) {
        return wrong(format!("the command has no argument {name:?}"));
    }
    let words = given.get(WORDS).map_or("", |words| words.trim());
    if words.len() > LONGEST_VALUE {
        return wrong(format!("{WORDS:?} may have {LONGEST_VALUE} bytes"));
    }
    Ok(FilledIn { text: format!("/{name} {words}").trim_end().to_owned() })
}

fn command(server: &str, prompt: Prompt) -> Command {
    let arguments = prompt.arguments.unwrap_or_default().into_iter().map(|argument| CommandArgument {
        name: argument.name,
        description: argument.description.or(argument.title),
        required: argument.required == Some(true),
    });
    Command {
        name: format!("{server}:{}", prompt.name),
        title: prompt.title,
        description: prompt.description,
        arguments: arguments.collect(),
    }
}

fn check(prompt: &Prompt, given: &BTreeMap<String, String>) -> Result<(), ApiError> {
    let known = prompt.arguments.as_deref().unwrap_or_default();
    let wrong = |message| Err(ApiError::new(ErrorCode::InvalidPayload, message));
    if let Some(name) = given.keys().find(|name| known.iter().all(|argument| argument.name != **name)) {
        return wrong(format!("the command has no argument {name:?}"));
    }
    if let Some((name, _)) = given.iter().find(|(_, value)| value.len() > LONGEST_VALUE) {
        return wrong(format!("{name:?} may have {LONGEST_VALUE} bytes"));
    }
    let missing = known.iter().find(|argument| {
        argument.required == Some(true) && given.get(&argument.name).is_none_or(|value| value.trim().is_empty())
    });
    missing.map_or(Ok(()), |argument| wrong(format!("{:?} is missing", argument.name)))
}

/// The words of a prompt. What is said in the agent's name is marked so; what is no text is named.
fn text(prompt: GetPromptResult) -> String {
    let said = prompt.messages.into_iter().map(|message| {
        let words = match message.content {
            ContentBlock::Text(text) => text.text,
            ContentBlock::Resource(resource) => match resource.resource {
                ResourceContents::TextResourceContents { text, .. } => text,
                ResourceContents::BlobResourceContents { uri, .. } => format!("({uri})"),
                _ => String::new(),
            },
            ContentBlock::ResourceLink(link) => link.uri,
            _ => "(something that is no text)".to_owned(),
        };
        match message.role {
            Role::Assistant => format!("Assistant: {words}"),
            Role::User => words,
        }
    });
    said.collect::<Vec<_>>().join("\n\n")
}
