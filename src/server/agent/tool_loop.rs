//! The tool loop, an agent over any model: ask it, call the tools it wants, ask again, until the answer is complete.

use std::{pin::pin, time::Duration};

use async_trait::async_trait;
use netra_ws::model::Usage;
use tokio::sync::mpsc;
use tracing::Instrument as _;

use super::{
    Agent, Leave, RunHandle,
    context_budget::{ContextBudget, sizes},
    model::{Again, ChatMessage, Ending, Model, ModelError, Piece, Settings, Sink, Source, Takes, Turn, TurnEnd},
    model_names::ModelNames,
    title,
};

/// Pauses before a turn is asked for again; only while nothing of it was said.
const PAUSES: [Duration; 2] = [Duration::from_millis(400), Duration::from_millis(1_500)];

/// How much longer than a server asks for its pause may be: runs that failed together do not come back together.
const SPREAD: f64 = 0.25;

/// What a run may use.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    /// Turns of the model.
    pub(super) max_steps: u32,
    /// Tokens of all turns, as the server counts them, or as estimated where it counts none; without a limit when absent.
    pub(super) max_tokens: Option<u64>,
    /// Tokens of the conversation in one request, as estimated; without a limit when absent.
    pub(super) max_context_tokens: Option<u64>,
}

/// What a model costs, in US dollars for a million tokens.
#[derive(Clone, Copy, Debug, PartialEq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// Of what it reads.
    pub input: f64,
    /// Of what it writes.
    pub output: f64,
}

impl Price {
    /// What tokens cost, in millionths of a dollar: a price for a million tokens is that for one, a million times smaller.
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    fn of(self, usage: Usage) -> u64 {
        let exact = usage.prompt_tokens as f64 * self.input + usage.completion_tokens as f64 * self.output;
        exact.round().max(0.0) as u64
    }
}

/// An agent that asks a model.
pub(super) struct ToolLoop {
    model: Box<dyn Model>,
    /// What the model is told before every conversation.
    instructions: Option<String>,
    takes: Takes,
    budget: Budget,
    price: Option<Price>,
    /// Whether it names conversations.
    titles: bool,
}

impl ToolLoop {
    /// The loop over this model.
    pub(super) fn new(
        model: Box<dyn Model>,
        settings: &Settings,
        budget: Budget,
        price: Option<Price>,
        titles: bool,
    ) -> Self {
        Self { model, instructions: settings.system.clone(), takes: settings.takes, budget, price, titles }
    }
}

#[async_trait]
impl Agent for ToolLoop {
    fn model(&self) -> Option<&str> {
        self.model.name()
    }

    fn takes(&self) -> Option<Takes> {
        Some(self.takes)
    }

    fn source(&self) -> Option<&Source> {
        Some(self.model.source())
    }

    async fn run(&self, run: &mut RunHandle<'_>) -> Result<(), Leave> {
        let names = ModelNames::new(&run.settled_tools().await?);
        let tools = names.specs();
        let mut context = ContextBudget::new(run.conversation(), &tools, self.budget.max_context_tokens)
            .instructed(self.instructions.as_deref());
        // Of turns whose tokens the server did not count.
        let mut estimated = 0;
        let mut done: Vec<ChatMessage> = run.finished().to_vec();
        // A run that is taken up has taken turns before, and may finish.
        let last = self.budget.max_steps.max(run.step() + 1);
        while run.step() < last {
            run.begin_step();
            if let Some(note) = context.trim(&done) {
                run.note(note, None).await?;
            }
            let mut messages = [context.conversation(), done.as_slice()].concat();
            names.safe_names(&mut messages);
            let mut end = self.ask_patiently(run, Turn { messages: &messages, tools: &tools }).await?;
            names.own_names(&mut end.calls);
            let counted = end.usage.is_some();
            if let Some(usage) = end.usage {
                let cost_usd_micros = self.price.map(|price| price.of(usage));
                run.add_usage(Usage { cost_usd_micros, ..usage });
            }
            run.end_step().await?;
            check_ending(&end, run)?;
            let (text, calls, replay) = (run.step_text().to_owned(), end.calls, end.replay);
            if calls.is_empty() {
                run.keep_turn(self.model.source(), &calls, &replay).await;
                return Ok(());
            }
            let turn = ChatMessage::Assistant { text, calls: calls.clone(), replay: replay.clone() };
            if !counted {
                estimated += context.request(&done) + sizes(std::slice::from_ref(&turn));
            }
            self.check_tokens(run, estimated)?;
            run.keep_turn(self.model.source(), &calls, &replay).await;
            let outcomes = run.call(calls.clone()).await?;
            let results = calls.iter().zip(outcomes).map(|(call, outcome)| ChatMessage::Tool {
                id: call.id.clone(),
                name: call.tool.clone(),
                result: outcome.result.to_string(),
            });
            let results: Vec<ChatMessage> = results.collect();
            done.push(turn);
            done.extend(results);
        }
        Err(Leave::failed(format!("no answer after {} turns", self.budget.max_steps)))
    }

    async fn title(&self, question: &str, answer: &str) -> Option<String> {
        if self.titles { title::ask(self.model.as_ref(), question, answer).await } else { None }
    }
}

impl ToolLoop {
    fn check_tokens(&self, run: &RunHandle<'_>, estimated: u64) -> Result<(), Leave> {
        let used = run.usage().map_or(0, |usage| usage.total_tokens).saturating_add(estimated);
        match self.budget.max_tokens {
            Some(most) if used >= most => Err(Leave::failed(format!(
                "the run used {used} tokens and may use {most}; ask for less, or raise the agent's limit"
            ))),
            Some(_) | None => Ok(()),
        }
    }

