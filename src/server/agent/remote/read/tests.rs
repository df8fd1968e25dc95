//! What readers tell of streams: as their servers send them, cut anywhere, and broken in every way.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Fault, Outcome, Reader, Said, ag_ui::AgUi, frames::Frames, langchain::LangChain};

/// What is told, on one line: `|` begins a message, `(…)` is thought, `[…]` called and `=…` its end, `<…>` noted, `#` counts.
fn line(said: &[Said]) -> String {
    said.iter().map(word).collect::<Vec<_>>().concat()
}

fn word(said: &Said) -> String {
    match said {
        Said::Thought(text) => format!("({text})"),
        Said::Message => "|".to_owned(),
        Said::Text(text) => text.clone(),
        Said::Note { message, fraction } => {
            format!("<{message}{}>", fraction.map(|part| format!(" {part}")).unwrap_or_default())
        }
        Said::Begun(call) => match &call.arguments {
            Ok(fields) => format!("[{} {}]", call.tool, Value::Object(fields.clone())),
            Err(text) => format!("[{} ?{text}]", call.tool),
        },
        Said::Ended { outcome: Outcome::Ok(result), .. } => format!("={result};"),
        Said::Ended { outcome: Outcome::Failed(result), .. } => format!("!{result};"),
        Said::Used(tokens) => format!("#{}+{}", tokens.input, tokens.output),
    }
}

