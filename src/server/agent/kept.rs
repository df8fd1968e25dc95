//! A run's turns as its model is shown them again: by whoever takes the run up, and by later runs of the thread. What was kept of
//! a turn goes back to the server that sent it; to any other, a turn is its words.

use netra_ws::{
    RunId,
    model::{Run, ToolCall},
};
use sha2::{Digest as _, Sha256};

use super::{
    calling::is_question,
    model::{ChatMessage, Replay, Source},
};
use crate::server::{
    store::{
        StoreError,
        model_turns::{KeptCall, KeptTurn, ModelTurns},
    },
    tool::ToolRequest,
};

/// The longest replay that is kept of one turn, in bytes of JSON. Beyond it the model's ids are kept, and not what it thought.
const MAX_REPLAY: usize = 256 << 10;

/// What is kept of a run's turns.
#[derive(Debug, Default)]
pub(super) struct KeptTurns(Vec<KeptTurn>);

impl KeptTurns {
    /// Reads what this source sent in the run.
    pub(super) async fn read<S: ModelTurns + ?Sized>(
        store: &S,
        run: RunId,
        source: &Source,
    ) -> Result<Self, StoreError> {
        match store.kept_turns(run, source.as_bytes()).await {
            Ok(turns) => Ok(Self(turns)),
            Err(StoreError::Corrupt(why)) => {
                tracing::warn!(run_id = %run, why, "what was kept of the model's turns cannot be read; they are told in words");
                Ok(Self::default())
            }
            Err(error) => Err(error),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What was kept of the run's end.
    pub(super) fn end(&self) -> Replay {
        self.0.last().filter(|turn| turn.calls.is_empty()).map(replay_of).unwrap_or_default()
    }

    /// The turn that a call belongs to, and the call's place in it.
    fn of_call(&self, call: &ToolCall) -> Option<(&KeptTurn, usize)> {
        let number: u32 = call.tool_call_id.rsplit('-').next()?.parse().ok()?;
        let turn = self.0.iter().rfind(|turn| turn.first_call <= number)?;
        let place = usize::try_from(number - turn.first_call).ok()?;
        (turn.calls.get(place)?.tool == call.tool).then_some((turn, place))
    }

    /// A call's id as its model knows it: the one that the model gave, or else one that any model takes.
    pub(super) fn id(&self, call: &ToolCall) -> String {
        let given = self.of_call(call).and_then(|(turn, place)| Some(turn.calls.get(place)?.id.clone()));
        given.unwrap_or_else(|| id_for_models(&call.tool_call_id))
    }

    /// The turns of a run that goes on: what was said, the calls that followed, and their results. `said_before` tells how much text
    /// stood before a call of whose turn nothing is kept.
    pub(super) fn turns(&self, run: &Run, said_before: impl Fn(&ToolCall) -> Option<usize>) -> Vec<ChatMessage> {
        let mut messages = Vec::new();
        let mut from = 0;
        let mut calls = run.tools().filter(|call| !is_question(call)).peekable();
        while let Some(call) = calls.next() {
            let turn = self.of_call(call).map(|(turn, _)| turn);
            let mut of_turn = vec![call];
            if let Some(turn) = turn {
                let same = |other: &&ToolCall| {
                    self.of_call(other).is_some_and(|(other, _)| other.first_call == turn.first_call)
                };
                while let Some(other) = calls.next_if(same) {
                    of_turn.push(other);
                }
            }
            let upto = turn.map(|turn| turn.said).or_else(|| said_before(call)).unwrap_or(from);
            let text = run.text.get(from..upto).unwrap_or_default().trim_start_matches('\n').to_owned();
            from = upto;
            let requests = of_turn.iter().map(|call| ToolRequest {
                id: self.id(call),
                tool: call.tool.clone(),
                arguments: Ok(call.arguments.clone()),
            });
            let replay = turn.map(replay_of).unwrap_or_default();
            messages.push(ChatMessage::Assistant { text, calls: requests.collect(), replay });
            messages.extend(of_turn.iter().map(|call| ChatMessage::Tool {
                id: self.id(call),
                name: call.tool.clone(),
                result: call.result.to_string(),
            }));
        }
        messages
    }

    /// All turns of a run that has ended; nothing where something of it is not kept, so that its words alone are told. `unanswered`
    /// stands for the answer of a run that ended without one.
    pub(super) fn exchange(&self, run: &Run, unanswered: &str) -> Option<Vec<ChatMessage>> {
        let whole = |call: &ToolCall| {
            call.status.is_some() && self.of_call(call).is_some_and(|(turn, _)| turn.replay.is_some())
        };
        let calls = || run.tools().filter(|call| !is_question(call));
        if !run.has_ended() || !calls().all(whole) {
            return None;
        }
        let last = self.0.last().filter(|turn| turn.calls.is_empty() && turn.said == run.text.len());
        // A remote agent may want to see again what belongs to its words alone.
        let words_alone = last.filter(|_| calls().next().is_none()).map(|_| 0);
        let said = calls().filter_map(|call| Some(self.of_call(call)?.0.said)).max().or(words_alone)?;
        let mut messages = self.turns(run, |_| None);
        let answer = run.text.get(said..)?.trim_start_matches('\n');
        let text = if answer.trim().is_empty() { unanswered } else { answer }.to_owned();
        messages.push(ChatMessage::Assistant {
            text,
            calls: Vec::new(),
            replay: last.map(replay_of).unwrap_or_default(),
        });
        Some(messages)
    }
}

/// A turn as it is kept. A replay that is too long is left out.
pub(super) fn kept(run: RunId, first_call: u32, calls: &[ToolRequest], said: usize, replay: &Replay) -> KeptTurn {
    let replay = Some(replay.0.to_string()).filter(|replay| {
        let fits = replay.len() <= MAX_REPLAY;
        if !fits {
            let bytes = replay.len();
            tracing::warn!(run_id = %run, bytes, most = MAX_REPLAY, "what the model wants to see again is too long to be kept");
        }
        fits
    });
    let calls = calls.iter().map(|call| KeptCall { id: call.id.clone(), tool: call.tool.clone() });
    KeptTurn { first_call, calls: calls.collect(), said, replay }
}

fn replay_of(turn: &KeptTurn) -> Replay {
    Replay(turn.replay.as_deref().and_then(|replay| serde_json::from_str(replay).ok()).unwrap_or_default())
}

/// A call's id as any model takes it: nine letters and digits, the same for the same call.
fn id_for_models(tool_call_id: &str) -> String {
    const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    Sha256::digest(tool_call_id)
        .iter()
        .take(9)
        .map(|byte| char::from(DIGITS[usize::from(*byte) % DIGITS.len()]))
        .collect()
}

#[cfg(test)]
mod tests {
    use netra_ws::model::{Object, RunStatus, Step, ToolStatus};
    use serde_json::{Value, json};

    use super::*;

    /// A run that called these tools and said this, and has ended.
    fn run(tools: &[&str], text: &str) -> Run {
        let run_id = RunId::new();
        let mut run = Run::queued(run_id, "assistant".to_owned(), None);
        run.status = RunStatus::Completed;
        text.clone_into(&mut run.text);
        run.steps = (1..)
            .zip(tools)
            .map(|(number, tool)| {
                Step::Tool(ToolCall {
                    tool_call_id: format!("{run_id}-{number}"),
                    tool: (*tool).to_owned(),
                    arguments: Object::new(),
                    status: Some(ToolStatus::Ok),
                    approval_expires_at: None,
                    question: None,
                    decided_by: None,
                    result: json!(number),
                    duration_ms: None,
                })
            })
            .collect();
        run
    }

    fn turn(first_call: u32, tools: &[&str], said: usize, replay: &Value) -> KeptTurn {
        let calls =
            (first_call..).zip(tools).map(|(n, tool)| KeptCall { id: format!("m{n}"), tool: (*tool).to_owned() });
        KeptTurn { first_call, calls: calls.collect(), said, replay: Some(replay.to_string()) }
    }

    /// Messages as `text[ids]`, `=id` and what goes back.
    fn shape(messages: &[ChatMessage]) -> String {
        let one = |message: &ChatMessage| match message {
            ChatMessage::User { text, .. } => text.clone(),
            ChatMessage::Assistant { text, calls, replay } => {
                let ids: Vec<&str> = calls.iter().map(|call| call.id.as_str()).collect();
                format!(
                    "{text}[{}]{}",
                    ids.join(","),
                    if replay.0.is_null() { String::new() } else { replay.0.to_string() }
                )
            }
            ChatMessage::Tool { id, result, .. } => format!("={id}:{result}"),
        };
        messages.iter().map(one).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_run_is_told_as_its_model_told_it() {
        let run = run(&["a", "b", "c"], "One.\n\nTwo.\n\nDone.");
        let turns =
            vec![turn(1, &["a", "b"], 4, &json!([1])), turn(3, &["c"], 10, &json!([2])), turn(4, &[], 17, &json!([3]))];
        let kept = KeptTurns(turns.clone());
        let told = kept.exchange(&run, "-").expect("all of it is kept");
        assert_eq!(shape(&told), "One.[m1,m2][1] =m1:1 =m2:2 Two.[m3][2] =m3:3 Done.[][3]");

        // A process that ended between two calls of a turn: the next turn took the number of the call that did not begin.
        let cut = KeptTurns(vec![turn(1, &["a", "b", "x"], 4, &json!([1])), turns[1].clone()]);
        assert_eq!(shape(&cut.turns(&run, |_| None)), "One.[m1,m2][1] =m1:1 =m2:2 Two.[m3][2] =m3:3");
    }

    #[test]
    fn what_is_not_kept_whole_is_told_in_words() {
        let run = run(&["a", "b"], "One.\n\nDone.");
        let told = |turns: Vec<KeptTurn>| KeptTurns(turns).exchange(&run, "-").map(|messages| shape(&messages));
        assert_eq!(told(vec![]), None);
        assert_eq!(told(vec![turn(1, &["a"], 4, &json!([]))]), None, "a turn is missing");
        assert_eq!(told(vec![turn(1, &["a", "z"], 4, &json!([]))]), None, "another call");
        let too_long = KeptTurn { replay: None, ..turn(1, &["a", "b"], 4, &json!([])) };
        assert_eq!(told(vec![too_long.clone()]), None);
        assert_eq!(
            told(vec![turn(1, &["a", "b"], run.text.len(), &json!([]))]).as_deref(),
            Some("One.\n\nDone.[m1,m2][] =m1:1 =m2:2 -[]"),
            "stopped before an answer"
        );
        // A run that goes on has its ids all the same, and made ones for what is not kept at all.
        assert_eq!(shape(&KeptTurns(vec![too_long]).turns(&run, |_| None)), "One.[m1,m2] =m1:1 =m2:2");
        let made = shape(&KeptTurns::default().turns(&run, |_| Some(4)));
        let ids: Vec<&str> = made.split(['[', ']']).skip(1).step_by(2).collect();
        assert!(made.starts_with("One.[") && ids.iter().all(|id| id.len() == 9), "{made}");
    }

    #[test]
    fn a_replay_has_a_limit() {
        let keep = |length: usize| kept(RunId::new(), 1, &[], 0, &Replay(json!("r".repeat(length)))).replay.is_some();
        assert!(keep(MAX_REPLAY - 2));
        assert!(!keep(MAX_REPLAY - 1));
    }
}
