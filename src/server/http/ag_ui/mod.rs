//! `POST /ag-ui/{agent}`: any agent of this server by AG-UI. A run that is asked for is a run like any other: it belongs to a thread,
//! goes on when the client goes away, and is told again from wherever the client left off.

mod told;

use std::{collections::VecDeque, convert::Infallible, time::Duration};

use axum::{
    extract::State,
    http::{HeaderMap, HeaderValue, header},
    response::{
        IntoResponse, Response, Sse,
        sse::{Event, KeepAlive},
    },
};
use futures::{Stream, stream};
use netra_ws::{
    CommandId, ErrorCode, FrameId, RunId, ThreadId, Timestamp, UserId,
    connection::{Connection, Next},
    frame::Frame,
    message::ServerMessage,
    payload::{Ack, Subscribe, SubscribeMode, UserMessage},
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use tokio::time::timeout;
use uuid::Uuid;

use super::{ApiJson, ApiPath};
use crate::server::{auth::Identity, error::ApiError, state::AppState, store::Recorded};
use told::{Position, Told};

/// How long a stream may be still before a comment shows that it lives.
const ALIVE: Duration = Duration::from_secs(15);

/// How long one request may listen; its client comes back with the last event's id.
const LONGEST: Duration = Duration::from_hours(1);

/// Characters of the client's names for thread and run.
const MAX_NAME: usize = 200;

/// What AG-UI's clients send. Fields that are not listed are for other servers.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunAgentInput {
    /// The thread: an id of one of the user's threads, or any other name, which stands for a thread of its own from then on.
    thread_id: String,
    /// The run's name: asking again by the same name begins nothing new.
    run_id: String,
    /// The conversation; the last message is the person's, and the one that is answered.
    messages: Vec<Value>,
}

