//! ChatGPT's `conversations.json`: each conversation is a mapping of nodes with parents.

use std::collections::HashMap;

use serde_json::Value;

use super::{By, Conversation, LeftOut, Node, count, time};

pub(super) fn conversation(entry: &Value, left_out: &mut LeftOut) -> Conversation {
    let mapping = entry["mapping"].as_object();
    let ids: HashMap<&str, usize> =
        mapping.into_iter().flatten().enumerate().map(|(number, (id, _))| (id.as_str(), number)).collect();
    let find = |id: &Value| id.as_str().and_then(|id| ids.get(id)).copied();
    let nodes = mapping.into_iter().flatten().map(|(_, kept)| {
        let parent = find(&kept["parent"]);
        Node { parent, ..node(&kept["message"], left_out) }
    });
    let nodes = nodes.collect();
    Conversation {
        title: entry["title"].as_str().unwrap_or_default().to_owned(),
        created_at: time(&entry["create_time"]),
        nodes,
        current: find(&entry["current_node"]),
    }
}

fn node(message: &Value, left_out: &mut LeftOut) -> Node {
    if message.is_null() {
        return Node::default();
    }
    let at = time(&message["create_time"]);
    let metadata = &message["metadata"];
    let hidden = metadata["is_visually_hidden_from_conversation"] == true;
    let by = match message["author"]["role"].as_str() {
        Some("user") if !hidden => By::Person,
        Some("assistant") if !hidden => By::Agent,
        Some("tool") => {
            count(left_out, "results of tools");
            return Node { at, ..Node::default() };
        }
        _ => {
            if !text(&message["content"]).is_empty() {
                count(left_out, "messages of the system");
            }
            return Node { at, ..Node::default() };
        }
    };
    let content = &message["content"];
    let mut said = Node { by, at, ..Node::default() };
    said.model = metadata["model_slug"].as_str().map(str::to_owned);
    let attached = metadata["attachments"].as_array().into_iter().flatten();
    said.files = attached.filter_map(|file| file["name"].as_str()).map(str::to_owned).collect();
    match content["content_type"].as_str() {
        Some("thoughts") => {
            let thoughts = content["thoughts"].as_array().into_iter().flatten();
            let words = thoughts.filter_map(|thought| thought["content"].as_str().or(thought["summary"].as_str()));
            said.thoughts = words.collect::<Vec<_>>().join("\n\n");
        }
        Some("reasoning_recap") => {}
        Some("code") if by == By::Agent => {
            let language = content["language"].as_str().filter(|language| *language != "unknown").unwrap_or_default();
            let code = text(content);
            if !code.is_empty() {
                let fence = if code.contains("```") { "~~~~" } else { "```" };
                said.text = format!("{fence}{language}\n{code}\n{fence}");
            }
        }
        _ => {
            let parts = content["parts"].as_array().into_iter().flatten();
            let pictures = parts.filter(|part| part.is_object() && part["text"].as_str().is_none()).count();
            // Files that were attached are among them already.
            for _ in said.files.len()..pictures {
                count(left_out, "pictures and sounds");
            }
            said.text = without_marks(&text(content), left_out);
        }
    }
    if said.text.is_empty() && said.thoughts.is_empty() && said.files.is_empty() {
        said.by = By::Nobody;
    }
    said
}

/// The words of a content: its text, or its parts that are text.
fn text(content: &Value) -> String {
    let parts = content["parts"].as_array().into_iter().flatten();
    let parts = parts.filter_map(|part| part.as_str().or(part["text"].as_str())).filter(|part| !part.is_empty());
    let parts: Vec<&str> = parts.collect();
    if parts.is_empty() { content["text"].as_str().unwrap_or_default().to_owned() } else { parts.join("\n\n") }
}

/// Citations stand between signs that no font has; they lead nowhere here.
fn without_marks(text: &str, left_out: &mut LeftOut) -> String {
    let mut rest = text;
    let mut plain = String::with_capacity(text.len());
    while let Some((before, after)) = rest.split_once('\u{e200}') {
        plain.push_str(before);
        count(left_out, "citations");
        match after.split_once('\u{e201}') {
            Some((_, behind)) => rest = behind,
            None => {
                rest = after;
                break;
            }
        }
    }
    plain.push_str(rest);
    plain
}
