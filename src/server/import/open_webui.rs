//! Open WebUI's export: a list of chats, each with its messages by id, or, in old ones, as a list.

use std::collections::HashMap;

use serde_json::Value;

use super::{By, Conversation, LeftOut, Node, count, time};

pub(super) fn conversation(entry: &Value, left_out: &mut LeftOut) -> Conversation {
    let chat = &entry["chat"];
    let title = [&entry["title"], &chat["title"]].into_iter().find_map(Value::as_str).unwrap_or_default().to_owned();
    let created_at = [&entry["created_at"], &chat["timestamp"]].into_iter().find_map(time);
    let history = chat["history"]["messages"].as_object().filter(|messages| !messages.is_empty());
    let Some(messages) = history else {
        let listed = chat["messages"].as_array().into_iter().flatten().enumerate();
        let nodes: Vec<Node> =
            listed.map(|(number, said)| Node { parent: number.checked_sub(1), ..node(said, left_out) }).collect();
        let current = nodes.len().checked_sub(1);
        return Conversation { title, created_at, nodes, current };
    };
    let ids: HashMap<&str, usize> = messages.keys().enumerate().map(|(number, id)| (id.as_str(), number)).collect();
    let find = |id: &Value| id.as_str().and_then(|id| ids.get(id)).copied();
    let nodes =
        messages.values().map(|said| Node { parent: find(&said["parentId"]), ..node(said, left_out) }).collect();
    Conversation { title, created_at, nodes, current: find(&chat["history"]["currentId"]) }
}

fn node(said: &Value, left_out: &mut LeftOut) -> Node {
    let by = match said["role"].as_str() {
        Some("user") => By::Person,
        Some("assistant") => By::Agent,
        _ => {
            count(left_out, "messages of the system");
            By::Nobody
        }
    };
    if by == By::Nobody {
        return Node::default();
    }
    for (field, what) in [("sources", "sources"), ("citations", "sources"), ("code_executions", "results of tools")] {
        for _ in said[field].as_array().into_iter().flatten() {
            count(left_out, what);
        }
    }
    let files = said["files"].as_array().into_iter().flatten();
    let files = files.filter_map(|file| file["name"].as_str().or(file["file"]["filename"].as_str()));
    let files = files.map(str::to_owned).collect();
    let (text, thoughts) = match &said["content"] {
        Value::String(text) => without_thoughts(text, left_out),
        Value::Array(parts) => {
            for _ in parts.iter().filter(|part| part["type"] != "text") {
                count(left_out, "pictures and sounds");
            }
            let words = parts.iter().filter_map(|part| part["text"].as_str());
            (words.collect::<Vec<_>>().join("\n\n"), String::new())
        }
        _ => (String::new(), String::new()),
    };
    let error = said["error"]["content"].as_str().filter(|_| text.is_empty());
    if error.is_some() {
        count(left_out, "errors in place of answers");
    }
    let model = said["model"].as_str().map(str::to_owned);
    Node { parent: None, by, text, thoughts, files, model, at: time(&said["timestamp"]) }
}

/// Thoughts and calls of tools stand in the text as `<details type="…">`.
fn without_thoughts(text: &str, left_out: &mut LeftOut) -> (String, String) {
    let (mut plain, mut thoughts, mut rest) = (String::new(), String::new(), text);
    while let Some(start) = rest.find("<details type=\"") {
        let (before, block) = rest.split_at(start);
        let Some(end) = block.find("</details>") else { break };
        plain.push_str(before.trim_end());
        if !plain.is_empty() {
            plain.push_str("\n\n");
        }
        let (inside, behind) = (&block[..end], &block[end + "</details>".len()..]);
        if inside.starts_with("<details type=\"reasoning\"") {
            let words = inside.split_once("</summary>").map_or("", |(_, words)| words);
            let lines = words.trim().lines().map(|line| line.trim_start_matches("&gt;").trim_start_matches('>').trim());
            thoughts.push_str(lines.collect::<Vec<_>>().join("\n").trim());
        } else {
            count(left_out, "results of tools");
        }
        rest = behind.trim_start();
    }
    plain.push_str(rest);
    (plain, thoughts)
}