/// Asks an agent, and tells its run as it goes.
pub async fn run(
    State(state): State<AppState>,
    identity: Identity,
    ApiPath(agent): ApiPath<String>,
    headers: HeaderMap,
    ApiJson(input): ApiJson<RunAgentInput>,
) -> Result<Response, ApiError> {
    let after = match headers.get("last-event-id").map(HeaderValue::to_str) {
        None => None,
        Some(Ok("")) => None,
        Some(given) => {
            let known = given.ok().and_then(Position::read);
            Some(known.ok_or_else(|| invalid("`Last-Event-ID` is not one that this server gave"))?)
        }
    };
    let content = question(&input)?;
    let user = identity.user.id;
    state.registry.require(Some(&agent))?;
    let (thread, is_new) = thread_of(&state, user, &input.thread_id, &agent).await?;
    let message = UserMessage { content, agent: Some(agent), ..UserMessage::default() };
    let command = named(&["ag-ui run", &thread.to_string(), &input.run_id]);
    let ack = match state.bridge.user_message(user, CommandId::from(command), thread, message).await {
        Ok(ack) => ack,
        Err(refusal) => {
            // Who may not use the agent makes no thread.
            if is_new {
                state.threads.delete(user, thread).await?;
            }
            return Err(refusal);
        }
    };
    let run = ack.run_id.ok_or_else(|| invalid("the message is not answered by a run"))?;
    state.manager.admits().map_err(|code| ApiError::from(code).retry_after_ms(1_000))?;
    let at_most = state.config.quotas.of(identity.user.role).connections;
    let until = Timestamp::now().plus(LONGEST);
    let connection = state.manager.connect_of(identity.user.clone(), until, at_most);
    let from = ack.seq.unwrap_or(1).saturating_sub(1);
    let told = Told::new(&input.thread_id, &input.run_id, input.messages, after);
    let wanted =
        Subscribe { after_seq: i64::try_from(from).ok(), epoch: Some(state.log().head(user, thread).await?.epoch) };
    let mode = state.manager.watch(&state.log(), connection.peer(), FrameId::new(), thread, &wanted).await?;
    tracing::info!(run_id = %run, thread_id = %thread, user_id = %user, resumed = after.is_some(), "a run is told by AG-UI");
    let telling = Telling { state, connection, user, thread, run, told, ready: VecDeque::new(), mode };
    let mut response = Sse::new(telling.stream()).keep_alive(KeepAlive::new().interval(ALIVE)).into_response();
    // Proxies that collect answers would hold the events back.
    response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

fn invalid(message: &str) -> ApiError {
    ApiError::new(ErrorCode::InvalidPayload, message)
}

/// The last message, which is a person's.
fn question(input: &RunAgentInput) -> Result<String, ApiError> {
    for (name, value) in [("threadId", &input.thread_id), ("runId", &input.run_id)] {
        if value.trim().is_empty() || value.chars().count() > MAX_NAME {
            return Err(invalid(&format!("`{name}` has 1 to {MAX_NAME} characters")));
        }
    }
    let last = input.messages.last().and_then(Value::as_object).ok_or_else(|| invalid("`messages` is empty"))?;
    if last.get("role").and_then(Value::as_str) != Some("user") {
        return Err(invalid("the last of `messages` is not a person's: there is nothing to answer"));
    }
    words(last)
        .ok_or_else(|| invalid("the last of `messages` has parts that are no text; files go through /api/attachments"))
}

fn words(message: &Map<String, Value>) -> Option<String> {
    match message.get("content")? {
        Value::String(text) => Some(text.clone()),
        Value::Array(parts) => parts
            .iter()
            .map(|part| part["text"].as_str().filter(|_| part["type"] == "text"))
            .collect::<Option<Vec<_>>>()
            .map(|parts| parts.join("\n")),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => None,
    }
}

/// An id that is the same for the same names.
fn named(names: &[&str]) -> Uuid {
    let hash = names.iter().fold(Sha256::new(), |hash, name| hash.chain_update(name).chain_update([0])).finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

/// The thread that a client's name stands for: the one with this id, or the one that was made for it; and whether it was made now.
async fn thread_of(state: &AppState, user: UserId, name: &str, agent: &str) -> Result<(ThreadId, bool), ApiError> {
    if let Ok(id) = name.parse::<ThreadId>()
        && state.store.thread(user, id).await?.is_some()
    {
        return Ok((id, false));
    }
    let command_id = CommandId::from(named(&["ag-ui thread", name]));
    let digest = Sha256::digest(name).to_vec();
    if let Some(ack) = state.store.earlier_answer(user, command_id, &digest).await? {
        return Ok((ack.thread_id.ok_or_else(ApiError::not_found)?, false));
    }
    let made = state.threads.create(user, None, Some(agent)).await?.id;
    let ack = Ack { thread_id: Some(made), ..Ack::default() };
    let recorded = Recorded { user_id: user, command_id, digest: &digest, thread_id: made, ack: &ack };
    let kept = state.store.record_command(recorded).await?.thread_id.unwrap_or(made);
    if kept != made {
        // Another request was first.
        state.threads.delete(user, made).await?;
    }
    Ok((kept, kept == made))
}

/// A run that is being told.
struct Telling {
    state: AppState,
    connection: Connection,
    user: UserId,
    thread: ThreadId,
    run: RunId,
    told: Told,
    ready: VecDeque<(Position, Value)>,
    mode: SubscribeMode,
}

impl Telling {
    fn stream(self) -> impl Stream<Item = Result<Event, Infallible>> + Send {
        let until = tokio::time::Instant::now() + LONGEST;
        stream::unfold(self, move |mut this| async move {
            let (at, value) = tokio::time::timeout_at(until, this.next()).await.ok()??;
            let event = Event::default().id(at.to_string()).data(value.to_string());
            Some((Ok(event), this))
        })
    }

    /// What is told next; nothing once the end was, or the client has to come back.
    async fn next(&mut self) -> Option<(Position, Value)> {
        loop {
            if let Some(ready) = self.ready.pop_front() {
                return Some(ready);
            }
            if self.told.has_ended() {
                return None;
            }
            let peer = self.connection.peer().clone();
            let Ok(next) = timeout(ALIVE, peer.outbound.next()).await else {
                // Who was taken out of the thread hears no more of it.
                peer.subscription(self.thread)?;
                continue;
            };
            match next {
                Next::Frame(frame) => {
                    let frame = Frame::<ServerMessage>::decode(&frame).ok()?;
                    self.take(frame).await?;
                }
                Next::Repair(thread) => _ = self.state.manager.repair(&self.state.log(), &peer, thread),
                Next::Close(_) => return None,
            }
        }
    }

    async fn take(&mut self, frame: Frame<ServerMessage>) -> Option<()> {
        match (frame.message, frame.seq) {
            (ServerMessage::Event(event), Some(seq)) if frame.run_id == Some(self.run) => {
                self.ready.extend(self.told.event(seq, &event));
            }
            (ServerMessage::ThreadSnapshot(snapshot), _) if self.mode == SubscribeMode::Snapshot => {
                // Its events are no longer kept one by one.
                let run = self.state.threads.run(self.user, self.thread, self.run).await.ok()?;
                self.ready.extend(self.told.run(snapshot.as_of_seq, &run));
            }
            _ => {}
        }
        Some(())
    }
}
