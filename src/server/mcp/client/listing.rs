//! What a server has, within bounds: one that lists for ever, or writes books into its descriptions, is cut short.

use std::time::Duration;

use rmcp::{
    Peer, RoleClient,
    model::{PaginatedRequestParams, Prompt, Tool},
};
use tokio::time::timeout;

use super::link::innermost;

/// Tools of one server.
const MOST_TOOLS: usize = 256;

/// Prompts of one server.
const MOST_PROMPTS: usize = 256;

/// Pages of one list.
const MOST_PAGES: usize = 64;

/// The longest description of a tool, in bytes; the rest of a longer one is left out.
const LONGEST_DESCRIPTION: usize = 4_096;

/// The longest schema of a tool's arguments, in bytes; a tool with a longer one is left out.
const LONGEST_SCHEMA: usize = 32 << 10;

/// The longest name.
const LONGEST_NAME: usize = 128;

/// How long a list may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a server has.
#[derive(Default)]
pub(super) struct Has {
    pub(super) tools: Vec<Tool>,
    pub(super) prompts: Vec<Prompt>,
    /// Whether it has resources.
    pub(super) resources: bool,
    /// The version of the protocol that it speaks.
    pub(super) version: String,
    /// How many tools were left out.
    pub(super) left_out: usize,
}

impl Has {
    /// In one line.
    pub(super) fn said(&self) -> String {
        let left_out = match self.left_out {
            0 => String::new(),
            left_out => format!(" ({left_out} left out: too many, or too large)"),
        };
        let prompts = match self.prompts.len() {
            0 => String::new(),
            prompts => format!(", {prompts} prompts"),
        };
        let resources = if self.resources { ", resources" } else { "" };
        format!("{} tools{left_out}{prompts}{resources}, MCP {}", self.tools.len(), self.version)
    }
}

/// Asks for all of it.
pub(super) async fn list(peer: &Peer<RoleClient>) -> Result<Has, String> {
    let info = peer.peer_info().ok_or("it said nothing of itself")?;
    let mut has = Has {
        version: info.protocol_version.as_str().to_owned(),
        resources: info.capabilities.resources.is_some(),
        ..Has::default()
    };
    let late = |_| format!("no list within {} s", PATIENCE.as_secs());
    if info.capabilities.tools.is_some() {
        timeout(PATIENCE, tools(peer, &mut has)).await.map_err(late)??;
    }
    if info.capabilities.prompts.is_some()
        && let Err(why) = timeout(PATIENCE, prompts(peer, &mut has)).await.map_err(late).and_then(|listed| listed)
    {
        tracing::warn!(why, "an MCP server says that it has prompts, and does not list them");
    }
    Ok(has)
}

fn page(cursor: Option<String>) -> PaginatedRequestParams {
    PaginatedRequestParams::default().with_cursor(cursor)
}

async fn tools(peer: &Peer<RoleClient>, has: &mut Has) -> Result<(), String> {
    let mut cursor = None;
    for _ in 0..MOST_PAGES {
        let listed = peer.list_tools(Some(page(cursor))).await.map_err(|error| innermost(&error))?;
        for tool in listed.tools {
            let known = has.tools.iter().any(|known| known.name == tool.name);
            match fitting(tool) {
                Some(tool) if !known && has.tools.len() < MOST_TOOLS => has.tools.push(tool),
                Some(_) | None => has.left_out += 1,
            }
        }
        cursor = listed.next_cursor;
        if cursor.is_none() || has.tools.len() >= MOST_TOOLS {
            return Ok(());
        }
    }
    Ok(())
}

/// A tool that can be offered to a model.
fn fitting(mut tool: Tool) -> Option<Tool> {
    let named =
        !tool.name.trim().is_empty() && tool.name.len() <= LONGEST_NAME && !tool.name.chars().any(char::is_control);
    let schema = serde_json::to_string(&tool.input_schema).is_ok_and(|schema| schema.len() <= LONGEST_SCHEMA);
    if let Some(description) = &mut tool.description
        && description.len() > LONGEST_DESCRIPTION
    {
        let end = description.floor_char_boundary(LONGEST_DESCRIPTION);
        *description = description[..end].to_owned().into();
    }
    (named && schema).then_some(tool)
}

async fn prompts(peer: &Peer<RoleClient>, has: &mut Has) -> Result<(), String> {
    let mut cursor = None;
    for _ in 0..MOST_PAGES {
        let listed = peer.list_prompts(Some(page(cursor))).await.map_err(|error| innermost(&error))?;
        has.prompts.extend(listed.prompts.into_iter().filter(|prompt| prompt.name.len() <= LONGEST_NAME));
        has.prompts.truncate(MOST_PROMPTS);
        cursor = listed.next_cursor;
        if cursor.is_none() || has.prompts.len() >= MOST_PROMPTS {
            return Ok(());
        }
    }
    Ok(())
}
