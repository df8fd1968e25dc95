//! `netra agents check` for agents by the Agent Client Protocol: starts one, asks one question, and says in one line what came.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::time::timeout;

use super::{
    super::{
        model::ModelError,
        offers::Offers,
        remote::read::{Said, acp::Updates},
    },
    peer::{Peer, check_nonsense},
    permission,
    place::Place,
    session::is_of,
    wire::{self, Frame},
};
use crate::server::{config::AcpConfig, confine};

/// How long one agent may take in all.
const PATIENCE: Duration = Duration::from_mins(2);

/// What was heard.
#[derive(Debug, Default)]
struct Heard {
    name: String,
    takes_up: bool,
    first: Option<Duration>,
    texts: usize,
    thoughts: usize,
    calls: usize,
    asks: bool,
    commands: usize,
}

/// Asks the agent of this configuration; gives the line that is printed, and whether the agent answered.
pub async fn check(agent: &str, config: &AcpConfig) -> (String, bool) {
    let program = config.command.first().map_or("", String::as_str);
    let wall =
        if confine::has_wall() { "kept to its folder" } else { "NOT kept to its folder: this system has no Landlock" };
    let place = Place::for_a_check(&config.workspace, &config.name);
    let found = match timeout(PATIENCE, ask(config, &place)).await {
        Err(_) => Err(format!("no end of the answer within {} s", PATIENCE.as_secs())),
        Ok(Err(ModelError { message, .. })) => Err(message),
        Ok(Ok(heard)) => Ok(heard),
    };
    let removed = tokio::task::spawn_blocking(move || place.remove()).await;
    if let Ok(Err(error)) = removed {
        tracing::warn!(%error, "the folder of the check could not be removed");
    }
    match found {
        Err(why) => (format!("{agent}: acp, {program}: FAILED: {why}"), false),
        Ok(heard) => (format!("{agent}: acp, {program}: {}, {wall}", heard.words()), heard.texts > 0 || heard.asks),
    }
}

impl Heard {
    fn words(&self) -> String {
        let yes = |works: bool| if works { "yes" } else { "no" };
        let name = if self.name.is_empty() { "started" } else { &self.name };
        let first = self.first.map_or_else(|| "no word".to_owned(), |first| format!("first word after {first:.1?}"));
        let end = if self.asks { ", asks a person before it goes on" } else { "" };
        format!(
            "{name}, {first}, stream {}, reasoning {}, calls {}, commands {}, takes up sessions {}{end}",
            yes(self.texts > 1),
            yes(self.thoughts > 0),
            self.calls,
            self.commands,
            yes(self.takes_up),
        )
    }

    fn take(&mut self, said: &Said, begun: Instant) {
        match said {
            Said::Text(_) => self.texts += 1,
            Said::Thought(_) => self.thoughts += 1,
            Said::Begun(_) => self.calls += 1,
            Said::Message | Said::Note { .. } | Said::Ended { .. } | Said::Used(_) => return,
        }
        self.first.get_or_insert_with(|| begun.elapsed());
    }
}

async fn ask(config: &AcpConfig, place: &Place) -> Result<Heard, ModelError> {
    let mut peer = Peer::start(config, place).await?;
    let heard = converse(&mut peer, place).await;
    peer.end().await;
    heard
}

async fn converse(peer: &mut Peer, place: &Place) -> Result<Heard, ModelError> {
    let mut offers = Offers::default();
    let cwd = place.files().display().to_string();
    let opened = peer.ask("session/new", &json!({ "cwd": cwd, "mcpServers": [] }), &mut offers).await?;
    let session = opened["sessionId"].as_str().unwrap_or_default().to_owned();
    let question = json!([{ "type": "text", "text": "Answer with one short sentence: are you there?" }]);
    let asked = peer.request("session/prompt", &json!({ "sessionId": session, "prompt": question })).await?;
    let (name, takes_up) = (peer.abilities.name.clone(), peer.abilities.load || peer.abilities.resume);
    let mut heard = Heard { name, takes_up, ..Heard::default() };
    let (mut updates, begun, mut nonsense) = (Updates::default(), Instant::now(), 0);
    loop {
        match peer.hear().await? {
            Frame::Answer { id, result } if id == asked => {
                heard.commands = offers.commands.len();
                return match result {
                    Ok(_) => Ok(heard),
                    Err(refusal) => Err(ModelError::protocol(refusal.message)),
                };
            }
            Frame::Answer { .. } => {}
            Frame::Notice { params, .. } => {
                offers.take(&params["update"]);
                if let Some(update) = params["update"].as_object().filter(|_| is_of(&session, &params)) {
                    let said = updates.read(update).map_err(|fault| ModelError::protocol(format!("{fault:?}")))?;
                    for said in &said {
                        heard.take(said, begun);
                    }
                }
            }
            Frame::Request { id, method, .. } => {
                let asks = method == "session/request_permission";
                heard.asks |= asks;
                let answer: Value = permission::cancelled();
                peer.send(if asks { wire::answer(&id, Ok(answer)) } else { wire::unknown(&id, &method) }).await?;
            }
            Frame::Nonsense => {
                nonsense += 1;
                check_nonsense(nonsense)?;
            }
        }
    }
}
