//! One server as the rest of the program knows it: what it has now, how it is, and calls.

use std::{
    future::Future,
    pin::pin,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard},
    time::{Duration, Instant},
};

use netra_ws::Timestamp;
use rmcp::{
    Peer, RoleClient,
    model::{
        CallToolRequest, CallToolRequestParams, CallToolResult, CancelledNotification, CancelledNotificationParam,
        ClientRequest, GetPromptRequestParams, GetPromptResult, InputRequest, InputRequests, InputResponses,
        ProgressToken, Prompt, ReadResourceRequestParams, ReadResourceResult, RequestId, ServerResult,
    },
    service::{PeerRequestOptions, ServiceError},
};
use serde_json::json;
use tokio::{
    runtime::Handle,
    sync::{Notify, Semaphore, watch},
    time::{sleep, timeout},
};

use super::{
    elicitation,
    handler::Heard,
    link::{Link, innermost},
    listing::Has,
    requests::Requests,
    tool,
};
use crate::server::{
    config::McpConfig,
    metrics::metrics,
    tool::{KnownTool, Notes, ToolSpec},
};

/// Calls of one server that are open at a time; others wait.
const CALLS: usize = 16;

/// How often a call may come back with something that it needs first.
const ROUNDS: usize = 8;

/// Things that it may need at a time.
const MOST_INPUTS: usize = 8;

/// How long a call that may be made again waits for the server to be back.
const RETURNING: Duration = Duration::from_secs(15);

/// What is said of a server before its first word.
const NOT_HEARD_OF: &str = "It was not heard of yet.";

/// How a server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum McpStanding {
    /// It was not heard of yet.
    Connecting,
    /// It can be called.
    Ready,
    /// It cannot.
    Away,
}

impl McpStanding {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::Ready => "ready",
            Self::Away => "away",
        }
    }
}

/// How a server is, and why.
#[derive(Clone, Debug)]
pub struct McpState {
    /// Its name.
    pub name: String,
    /// Whether it is a program or an address.
    pub transport: &'static str,
    /// How it is.
    pub standing: McpStanding,
    /// How many tools it has.
    pub tools: usize,
    /// What it has, or why it is away.
    pub said: String,
    /// Since when.
    pub since: Timestamp,
    /// Whether somebody signed in at it; absent where nobody has to.
    pub signed_in: Option<bool>,
}

/// What is known of a server.
struct Known {
    standing: McpStanding,
    said: String,
    since: Timestamp,
    /// Its tools, also while it is away.
    tools: Vec<KnownTool>,
    prompts: Vec<Prompt>,
    line: Option<Line>,
}

/// Where calls go.
#[derive(Clone)]
pub(super) struct Line {
    peer: Peer<RoleClient>,
    heard: Arc<Heard>,
}

/// A server of the Model Context Protocol.
pub struct McpServer {
    pub(super) config: McpConfig,
    pub(super) requests: Requests,
    known: RwLock<Known>,
    /// How it is, and how often it was found to be there.
    standing: watch::Sender<(McpStanding, u64)>,
    calls: Semaphore,
    /// A call found the connection broken.
    pub(super) suspected: Notify,
    over: watch::Sender<bool>,
}

/// Why a call gave no result.
pub(super) enum Lost {
    /// The server said so, or did not answer in time: it is there.
    Failed(String),
    /// The connection broke: it may have done it.
    Interrupted(String),
    /// It is away, and was not asked.
    Away(String),
    /// It went away a moment ago, and was not asked.
    Broken(String),
}

impl McpServer {
    pub(super) fn new(config: McpConfig, requests: Requests) -> Self {
        let known = Known {
            standing: McpStanding::Connecting,
            said: NOT_HEARD_OF.to_owned(),
            since: Timestamp::now(),
            tools: Vec::new(),
            prompts: Vec::new(),
            line: None,
        };
        metrics().mcp_standing(&config.name, false);
        Self {
            config,
            requests,
            known: RwLock::new(known),
            standing: watch::Sender::new((McpStanding::Connecting, 0)),
            calls: Semaphore::new(CALLS),
            suspected: Notify::new(),
            over: watch::Sender::new(false),
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.config.name
    }

    fn known(&self) -> RwLockReadGuard<'_, Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, standing: McpStanding, said: String, change: impl FnOnce(&mut Known)) {
        {
            let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
            if known.standing != standing {
                known.since = Timestamp::now();
            }
            known.standing = standing;
            known.said = said;
            change(&mut known);
        }
        metrics().mcp_standing(self.name(), standing == McpStanding::Ready);
        self.standing.send_modify(|(now, found)| {
            *now = standing;
            *found += u64::from(standing == McpStanding::Ready);
        });
    }

    /// It is asked now.
    pub(super) fn connecting(&self) {
        self.change(McpStanding::Connecting, NOT_HEARD_OF.to_owned(), |_| {});
    }

