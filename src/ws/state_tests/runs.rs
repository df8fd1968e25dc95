//! How events change a run.

use super::*;

/// A run after these events, the first at 10 ms, each ten later.
fn after(messages: impl IntoIterator<Item = Event>) -> Run {
    let run = RunId::new();
    let mut story = Story::default();
    for message in messages {
        story.then(Some(run), message);
    }
    story.fold().runs.remove(0).into_inner()
}

fn thoughts(run: &Run) -> Vec<(&str, u64, u64, bool)> {
    run.steps
        .iter()
        .filter_map(|step| match step {
            Step::Thinking { text, started_at, ended_at, active } => {
                Some((text.as_str(), started_at.as_millis(), ended_at.as_millis(), *active))
            }
            Step::Tool(_) | Step::Progress { .. } | Step::Unknown(_) => None,
        })
        .collect()
}

fn tools(run: &Run) -> Vec<(&str, Option<ToolStatus>)> {
    run.tools().map(|call| (call.tool_call_id.as_str(), call.status)).collect()
}

#[test]
fn a_run_goes_through_its_statuses() {
    let check = |messages: Vec<Event>, expected: RunStatus| {
        let run = after(messages.clone());
        assert_eq!(run.status, expected, "{messages:?}");
    };
    check(vec![started()], RunStatus::Running);
    check(vec![started(), thinks("hm")], RunStatus::Running);
    check(vec![started(), completes(CompletedStatus::Completed)], RunStatus::Completed);
    check(vec![started(), completes(CompletedStatus::Stopped)], RunStatus::Stopped);
    check(vec![completes(CompletedStatus::Stopped)], RunStatus::Stopped);
    check(vec![started(), fails()], RunStatus::Failed);
    // Taken up again after a crash.
    check(vec![started(), thinks("hm"), started()], RunStatus::Running);
}

#[test]
fn a_run_keeps_when_it_began_and_how_long_it_took() {
    let run = after([started(), thinks("hm"), started()]);
    assert_eq!((run.started_at, run.duration_ms), (Some(Timestamp::from_millis(10)), None));
    assert_eq!((run.agent.as_str(), run.model.as_deref()), ("guide", Some("model")));
    assert_eq!(after([started(), completes(CompletedStatus::Completed)]).duration_ms, Some(90));
    assert_eq!(after([started(), thinks("hm"), fails()]).duration_ms, Some(20), "by the server's clock");
    assert_eq!(after([fails()]).duration_ms, Some(0));
}

#[test]
fn a_failed_run_says_why() {
    let error = after([started(), fails()]).error.expect("an error");
    assert_eq!(
        (error.code, error.message.as_str(), error.retryable),
        (ErrorCode::UpstreamUnavailable, "no model", true)
    );
    assert_eq!(after([started(), completes(CompletedStatus::Completed)]).error, None);
}

#[test]
fn thoughts_are_joined_until_something_else_happens() {
    let check = |messages: Vec<Event>, expected: &[(&str, u64, u64, bool)]| {
        assert_eq!(thoughts(&after(messages.clone())), expected, "{messages:?}");
    };
    check(vec![started(), thinks("a")], &[("a", 20, 20, true)]);
    check(vec![started(), thinks("a"), thinks("b"), thinks("ü")], &[("abü", 20, 40, true)]);
    check(vec![started(), thinks("a"), calls("t")], &[("a", 20, 30, false)]);
    check(vec![started(), thinks("a"), calls("t"), thinks("b")], &[("a", 20, 30, false), ("b", 40, 40, true)]);
    check(vec![started(), thinks("a"), writes(MessageId::new(), 0, "x")], &[("a", 20, 30, false)]);
    check(vec![started(), thinks("a"), progresses("half", None)], &[("a", 20, 30, false)]);
    check(vec![started(), thinks("a"), fails()], &[("a", 20, 30, false)]);
    check(vec![started(), thinks("a"), completes(CompletedStatus::Stopped)], &[("a", 20, 30, false)]);
}

