//! Agents by the Agent Client Protocol: a program for each conversation, which works in a folder of its own.
//!
//! - `wire`: JSON-RPC in lines; `peer`: a program that speaks it; `session`: a program with a session of its;
//! - `turn`: one prompt, from its words to its end; `permission`: what people are asked;
//! - `mode`: how it works, and how that is changed;
//! - `place`: a conversation's folder; `files`: what is read and written there for the agent; `told`: what it is told;
//! - [`check`]: whether such an agent answers.

pub mod check;
mod files;
mod mode;
mod peer;
mod permission;
mod place;
mod session;
mod told;
mod turn;
mod wire;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use async_trait::async_trait;
use netra_ws::{RunId, ThreadId};
use tokio::{
    sync::{OwnedMutexGuard, Semaphore},
    time::{Instant, MissedTickBehavior, interval},
};

use super::{
    Agent, AgentMode, Halt, Leave, RunHandle,
    model::{Again, ChatMessage, ModelError, Source, Takes},
    offers::Offers,
};
use crate::server::{config::AcpConfig, confine};
use place::Place;
use session::Live;
use turn::{Stop, Turn};

/// How often what is idle is looked for.
const SWEEP: Duration = Duration::from_secs(1);

/// How long a program may take to end the turn that was cancelled.
const CANCELLING: Duration = Duration::from_secs(5);

/// An agent by the Agent Client Protocol.
pub(super) struct Acp {
    shared: Arc<Shared>,
}

/// What conversations with the agent share.
struct Shared {
    config: AcpConfig,
    /// Names the agent where what it asked is kept.
    source: Source,
    /// Programs that may run at a time.
    slots: Arc<Semaphore>,
    conversations: Mutex<HashMap<ThreadId, Arc<Conversation>>>,
    offers: Mutex<Offers>,
    this: Weak<Shared>,
}

/// A conversation, and its program while that runs.
struct Conversation {
    place: Place,
    live: Arc<tokio::sync::Mutex<Option<Live>>>,
}

/// A conversation in the hands of one run.
type Held = OwnedMutexGuard<Option<Live>>;

impl Acp {
    /// The agent of a configuration.
    pub(super) fn new(config: &AcpConfig) -> Self {
        if !confine::has_wall() {
            tracing::warn!(
                agent = config.name,
                "this system has no Landlock: nothing keeps the agent's program to its folder but its own manners"
            );
        }
        for path in config.readable.iter().filter(|path| !path.exists()) {
            tracing::warn!(agent = config.name, path = %path.display(), "what the agent may read is not there");
        }
        let shared = Arc::new_cyclic(|this| Shared {
            config: config.clone(),
            source: Source::named("acp", &config.name),
            slots: Arc::new(Semaphore::new(config.programs)),
            conversations: Mutex::default(),
            offers: Mutex::default(),
            this: this.clone(),
        });
        Self { shared }
    }
}

impl Shared {
    fn conversations(&self) -> MutexGuard<'_, HashMap<ThreadId, Arc<Conversation>>> {
        self.conversations.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn offers(&self) -> MutexGuard<'_, Offers> {
        self.offers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what a session offers, for whoever asks what the agent does. Its mode is its conversation's alone.
    fn learn(&self, told: &Offers) {
        let mut known = self.offers();
        if (&known.commands, &known.modes) != (&told.commands, &told.modes) {
            *known = Offers { mode: None, ..told.clone() };
        }
    }

    fn conversation(&self, thread: ThreadId) -> Arc<Conversation> {
        let mut conversations = self.conversations();
        let is_first = conversations.is_empty();
        let new = || {
            let place = Place::new(&self.config.workspace, &self.config.name, thread);
            Arc::new(Conversation { place, live: Arc::default() })
        };
        let conversation = conversations.entry(thread).or_insert_with(new).clone();
        if is_first && let Some(shared) = self.this.upgrade() {
            tokio::spawn(sweep(shared));
        }
        conversation
    }

    /// A place for one more program; one that is idle makes room.
    async fn slot(&self) -> Result<tokio::sync::OwnedSemaphorePermit, ModelError> {
        let busy = || {
            let most = self.config.programs;
            ModelError::unavailable(
                format!("{most} conversations with this agent are at work; try again later"),
                true,
                Again::No,
            )
        };
        if let Ok(slot) = self.slots.clone().try_acquire_owned() {
            return Ok(slot);
        }
        // One that waits for a person last: its session has to be taken up again for the answer.
        let oldest = self
            .idle(Duration::ZERO)
            .into_iter()
            .min_by_key(|held| held.as_ref().map(|live| (live.waiting.is_some(), live.used)));
        let live = oldest.and_then(|mut held| held.take()).ok_or_else(busy)?;
        live.end().await;
        self.slots.clone().try_acquire_owned().map_err(|_| busy())
    }

