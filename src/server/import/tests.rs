use netra_ws::{ThreadState, branch::Choices};
use serde_json::json;

use super::*;

fn imported(file: &Value) -> (Vec<Events>, Vec<&'static str>, LeftOut) {
    let (mut found, mut without, mut left_out) = (Vec::new(), Vec::new(), LeftOut::new());
    read(&file.to_string(), &mut left_out, |conversation| match conversation {
        Ok(events) => found.push(events),
        Err(why) => without.push(why),
    })
    .expect("an export");
    (found, without, left_out)
}

/// The conversation as a reader here is shown it: who said what.
fn shown(events: &Events) -> Vec<(String, String)> {
    let mut state = ThreadState::default();
    for told in &events.events {
        let event = told.event.clone();
        if let netra_ws::Event::ThreadMessage(message) = &event {
            let message = netra_ws::model::Message {
                message_id: message.message_id,
                seq: 0,
                role: message.role,
                content: message.content.clone(),
                run_id: None,
                author: None,
                parent_id: message.parent_id,
                attachments: Vec::new(),
                created_at: told.at,
            };
            state.messages.push(message.into());
        }
    }
    state.runs = events.runs.iter().map(|run| run.ended.clone().into()).collect();
    let mut said = Vec::new();
    for turn in state.path(&Choices::default()) {
        let message = state.message(turn.message).expect("a message");
        said.push(("user".to_owned(), message.content.clone()));
        if let Some(run) = turn.answer.and_then(|id| state.runs.iter().find(|run| run.run_id == id)) {
            said.push((run.agent.clone(), run.text.clone()));
        }
    }
    said
}

fn chatgpt(title: &str, current: &str, nodes: Value) -> Value {
    json!([{ "title": title, "create_time": 1_700_000_000.5, "update_time": 1_700_000_100.0, "mapping": nodes, "current_node": current }])
}

fn message(role: &str, text: &str, at: f64) -> Value {
    json!({ "author": { "role": role }, "create_time": at, "content": { "content_type": "text", "parts": [text] }, "metadata": { "model_slug": "gpt-4o" } })
}

#[test]
fn chatgpt_with_branches_tools_thoughts_and_files() {
    let file = chatgpt(
        "Sums",
        "a2",
        json!({
            "root": { "id": "root", "message": null, "parent": null, "children": ["sys"] },
            "sys": { "id": "sys", "message": message("system", "You are ChatGPT", 1_700_000_000.0), "parent": "root", "children": ["u1"] },
            "u1": { "id": "u1", "message": {
                "author": { "role": "user" }, "create_time": 1_700_000_001.0,
                "content": { "content_type": "multimodal_text", "parts": [{ "content_type": "image_asset_pointer" }, "How much is it?"] },
                "metadata": { "attachments": [{ "id": "f", "name": "bill.png" }] }
            }, "parent": "sys", "children": ["t1", "a1"] },
            "t1": { "id": "t1", "message": {
                "author": { "role": "assistant" }, "create_time": 1_700_000_002.0,
                "content": { "content_type": "thoughts", "thoughts": [{ "summary": "Adding", "content": "Two and two." }] },
                "metadata": { "model_slug": "o3" }
            }, "parent": "u1", "children": ["c1"] },
            "c1": { "id": "c1", "message": {
                "author": { "role": "assistant" }, "create_time": 1_700_000_003.0,
                "content": { "content_type": "code", "language": "python", "text": "2 + 2" }, "metadata": {}
            }, "parent": "t1", "children": ["x1"] },
            "x1": { "id": "x1", "message": {
                "author": { "role": "tool" }, "create_time": 1_700_000_004.0,
                "content": { "content_type": "execution_output", "text": "4" }, "metadata": {}
            }, "parent": "c1", "children": ["a2"] },
            "a1": { "id": "a1", "message": message("assistant", "It is five.", 1_700_000_009.0), "parent": "u1", "children": ["u2"] },
            "u2": { "id": "u2", "message": message("user", "No.", 1_700_000_010.0), "parent": "a1", "children": [] },
            "a2": { "id": "a2", "message": message("assistant", "It is four.\u{e200}cite\u{e202}turn0\u{e201}", 1_700_000_005.0), "parent": "x1", "children": [] }
        }),
    );
    let (found, without, left_out) = imported(&file);
    assert_eq!((found.len(), without.len()), (1, 0));
    assert_eq!(found[0].title, "Sums");
    assert_eq!(
        shown(&found[0]),
        [
            ("user".to_owned(), "How much is it?\n\n(File, not taken along: bill.png)".to_owned()),
            ("gpt-4o".to_owned(), "```python\n2 + 2\n```\n\nIt is four.".to_owned())
        ]
    );
    assert_eq!(found[0].runs.len(), 2, "both answers are kept");
    assert!(found[0].runs[1].ended.steps.iter().any(|step| json!(step)["text"] == "Two and two."));
    let times: Vec<_> = found[0].events.iter().map(|event| event.at).collect();
    assert!(times.is_sorted(), "{times:?}");
    let wanted = [("citations", 1), ("files", 1), ("messages of the system", 1), ("results of tools", 1)];
    assert_eq!(left_out, LeftOut::from(wanted));
}

