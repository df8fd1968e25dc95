//! Agents that other people's software runs: pydantic-ai and LangGraph behind AG-UI, LangGraph's events as LangServe and as its
//! platform send them.

use super::{Place, Table, kill_netra, kill_peer, kills};
use crate::{remote::Software, support::user::User};

const SLOWLY: &str = "What is slowly six times seven?";
const STORY: &str = "Tell a story.";

const PLACES: [Place; 10] = [
    Place::question("ag-ui, pydantic-ai", "pydantic", "Open the safe."),
    Place::tool("ag-ui, pydantic-ai", "pydantic", SLOWLY),
    Place::words("ag-ui, pydantic-ai", "pydantic", STORY),
    Place::question("ag-ui, LangGraph", "langgraph", "Ask for permission"),
    Place::tool("ag-ui, LangGraph", "langgraph", SLOWLY),
    Place::words("ag-ui, LangGraph", "langgraph", STORY),
    Place::tool("langchain", "langserve", SLOWLY),
    Place::words("langchain", "langserve", STORY),
    Place::tool("langchain, LangGraph's platform", "threads", SLOWLY),
    Place::words("langchain, LangGraph's platform", "threads", STORY),
];

/// How many of them have tools that work: the questions of LangGraph are none.
const TOOLS: usize = 5;

/// The notes of tools do not say whose they are: one too many counts for each kind.
#[tokio::test]
async fn remote_agents() {
    let Some(mut software) = Software::start().await else { return };
    let server = software.setup().start().await;
    let user = User::dev(&server).await;
    let (mut table, mut side) = (Table::of(&PLACES), (server, user));
    for _ in 0..kills() {
        let before = software.tools();
        side = kill_netra(side, &PLACES, &mut table, async |_| {}).await;
        let twice = (software.tools() - before).saturating_sub(TOOLS);
        table.count(|tally| tally.twice += twice);
    }
    for _ in 0..kills() {
        let before = software.tools();
        kill_peer(&side.1, &PLACES, &mut table, async || software.restart().await).await;
        let twice = (software.tools() - before).saturating_sub(TOOLS);
        table.count(|tally| tally.twice += twice);
    }
    table.tell();
}
