//! Prompts: those of the MCP servers whose tools one of the user's agents may use, as `<server>/<prompt>`.

use rmcp::{
    ErrorData,
    model::{GetPromptRequestParams, GetPromptResult, Prompt},
};

use super::Offer;
use crate::server::tool::names;

/// The user's prompts.
pub(super) fn list(offer: &Offer) -> Vec<Prompt> {
    let servers = offer.state.mcp.servers().iter().filter(|server| may_use(offer, server.name()));
    servers
        .flat_map(|server| {
            server.prompts().into_iter().map(|mut prompt| {
                prompt.name = format!("{}/{}", server.name(), prompt.name);
                prompt
            })
        })
        .collect()
}

/// A prompt, filled in.
pub(super) async fn get(offer: &Offer, mut request: GetPromptRequestParams) -> Result<GetPromptResult, ErrorData> {
    let unknown = || ErrorData::invalid_params("there is no such prompt", None);
    let (server, prompt) = request.name.split_once('/').ok_or_else(unknown)?;
    let servers = offer.state.mcp.servers().iter();
    let server = servers
        .filter(|known| may_use(offer, known.name()))
        .find(|known| known.name() == server && known.prompts().iter().any(|known| known.name == prompt))
        .ok_or_else(unknown)?;
    request.name = prompt.to_owned();
    server.prompt(request).await.map_err(|why| ErrorData::internal_error(why, None))
}

/// Whether one of the user's agents uses something of this server.
fn may_use(offer: &Offer, server: &str) -> bool {
    offer.state.registry.of(&offer.user).any(|agent| {
        let patterns = agent.tools.iter().flatten();
        patterns.filter_map(|pattern| names::parts_of_mcp(pattern)).any(|(of, _)| names::matches(of, server))
    })
}
