//! Words in place of an answer: while a question waits, what is written in the message box may be the reason not to do what the
//! agent asks for, which the agent is told. Sent in the usual way it waits until the question is answered.

use leptos::{prelude::*, wasm_bindgen::JsCast, web_sys::HtmlElement};
use netra_ws::{
    ThreadId,
    model::{Attachment, ChoiceKind, Step},
    payload::{Decision, ToolApproval},
};

use crate::app::{
    keyboard,
    socket::{Socket, use_socket},
    standing::Standing,
    store::use_store,
    view::{Erase, memo, view, when, words},
};

/// The button that sends, whose way the words go.
const SEND: &str = "form.composer button[type=submit]";

/// A question that waits.
#[derive(Clone, PartialEq)]
struct Open {
    tool_call_id: String,
    tool: String,
    agent: String,
    /// The option that says no, where options are offered.
    option: Option<String>,
}

/// The question that waits longest, and whether what is sent next answers it.
#[derive(Clone, Copy)]
pub(crate) struct Answering {
    thread: ThreadId,
    socket: StoredValue<Socket>,
    question: Memo<Option<Open>>,
    meant: StoredValue<bool>,
    /// Takes words that came too late.
    back: RwSignal<Option<String>>,
}

/// For the conversation that a page shows.
pub(crate) fn provide_answering(thread: ThreadId, back: RwSignal<Option<String>>) -> Answering {
    let app = use_store();
    let store = app.thread(thread);
    let question = memo(move || {
        store.waiting(|run| {
            let call = run.steps.iter().find_map(|step| match step {
                Step::Tool(call) if call.approval_expires_at.is_some() => Some(call),
                Step::Tool(_) | Step::Thinking { .. } | Step::Progress { .. } | Step::Unknown(_) => None,
            })?;
            let options = call.question.as_ref().map_or(&[][..], |question| &question.options);
            let no = options.iter().find(|option| option.kind == ChoiceKind::RejectOnce);
            Some(Open {
                tool_call_id: call.tool_call_id.clone(),
                tool: call.tool.clone(),
                agent: run.agent.clone(),
                option: no.map(|option| option.id.clone()).filter(|id| !id.is_empty()),
            })
        })
    });
    Answering { thread, socket: StoredValue::new(use_socket()), question, meant: StoredValue::new(false), back }
}

impl Answering {
    /// Whether these words answer the question; then they are on their way.
    pub(crate) fn takes(self, content: &str, files: &[Attachment]) -> bool {
        let Some(open) = self.question.get_untracked().filter(|_| self.meant.get_value() && files.is_empty()) else {
            return false;
        };
        let decision = ToolApproval {
            tool_call_id: open.tool_call_id,
            decision: Decision::Deny,
            reason: Some(content.trim().to_owned()),
            option: open.option,
            answer: None,
        };
        let (back, content) = (self.back, content.to_owned());
        let refused = move || _ = back.try_set(Some(content));
        self.socket.with_value(|socket| socket.decide(self.thread, decision, refused));
        true
    }

    /// What is in the message box goes out as the answer.
    fn send(self) {
        let button = document().query_selector(SEND).ok().flatten();
        let Some(button) = button.and_then(|button| button.dyn_into::<HtmlElement>().ok()) else { return };
        self.meant.set_value(true);
        button.click();
        // What could not be sent is asked for again.
        self.meant.set_value(false);
        keyboard::focus_composer();
    }

    /// The line above the message box.
    pub(crate) fn view(self) -> AnyView {
        let discovery = use_store().discovery;
        let reads_only = use_context::<Standing>();
        let may = move || !reads_only.is_some_and(|standing| standing.0.get());
        let waits = memo(move || may() && self.question.with(Option::is_some));
        let told = move || {
            let Some(open) = self.question.get() else { return String::new() };
            let agent = discovery.with(|discovery| {
                let known = discovery.agents.iter().find(|agent| agent.name == open.agent);
                known.map_or_else(|| open.agent.clone(), |agent| agent.title.clone())
            });
            format!("{agent} waits for an answer about {}. A message goes out after that.", open.tool)
        };
        when(
            move || waits.get(),
            move || {
                view! {
                    <div class="instead" role="group" aria-label="A question waits">
                        <p>{words(told.clone())}</p>
                        <button
                            type="button"
                            class="button"
                            title="The agent does not do it, and is told these words"
                            on:mousedown=|event| event.prevent_default()
                            on:click=move |_| self.send()
                        >
                            "Answer with this instead"
                        </button>
                    </div>
                }
                .erase()
            },
        )
    }
}
