//! A question to a person: what is asked, until when, and the ways to answer. The answer is a command like any other; the card is
//! closed by the event that tells of the decision, whoever took it and in whichever tab.

use leptos::{ev::MouseEvent, prelude::*};
use netra_ws::{
    model::{Choice, ChoiceKind, Object, Question, ToolCall},
    payload::{Decision, ToolApproval},
};

use super::{
    form_fields::{fields_of, input},
    stamp::stamp,
    tool_data::{Data, Source, shown},
};
use crate::app::{
    socket::use_socket,
    standing::ReadsOnly,
    view::{Erase, Key, Row, list, live, memo, view, when, words},
};

/// What is asked about a call that waits.
#[component]
pub(super) fn Approval(call: Memo<Option<ToolCall>>, source: Source) -> impl IntoView {
    let socket = use_socket();
    let reads_only = use_context::<ReadsOnly>();
    let may_decide = move || !reads_only.is_some_and(|only| only.0.get());
    // Pressed here and not yet told of; a refusal shows above the composer and opens the question again.
    let decided = RwSignal::new(false);
    let filled = StoredValue::new(Object::new());
    let reason = StoredValue::new(String::new());
    let question = memo(move || {
        call.with(|call| call.as_ref().and_then(|call| call.question.as_deref().cloned()).unwrap_or_default())
    });
    let asked = move || {
        let tool = call.with(|call| call.as_ref().map(|call| call.tool.clone()).unwrap_or_default());
        question.with(|question| question.message.clone()).unwrap_or_else(|| format!("May the agent use {tool}?"))
    };
    let until = call.with_untracked(|call| call.as_ref().and_then(|call| call.approval_expires_at));
    let data = Data::new(call, source);
    let arguments = data.arguments();
    let has_arguments =
        move || arguments.with(|arguments| arguments.as_object().is_none_or(|fields| !fields.is_empty()));
    let decide = Callback::new(move |choice: Choice| {
        if decided.get_untracked() {
            return;
        }
        let Some(tool_call_id) = call.with_untracked(|call| call.as_ref().map(|call| call.tool_call_id.clone())) else {
            return;
        };
        let approves = choice.kind.allows().unwrap_or(true);
        let has_form = question.with_untracked(|question| question.form.is_some());
        decided.set(true);
        let decision = ToolApproval {
            tool_call_id,
            decision: if approves { Decision::Approve } else { Decision::Deny },
            reason: (!approves).then(|| reason.get_value().trim().to_owned()).filter(|reason| !reason.is_empty()),
            option: (!choice.id.is_empty()).then_some(choice.id),
            answer: (approves && has_form).then(|| filled.get_value()),
        };
        socket.decide(source.thread, decision, move || _ = decided.try_set(false));
    });
    let buttons = move || {
        question
            .with(choices)
            .into_iter()
            .enumerate()
            .map(|(at, choice)| Row::new(Key::At(at), move || button(choice.clone(), decide, decided)))
            .collect()
    };
    let fields = move || {
        question
            .with(|question| question.form.as_ref().map(fields_of).unwrap_or_default())
            .into_iter()
            .enumerate()
            .map(|(at, field)| Row::new(Key::At(at), move || input(&field, filled)))
            .collect()
    };
    view! {
        <section class="approval" role="group" aria-label="The agent asks">
            <p class="approval-question" dir="auto">
                {words(asked)}
            </p>
            {when(has_arguments, move || shown("Arguments", arguments))}
            {data.more("Show all of it", vec![arguments])}
            <div class="approval-fields">{list(fields)}</div>
            <div class="approval-choices">{when(may_decide, move || list(buttons))}</div>
            <label class="approval-field">
                <span>"If not, why, or what instead (optional)"</span>
                <input type="text" dir="auto" maxlength="2000" on:input=move |event| reason.set_value(event_target_value(&event)) />
            </label>
            <p class="approval-until">"Waits for you. Unanswered, it is denied at " {until.map(stamp)} "."</p>
        </section>
    }
    .erase()
}

/// What can be chosen; yes and no where nothing else is offered, and of a form whether it is sent.
fn choices(question: &Question) -> Vec<Choice> {
    if !question.options.is_empty() {
        return question.options.clone();
    }
    let choice = |label: &str, kind| Choice { id: String::new(), label: label.to_owned(), kind };
    let (yes, no) = if question.form.is_some() { ("Send", "Decline") } else { ("Yes", "No") };
    vec![choice(yes, ChoiceKind::AllowOnce), choice(no, ChoiceKind::RejectOnce)]
}

fn button(choice: Choice, decide: Callback<Choice>, decided: RwSignal<bool>) -> AnyView {
    let class = if choice.kind == ChoiceKind::AllowOnce { "button primary" } else { "button" };
    let label = choice.label.clone();
    view! {
        <button
            type="button"
            class=class
            disabled=live(move || decided.get())
            on:click=move |_: MouseEvent| decide.run(choice.clone())
        >
            {label}
        </button>
    }
    .erase()
}