#[test]
fn trees_that_are_none() {
    let loops = json!({
        "a": { "message": message("user", "One", 1.0), "parent": "b", "children": ["b"] },
        "b": { "message": message("assistant", "Two", 2.0), "parent": "a", "children": ["a"] },
        "c": { "message": message("user", "Three", 3.0), "parent": "c", "children": ["c"] },
        "d": { "message": message("assistant", "Four", 4.0), "parent": "c", "children": [] },
        "e": { "message": message("assistant", "To nobody", 5.0), "parent": "nothing", "children": [] }
    });
    let (found, _, left_out) = imported(&chatgpt("Round", "a", loops));
    assert_eq!(shown(&found[0]).iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>(), ["Three", "Four"]);
    assert_eq!(left_out, LeftOut::from([("answers to nothing", 1), ("messages that follow themselves", 2)]));
    let (found, without, _) = imported(&json!([{ "mapping": {} }, { "mapping": { "a": 7 } }, 7, { "chat": {} }]));
    assert_eq!((found.len(), without.len()), (0, 4), "{without:?}");
    // As deep as a conversation may be.
    let deep = |length: usize| {
        let node = |number: usize| {
            let role = if number.is_multiple_of(2) { "user" } else { "assistant" };
            let parent = number.checked_sub(1).map(|before| before.to_string());
            (number.to_string(), json!({ "message": message(role, "x", 1.0), "parent": parent, "children": [] }))
        };
        Value::Object((0..length).map(node).collect())
    };
    let (found, _, _) = imported(&chatgpt("Deep", "4999", deep(5_000)));
    assert_eq!(found[0].messages(), 5_000);
    let (found, without, _) = imported(&chatgpt("Deeper", "0", deep(5_002)));
    assert_eq!((found.len(), without), (0, vec!["conversations of more than 5,000 messages"]));
}

#[test]
fn branches_that_repeat_a_long_beginning_do_not_grow_without_end() {
    let mut nodes = json!({ "u": { "message": message("user", "x", 1.0), "parent": null, "children": [] } });
    nodes["a"] =
        json!({ "message": message("assistant", &"long ".repeat(100_000), 2.0), "parent": "u", "children": [] });
    for number in 0..4_000 {
        nodes[format!("b{number}")] =
            json!({ "message": message("assistant", "y", 3.0), "parent": "a", "children": [] });
    }
    let (found, without, _) = imported(&chatgpt("Repeated", "a", nodes));
    assert_eq!((found.len(), without), (0, vec!["conversations whose branches repeat too much"]));
}

#[test]
fn open_webui_new_and_old() {
    let file = json!([
        { "id": "1", "title": "Hello", "created_at": 1_700_000_000, "chat": { "title": "Hello", "history": {
            "currentId": "a2",
            "messages": {
                "u1": { "id": "u1", "parentId": null, "childrenIds": ["a1", "a2"], "role": "user", "content": "Hi", "timestamp": 1_700_000_001,
                        "files": [{ "type": "file", "name": "notes.txt" }] },
                "a1": { "id": "a1", "parentId": "u1", "childrenIds": [], "role": "assistant", "content": "First", "model": "qwen3", "timestamp": 1_700_000_002 },
                "a2": { "id": "a2", "parentId": "u1", "childrenIds": [], "role": "assistant", "model": "llama",
                        "content": "<details type=\"reasoning\" done=\"true\"><summary>Thought</summary>\n&gt; Say hello.\n</details>\nSecond",
                        "timestamp": 1_700_000_003, "sources": [{}] }
            } } } },
        { "chat": { "title": "Old", "messages": [
            { "role": "user", "content": [{ "type": "text", "text": "Look" }, { "type": "image_url" }] },
            { "role": "assistant", "content": "I see", "model": "llava" }
        ] } }
    ]);
    let (found, without, left_out) = imported(&file);
    assert_eq!((found.len(), without.len()), (2, 0));
    let texts =
        |events: &Events| shown(events).into_iter().map(|(who, text)| format!("{who}: {text}")).collect::<Vec<_>>();
    assert_eq!(texts(&found[0]), ["user: Hi\n\n(File, not taken along: notes.txt)", "llama: Second"]);
    assert!(found[0].runs.iter().any(|run| run.ended.steps.iter().any(|step| json!(step)["text"] == "Say hello.")));
    assert_eq!(texts(&found[1]), ["user: Look", "llava: I see"]);
    assert_eq!(left_out, LeftOut::from([("files", 1), ("pictures and sounds", 1), ("sources", 1)]));
}

#[test]
fn what_is_no_export_is_told_so() {
    let mut left_out = LeftOut::new();
    for (text, why) in [
        ("", "no JSON"),
        ("{\"a\": 1}", "no export"),
        ("[]", "no export"),
        ("[1, 2]", "no export"),
        ("{\"mapping\": ", "no JSON"),
        ("{\"netra\": \"conversation\"}", "no export"),
    ] {
        let told = read(text, &mut left_out, |_| {}).expect_err(text);
        assert!(told.contains(why), "{text}: {told}");
    }
}
