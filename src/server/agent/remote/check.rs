//! `netra agents check` for remote agents: asks one question, and says in one line what came.

use std::time::{Duration, Instant};

use netra_ws::{RunId, ThreadId};
use serde_json::Value;
use tokio::time::timeout;

use super::{
    super::model::{ChatMessage, ModelError},
    peer::Peer,
    read::Said,
    request::Asked,
};
use crate::server::config::RemoteConfig;

/// How long one agent may take in all.
const PATIENCE: Duration = Duration::from_mins(2);

/// What was found.
#[derive(Debug)]
pub struct Report {
    /// The agent.
    pub agent: String,
    /// How it is spoken to, and where it is.
    pub place: String,
    /// What came, or why nothing did.
    pub found: Result<Heard, String>,
}

/// What an agent said.
#[derive(Debug, Default)]
pub struct Heard {
    /// A key was sent, and not refused.
    key: bool,
    /// Until its first piece.
    first: Option<Duration>,
    texts: usize,
    thoughts: usize,
    calls: usize,
    usage: bool,
    asks: bool,
}

impl Report {
    /// The line that is printed.
    pub fn line(&self) -> String {
        let Self { agent, place, found } = self;
        match found {
            Err(why) => format!("{agent}: {place}: FAILED: {why}"),
            Ok(heard) => format!("{agent}: {place}: {}", heard.words()),
        }
    }

    /// Whether the agent answered.
    pub fn is_fine(&self) -> bool {
        self.found.as_ref().is_ok_and(|heard| heard.texts > 0 || heard.asks)
    }
}

impl Heard {
    fn words(&self) -> String {
        let yes = |works: bool| if works { "yes" } else { "no" };
        let first = self.first.map_or_else(|| "no word".to_owned(), |first| format!("first word after {first:.1?}"));
        let end = if self.asks { ", asks a person before it goes on" } else { "" };
        format!(
            "reached, {}, {first}, stream {}, reasoning {}, calls {}, usage {}{end}",
            if self.key { "key accepted" } else { "no key" },
            yes(self.texts > 1),
            yes(self.thoughts > 0),
            self.calls,
            yes(self.usage),
        )
    }

    fn take(&mut self, said: &Said, begun: Instant) {
        match said {
            Said::Text(_) => self.texts += 1,
            Said::Thought(_) => self.thoughts += 1,
            Said::Begun(_) => self.calls += 1,
            Said::Used(_) => self.usage = true,
            Said::Message | Said::Note { .. } | Said::Ended { .. } => return,
        }
        self.first.get_or_insert_with(|| begun.elapsed());
    }
}

/// Asks the agent of this configuration.
pub async fn check(agent: &str, config: &RemoteConfig, http: &reqwest::Client) -> Report {
    let place = format!("{} at {}", config.protocol.name(), config.url.origin().ascii_serialization());
    let found = match timeout(PATIENCE, ask(config, http)).await {
        Err(_) => Err(format!("no end of the answer within {} s", PATIENCE.as_secs())),
        Ok(Err(ModelError { message, .. })) => Err(message),
        Ok(Ok(heard)) => Ok(heard),
    };
    Report { agent: agent.to_owned(), place, found }
}

async fn ask(config: &RemoteConfig, http: &reqwest::Client) -> Result<Heard, ModelError> {
    let peer = Peer::new(config.clone(), http.clone());
    let conversation = [ChatMessage::user("Answer with one short sentence: are you there?")];
    let (thread, run) = (ThreadId::new().to_string(), RunId::new().to_string());
    let begun = Instant::now();
    let asked = Asked {
        thread: &thread,
        run: &run,
        question: &run,
        conversation: &conversation,
        done: &[],
        kept: &Value::Null,
        answers: &[],
    };
    let mut exchange = peer.open(&asked).await?;
    // A key may stand in a header of its own.
    let mut heard = Heard { key: config.api_key.is_some() || !config.headers.is_empty(), ..Heard::default() };
    while let Some(said) = exchange.next().await? {
        for said in &said {
            heard.take(said, begun);
        }
    }
    heard.asks = !exchange.into_reader().interrupts().is_empty();
    Ok(heard)
}
