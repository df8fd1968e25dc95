//! One prompt, from its words to its end.

use std::time::Duration;

use netra_ws::{RunId, model::Question};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::time::timeout;

use super::{
    super::{
        Asked, Leave, RunHandle,
        model::{Again, ChatMessage, ModelError, Replay},
        remote::{
            OpenCalls,
            read::{
                Fault,
                acp::{self, Requested, Updates},
            },
            show,
        },
    },
    Shared, files, mode,
    peer::check_nonsense,
    permission::{self, Options},
    place::Place,
    session::{Live, is_of},
    wire::{self, Frame},
};
use crate::server::store::questions::Verdict;

/// How soon an agent that says that a call works asks a person about it.
const ASKS_AT_ONCE: Duration = Duration::from_millis(100);

/// Why a turn is left.
pub(super) enum Stop {
    /// The run ends, or waits.
    Leave(Leave),
    /// The agent failed.
    Error(ModelError),
}

impl From<Leave> for Stop {
    fn from(leave: Leave) -> Self {
        Self::Leave(leave)
    }
}

impl From<ModelError> for Stop {
    fn from(error: ModelError) -> Self {
        Self::Error(error)
    }
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Error(match fault {
            Fault::Protocol(why) => ModelError::protocol(why),
            Fault::Failed(why) => ModelError::unavailable(format!("the agent failed: {why}"), true, Again::No),
            Fault::BrokenOff => ModelError::protocol("the agent's answer broke off"),
        })
    }
}

/// A question that a person has decided.
pub(super) struct Decided {
    /// What was asked.
    pub(super) key: String,
    /// The decision.
    pub(super) verdict: Verdict,
}

/// A question that the agent waits for.
struct Pending {
    /// The agent's id of the request.
    id: Value,
    requested: Requested,
    options: Options,
    /// Its number in the run, from 1.
    number: u32,
}

/// A prompt under way.
pub(super) struct Turn {
    /// The run that it is of.
    pub(super) run: RunId,
    /// The id of the prompt's request.
    pub(super) prompt: u64,
    updates: Updates,
    nonsense: usize,
    decided: Option<Decided>,
    pending: Option<Pending>,
}

impl Turn {
    pub(super) fn new(run: RunId, prompt: u64, decided: Option<Decided>) -> Self {
        Self { run, prompt, updates: Updates::default(), nonsense: 0, decided, pending: None }
    }
}

/// What is kept of a question, for a process that does not have its agent.
pub(super) struct Kept {
    pub(super) number: u32,
    pub(super) key: String,
    pub(super) asked: Asked,
}

impl Kept {
    /// What was kept, if something was.
    pub(super) fn of(kept: &Value) -> Option<Self> {
        let number = u32::try_from(kept["number"].as_u64()?).ok()?;
        let (name, arguments) = (kept["name"].as_str()?.to_owned(), kept["arguments"].as_object()?.clone());
        let question = Question { message: None, options: Vec::new(), form: None };
        Some(Self { number, key: kept["key"].as_str()?.to_owned(), asked: Asked { name, arguments, question } })
    }
}

