//! An agent asks whether it may: its options as a person is shown them, and the answer.

use netra_ws::model::{Choice, ChoiceKind, Question};
use serde_json::{Value, json};

use super::super::{Asked, remote::read::acp::Requested};
use crate::server::store::questions::Verdict;

/// Options of one question.
const MAX_OPTIONS: usize = 16;

/// Bytes of a question's arguments beyond which they are not shown whole.
const LONGEST: usize = 24 << 10;

/// What can be chosen, as the agent has it.
#[derive(Clone, Debug, Default)]
pub(super) struct Options(Vec<Choice>);

impl Options {
    pub(super) fn of(params: &Value) -> Self {
        let choice = |option: &Value| {
            let text = |name: &str| option[name].as_str().filter(|text| !text.is_empty());
            let kind = match text("kind")? {
                "allow_once" => ChoiceKind::AllowOnce,
                "allow_always" => ChoiceKind::AllowAlways,
                "reject_once" => ChoiceKind::RejectOnce,
                "reject_always" => ChoiceKind::RejectAlways,
                _ => return None,
            };
            let label = text("name").unwrap_or("Go on").replace('\0', "").chars().take(200).collect();
            Some(Choice { id: text("optionId")?.to_owned(), label, kind })
        };
        Self(params["options"].as_array().into_iter().flatten().filter_map(choice).take(MAX_OPTIONS).collect())
    }

    fn first(&self, kinds: [ChoiceKind; 2]) -> Option<&str> {
        kinds.iter().find_map(|kind| self.0.iter().find(|choice| choice.kind == *kind)).map(|choice| choice.id.as_str())
    }

    /// What the agent is answered, and whether it may.
    pub(super) fn answer(&self, verdict: &Verdict) -> (Value, bool) {
        let (chosen, allowed) = match verdict {
            Verdict::Approved { option, .. } => {
                let named = option.as_deref().filter(|id| self.0.iter().any(|choice| choice.id == *id));
                (named.or_else(|| self.first([ChoiceKind::AllowOnce, ChoiceKind::AllowAlways])), true)
            }
            Verdict::Denied { .. } | Verdict::Expired | Verdict::Open => {
                (self.first([ChoiceKind::RejectOnce, ChoiceKind::RejectAlways]), false)
            }
        };
        match chosen {
            Some(id) => (json!({ "outcome": { "outcome": "selected", "optionId": id } }), allowed),
            None => (cancelled(), false),
        }
    }
}

/// Nobody answers.
pub(super) fn cancelled() -> Value {
    json!({ "outcome": { "outcome": "cancelled" } })
}

/// The question as a person is shown it.
pub(super) fn question(requested: &Requested, options: &Options) -> Asked {
    let mut arguments = requested.arguments.clone();
    if json!(arguments).to_string().len() > LONGEST {
        let text = json!(arguments).to_string();
        let start = &text[..text.floor_char_boundary(LONGEST / 2)];
        arguments = serde_json::Map::from_iter([("start".to_owned(), format!("{start}…").into())]);
    }
    let message = match requested.title.as_str() {
        "" => "The agent asks whether it may do this.".to_owned(),
        title => format!("The agent asks whether it may do this: {title}"),
    };
    let question = Question { message: Some(message), options: options.0.clone(), form: None };
    Asked { name: requested.tool.clone(), arguments, question }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts_become_options() {
        let options = Options::of(&json!({ "options": [
            { "optionId": "y", "name": "Yes", "kind": "allow_once" },
            { "optionId": "a", "name": "Always", "kind": "allow_always" },
            { "optionId": "n", "name": "No", "kind": "reject_once" },
            { "optionId": "z", "kind": "of_tomorrow" }, 3,
        ] }));
        let check = |options: &Options, verdict: Verdict, id: Option<&str>, allowed: bool| {
            let wanted =
                id.map_or_else(cancelled, |id| json!({ "outcome": { "outcome": "selected", "optionId": id } }));
            assert_eq!(options.answer(&verdict), (wanted, allowed), "{verdict:?}");
        };
        let approved = |option: Option<&str>| Verdict::Approved { option: option.map(str::to_owned), answer: None };
        check(&options, approved(Some("a")), Some("a"), true);
        check(&options, approved(Some("of somebody")), Some("y"), true);
        check(&options, approved(None), Some("y"), true);
        check(&options, Verdict::Denied { reason: None }, Some("n"), false);
        check(&options, Verdict::Expired, Some("n"), false);
        check(&Options::default(), approved(None), None, false);
    }
}
