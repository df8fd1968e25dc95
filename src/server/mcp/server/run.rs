//! An agent as a tool: its run is told as progress while it works, and its answer is the result.

use std::time::Duration;

use netra_ws::{
    CommandId, ErrorCode, RunId, ThreadId,
    log::PageLimit,
    message::Event,
    payload::{CompletedStatus, StartAgent},
};
use rmcp::{
    ErrorData, RoleServer,
    model::{CallToolRequestParams, CallToolResult, ContentBlock, ProgressNotificationParam, Resource},
    service::RequestContext,
};
use serde_json::Value;
use tokio::time::timeout;

use super::{
    Offer,
    offer::{address, failed},
};
use crate::server::followers::Following;

/// How long news may be on their way unheard: being woken is a hint, and the log is what counts.
const LOOK: Duration = Duration::from_secs(2);

/// What is read of the log at a time.
const PAGE: PageLimit = PageLimit { events: 256, bytes: 128 << 10 };

/// The longest line of progress, in bytes.
const LONGEST_LINE: usize = 500;

/// Starts the agent that a call names, and waits for its answer.
pub(super) async fn call(
    offer: &Offer,
    request: CallToolRequestParams,
    context: &RequestContext<RoleServer>,
) -> Result<CallToolResult, ErrorData> {
    let known = offer.state.registry.of(&offer.user).any(|agent| agent.name == *request.name);
    if !known {
        return Err(ErrorData::invalid_params(format!("there is no tool called {:?}", request.name), None));
    }
    let arguments = request.arguments.unwrap_or_default();
    let task = match arguments.get("task") {
        Some(Value::String(task)) if !task.trim().is_empty() => task.clone(),
        _ => return Err(ErrorData::invalid_params("`task` must be a text that is not empty", None)),
    };
    let thread: Option<ThreadId> = match arguments.get("thread_id") {
        None | Some(Value::Null) => None,
        Some(id) => {
            let id = id.as_str().and_then(|id| id.parse().ok());
            Some(id.ok_or_else(|| ErrorData::invalid_params("`thread_id` is not the id of a conversation", None))?)
        }
    };
    let start = StartAgent { agent: Some(request.name.into_owned()), content: task, ..StartAgent::default() };
    let started = offer.state.bridge.start_agent(offer.user.id, CommandId::new(), thread, start).await;
    let ack = match started {
        Ok(ack) => ack,
        // A person can do something about these; a program is told what.
        Err(error) if error.code != ErrorCode::Internal => {
            return Ok(CallToolResult::error(vec![ContentBlock::text(error.message)]));
        }
        Err(error) => return Err(failed(error)),
    };
    let (Some(thread), Some(run)) = (ack.thread_id, ack.run_id) else {
        return Err(ErrorData::internal_error("the run was not started", None));
    };
    tracing::info!(user_id = %offer.user.id, thread_id = %thread, run_id = %run, "a run was started through MCP");
    let following = offer.state.followers.follow(thread);
    let followed = Followed { offer, context, thread, run, after: ack.seq.unwrap_or(0), told: 0.0 };
    tokio::select! {
        biased;
        () = context.ct.cancelled() => {
            let stopped = offer.state.bridge.stop_agent(offer.user.id, CommandId::new(), run).await;
            stopped.map_err(failed)?;
            Err(ErrorData::internal_error("cancelled", None))
        }
        ended = followed.end(following) => ended,
    }
}

/// A run that is followed.
struct Followed<'a> {
    offer: &'a Offer,
    context: &'a RequestContext<RoleServer>,
    thread: ThreadId,
    run: RunId,
    /// Read up to here.
    after: u64,
    told: f64,
}

impl Followed<'_> {
    /// Tells of the run until it ends.
    async fn end(mut self, following: Following) -> Result<CallToolResult, ErrorData> {
        let mut answer = String::new();
        loop {
            // Whoever may no longer read the conversation follows it no further.
            self.offer.state.threads.get(self.offer.user.id, self.thread).await.map_err(failed)?;
            loop {
                let page = self.offer.state.store.read(self.thread, self.after, PAGE).await;
                let page = page.map_err(|error| failed(error.into()))?;
                if page.events.is_empty() {
                    break;
                }
                for stored in &page.events {
                    self.after = stored.seq;
                    if stored.run_id != Some(self.run) {
                        continue;
                    }
                    let event = stored.decode().map_err(|error| {
                        tracing::error!(%error, "a stored event cannot be read");
                        ErrorData::internal_error("the run cannot be followed", None)
                    })?;
                    if let Some(ended) = self.happened(event.message, &mut answer).await {
                        return Ok(self.result(ended, answer));
                    }
                }
            }
            // A hint that does not come only delays.
            let _ = timeout(LOOK, following.news()).await;
        }
    }

    /// Tells of an event; says how the run ended when that is what it says.
    async fn happened(&mut self, event: Event, answer: &mut String) -> Option<Result<(), String>> {
        let line = match event {
            Event::AgentStarted(started) => format!("{} started", started.agent),
            Event::AgentThinking(thinking) => thinking.thought,
            Event::ToolExecuting(call) => format!("{} …", call.tool),
            Event::ToolApprovalRequired(call) => format!("{} waits for a person's approval", call.tool),
            Event::ToolCompleted(call) => format!("{}: {}", call.tool, call.status.as_str()),
            Event::AgentProgress(progress) => progress.message,
            Event::PartialResult(piece) => piece.delta,
            Event::AgentResponse(response) => {
                *answer = response.content;
                return None;
            }
            Event::AgentCompleted(end) => {
                return Some(match end.status {
                    CompletedStatus::Stopped => Err("The run was stopped.".to_owned()),
                    _ => Ok(()),
                });
            }
            Event::AgentError(error) => return Some(Err(error.message)),
            Event::ThreadMessage(_) => return None,
        };
        self.tell(line).await;
        None
    }

    /// Sends a line of progress to a client that asked for it.
    async fn tell(&mut self, mut line: String) {
        let Some(token) = self.context.meta.get_progress_token() else { return };
        if line.trim().is_empty() {
            return;
        }
        line.truncate(line.floor_char_boundary(LONGEST_LINE));
        self.told += 1.0;
        let progress = ProgressNotificationParam::new(token, self.told).with_message(line);
        if let Err(error) = self.context.peer.notify_progress(progress).await {
            tracing::debug!(%error, "progress was not taken");
        }
    }

    fn result(&self, ended: Result<(), String>, answer: String) -> CallToolResult {
        let link = Resource::new(address(self.thread), "The conversation").with_mime_type("text/markdown");
        let link = ContentBlock::ResourceLink(link);
        match ended {
            Ok(()) => CallToolResult::success(vec![ContentBlock::text(answer), link]),
            Err(why) if answer.is_empty() => CallToolResult::error(vec![ContentBlock::text(why), link]),
            Err(why) => CallToolResult::error(vec![ContentBlock::text(answer), ContentBlock::text(why), link]),
        }
    }
}
