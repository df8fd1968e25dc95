//! A program with the session of a conversation.

use serde_json::{Value, json};
use tokio::{sync::OwnedSemaphorePermit, time::Instant};

use super::{
    super::{
        model::{ChatMessage, ModelError},
        offers::Offers,
    },
    peer::{Peer, check_nonsense},
    permission,
    place::{Kept, Place},
    told,
    turn::Turn,
    wire::{self, Frame},
};
use crate::server::{config::AcpConfig, metrics::metrics};

/// Messages between two turns that are passed over.
const MAX_BETWEEN: usize = 10_000;

/// A program that runs, and where it is.
pub(super) struct Live {
    pub(super) peer: Peer,
    /// The agent's id of the session.
    pub(super) session: String,
    /// The digest of what the session knows; none before it is known.
    told: Option<String>,
    /// When a run had it last.
    pub(super) used: Instant,
    /// What the agent offers in this session, and the mode that this conversation is in.
    pub(super) offers: Offers,
    /// A turn that waits for a person.
    pub(super) waiting: Option<Turn>,
    _slot: OwnedSemaphorePermit,
    _counted: Counted,
}

/// A program is among those that are counted, until this is dropped.
struct Counted;

impl Counted {
    fn new() -> Self {
        metrics().agent_process_runs();
        Self
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        metrics().agent_process_is_gone();
    }
}

impl Live {
    /// Starts the program.
    pub(super) async fn start(
        config: &AcpConfig,
        place: &Place,
        slot: OwnedSemaphorePermit,
    ) -> Result<Self, ModelError> {
        let begun = Instant::now();
        let peer = Peer::start(config, place).await?;
        let took_ms = begun.elapsed().as_millis();
        tracing::info!(agent = config.name, program = peer.abilities.name, took_ms, "an agent's program runs");
        Ok(Self {
            peer,
            session: String::new(),
            told: None,
            used: Instant::now(),
            offers: Offers::default(),
            waiting: None,
            _slot: slot,
            _counted: Counted::new(),
        })
    }

    /// Passes over what was said between two turns: it belongs to neither.
    pub(super) async fn pass_over(&mut self) -> Result<(), ModelError> {
        for _ in 0..MAX_BETWEEN {
            let Some(frame) = self.peer.heard_already() else { return Ok(()) };
            match frame {
                Frame::Notice { params, .. } => _ = self.offers.take(&params["update"]),
                Frame::Request { id, method, .. } => self.peer.send(wire::unknown(&id, &method)).await?,
                Frame::Answer { .. } | Frame::Nonsense => {}
            }
        }
        Err(ModelError::protocol("the agent talks on though nobody asked"))
    }

    /// Finds the session of the conversation, or begins one; gives how many of its messages the session knows.
    pub(super) async fn open(
        &mut self,
        place: &Place,
        conversation: &[ChatMessage],
        is_nested: bool,
    ) -> Result<usize, ModelError> {
        let known = |told: &str| told::known(conversation, told);
        let cwd = place.files().display().to_string();
        if !is_nested {
            if let Some(from) = self.told.as_deref().and_then(known) {
                return Ok(from);
            }
            let read = place.clone();
            let kept = tokio::task::spawn_blocking(move || read.kept()).await.ok().flatten();
            if self.told.is_none()
                && let Some(kept) = kept
                && let Some(from) = known(&kept.told)
                && self.load(&kept.session, &cwd).await
            {
                (self.session, self.told) = (kept.session, Some(kept.told));
                return Ok(from);
            }
        }
        // The mode was another session's.
        self.offers.mode = None;
        let asked = json!({ "cwd": cwd, "mcpServers": [] });
        let opened = self.peer.ask("session/new", &asked, &mut self.offers).await?;
        let session = opened["sessionId"].as_str().filter(|id| !id.is_empty() && id.len() <= 1_000);
        session
            .ok_or_else(|| ModelError::protocol("the agent opened a session without an id"))?
            .clone_into(&mut self.session);
        self.offers.take(&opened);
        if is_nested {
            // What follows in the conversation is not this session's.
            self.told = Some("nested".to_owned());
        } else {
            self.keep(place, told::digest(&[])).await;
        }
        Ok(0)
    }

    /// Takes up a session of an earlier process, if the agent can.
    async fn load(&mut self, session: &str, cwd: &str) -> bool {
        let method = match (self.peer.abilities.resume, self.peer.abilities.load) {
            (true, _) => "session/resume",
            (false, true) => "session/load",
            (false, false) => return false,
        };
        let params = json!({ "sessionId": session, "cwd": cwd, "mcpServers": [] });
        match self.peer.ask(method, &params, &mut self.offers).await {
            Ok(loaded) => {
                self.offers.take(&loaded);
                true
            }
            Err(error) => {
                tracing::info!(%error, "an agent's session could not be taken up; the conversation is told again");
                false
            }
        }
    }

    /// Keeps how far the session is. Where that fails, the conversation is told again.
    pub(super) async fn keep(&mut self, place: &Place, told: String) {
        if told.is_empty() {
            return;
        }
        self.told = Some(told.clone());
        let (place, kept) = (place.clone(), Kept { session: self.session.clone(), told });
        match tokio::task::spawn_blocking(move || place.keep(&kept)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "an agent's session could not be noted"),
            Err(error) => tracing::warn!(%error, "an agent's session could not be noted"),
        }
    }

    /// Cancels the turn of this prompt, and waits for its end.
    pub(super) async fn cancel(&mut self, prompt: u64) -> Result<(), ModelError> {
        self.peer.send(wire::notice("session/cancel", &json!({ "sessionId": self.session }))).await?;
        let mut nonsense = 0;
        loop {
            match self.peer.hear().await? {
                Frame::Answer { id, .. } if id == prompt => return Ok(()),
                Frame::Request { id, method, .. } if method == "session/request_permission" => {
                    self.peer.send(wire::answer(&id, Ok(permission::cancelled()))).await?;
                }
                Frame::Request { id, .. } => {
                    self.peer.send(wire::answer(&id, Err("the turn was cancelled"))).await?;
                }
                Frame::Answer { .. } | Frame::Notice { .. } => {}
                Frame::Nonsense => {
                    nonsense += 1;
                    check_nonsense(nonsense)?;
                }
            }
        }
    }

    /// Ends the program.
    pub(super) async fn end(self) {
        self.peer.end().await;
    }
}

/// Whether what the agent says is of this session.
pub(super) fn is_of(session: &str, params: &Value) -> bool {
    params["sessionId"].as_str() == Some(session)
}