    /// It can be called.
    pub(super) fn ready(self: &Arc<Self>, link: &Link, has: Has) {
        let said = has.said();
        if self.state().standing != McpStanding::Ready || self.state().said != said {
            tracing::info!(server = self.name(), said, "an MCP server is there");
        }
        let tools = tool::tools(self, &has);
        let line = Line { peer: link.peer.clone(), heard: link.heard.clone() };
        self.change(McpStanding::Ready, said, |known| {
            known.tools = tools;
            known.prompts = has.prompts;
            known.line = Some(line);
        });
    }

    /// It cannot be called.
    pub(super) fn away(&self, why: String) {
        tracing::warn!(server = self.name(), why, "an MCP server is away");
        self.change(McpStanding::Away, why, |known| known.line = None);
    }

    /// Nothing is kept up any more.
    pub(super) fn end(&self) {
        self.over.send_replace(true);
    }

    /// Waits for that.
    pub(super) async fn ended(&self) {
        let mut over = self.over.subscribe();
        // It fails only when the server is gone, too.
        let _ = over.wait_for(|over| *over).await;
    }

    /// Waits until it was heard of, or could not be reached.
    pub(super) async fn heard_of(&self) {
        let mut standing = self.standing.subscribe();
        let _ = standing.wait_for(|(standing, _)| *standing != McpStanding::Connecting).await;
    }

    /// How it is.
    pub fn state(&self) -> McpState {
        let missing = self.requests.missing();
        let known = self.known();
        McpState {
            name: self.config.name.clone(),
            transport: self.config.place.transport(),
            // It is so at once, whenever the connection is taken down.
            standing: if missing.is_some() { McpStanding::Away } else { known.standing },
            tools: known.tools.len(),
            signed_in: self.requests.sign_in().map(|_| missing.is_none()),
            said: missing.unwrap_or_else(|| known.said.clone()),
            since: known.since,
        }
    }

    /// The tools that can be called now.
    pub(super) fn offered(&self) -> Vec<Arc<ToolSpec>> {
        let known = self.known();
        if known.standing != McpStanding::Ready || self.requests.missing().is_some() {
            return Vec::new();
        }
        known.tools.iter().map(|tool| tool.spec.clone()).collect()
    }

    /// The tool of this name, also while it is away.
    pub(super) fn tool(&self, name: &str) -> Option<KnownTool> {
        self.known().tools.iter().find(|tool| tool.spec.name == name).cloned()
    }

    /// Its prompts.
    pub fn prompts(&self) -> Vec<Prompt> {
        self.known().prompts.clone()
    }

    fn line(&self) -> Result<Line, Lost> {
        if let Some(why) = self.requests.missing() {
            return Err(Lost::Away(self.is_away(&why)));
        }
        let known = self.known();
        match &known.line {
            Some(line) if line.peer.is_transport_closed() => {
                Err(Lost::Broken(format!("the MCP server {} went away", self.name())))
            }
            Some(line) => Ok(line.clone()),
            None => Err(Lost::Away(self.is_away(&known.said))),
        }
    }

    fn is_away(&self, why: &str) -> String {
        format!("the MCP server {} is away: {why}", self.name())
    }

    /// How often it was found to be there.
    pub(super) fn found(&self) -> u64 {
        self.standing.borrow().1
    }

    /// Waits for a server that broke off to be found again, more often than it was before.
    pub(super) async fn back(&self, before: u64) -> bool {
        self.suspected.notify_one();
        let mut standing = self.standing.subscribe();
        let there = standing.wait_for(|(standing, found)| *standing == McpStanding::Ready && *found > before);
        timeout(RETURNING, there).await.is_ok_and(|there| there.is_ok())
    }

    /// Calls a tool once. What it asks of a person before it can answer goes back with the same call.
    pub(super) async fn call(
        &self,
        mut request: CallToolRequestParams,
        notes: &Arc<Notes>,
    ) -> Result<CallToolResult, Lost> {
        let _turn = self.turn().await?;
        for _ in 0..ROUNDS {
            match self.ask_for_call(request.clone(), notes).await? {
                ServerResult::CallToolResult(result) => return Ok(result),
                ServerResult::InputRequiredResult(asks) => {
                    request.request_state = asks.request_state;
                    request.input_responses = Some(self.inputs(asks.input_requests.unwrap_or_default(), notes).await?);
                }
                _ => {
                    let why = "the MCP server answered with something that is no result of a tool";
                    return Err(Lost::Failed(why.to_owned()));
                }
            }
        }
        Err(Lost::Failed(format!("the tool asked for something {ROUNDS} times and gave no result")))
    }

    /// What a server wants to have with its call.
    async fn inputs(&self, requests: InputRequests, notes: &Notes) -> Result<InputResponses, Lost> {
        let mut inputs = InputResponses::new();
        for (name, request) in requests.into_iter().take(MOST_INPUTS) {
            let input = match request {
                InputRequest::Elicitation(asked) => {
                    let answer = elicitation::ask(self.name(), notes, asked.params).await;
                    serde_json::to_value(answer).map_err(|error| Lost::Failed(error.to_string()))?
                }
                InputRequest::ListRoots(_) => json!({ "roots": [] }),
                _ => return Err(Lost::Failed("the tool wants to use a model, which is refused".to_owned())),
            };
            inputs.insert(name, input);
        }
        Ok(inputs)
    }