    /// Takes one turn, and takes it again when its server says that it may work later.
    async fn ask_patiently(&self, run: &mut RunHandle<'_>, turn: Turn<'_>) -> Result<TurnEnd, Leave> {
        let mut pauses = PAUSES.into_iter();
        let mut earlier: Option<ModelError> = None;
        loop {
            let span = tracing::info_span!("model", model = self.model.name(), turn = run.step());
            let error = match self.ask(run, turn).instrument(span).await? {
                Ok(end) => return Ok(end),
                // Why it failed before says more than that it is left alone now.
                Err(error) if error.again == Again::NotAsked => return Err(earlier.unwrap_or(error).into()),
                Err(error) => error,
            };
            if run.said_now() || run.thought_now() {
                return Err(error.into());
            }
            let pause = match (error.again, pauses.next()) {
                (Again::No | Again::NotAsked, _) | (_, None) => return Err(error.into()),
                // Some servers ask for no pause at all, which is none of their wishes either.
                (Again::After(asked), Some(pause)) => asked.max(pause).mul_f64(1.0 + fastrand::f64() * SPREAD),
                (Again::Soon, Some(pause)) => pause.mul_f64(0.75 + fastrand::f64() / 2.0),
            };
            tracing::warn!(%error, retry_in_ms = pause.as_millis(), "model refused");
            earlier = Some(error);
            run.pause(pause).await?;
        }
    }

    /// Asks the model and shows what it says, until its turn ends or the run does. A model that is no longer waited for is dropped
    /// between two events, and never within one.
    async fn ask(&self, run: &mut RunHandle<'_>, turn: Turn<'_>) -> Result<Result<TurnEnd, ModelError>, Leave> {
        let (sender, mut pieces) = mpsc::channel(1);
        let mut sink = Pieces(sender);
        let mut asked = pin!(self.model.turn(turn, &mut sink));
        let end = loop {
            let next = run.outside(async {
                tokio::select! {
                    biased;
                    Some(piece) = pieces.recv() => Next::Piece(piece),
                    end = &mut asked => Next::End(end),
                }
            });
            match next.await? {
                Next::Piece(piece) => show(run, piece).await?,
                Next::End(end) => break end,
            }
        };
        while let Ok(piece) = pieces.try_recv() {
            show(run, piece).await?;
        }
        Ok(end)
    }
}

/// What a model does next.
enum Next {
    Piece(Piece),
    End(Result<TurnEnd, ModelError>),
}

/// Hands a model's pieces to the loop that shows them.
struct Pieces(mpsc::Sender<Piece>);

#[async_trait]
impl Sink for Pieces {
    async fn piece(&mut self, piece: Piece) {
        // The loop is gone only when this future is, too.
        let _ = self.0.send(piece).await;
    }
}

async fn show(run: &mut RunHandle<'_>, piece: Piece) -> Result<(), Leave> {
    match piece {
        Piece::Thinking(thought) => run.think(thought).await,
        Piece::Text(text) => run.say(text).await,
        Piece::WasThinking => run.unsay().await,
        Piece::Note(message) => run.note(message, None).await,
    }
}

impl From<ModelError> for Leave {
    fn from(ModelError { code, message, retryable, again: _ }: ModelError) -> Self {
        Self::Failed { code, message, retryable }
    }
}

/// What ends an answer that is none, or not all of one, and what a person can do.
fn check_ending(end: &TurnEnd, run: &RunHandle<'_>) -> Result<(), Leave> {
    let said = run.said_now();
    Err(Leave::failed(match &end.ending {
        Ending::Length if said => {
            "the answer reached the model's limit of tokens and is cut off; ask it to go on, or raise the limit at its server"
                .to_owned()
        }
        Ending::Length => {
            "the model reached its limit of tokens before it answered; ask for less, or raise the limit at its server".to_owned()
        }
        Ending::Filtered => {
            "the content filter of the model's server cut the answer off; put the question another way".to_owned()
        }
        Ending::Refused if !said => "the model refused to answer; put the question another way".to_owned(),
        Ending::Other(reason) if !said && end.calls.is_empty() => format!(
            "the model's server ended the answer without a word and gave the reason {reason:?}; try again, or ask in another way"
        ),
        Ending::Done | Ending::Refused | Ending::Other(_) if !end.calls.is_empty() || !run.text().is_empty() => return Ok(()),
        Ending::Done | Ending::Refused | Ending::Other(_) if run.thought_now() => {
            "the model thought and gave no answer; try again, or raise its limit of tokens".to_owned()
        }
        Ending::Done | Ending::Refused | Ending::Other(_) => {
            "the model ended its turn without a word; try again, or ask in another way".to_owned()
        }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices() {
        let price = Price { input: 0.15, output: 0.60 };
        let usage = |prompt_tokens, completion_tokens| Usage { prompt_tokens, completion_tokens, ..Usage::default() };
        assert_eq!(price.of(usage(1_000_000, 0)), 150_000, "15 cents");
        assert_eq!(price.of(usage(0, 1_000_000)), 600_000);
        assert_eq!(price.of(usage(7, 11)), 8);
        assert!(price.of(usage(u64::MAX, u64::MAX)) > 0);
        assert_eq!(Price { input: -1.0, output: 0.0 }.of(usage(1, 1)), 0);
    }
}
