//! Questions to people: AG-UI's interrupts end the agent's own run, and go back answered with the next. What was asked is kept, so
//! that the answer may come in a week, to another process.

use netra_ws::model::{Choice, ChoiceKind, Object, Question};
use serde_json::{Value, json};

use super::{
    super::{Asked, Leave, RunHandle},
    read::Interrupt,
};
use crate::server::{form, store::questions::Verdict};

/// What a question is called where the agent gives no reason.
const NAME: &str = "question";

/// The field of a form that takes any words.
const WORDS: &str = "answer";

/// What the next request needs to know of the one that asked.
#[derive(Debug, Default)]
pub(super) struct Pending {
    /// What the agent wants to see again: its state, its messages and its questions.
    pub(super) kept: Value,
}

impl Pending {
    /// What was kept, if it has questions.
    pub(super) fn of(kept: Value) -> Option<Self> {
        kept["interrupts"].as_array().is_some_and(|asked| !asked.is_empty()).then_some(Self { kept })
    }

    /// Puts the questions of a run that ended with them to what is kept of it. `before` were asked already.
    pub(super) fn new(mut kept: Value, interrupts: &[Interrupt], before: u32) -> Self {
        if !kept.is_object() {
            kept = json!({});
        }
        let asked = interrupts.iter().map(
            |asked| json!({ "id": asked.id, "message": asked.message, "call": asked.call, "schema": asked.schema }),
        );
        kept["interrupts"] = asked.collect();
        kept["before"] = before.into();
        Self { kept }
    }

    /// Asks people; gives what the agent is answered, or leaves until they have decided.
    pub(super) async fn answers(&self, run: &mut RunHandle<'_>) -> Result<Vec<Value>, Leave> {
        let before = self.kept["before"].as_u64().and_then(|before| u32::try_from(before).ok());
        run.skip_questions(before.unwrap_or_default());
        let mut answers = Vec::new();
        for interrupt in self.kept["interrupts"].as_array().into_iter().flatten() {
            let way = Way::of(&interrupt["schema"]);
            let verdict = run.ask(way.question(interrupt)).await?;
            answers.push(way.answer(&interrupt["id"], &verdict));
        }
        Ok(answers)
    }
}

/// How an answer is shaped.
enum Way {
    /// Yes or no, as AG-UI recommends it for tools.
    Approval,
    /// A form that people can be shown.
    Form(Object),
    /// Any words, or none.
    Words,
}

impl Way {
    fn of(schema: &Value) -> Self {
        if schema["properties"]["approved"]["type"] == "boolean" {
            return Self::Approval;
        }
        match serde_json::from_value::<Object>(schema.clone()) {
            Ok(fields) if form::check_form(&fields).is_ok() => Self::Form(fields),
            Ok(_) | Err(_) => Self::Words,
        }
    }

    fn question(&self, interrupt: &Value) -> Asked {
        let choice = |id: &str, label: &str, kind| Choice { id: id.to_owned(), label: label.to_owned(), kind };
        let yes_or_no =
            || vec![choice("yes", "Allow", ChoiceKind::AllowOnce), choice("no", "Deny", ChoiceKind::RejectOnce)];
        let (options, form) = match self {
            Self::Approval => (yes_or_no(), None),
            Self::Form(fields) => (Vec::new(), Some(fields.clone())),
            Self::Words => (Vec::new(), words()),
        };
        let message = interrupt["message"].as_str().filter(|words| !words.is_empty()).map(str::to_owned);
        let question =
            Question { message: message.or_else(|| Some("The agent asks for your word.".to_owned())), options, form };
        Asked { name: NAME.to_owned(), arguments: Object::new(), question }
    }

    /// What the agent is sent.
    fn answer(&self, id: &Value, verdict: &Verdict) -> Value {
        let resolved = |payload: Value| json!({ "interruptId": id, "status": "resolved", "payload": payload });
        match (self, verdict) {
            (Self::Approval, Verdict::Approved { .. }) => resolved(json!({ "approved": true })),
            (Self::Approval, Verdict::Denied { reason }) => {
                let mut payload = json!({ "approved": false });
                if let Some(reason) = reason {
                    payload["reason"] = reason.as_str().into();
                }
                resolved(payload)
            }
            (Self::Form(_), Verdict::Approved { answer, .. }) => resolved(json!(answer.clone().unwrap_or_default())),
            (Self::Words, Verdict::Approved { answer, .. }) => {
                let words = answer.as_ref().and_then(|answer| answer.get(WORDS)?.as_str()).map(str::trim);
                resolved(match words {
                    Some(words) if !words.is_empty() => words.into(),
                    Some(_) | None => true.into(),
                })
            }
            (_, Verdict::Open | Verdict::Expired | Verdict::Denied { .. }) => {
                json!({ "interruptId": id, "status": "cancelled" })
            }
        }
    }
}

/// The form of one field for any words.
fn words() -> Option<Object> {
    let fields = json!({ "type": "object", "properties": { WORDS: { "type": "string", "title": "Answer" } } });
    serde_json::from_value(fields).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_every_shape() {
        let check = |schema: Value, verdict: Verdict, wanted: Value| {
            assert_eq!(Way::of(&schema).answer(&json!("i"), &verdict), wanted, "{schema} {verdict:?}");
        };
        let resolved = |payload: Value| json!({ "interruptId": "i", "status": "resolved", "payload": payload });
        let cancelled = json!({ "interruptId": "i", "status": "cancelled" });
        let answered = |fields: Value| Verdict::Approved { option: None, answer: serde_json::from_value(fields).ok() };
        let denied = || Verdict::Denied { reason: Some("no".to_owned()) };
        let approval =
            json!({ "properties": { "approved": { "type": "boolean" }, "editedArgs": { "type": "object" } } });
        check(approval.clone(), answered(Value::Null), resolved(json!({ "approved": true })));
        check(approval.clone(), denied(), resolved(json!({ "approved": false, "reason": "no" })));
        check(approval, Verdict::Expired, cancelled.clone());
        let form = json!({ "type": "object", "properties": { "city": { "type": "string" } } });
        check(form.clone(), answered(json!({ "city": "Ulm" })), resolved(json!({ "city": "Ulm" })));
        check(form, denied(), cancelled.clone());
        let nested = json!({ "type": "object", "properties": { "x": { "type": "array" } } });
        check(nested, answered(json!({ "answer": " fine " })), resolved(json!("fine")));
        check(Value::Null, answered(Value::Null), resolved(json!(true)));
        check(Value::Null, denied(), cancelled);
    }
}