    /// One request and its answer. A server that says nothing for too long is waited for no longer, unless it waits for a person.
    async fn ask_for_call(&self, request: CallToolRequestParams, notes: &Arc<Notes>) -> Result<ServerResult, Lost> {
        let Line { peer, heard } = self.line()?;
        let request = ClientRequest::CallToolRequest(CallToolRequest::new(request));
        let sent = peer.send_request_with_option(request, PeerRequestOptions::no_options()).await;
        let handle = sent.map_err(|error| self.lost(error))?;
        let mut open =
            Open { peer, heard, id: handle.id.clone(), token: handle.progress_token.clone(), answered: false };
        open.heard.follow(open.token.clone(), notes.clone());
        let asked = Instant::now();
        let mut answer = pin!(handle.await_response());
        loop {
            let silent = notes.silent_for().min(asked.elapsed());
            let Some(left) = self.config.timeout.checked_sub(silent).filter(|left| !left.is_zero()) else {
                return Err(Lost::Failed(self.late()));
            };
            tokio::select! {
                answer = &mut answer => {
                    open.answered = true;
                    return answer.map_err(|error| self.lost(error));
                }
                () = sleep(left) => {}
            }
        }
    }

    /// Reads a resource.
    pub(super) async fn read(&self, uri: &str) -> Result<ReadResourceResult, Lost> {
        let _turn = self.turn().await?;
        let Line { peer, .. } = self.line()?;
        self.in_time(peer.read_resource(ReadResourceRequestParams::new(uri))).await
    }

    /// Fills in a prompt.
    pub async fn prompt(&self, params: GetPromptRequestParams) -> Result<GetPromptResult, String> {
        let Line { peer, .. } = self.line().map_err(Lost::into_words)?;
        self.in_time(peer.get_prompt(params)).await.map_err(Lost::into_words)
    }

    /// The peer, for lists.
    pub(super) fn peer(&self) -> Result<Peer<RoleClient>, Lost> {
        self.line().map(|line| line.peer)
    }

    pub(super) async fn in_time<T>(&self, asked: impl Future<Output = Result<T, ServiceError>>) -> Result<T, Lost> {
        match timeout(self.config.timeout, asked).await {
            Ok(answer) => answer.map_err(|error| self.lost(error)),
            Err(_) => Err(Lost::Failed(self.late())),
        }
    }

    async fn turn(&self) -> Result<tokio::sync::SemaphorePermit<'_>, Lost> {
        match timeout(self.config.timeout, self.calls.acquire()).await {
            Ok(Ok(turn)) => Ok(turn),
            Ok(Err(_)) | Err(_) => Err(Lost::Failed(format!("the MCP server {} is busy", self.name()))),
        }
    }

    fn late(&self) -> String {
        format!("no answer within {} s", self.config.timeout.as_secs())
    }

    /// What an error of the protocol's library means for a call.
    fn lost(&self, error: ServiceError) -> Lost {
        match error {
            ServiceError::McpError(error) => {
                let mut said = error.message.into_owned();
                said.truncate(said.floor_char_boundary(2_000));
                Lost::Failed(said)
            }
            ServiceError::Timeout { .. } => Lost::Failed(self.late()),
            ServiceError::TransportSend(error) => {
                self.suspected.notify_one();
                // Without a token nothing was sent.
                if let Some(why) = self.requests.missing() {
                    return Lost::Away(self.is_away(&why));
                }
                Lost::Interrupted(format!("the MCP server could not be reached: {}", innermost(&error)))
            }
            ServiceError::TransportClosed => Lost::Interrupted(
                "the MCP server went away while the tool worked; it may or may not have had its effect".to_owned(),
            ),
            ServiceError::Cancelled { .. } => Lost::Interrupted("the MCP server gave the call up".to_owned()),
            other => Lost::Failed(innermost(&other)),
        }
    }
}

impl Lost {
    /// What people are told.
    pub(super) fn into_words(self) -> String {
        match self {
            Self::Failed(why) | Self::Interrupted(why) | Self::Away(why) | Self::Broken(why) => why,
        }
    }
}

/// A call that is open. One that nobody waits for any more is cancelled.
struct Open {
    peer: Peer<RoleClient>,
    heard: Arc<Heard>,
    id: RequestId,
    token: ProgressToken,
    answered: bool,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.heard.forget(&self.token);
        if self.answered {
            return;
        }
        let Ok(runtime) = Handle::try_current() else { return };
        let (peer, id) = (self.peer.clone(), self.id.clone());
        runtime.spawn(async move {
            let why = Some("nobody waits for it any more".to_owned());
            let cancelled = CancelledNotification::new(CancelledNotificationParam::new(Some(id), why));
            // A server that is gone works on nothing.
            let _ = peer.send_notification(cancelled.into()).await;
        });
    }
}