/// All that a reader tells of a body.
fn read(mut reader: impl Reader, pieces: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Result<Vec<Said>, Fault> {
    let (mut frames, mut said) = (Frames::default(), Vec::new());
    for piece in pieces {
        let events = frames.push(piece.as_ref()).map_err(|broken| Fault::Protocol(format!("{broken:?}")))?;
        for event in events {
            said.extend(reader.read(&event.kind, &event.data)?);
        }
    }
    if let Some(event) = frames.finish() {
        said.extend(reader.read(&event.kind, &event.data)?);
    }
    said.extend(reader.finish()?);
    Ok(said)
}

fn ag_ui() -> AgUi {
    AgUi::new("r1", "u1", Value::Null)
}

fn sse(events: &[Value]) -> String {
    events.iter().map(|event| format!("data: {event}\n\n")).collect::<Vec<_>>().concat()
}

/// What is told of AG-UI's events between the start and the end of the run.
fn told(events: &[Value]) -> String {
    let start = json!({ "type": "RUN_STARTED", "threadId": "t", "runId": "r1" });
    let end = json!({ "type": "RUN_FINISHED", "threadId": "t", "runId": "r1" });
    let body = sse(&[&[start], events, &[end]].concat());
    let whole = read(ag_ui(), [&body]);
    assert_eq!(read(ag_ui(), body.as_bytes().chunks(1)), whole, "a byte at a time");
    match whole {
        Ok(said) => line(&said),
        Err(fault) => format!("{fault:?}"),
    }
}

fn started(id: &str) -> Value {
    json!({ "type": "TEXT_MESSAGE_START", "messageId": id, "role": "assistant" })
}

fn content(id: &str, delta: &str) -> Value {
    json!({ "type": "TEXT_MESSAGE_CONTENT", "messageId": id, "delta": delta })
}

fn ended(id: &str) -> Value {
    json!({ "type": "TEXT_MESSAGE_END", "messageId": id })
}

fn call(id: &str) -> Value {
    json!({ "type": "TOOL_CALL_START", "toolCallId": id, "toolCallName": "abacus", "parentMessageId": "m" })
}

fn arguments(id: &str, delta: &str) -> Value {
    json!({ "type": "TOOL_CALL_ARGS", "toolCallId": id, "delta": delta })
}

fn called(id: &str) -> Value {
    json!({ "type": "TOOL_CALL_END", "toolCallId": id })
}

fn returned(id: &str, content: impl Into<Value>) -> Value {
    json!({ "type": "TOOL_CALL_RESULT", "messageId": format!("r-{id}"), "toolCallId": id, "content": content.into() })
}

#[test]
fn ag_ui_tells_what_its_events_say() {
    let check = |events: &[Value], wanted: &str| assert_eq!(told(events), wanted, "{events:?}");
    check(&[started("a"), content("a", "Hel"), content("a", "lo\0"), ended("a")], "|Hello");
    check(&[started("a"), content("a", "1"), ended("a"), started("b"), content("b", "2")], "|1|2");
    check(
        &[
            json!({ "type": "TEXT_MESSAGE_CHUNK", "messageId": "a", "delta": "1" }),
            json!({ "type": "TEXT_MESSAGE_CHUNK", "delta": "2" }),
        ],
        "|12",
    );
    check(
        &[call("c"), arguments("c", "{\"x\""), arguments("c", ":1}"), called("c"), returned("c", "{\"y\":2}")],
        "[abacus {\"x\":1}]={\"y\":2};",
    );
    check(
        &[
            call("c"),
            call("d"),
            called("d"),
            called("c"),
            returned("c", "1"),
            returned("d", json!([{ "type": "text", "text": "2" }])),
        ],
        "[abacus {}][abacus {}]=\"1\";=\"2\";",
    );
    check(
        &[
            json!({ "type": "TOOL_CALL_CHUNK", "toolCallId": "c", "toolCallName": "abacus", "delta": "{}" }),
            content("a", "x"),
        ],
        "[abacus {}]|x",
    );
    check(&[json!({ "type": "REASONING_MESSAGE_CONTENT", "messageId": "m", "delta": "hm" })], "(hm)");
    check(&[json!({ "type": "THINKING_TEXT_MESSAGE_CONTENT", "delta": "hm" })], "(hm)");
    check(
        &[
            json!({ "type": "STEP_STARTED", "stepName": "plan" }),
            json!({ "type": "STEP_FINISHED", "stepName": "plan" }),
        ],
        "<plan>",
    );
    check(
        &[json!({ "type": "SUBAGENT_STARTED", "subagentRunId": "s", "name": "Writer", "description": "writes" })],
        "<Writer: writes>",
    );
    check(
        &[json!({ "type": "TEXT_MESSAGE_CONTENT", "messageId": "s", "subagentRunId": "s", "delta": "inner" })],
        "(inner)",
    );
    check(
        &[
            json!({ "type": "ACTIVITY_SNAPSHOT", "messageId": "m", "activityType": "PLAN", "content": { "title": "Look", "fraction": 0.5 } }),
        ],
        "<PLAN: Look 0.5>",
    );
    // A plan is told whole, from an activity or from the agent's state, and again once it is another.
    let step = |status: &str| json!({ "type": "ACTIVITY_DELTA", "messageId": "m", "patch": [{ "op": "replace", "path": "/steps/0/status", "value": status }] });
    check(
        &[
            json!({ "type": "ACTIVITY_SNAPSHOT", "messageId": "m", "activityType": "PLAN", "content": { "steps": [{ "title": "Look", "status": "pending" }] } }),
            step("pending"),
            step("done"),
        ],
        "<Plan: 0 of 1 done; Look\n\n- [ ] Look 0><Plan: 1 of 1 done\n\n- [x] Look 1>",
    );
    check(
        &[
            json!({ "type": "STATE_SNAPSHOT", "snapshot": { "steps": [{ "description": "Look", "status": "in_progress" }], "n": 1 } }),
            json!({ "type": "STATE_DELTA", "delta": [{ "op": "replace", "path": "/n", "value": 2 }] }),
            json!({ "type": "STATE_DELTA", "delta": [{ "op": "replace", "path": "/steps/0/status", "value": "completed" }] }),
        ],
        "<Plan: 0 of 1 done; Look\n\n- [ ] Look (in progress) 0><Plan: 1 of 1 done\n\n- [x] Look 1>",
    );
    check(
        &[
            json!({ "type": "TEXT_MESSAGE_START", "messageId": "u", "role": "user" }),
            content("u", "mine"),
            json!({ "type": "RAW", "event": {} }),
        ],
        "",
    );
    check(&[json!({ "type": "SOMETHING_NEW", "messageId": 7 }), content("a", "x")], "|x");
    check(&[json!({ "type": "RUN_ERROR", "message": "no quota" })], "Failed(\"no quota\")");
    check(&[json!({ "detail": [{ "text": "field required" }] })], "Failed(\"field required\")");
    // Wrapped once more.
    check(&[Value::String(content("a", "x").to_string())], "|x");
}

#[test]
fn ag_ui_bears_events_out_of_order_twice_and_of_others() {
    let check = |events: &[Value], wanted: &str| assert_eq!(told(events), wanted, "{events:?}");
    check(&[content("a", "no start")], "|no start");
    check(&[started("a"), content("a", "x"), ended("a"), content("a", "late")], "|x");
    check(&[started("a"), started("a"), content("a", "x"), ended("a"), ended("a")], "|x");
    check(
        &[returned("c", "early"), call("c"), called("c"), returned("c", "1"), returned("c", "2")],
        "[abacus {}]=\"1\";",
    );
    check(&[call("c"), call("c"), called("c"), called("c"), returned("c", "1")], "[abacus {}]=\"1\";");
    check(&[arguments("c", "{}"), called("c")], "");
    check(&[call("c"), arguments("c", "[no object"), returned("c", "1")], "[abacus ?[no object]=\"1\";");
    check(&[call("c"), content("a", "x")], "|x[abacus {}]");
    check(&[json!({ "type": "RUN_FINISHED", "threadId": "t", "runId": "another" }), content("a", "x")], "|x");
    check(&[json!({ "type": "RUN_STARTED", "threadId": "t", "runId": "r1" }), content("a", "x")], "|x");
    let open = [content("a", "x")];
    assert_eq!(read(ag_ui(), [sse(&open)]), Err(Fault::BrokenOff), "no end");
    assert_eq!(
        read(ag_ui(), ["data: {\"type\":\n\n"]).map_err(|fault| format!("{fault:?}").contains("no JSON")),
        Err(true)
    );
    let own = [
        json!({ "type": "RUN_STARTED", "threadId": "t", "runId": "theirs" }),
        content("a", "x"),
        json!({ "type": "RUN_FINISHED", "threadId": "t", "runId": "theirs" }),
    ];
    assert_eq!(read(ag_ui(), [sse(&own)]).map(|said| line(&said)), Ok("|x".to_owned()));
    let many: Vec<Value> = (0..65).map(|n| call(&format!("c{n}"))).collect();
    assert!(told(&many).contains("more than 64 calls"), "{}", told(&many));
}

#[test]
fn ag_ui_keeps_state_and_messages() {
    let events = [
        json!({ "type": "STATE_SNAPSHOT", "snapshot": { "n": 1 } }),
        json!({ "type": "STATE_DELTA", "delta": [{ "op": "replace", "path": "/n", "value": 2 }] }),
        json!({ "type": "STATE_DELTA", "delta": [{ "op": "replace", "path": "/gone", "value": 2 }] }),
        started("m"),
        content("m", "Look: "),
        call("c"),
        called("c"),
        json!({ "type": "REASONING_ENCRYPTED_VALUE", "subtype": "tool-call", "entityId": "c", "encryptedValue": "s" }),
        returned("c", "1"),
        content("n", "Done."),
        json!({ "type": "RUN_FINISHED", "threadId": "t", "runId": "r1" }),
    ];
    let mut reader = ag_ui();
    for event in &events {
        reader.read("", &event.to_string()).expect("an event");
    }
    let function = json!({ "name": "abacus", "arguments": "{}" });
    let made = json!({ "id": "c", "type": "function", "function": function, "encryptedValue": "s" });
    let messages = json!([
        { "id": "m", "role": "assistant", "content": "Look: ", "toolCalls": [made] },
        { "id": "r-c", "role": "tool", "toolCallId": "c", "content": "1" },
        { "id": "n", "role": "assistant", "content": "Done." },
    ]);
    assert_eq!(reader.kept(), json!({ "asked": "u1", "state": { "n": 2 }, "messages": messages }));

    // The agent's own word on the conversation counts, and tells what was not streamed.
    let snapshot = json!({ "type": "MESSAGES_SNAPSHOT", "messages": [
        { "id": "u0", "role": "user", "content": "before" },
        { "id": "a0", "role": "assistant", "content": "old" },
        { "id": "u1", "role": "user", "content": "now" },
        { "id": "a1", "role": "assistant", "content": "", "toolCalls": [] },
        { "id": "t1", "role": "tool", "toolCallId": "c", "content": "broke", "error": "error" },
        { "id": "a2", "role": "assistant", "content": "New." },
    ] });
    let mut reader = ag_ui();
    let said: Vec<Said> = [call("c"), called("c"), snapshot.clone(), snapshot]
        .iter()
        .flat_map(|event| reader.read("", &event.to_string()).expect("an event"))
        .collect();
    assert_eq!(line(&said), "[abacus {}]!\"broke\";|New.");
    assert_eq!(reader.kept()["messages"].as_array().map(Vec::len), Some(3));
}

#[test]
fn ag_ui_asks_people() {
    let outcome = json!({ "type": "interrupt", "interrupts": [{ "id": "i", "reason": "approval", "message": "May I?", "toolCallId": "c" }] });
    let finished = |outcome: Value| json!({ "type": "RUN_FINISHED", "runId": "r1", "outcome": outcome });
    let mut reader = ag_ui();
    assert_eq!(reader.read("", &finished(outcome).to_string()), Ok(vec![]));
    let asked = &reader.interrupts()[0];
    assert_eq!((asked.id.as_str(), asked.message.as_str(), asked.call.as_deref()), ("i", "May I?", Some("c")));
    let custom = json!({ "type": "CUSTOM", "name": "on_interrupt", "value": "{\"question\": \"May I?\"}", "rawEvent": { "id": "x" } });
    let mut reader = ag_ui();
    for event in [custom, finished(Value::Null)] {
        reader.read("", &event.to_string()).expect("an event");
    }
    assert_eq!((reader.interrupts()[0].id.as_str(), reader.interrupts()[0].message.as_str()), ("x", "May I?"));
}

#[test]
fn ag_ui_goes_on_behind_a_question() {
    let function = json!({ "name": "abacus", "arguments": "{\"x\":1}" });
    let calls = json!([{ "id": "c", "type": "function", "function": function }, { "id": "d", "type": "function", "function": function }]);
    let before = [
        json!({ "id": "m", "role": "assistant", "content": "Look.", "toolCalls": calls }),
        json!({ "id": "r", "role": "tool", "toolCallId": "d", "content": "1" }),
    ];
    let mut reader = ag_ui().behind(&before).expect("few calls");
    let events = [returned("c", "2"), content("n", "Done."), json!({ "type": "RUN_FINISHED", "runId": "r1" })];
    let said: Vec<Said> =
        events.iter().flat_map(|event| reader.read("", &event.to_string()).expect("an event")).collect();
    assert_eq!(line(&said), "[abacus {\"x\":1}]=\"2\";|Done.");
    assert_eq!(reader.finish(), Ok(vec![]));
    let kept = reader.kept();
    let roles: Vec<&str> =
        kept["messages"].as_array().into_iter().flatten().filter_map(|m| m["role"].as_str()).collect();
    assert_eq!(roles, ["assistant", "tool", "tool", "assistant"], "{kept}");
    assert_eq!(kept["messages"][0]["toolCalls"].as_array().map(Vec::len), Some(2), "no call stands there twice");
    let mut denied = ag_ui().behind(&before).expect("few calls");
    denied.read("", &json!({ "type": "RUN_FINISHED", "runId": "r1" }).to_string()).expect("an event");
    assert_eq!(denied.finish(), Ok(vec![]), "what nobody came back to does not begin");
}

/// An event of LangChain's stream, below the run `root`.
fn event(name: &str, run: &str, data: Value) -> Value {
    let parents = if run == "root" { json!([]) } else { json!(["root"]) };
    json!({ "event": name, "run_id": run, "name": "abacus", "tags": [], "metadata": {}, "data": data, "parent_ids": parents })
}

fn chunk(content: impl Into<Value>) -> Value {
    json!({ "content": content.into(), "additional_kwargs": {}, "type": "AIMessageChunk", "id": "run-1", "tool_calls": [], "tool_call_chunks": [] })
}

fn chain(events: &[Value]) -> String {
    let start = event("on_chain_start", "root", json!({ "input": {} }));
    let end = event("on_chain_end", "root", json!({ "output": { "messages": [chunk("at the end")] } }));
    let events = [&[start], events, &[end]].concat();
    let lines = events.iter().map(|event| format!("{event}\n")).collect::<Vec<_>>().concat();
    let streamed =
        events.iter().map(|event| format!("event: data\r\ndata: {event}\r\n\r\n")).collect::<Vec<_>>().concat();
    let whole = read(LangChain::default(), [&lines]);
    assert_eq!(read(LangChain::default(), lines.as_bytes().chunks(1)), whole, "a byte at a time");
    assert_eq!(read(LangChain::default(), [streamed + "event: end\r\n\r\n"]), whole, "as a stream");
    match whole {
        Ok(said) => line(&said),
        Err(fault) => format!("{fault:?}"),
    }
}

#[test]
fn langchain_tells_what_its_events_say() {
    let check = |events: &[Value], wanted: &str| assert_eq!(chain(events), wanted, "{events:?}");
    let says = |run: &str, content: Value| event("on_chat_model_stream", run, json!({ "chunk": content }));
    let usage = json!({ "input_tokens": 7, "output_tokens": 11, "total_tokens": 18 });
    let whole = json!({ "type": "ai", "content": "Hello", "usage_metadata": usage });
    let ends = |run: &str| event("on_chat_model_end", run, json!({ "output": whole }));
    check(&[], "|at the end");
    check(&[says("m", chunk("Hel")), says("m", chunk("lo")), ends("m")], "|Hello#7+11");
    check(&[ends("m")], "|Hello#7+11");
    check(
        &[event(
            "on_chat_model_end",
            "m",
            json!({ "output": { "generations": [[{ "text": "Hello", "message": whole }]] } }),
        )],
        "|Hello#7+11",
    );
    check(
        &[
            event("on_llm_stream", "m", json!({ "chunk": "{\"a\":" })),
            event("on_llm_stream", "m", json!({ "chunk": { "text": "1}" } })),
        ],
        "|{\"a\":1}",
    );
    // Objects, however they were written.
    let kwargs = json!({ "lc": 1, "type": "constructor", "id": ["langchain", "schema", "messages", "AIMessageChunk"], "kwargs": { "content": "x" } });
    let envelope = json!({ "type": "AIMessageChunk", "data": { "content": "x" } });
    let generation = json!({ "text": "x", "type": "ChatGenerationChunk", "message": chunk("x") });
    for wrapped in
        [kwargs.clone(), envelope, generation, Value::String(kwargs.to_string()), Value::String(chunk("x").to_string())]
    {
        check(&[says("m", wrapped)], "|x");
    }
    assert_eq!(chain(&[Value::String(says("m", Value::String(kwargs.to_string())).to_string())]), "|x", "thrice");
    let parts = json!([
        { "type": "thinking", "thinking": "hm", "index": 0 },
        { "type": "reasoning", "summary": [{ "type": "summary_text", "text": "so" }] },
        { "type": "text", "text": "a" }, "b", { "type": "input_json_delta", "partial_json": "{" }, { "type": "image_url" },
    ]);
    check(&[says("m", chunk(parts))], "|(hm)(so)ab");
    let mut reasons = chunk("");
    reasons["additional_kwargs"] = json!({ "reasoning_content": "hm" });
    check(&[says("m", reasons)], "|(hm)|at the end");
    // Tools, and what looks things up.
    let message = json!({ "content": "{\"value\": 42}", "type": "tool", "tool_call_id": "c", "status": "success" });
    let broke = json!({ "content": "oh no", "type": "tool", "tool_call_id": "c", "status": "error" });
    check(
        &[
            event("on_tool_start", "t", json!({ "input": { "x": 1 } })),
            event("on_tool_end", "t", json!({ "output": message, "input": { "x": 1 } })),
            says("m", chunk("!")),
        ],
        "[abacus {\"x\":1}]={\"value\":42};|!",
    );
    check(
        &[
            event("on_tool_start", "t", json!({ "input": "{\"x\": 1}" })),
            event("on_tool_end", "t", json!({ "output": broke })),
            ends("m"),
        ],
        "[abacus {\"x\":1}]!\"oh no\";|Hello#7+11",
    );
    check(
        &[
            event("on_tool_start", "t", json!({ "input": "{'x': 1}" })),
            event(
                "on_tool_error",
                "t",
                json!({ "error": { "lc": 1, "type": "not_implemented", "repr": "ValueError('x')" } }),
            ),
            ends("m"),
        ],
        "[abacus {\"input\":\"{'x': 1}\"}]!\"ValueError('x')\";|Hello#7+11",
    );
    check(
        &[
            event("on_tool_start", "t", json!({ "input": {} })),
            event("on_tool_end", "t", json!({ "output": { "update": { "messages": [message] } } })),
            ends("m"),
        ],
        "[abacus {}]={\"value\":42};|Hello#7+11",
    );
    check(
        &[event("on_custom_event", "x", json!({ "message": "half", "progress": 0.5 })), ends("m")],
        "<half 0.5>|Hello#7+11",
    );
    // Two models at once, and one of which nobody is to hear.
    check(
        &[says("m", chunk("1")), says("n", chunk("2")), says("m", chunk("1")), ends("m"), says("n", chunk("2"))],
        "|11|2#7+112",
    );
    let mut hidden = says("h", chunk("psst"));
    hidden["tags"] = json!(["nostream"]);
    check(&[hidden, says("m", chunk("x"))], "|x");
    // A chain that hands a model's words on, and one that has no model.
    check(&[says("m", chunk("x")), event("on_chain_stream", "root", json!({ "chunk": "x" }))], "|x");
    check(
        &[
            event("on_chain_stream", "root", json!({ "chunk": "x" })),
            event("on_chain_stream", "root", json!({ "chunk": "y" })),
        ],
        "xy",
    );
    let asks = json!([[], { "__interrupt__": [{ "value": { "question": "May I?" }, "id": "i" }] }]);
    let asked = chain(&[event("on_chain_stream", "root", json!({ "chunk": asks }))]);
    assert!(asked.contains("asks a person") && asked.contains("May I?"), "{asked}");
    check(&[json!({ "event": "error", "data": { "message": "boom" } })], "Failed(\"boom\")");
    check(&[json!({ "error": "boom" })], "Failed(\"boom\")");
    assert_eq!(
        read(LangChain::default(), ["event: error\ndata: {\"status_code\": 500, \"message\": \"boom\"}\n\n"]),
        Err(Fault::Failed("boom".to_owned()))
    );
}

#[test]
fn langchain_bears_events_out_of_order_twice_and_of_others() {
    let check = |events: &[Value], wanted: &str| assert_eq!(chain(events), wanted, "{events:?}");
    let tool = |name: &str, run: &str| event(name, run, json!({ "input": {}, "output": "1" }));
    let says = |parents: Value| json!({ "event": "on_chat_model_stream", "run_id": "m", "data": { "chunk": chunk("x") }, "parent_ids": parents });
    check(
        &[
            tool("on_tool_end", "t"),
            tool("on_tool_start", "t"),
            tool("on_tool_start", "t"),
            tool("on_tool_end", "t"),
            tool("on_tool_end", "t"),
        ],
        "[abacus {}]=\"1\";|at the end",
    );
    check(&[says(json!(["another"])), says(json!(["root", "node"]))], "|x");
    let without_end = format!("{}\n{}\n", event("on_chain_start", "root", json!({})), says(json!(["root"])));
    assert_eq!(read(LangChain::default(), [without_end]), Err(Fault::BrokenOff));
    assert_eq!(read(LangChain::default(), [""]), Err(Fault::BrokenOff), "nothing at all");
    let asks = event(
        "on_chat_model_end",
        "root",
        json!({ "output": { "type": "ai", "content": "", "tool_calls": [{ "name": "abacus", "args": {}, "id": "c" }] } }),
    );
    let unanswered =
        read(LangChain::default(), [format!("{}\n{asks}", event("on_chat_model_start", "root", json!({})))]);
    assert!(
        matches!(&unanswered, Err(Fault::Failed(why)) if why.contains("nothing in it carries out")),
        "{unanswered:?}"
    );
}

#[test]
fn langgraph_pairs_are_read() {
    let piece = |id: &str, fields: Value| {
        let mut message = json!({ "type": "AIMessageChunk", "id": id, "content": "" });
        message.as_object_mut().expect("an object").extend(fields.as_object().expect("an object").clone());
        json!([message, { "langgraph_node": "model" }])
    };
    let arguments = |part: &str, id: Value| {
        piece("a", json!({ "tool_call_chunks": [{ "index": 0, "id": id, "name": "abacus", "args": part }] }))
    };
    let pairs = [
        arguments("{\"x\"", json!("c")),
        arguments(":1}", Value::Null),
        json!([{ "type": "tool", "content": "42", "tool_call_id": "c" }, {}]),
        piece("b", json!({ "content": "For" })),
        piece("b", json!({ "content": "ty-two" })),
        json!([{ "type": "ai", "id": "b", "content": "Forty-two" }, {}]),
    ];
    let body = pairs.iter().map(|pair| format!("event: messages\ndata: {pair}\n\n")).collect::<Vec<_>>().concat();
    let said = read(LangChain::default(), [body]).map(|said| line(&said));
    assert_eq!(said, Ok("[abacus {\"x\":1}]=\"42\";|Forty-two".to_owned()));
}

fn any_event() -> impl Strategy<Value = Value> {
    let name = prop::sample::select(vec![
        "TEXT_MESSAGE_START",
        "TEXT_MESSAGE_CONTENT",
        "TEXT_MESSAGE_END",
        "TEXT_MESSAGE_CHUNK",
        "TOOL_CALL_START",
        "TOOL_CALL_ARGS",
        "TOOL_CALL_END",
        "TOOL_CALL_CHUNK",
        "TOOL_CALL_RESULT",
        "RUN_STARTED",
        "RUN_FINISHED",
        "MESSAGES_SNAPSHOT",
        "STATE_DELTA",
        "on_chat_model_start",
        "on_chat_model_stream",
        "on_chat_model_end",
        "on_tool_start",
        "on_tool_end",
        "on_tool_error",
        "on_chain_start",
        "on_chain_end",
        "on_chain_stream",
        "messages",
    ]);
    (name, 0..3_u8, 0..3_u8, any::<bool>()).prop_map(|(name, id, part, odd)| {
        let id = format!("i{id}");
        let message = json!({ "type": "AIMessageChunk", "id": id, "content": "x", "tool_call_chunks": [{ "index": part, "id": id, "args": "{" }] });
        let data = json!({ "chunk": message, "output": message, "input": if odd { json!("{") } else { json!({}) } });
        let mut event = json!({
            "type": name, "event": name, "messageId": id, "toolCallId": id, "toolCallName": "t", "delta": "{", "content": "r", "run_id": id,
            "data": data, "parent_ids": if odd { json!([]) } else { json!(["i0"]) }, "messages": [message, { "role": "tool", "toolCallId": id }],
        });
        if name == "messages" {
            event = json!([message, {}]);
        }
        event
    })
}

/// Calls begin once before they end once, whatever comes.
fn check_order(said: &[Said]) {
    let mut open: Vec<&str> = Vec::new();
    for said in said {
        match said {
            Said::Begun(call) => {
                assert!(!open.contains(&call.id.as_str()), "{} begins twice", call.id);
                open.push(&call.id);
            }
            Said::Ended { id, .. } => {
                let at = open.iter().position(|open| open == id).unwrap_or_else(|| panic!("{id} ends before it began"));
                open.remove(at);
            }
            Said::Thought(_) | Said::Message | Said::Text(_) | Said::Note { .. } | Said::Used(_) => {}
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_end(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(ag_ui(), [&bytes]);
        let _ = read(LangChain::default(), [&bytes]);
    }

    #[test]
    fn any_order_of_events_keeps_the_order_of_calls(events in prop::collection::vec(any_event(), 0..40), cut in 1..50_usize) {
        let body = sse(&events);
        for split in [cut, usize::MAX] {
            let (mut one, mut other, mut frames) = (ag_ui(), LangChain::default(), Frames::default());
            let (mut said, mut also) = (Vec::new(), Vec::new());
            for piece in body.as_bytes().chunks(split) {
                for event in frames.push(piece).expect("short events") {
                    said.extend(one.read(&event.kind, &event.data).unwrap_or_default());
                    also.extend(other.read(&event.kind, &event.data).unwrap_or_default());
                }
            }
            said.extend(one.finish().unwrap_or_default());
            also.extend(other.finish().unwrap_or_default());
            check_order(&said);
            check_order(&also);
        }
        prop_assert_eq!(read(ag_ui(), body.as_bytes().chunks(cut)), read(ag_ui(), [&body]));
        prop_assert_eq!(read(LangChain::default(), body.as_bytes().chunks(cut)), read(LangChain::default(), [&body]));
    }

    #[test]
    fn any_event_with_any_fields_is_read_or_refused(kind in prop::sample::select(vec!["RUN_FINISHED", "STATE_DELTA", "MESSAGES_SNAPSHOT", "on_tool_end", "on_chat_model_stream"]), field in "[a-zA-Z_]{1,12}", text in any::<String>()) {
        let event = json!({ "type": kind, "event": kind, field.clone(): text, "data": { field.clone(): text, "chunk": text, "output": text }, "delta": text, "messages": [text], "outcome": text }).to_string();
        let _ = ag_ui().read("", &event);
        let _ = LangChain::default().read("", &event);
    }
}