#[test]
fn tools_begin_wait_and_end() {
    use ToolStatus::{Denied, Error, Interrupted, Ok};
    let check = |messages: Vec<Event>, expected: &[(&str, Option<ToolStatus>)]| {
        assert_eq!(tools(&after(messages.clone())), expected, "{messages:?}");
    };
    check(vec![calls("a")], &[("a", None)]);
    check(vec![calls("a"), returns("a", Ok)], &[("a", Some(Ok))]);
    check(vec![calls("a"), calls("b"), returns("b", Error)], &[("a", None), ("b", Some(Error))]);
    check(vec![calls("a"), calls("b"), returns("b", Error), returns("a", Ok)], &[("a", Some(Ok)), ("b", Some(Error))]);
    check(vec![waits("a")], &[("a", None)]);
    check(vec![waits("a"), calls("a")], &[("a", None)]);
    check(vec![waits("a"), calls("a"), returns("a", Ok)], &[("a", Some(Ok))]);
    check(vec![waits("a"), returns("a", Denied)], &[("a", Some(Denied))]);
    check(vec![returns("ghost", Ok)], &[]);
    // What never answered ends with the run.
    for end in [completes(CompletedStatus::Stopped), completes(CompletedStatus::Completed), fails()] {
        let messages = vec![calls("a"), returns("a", Ok), calls("b"), waits("c"), end];
        check(messages, &[("a", Some(Ok)), ("b", Some(Interrupted)), ("c", Some(Interrupted))]);
    }
}

#[test]
fn a_tool_call_keeps_what_it_was_given_and_gave() {
    let run = after([calls("a"), returns("a", ToolStatus::Ok)]);
    let call = run.tools().next().expect("a call");
    assert_eq!((call.tool.as_str(), call.duration_ms), ("calculate", Some(7)));
    assert_eq!(call.arguments["expression"], "a");
    assert_eq!(call.result["value"], 4);
}

#[test]
fn an_approval_waits_until_it_is_decided() {
    let waiting = |messages: Vec<Event>| after(messages).tools().any(|call| call.approval_expires_at.is_some());
    assert!(waiting(vec![waits("a")]));
    assert!(!waiting(vec![waits("a"), calls("a")]));
    assert!(!waiting(vec![waits("a"), returns("a", ToolStatus::Denied)]));
    assert!(!waiting(vec![waits("a"), fails()]));
}

#[test]
fn progress_replaces_the_progress_before_it() {
    let progress = |run: &Run| -> Vec<Step> {
        run.steps.iter().filter(|step| matches!(step, Step::Progress { .. })).cloned().collect()
    };
    let step = |message: &str, fraction| Step::Progress { message: message.to_owned(), fraction };
    let run = after([progresses("a", None), progresses("b", Some(0.5))]);
    assert_eq!(progress(&run), [step("b", Some(0.5))]);
    let run = after([progresses("a", None), calls("t"), progresses("b", None)]);
    assert_eq!(progress(&run), [step("a", None), step("b", None)]);
}

#[test]
fn the_text_grows_piece_by_piece() {
    let id = MessageId::new();
    let check = |messages: Vec<Event>, expected: &str| {
        let run = after(messages.clone());
        assert_eq!((run.text.as_str(), run.message_id), (expected, Some(id)), "{messages:?}");
    };
    check(vec![writes(id, 0, "a")], "a");
    check(vec![writes(id, 0, "a"), writes(id, 1, "b")], "ab");
    check(vec![writes(id, 0, "a"), resets(id)], "");
    check(vec![writes(id, 0, "a"), resets(id), writes(id, 0, "b")], "b");
    check(vec![writes(MessageId::new(), 0, "first try"), resets(id), writes(id, 0, "b")], "b");
    // A reset and what followed it at once, joined into one event.
    let joined = p::PartialResult { message_id: id, pos: 0, delta: "b".into(), reset: true };
    check(vec![writes(id, 0, "a"), Event::PartialResult(joined)], "b");
    check(vec![writes(id, 0, "a"), answers(id, "the whole")], "the whole");
    check(vec![answers(id, "the whole")], "the whole");
}

