//! The rules of a log and of a run.

use std::collections::{HashMap, HashSet};

use netra_ws::{
    MessageId, RunId, ServerFrame, ThreadId,
    message::{Event, FrameMessage as _},
    model::ToolStatus,
};

use super::Fault;

/// The durable events of a thread among the frames, as they came.
pub(super) fn events_of(frames: &[ServerFrame], thread: ThreadId) -> Vec<ServerFrame> {
    frames.iter().filter(|frame| frame.seq.is_some() && frame.thread_id == Some(thread)).cloned().collect()
}

/// Each event follows the one before it, after `after`, in one epoch.
pub(super) fn dense(events: &[ServerFrame], after: u64) -> Result<(), Fault> {
    for (event, seq) in events.iter().zip(after + 1..) {
        if event.seq != Some(seq) {
            return Err(format!("event {:?} came where {seq} was next", event.seq.unwrap_or_default()));
        }
        if event.epoch != events[0].epoch {
            return Err(format!("event {seq} has another epoch than those before it"));
        }
    }
    Ok(())
}

/// Whether the event adds the message.
pub(super) fn adds(event: &ServerFrame, message: MessageId) -> bool {
    matches!(event.message.event(), Some(Event::ThreadMessage(said)) if said.message_id == message)
}

/// Whether the event ends the run.
pub(super) fn ends(event: &ServerFrame, run: RunId) -> bool {
    event.run_id == Some(run) && event.message.event().is_some_and(Event::is_terminal)
}