/// Names what is asked, to know it again in another session.
fn key_of(requested: &Requested) -> String {
    use std::fmt::Write as _;
    let text = json!([requested.tool, requested.title, requested.arguments]).to_string();
    Sha256::digest(text).iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Whether a message asks a person.
fn asks(frame: &Frame) -> bool {
    matches!(frame, Frame::Request { method, .. } if method == "session/request_permission")
}

/// Whether a finished call was no call, but a question and its answer.
pub(super) fn is_answer(message: &ChatMessage) -> bool {
    let ChatMessage::Tool { result, .. } = message else { return false };
    let fields: Option<serde_json::Map<String, Value>> = serde_json::from_str(result).ok();
    fields.is_some_and(|fields| fields.len() == 2 && fields.contains_key("option") && fields.contains_key("answer"))
}

impl Shared {
    /// Shows what the agent says and does what it asks, to the end of the turn; gives how it ended.
    pub(super) async fn drive(
        &self,
        run: &mut RunHandle<'_>,
        place: &Place,
        live: &mut Live,
        turn: &mut Turn,
    ) -> Result<Value, Stop> {
        let mut open = OpenCalls::new();
        if let Some(pending) = turn.pending.take() {
            run.skip_questions(pending.number.saturating_sub(1));
            self.put(run, live, turn, &mut open, pending).await?;
        }
        loop {
            let is_ripe = turn.updates.has_ripe();
            let silence = if is_ripe { ASKS_AT_ONCE } else { self.config.silence };
            let heard = match run.outside(timeout(silence, live.peer.hear())).await? {
                Ok(heard) => Some(heard?),
                Err(_) if is_ripe => None,
                Err(_) => {
                    let why = format!("the agent said nothing for {} s", silence.as_secs());
                    return Err(ModelError::unavailable(why, true, Again::No).into());
                }
            };
            if is_ripe && !heard.as_ref().is_some_and(asks) {
                for said in turn.updates.ripen()? {
                    show(run, None, &mut open, said).await?;
                }
            }
            let Some(frame) = heard else { continue };
            match frame {
                Frame::Answer { id, result } if id == turn.prompt => {
                    return result.map_err(|refusal| {
                        let why = format!("the agent failed: {}", refusal.message);
                        ModelError::unavailable(why, true, Again::No).into()
                    });
                }
                Frame::Answer { id, .. } => tracing::debug!(id, "an answer to nothing that was asked is passed over"),
                Frame::Notice { method, params } if method == "session/update" && is_of(&live.session, &params) => {
                    let Some(update) = params["update"].as_object() else { continue };
                    if live.offers.take(&params["update"]) {
                        self.learn(&live.offers);
                    }
                    if params["update"]["currentModeId"].is_string() {
                        let name = mode::name(&live.offers, live.offers.mode.as_deref().unwrap_or_default());
                        run.note(format!("The agent works in the mode {name} now."), None).await?;
                    }
                    for said in turn.updates.read(update)? {
                        show(run, None, &mut open, said).await?;
                    }
                }
                Frame::Notice { .. } => {}
                Frame::Request { id, method, params } => {
                    self.asked(run, place, live, turn, &mut open, (id, &method, params)).await?;
                }
                Frame::Nonsense => {
                    turn.nonsense += 1;
                    check_nonsense(turn.nonsense)?;
                }
            }
        }
    }

    /// Does what the agent asks.
    async fn asked(
        &self,
        run: &mut RunHandle<'_>,
        place: &Place,
        live: &mut Live,
        turn: &mut Turn,
        open: &mut OpenCalls,
        (id, method, params): (Value, &str, Value),
    ) -> Result<(), Stop> {
        let root = place.files();
        let answer = match method {
            "session/request_permission" if is_of(&live.session, &params) => {
                let call = params["toolCall"].as_object().cloned().unwrap_or_default();
                let requested = turn.updates.request(&call)?;
                let (options, number) = (Options::of(&params), run.questions_asked() + 1);
                return self.put(run, live, turn, open, Pending { id, requested, options, number }).await;
            }
            "session/request_permission" => wire::answer(&id, Ok(permission::cancelled())),
            "fs/read_text_file" | "fs/write_text_file" => {
                let reads = method == "fs/read_text_file";
                let work = move || if reads { files::read(&root, &params) } else { files::write(&root, &params) };
                let done = tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(error.to_string()));
                if let Err(why) = &done {
                    tracing::debug!(why, "an agent's request for a file is refused");
                }
                wire::answer(&id, done.as_ref().map_err(String::as_str).cloned())
            }
            _ => wire::unknown(&id, method),
        };
        Ok(run.outside(live.peer.send(answer)).await??)
    }

    /// Puts a question to a person, and gives the agent the answer; leaves until there is one.
    async fn put(
        &self,
        run: &mut RunHandle<'_>,
        live: &mut Live,
        turn: &mut Turn,
        open: &mut OpenCalls,
        pending: Pending,
    ) -> Result<(), Stop> {
        let key = key_of(&pending.requested);
        let verdict = match turn.decided.take_if(|decided| decided.key == key) {
            Some(Decided { verdict, .. }) => verdict,
            None => {
                let asked = permission::question(&pending.requested, &pending.options);
                // What else the agent has under way is told when the run goes on.
                open.clear();
                turn.updates.suspend();
                run.suspend_observed().await.map_err(Leave::from)?;
                let kept =
                    json!({ "number": pending.number, "key": key, "name": asked.name, "arguments": asked.arguments });
                run.keep_end(&self.source, &Replay(kept)).await;
                match run.ask(asked).await {
                    Ok(verdict) => verdict,
                    Err(leave) => {
                        turn.pending = Some(pending);
                        return Err(leave.into());
                    }
                }
            }
        };
        // It counts once: an agent that is cut off from here on asks anew, and is not let do it twice.
        run.keep_end(&self.source, &Replay::default()).await;
        let (answer, allowed) = pending.options.answer(&verdict);
        let begun = turn.updates.decided(&pending.requested.id, allowed)?;
        run.outside(live.peer.send(wire::answer(&pending.id, Ok(answer)))).await??;
        if let Some(said) = begun {
            show(run, None, open, said).await?;
        }
        Ok(())
    }
}

/// The turn ended.
pub(super) async fn finish(run: &mut RunHandle<'_>, answer: &Value) -> Result<(), Leave> {
    if let Some(used) = acp::used(answer) {
        show(run, None, &mut OpenCalls::new(), used).await?;
    }
    let limit = match answer["stopReason"].as_str().unwrap_or_default() {
        "max_tokens" => Some("The agent stopped: its answer was as long as it may be."),
        "max_turn_requests" => Some("The agent stopped: it had asked its model as often as it may."),
        "refusal" => Some("The agent refuses to go on."),
        _ => None,
    };
    if let Some(limit) = limit {
        run.note(limit.to_owned(), None).await?;
    }
    run.end_step().await?;
    if run.text().is_empty() && !run.has_called() && !run.thought_now() {
        return Err(Leave::failed("the agent ended its turn without a word; try again, or ask in another way"));
    }
    Ok(())
}