#[test]
fn positions_are_bytes_and_pieces_are_whole_characters() {
    let id = MessageId::new();
    let run = RunId::new();
    let mut story = Story::default();
    let mut written = String::new();
    for piece in ["Zü", "rich ", "🦀", "🇨🇭", "e\u{301}", "日本", "\u{0}", ""] {
        story.then(Some(run), writes(id, written.len(), piece));
        written.push_str(piece);
        let state = story.fold();
        assert_eq!(state.run(run).map(|run| run.text.as_str()), Some(written.as_str()));
    }
    for event in &story.events {
        let Some(Event::PartialResult(part)) = event.message.event() else { panic!("a piece") };
        let pos = usize::try_from(part.pos).expect("small");
        assert_eq!(written[pos..pos + part.delta.len()], part.delta, "what `pos` says is where it went");
    }
}

#[test]
fn runs_wait_in_the_order_they_were_asked_for() {
    let (first, second) = (RunId::new(), RunId::new());
    let mut story = Story::default();
    story.asked(first).then(Some(first), started()).asked(second).then(Some(first), thinks("hm"));
    let statuses = |story: &Story| -> Vec<_> {
        story.fold().runs.iter().map(|run| (run.run_id, run.status, run.agent.clone())).collect()
    };
    let guide = || "guide".to_owned();
    assert_eq!(statuses(&story), [(first, RunStatus::Running, guide()), (second, RunStatus::Queued, guide())]);
    let active = |story: &Story| story.fold().active_runs().map(|run| run.run_id).collect::<Vec<_>>();
    assert_eq!(active(&story), [first, second]);
    story.then(Some(first), completes(CompletedStatus::Completed));
    assert_eq!(active(&story), [second]);
    story.then(Some(second), started()).then(Some(second), fails());
    assert_eq!(statuses(&story), [(first, RunStatus::Completed, guide()), (second, RunStatus::Failed, guide())]);
    assert_eq!(active(&story), []);
}

#[test]
fn two_runs_at_once_do_not_touch_each_other() {
    let (parent, child) = (RunId::new(), RunId::new());
    let (one, two) = (MessageId::new(), MessageId::new());
    let sub_agent = Event::AgentStarted(p::AgentStarted {
        agent: "helper".into(),
        answers: None,
        parent_run_id: Some(parent),
        tool_call_id: Some("call".into()),
        model: None,
        iteration: 1,
    });
    let mut story = Story::default();
    story
        .asked(parent)
        .then(Some(parent), started())
        .then(Some(parent), thinks("p1"))
        .then(Some(child), sub_agent)
        .then(Some(child), thinks("c1"))
        .then(Some(parent), thinks("p2"))
        .then(Some(child), calls("t"))
        .then(Some(parent), writes(one, 0, "parent"))
        .then(Some(child), writes(two, 0, "child"))
        .then(Some(child), fails());
    let state = story.fold();
    let parent = state.run(parent).expect("the parent");
    let child = state.run(child).expect("the child");
    assert_eq!(child.parent_run_id, Some(parent.run_id));
    assert_eq!((parent.text.as_str(), child.text.as_str()), ("parent", "child"));
    assert_eq!(thoughts(parent).iter().map(|thought| thought.0).collect::<Vec<_>>(), ["p1p2"]);
    assert_eq!(thoughts(child).iter().map(|thought| thought.0).collect::<Vec<_>>(), ["c1"]);
    assert_eq!((tools(parent), tools(child)), (vec![], vec![("t", Some(ToolStatus::Interrupted))]));
    assert_eq!((parent.status, child.status), (RunStatus::Running, RunStatus::Failed));
}