    /// The conversations whose program no run has in hand, and had not for so long.
    fn idle(&self, since: Duration) -> Vec<Held> {
        let all: Vec<_> = self.conversations().values().map(|conversation| conversation.live.clone()).collect();
        let free = all.into_iter().filter_map(|live| live.try_lock_owned().ok());
        free.filter(|held| held.as_ref().is_some_and(|live| live.used.elapsed() >= since)).collect()
    }

    /// Lets go of conversations without a program; whether any is left.
    fn tidy(&self) -> bool {
        let mut conversations = self.conversations();
        conversations.retain(|_, conversation| {
            Arc::strong_count(conversation) > 1 || conversation.live.try_lock().map_or(true, |live| live.is_some())
        });
        !conversations.is_empty()
    }

    /// What a person decided when an earlier process asked, and what it was that they were asked.
    async fn decided_before(&self, run: &mut RunHandle<'_>) -> Result<Option<turn::Decided>, Leave> {
        let Some(asked) = turn::Kept::of(&run.kept_end(&self.source).await) else { return Ok(None) };
        run.skip_questions(asked.number.saturating_sub(1));
        let verdict = run.ask(asked.asked).await?;
        Ok(Some(turn::Decided { key: asked.key, verdict }))
    }

    /// Works on a run from its beginning, or from where another process left it.
    async fn begin(&self, run: &mut RunHandle<'_>, place: &Place, mut held: Held) -> Result<(), Leave> {
        let decided = self.decided_before(run).await?;
        let done: Vec<ChatMessage> =
            run.finished().iter().filter(|message| !turn::is_answer(message)).cloned().collect();
        if !run.has_called() {
            run.start_over().await?;
        }
        run.begin_step();
        let is_nested = run.context().depth() > 0;
        let conversation = run.conversation().to_vec();
        let opened = run.outside(self.open(place, &mut held, &conversation, is_nested)).await?;
        let from = match opened {
            Ok(from) => from,
            Err(error) => {
                drop(held.take());
                return Err(error.into());
            }
        };
        let wanted = held.as_ref().and_then(|live| mode::asked(conversation.last(), &live.offers));
        if let Some(wanted) = wanted {
            let knows_the_rest = from + 1 == conversation.len() && !is_nested;
            return self.change_mode(run, place, held, wanted, knows_the_rest).await;
        }
        let Some(live) = held.as_mut() else { return Err(Leave::failed("the agent has no program")) };
        let blocks = told::prompt(&conversation[from..], &done, live.peer.abilities.takes);
        let params = serde_json::json!({ "sessionId": live.session, "prompt": blocks });
        let prompt = run.outside(live.peer.request("session/prompt", &params)).await??;
        let turn = Turn::new(run.context().run_id(), prompt, decided);
        self.go_on(run, place, held, turn).await
    }

    /// Changes how the agent works in this conversation, and says so: it is not asked anything.
    async fn change_mode(
        &self,
        run: &mut RunHandle<'_>,
        place: &Place,
        mut held: Held,
        wanted: Result<AgentMode, String>,
        knows_the_rest: bool,
    ) -> Result<(), Leave> {
        let Some(live) = held.as_mut() else { return Err(Leave::failed("the agent has no program")) };
        let told = match wanted {
            Err(why) => why,
            Ok(mode) => {
                let params = serde_json::json!({ "sessionId": live.session, "modeId": mode.id });
                match run.outside(live.peer.ask("session/set_mode", &params, &mut live.offers)).await? {
                    Ok(_) => {
                        live.offers.mode = Some(mode.id);
                        format!("The agent works in the mode {} now.", mode.name)
                    }
                    Err(error) => format!("The agent did not change its mode: {}", error.message),
                }
            }
        };
        live.used = Instant::now();
        run.say(told).await?;
        if knows_the_rest {
            let (mut conversation, text) = (run.conversation().to_vec(), run.text().to_owned());
            conversation.push(ChatMessage::Assistant {
                text,
                calls: Vec::new(),
                replay: super::model::Replay::default(),
            });
            live.keep(place, told::digest(&conversation)).await;
        }
        run.end_step().await
    }

    /// Makes the conversation's session ready; gives how many of its messages the session knows.
    async fn open(
        &self,
        place: &Place,
        held: &mut Held,
        conversation: &[ChatMessage],
        is_nested: bool,
    ) -> Result<usize, ModelError> {
        let live = match held.take().filter(|live| live.peer.runs()) {
            Some(live) => live,
            None => Live::start(&self.config, place, self.slot().await?).await?,
        };
        // A run that ends meanwhile leaves the program behind.
        let live = held.insert(live);
        live.pass_over().await?;
        let from = live.open(place, conversation, is_nested).await;
        self.learn(&live.offers);
        from
    }

