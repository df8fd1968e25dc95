//! Netra's own export: messages and whole runs. Ids are given anew; who else wrote is named in the text.

use std::collections::HashMap;

use netra_ws::{
    MessageId, RunId, Timestamp,
    message::Event,
    model::{Message, MessageRole, Run, RunStatus, Step, ToolStatus},
    payload::{
        AgentCompleted, AgentProgress, AgentResponse, AgentStarted, AgentThinking, CompletedStatus, ToolCompleted,
        ToolExecuting,
    },
};
use serde_json::Value;

use super::{Events, LeftOut, MOST_MESSAGES, bounded, count, events::short};

pub(super) fn events(entry: Value, left_out: &mut LeftOut) -> Result<Events, &'static str> {
    let Value::Object(mut entry) = entry else { return Err("entries that are no conversation") };
    if entry.get("version").and_then(Value::as_u64) != Some(1) {
        return Err("conversations of a newer version");
    }
    let thread = entry.get("thread").cloned().unwrap_or_default();
    let created_at = serde_json::from_value::<Timestamp>(thread["created_at"].clone()).ok();
    let mut events = Events::new(thread["title"].as_str().unwrap_or_default().to_owned(), created_at);
    let Some(Value::Array(turns)) = entry.remove("turns") else { return Err("entries that are no conversation") };
    if turns.len() > MOST_MESSAGES {
        return Err("conversations of more than 5,000 messages");
    }
    let mut ids: HashMap<MessageId, MessageId> = HashMap::new();
    let mut last = None;
    for mut turn in turns {
        let Ok(message) = serde_json::from_value::<Message>(turn["message"].take()) else {
            count(left_out, "messages that cannot be read");
            continue;
        };
        for _ in &message.attachments {
            count(left_out, "files");
        }
        let at = Some(message.created_at);
        if message.role == MessageRole::Assistant {
            let run = serde_json::from_value::<Run>(turn["run"].take()).ok();
            let asked = run.as_ref().and_then(|run| run.answers).and_then(|asked| ids.get(&asked)).copied().or(last);
            match (run, asked) {
                (Some(run), Some(asked)) => {
                    let id = answer(&mut events, asked, run, bounded(message.content, left_out), at);
                    ids.insert(message.message_id, id);
                }
                _ => count(left_out, "answers to nothing"),
            }
            continue;
        }
        let follows = match message.parent_id {
            Some(parent) if parent.is_beginning() => None,
            Some(parent) => ids.get(&parent).copied().or(last),
            None => last,
        };
        let id = events.person(bounded(message.content, left_out), follows, at);
        ids.insert(message.message_id, id);
        last = Some(id);
    }
    if events.messages() == 0 { Err("conversations without a message") } else { Ok(events) }
}

pub(super) fn answer(
    events: &mut Events,
    asked: MessageId,
    run: Run,
    content: String,
    at: Option<Timestamp>,
) -> MessageId {
    let (id, message_id) = (RunId::new(), MessageId::new());
    let agent = short(&run.agent);
    let started = AgentStarted {
        agent: agent.clone(),
        answers: Some(asked),
        parent_run_id: None,
        tool_call_id: None,
        model: run.model.as_deref().map(short),
        iteration: 1,
    };
    let mut told = vec![(run.started_at, Event::AgentStarted(started))];
    for (number, step) in run.steps.into_iter().enumerate() {
        match step {
            Step::Thinking { text, started_at, ended_at, .. } => {
                let thought =
                    |text: String| AgentThinking { agent: agent.clone(), thought: text, step: None, total_steps: None };
                told.push((Some(started_at), Event::AgentThinking(thought(String::new()))));
                told.push((Some(ended_at), Event::AgentThinking(thought(text))));
            }
            Step::Tool(call) => {
                let tool_call_id = format!("{id}-{}", number + 1);
                let tool = short(&call.tool);
                told.push((
                    None,
                    Event::ToolExecuting(ToolExecuting {
                        tool_call_id: tool_call_id.clone(),
                        tool: tool.clone(),
                        agent: agent.clone(),
                        arguments: call.arguments,
                        decided_by: None,
                    }),
                ));
                let completed = ToolCompleted {
                    tool_call_id,
                    tool,
                    status: call.status.unwrap_or(ToolStatus::Interrupted),
                    result: call.result,
                    duration_ms: call.duration_ms.unwrap_or_default(),
                    decided_by: None,
                };
                told.push((None, Event::ToolCompleted(completed)));
            }
            Step::Progress { message, fraction } => {
                let progress = AgentProgress { agent: agent.clone(), message, fraction };
                told.push((None, Event::AgentProgress(progress)));
            }
            Step::Unknown(_) => {}
        }
    }
    let response = AgentResponse { message_id, content, usage: run.usage };
    told.push((at, Event::AgentResponse(response)));
    let status = if run.status == RunStatus::Stopped { CompletedStatus::Stopped } else { CompletedStatus::Completed };
    let duration_ms = run.duration_ms.unwrap_or_default();
    let done = AgentCompleted { agent: agent.clone(), status, duration_ms, usage: run.usage };
    told.push((at, Event::AgentCompleted(done)));
    events.run(id, asked, agent, told);
    message_id
}