/// A run that has ended: started first, every tool call completed once, one end, nothing after it.
pub(super) fn whole_run(events: &[ServerFrame], run: RunId) -> Result<usize, Fault> {
    let own: Vec<&ServerFrame> = events.iter().filter(|event| event.run_id == Some(run)).collect();
    let name = |event: &ServerFrame| event.message.info().name;
    let first = own.first().ok_or("the run has no events")?;
    if !matches!(first.message.event(), Some(Event::AgentStarted(_))) {
        return Err(format!("the run begins with `{}`, not with `agent_started`", name(first)));
    }
    // Open calls with their tools, ids of calls that there were, and the answer so far.
    let (mut calls, mut called, mut text) = (HashMap::new(), HashSet::new(), String::new());
    // Calls that wait for a person, with their tools.
    let mut asked = HashMap::new();
    for (place, event) in own.iter().enumerate() {
        let last = place + 1 == own.len();
        match event.message.event() {
            Some(Event::ToolApprovalRequired(call)) => {
                if !called.insert(call.tool_call_id.clone()) {
                    return Err(format!("the call {} begins twice", call.tool_call_id));
                }
                asked.insert(call.tool_call_id.clone(), call.tool.clone());
            }
            Some(Event::ToolExecuting(call)) if asked.remove(&call.tool_call_id).is_some() => {
                calls.insert(call.tool_call_id.clone(), call.tool.clone());
            }
            Some(Event::ToolExecuting(call)) => {
                if !called.insert(call.tool_call_id.clone()) {
                    return Err(format!("the call {} begins twice", call.tool_call_id));
                }
                calls.insert(call.tool_call_id.clone(), call.tool.clone());
            }
            Some(Event::ToolCompleted(call)) => {
                // What nobody allowed never begins.
                let refused = asked.remove(&call.tool_call_id).filter(|_| call.status == ToolStatus::Denied);
                let tool = refused.or_else(|| calls.remove(&call.tool_call_id)).ok_or_else(|| {
                    format!("the call {} completes without having begun, or twice", call.tool_call_id)
                })?;
                if tool != call.tool {
                    return Err(format!("the call {} of {tool:?} completes as {:?}", call.tool_call_id, call.tool));
                }
            }
            Some(Event::PartialResult(piece)) => {
                if piece.reset {
                    text.clear();
                }
                if piece.pos != text.len() as u64 {
                    return Err(format!("a piece for byte {} came at byte {}", piece.pos, text.len()));
                }
                text.push_str(&piece.delta);
            }
            Some(Event::AgentResponse(whole)) if whole.content != text => {
                let (said, pieces) = (whole.content.len(), text.len());
                return Err(format!(
                    "`agent_response` ({said} bytes) is not what its pieces amount to ({pieces} bytes)"
                ));
            }
            Some(Event::AgentCompleted(_) | Event::AgentError(_)) if !last => {
                return Err(format!("`{}` comes after the run's end", name(own[place + 1])));
            }
            _ => {}
        }
    }
    if let Some(call) = calls.keys().chain(asked.keys()).next() {
        return Err(format!("the call {call} never completes"));
    }
    match own.last().filter(|event| ends(event, run)) {
        Some(_) => Ok(own.len()),
        None => Err("the run has no end".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use netra_ws::{frame::Frame, payload as p};
    use serde_json::Value;

    use super::*;

    fn run_of(messages: Vec<Event>) -> (Vec<ServerFrame>, RunId) {
        let (run, thread) = (RunId::new(), ThreadId::new());
        let frame = |(event, seq): (Event, u64)| {
            let mut frame = Frame::new(event.into()).in_thread(thread);
            (frame.run_id, frame.seq, frame.epoch) = (Some(run), Some(seq), Some("0000aaaa".to_owned()));
            frame
        };
        (messages.into_iter().zip(1..).map(frame).collect(), run)
    }

    fn started() -> Event {
        let agent = "guide".to_owned();
        Event::AgentStarted(p::AgentStarted {
            agent,
            answers: None,
            parent_run_id: None,
            tool_call_id: None,
            model: None,
            iteration: 1,
        })
    }

    fn calls(id: &str) -> Event {
        let (tool, agent) = ("calculate".to_owned(), "guide".to_owned());
        let arguments = netra_ws::model::Object::new();
        Event::ToolExecuting(p::ToolExecuting { tool_call_id: id.to_owned(), tool, agent, arguments, decided_by: None })
    }

    fn returns(id: &str) -> Event {
        let (tool_call_id, tool) = (id.to_owned(), "calculate".to_owned());
        let (status, result) = (ToolStatus::Ok, Value::from(42));
        Event::ToolCompleted(p::ToolCompleted { tool_call_id, tool, status, result, duration_ms: 1, decided_by: None })
    }

    fn of_another_tool(mut message: Event) -> Event {
        if let Event::ToolCompleted(call) = &mut message {
            "date_time".clone_into(&mut call.tool);
        }
        message
    }

    fn says(delta: &str, pos: u64) -> Event {
        let message_id = MessageId::new();
        let delta = delta.to_owned();
        Event::PartialResult(p::PartialResult { message_id, delta, pos, reset: false })
    }

    fn said(content: &str) -> Event {
        let (message_id, content) = (MessageId::new(), content.to_owned());
        Event::AgentResponse(p::AgentResponse { message_id, content, usage: None })
    }

    fn done() -> Event {
        let (agent, status) = ("guide".to_owned(), p::CompletedStatus::Completed);
        Event::AgentCompleted(p::AgentCompleted { agent, status, duration_ms: 1, usage: None })
    }

    #[test]
    fn runs_that_keep_or_break_the_rules() {
        for (messages, fault) in [
            (vec![started(), calls("a"), returns("a"), done()], ""),
            (vec![calls("a"), returns("a"), done()], "begins with `tool_executing`"),
            (vec![started(), calls("a"), done()], "never completes"),
            (vec![started(), calls("a"), returns("a"), returns("a"), done()], "or twice"),
            (vec![started(), done(), started()], "after the run's end"),
            (vec![started(), done(), done()], "after the run's end"),
            (vec![started()], "has no end"),
            (vec![started(), calls("a"), returns("a"), calls("a"), returns("a"), done()], "begins twice"),
            (vec![started(), calls("a"), of_another_tool(returns("a")), done()], "completes as"),
            (vec![started(), says("It is ", 0), says("42.", 6), said("It is 42."), done()], ""),
            (vec![started(), says("It is ", 0), says("42.", 6), said("It is 43."), done()], "not what its pieces"),
            (vec![started(), said("It is 42."), done()], "not what its pieces"),
            (vec![started(), says("It is ", 1), done()], "came at byte 0"),
        ] {
            let (events, run) = run_of(messages);
            match whole_run(&events, run) {
                Ok(_) => assert_eq!(fault, ""),
                Err(why) => assert!(!fault.is_empty() && why.contains(fault), "{why}"),
            }
        }
    }

    #[test]
    fn logs_with_holes_doubles_and_two_epochs() {
        let (events, _) = run_of(vec![started(), calls("a"), returns("a"), done()]);
        assert_eq!(dense(&events, 0), Ok(()));
        assert!(dense(&events, 1).is_err(), "an event that was there before");
        assert!(dense(&[events[0].clone(), events[2].clone()], 0).is_err(), "a hole");
        assert!(dense(&[events[0].clone(), events[0].clone()], 0).is_err(), "a double");
        let mut other = events.clone();
        other[2].epoch = Some("0000bbbb".to_owned());
        assert!(dense(&other, 0).is_err_and(|why| why.contains("epoch")));
    }
}