    /// Works on a turn until it ends, or a person is asked.
    async fn go_on(&self, run: &mut RunHandle<'_>, place: &Place, mut held: Held, mut turn: Turn) -> Result<(), Leave> {
        let Some(live) = held.as_mut() else { return Err(Leave::failed("the agent has no program")) };
        let outcome = self.drive(run, place, live, &mut turn).await;
        live.used = Instant::now();
        let mut told = run.conversation().to_vec();
        if !run.text().is_empty() {
            told.push(ChatMessage::Assistant {
                text: run.text().to_owned(),
                calls: Vec::new(),
                replay: super::model::Replay::default(),
            });
        }
        let told = if run.context().depth() > 0 { String::new() } else { told::digest(&told) };
        match outcome {
            Ok(answer) => {
                live.keep(place, told).await;
                turn::finish(run, &answer).await
            }
            Err(Stop::Leave(Leave::Waiting)) => {
                live.waiting = Some(turn);
                Err(Leave::Waiting)
            }
            Err(Stop::Leave(leave @ Leave::Halted(Halt::Stopped | Halt::TimedOut))) => {
                tokio::spawn(cancel(held, place.clone(), turn.prompt, told));
                Err(leave)
            }
            Err(Stop::Leave(leave)) => {
                drop(held.take());
                Err(leave)
            }
            Err(Stop::Error(error)) => {
                drop(held.take());
                Err(error.into())
            }
        }
    }
}

/// Cancels a turn. The conversation is held until its program has ended the turn, or was ended.
async fn cancel(mut held: Held, place: Place, prompt: u64, told: String) {
    let Some(live) = held.as_mut() else { return };
    match tokio::time::timeout(CANCELLING, live.cancel(prompt)).await {
        Ok(Ok(())) => live.keep(&place, told).await,
        Ok(Err(_)) | Err(_) => {
            tracing::info!("an agent did not end its turn when it was asked to, and is ended");
            if let Some(live) = held.take() {
                live.end().await;
            }
        }
    }
}

/// Ends programs that nobody has used for a while, until there are none.
async fn sweep(shared: Arc<Shared>) {
    let mut ticks = interval(SWEEP);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let ends = shared.idle(shared.config.idle).into_iter().map(|mut held| async move {
            if let Some(live) = held.take() {
                live.end().await;
            }
        });
        let ended = futures::future::join_all(ends).await.len();
        if ended > 0 {
            tracing::info!(agent = shared.config.name, ended, "idle agents are ended");
        }
        if !shared.tidy() {
            return;
        }
    }
}

#[async_trait]
impl Agent for Acp {
    fn model(&self) -> Option<&str> {
        None
    }

    fn takes(&self) -> Option<Takes> {
        Some(self.shared.config.takes)
    }

    fn calls_by_itself(&self) -> bool {
        true
    }

    fn offers(&self) -> Offers {
        let mut offers = self.shared.offers().clone();
        offers.commands.extend(mode::command(&offers));
        offers
    }

    async fn run(&self, run: &mut RunHandle<'_>) -> Result<(), Leave> {
        let conversation = self.shared.conversation(run.context().thread_id());
        let mut held = run.outside(conversation.live.clone().lock_owned()).await?;
        let own: RunId = run.context().run_id();
        let waiting = held.as_mut().and_then(|live| live.waiting.take());
        match waiting {
            Some(turn) if turn.run == own && held.as_ref().is_some_and(|live| live.peer.runs()) => {
                run.begin_step();
                self.shared.go_on(run, &conversation.place, held, turn).await
            }
            Some(_) => {
                // Its run ended while it waited, or the program did.
                if let Some(live) = held.take() {
                    live.end().await;
                }
                self.shared.begin(run, &conversation.place, held).await
            }
            None => self.shared.begin(run, &conversation.place, held).await,
        }
    }

    fn forget(&self, thread: ThreadId) {
        let conversation = self.shared.conversations().remove(&thread);
        let place = Place::new(&self.shared.config.workspace, &self.shared.config.name, thread);
        tokio::spawn(async move {
            let mut held = None;
            if let Some(conversation) = conversation {
                let mut live = conversation.live.clone().lock_owned().await;
                if let Some(live) = live.take() {
                    live.end().await;
                }
                held = Some(live);
            }
            let removed = tokio::task::spawn_blocking(move || place.remove()).await;
            drop(held);
            if let Ok(Err(error)) = removed {
                tracing::warn!(%error, thread_id = %thread, "an agent's folder could not be removed");
            }
        });
    }

    fn threads(&self) -> Vec<ThreadId> {
        place::threads(&self.shared.config.workspace, &self.shared.config.name)
    }

    async fn close(&self) {
        let all = self.shared.idle(Duration::ZERO).into_iter().filter_map(|mut held| held.take());
        futures::future::join_all(all.map(Live::end)).await;
    }
}
