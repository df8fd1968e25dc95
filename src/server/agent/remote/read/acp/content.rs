//! What the content of messages and calls says to people: words, and changes of files line by line.

use std::fmt::Write as _;

use serde_json::Value;

use super::super::clean;

/// Lines of a file that a difference is worked out for; of larger ones the new text is shown.
const MAX_LINES: usize = 2_000;

/// What a block of content says.
pub(super) fn words(block: &Value) -> String {
    let text = match (block["type"].as_str(), block) {
        (_, Value::String(text)) => text.clone(),
        (Some("resource"), _) => block["resource"]["text"].as_str().map_or_else(String::new, str::to_owned),
        (Some("resource_link"), _) => block["uri"].as_str().map_or_else(String::new, |uri| format!("<{uri}>")),
        (Some(kind @ ("image" | "audio")), _) => format!("[{kind}]"),
        _ => block["text"].as_str().unwrap_or_default().to_owned(),
    };
    clean(&text)
}

/// What a call came to, as people read it: words and changes of files; what the agent has of it otherwise.
pub(super) fn returned(parts: &[Value], output: &Value) -> Value {
    let text = |part: &Value| match part["type"].as_str() {
        Some("diff") => change(part),
        Some("terminal") => "[a terminal]".to_owned(),
        Some(_) | None => words(&part["content"]),
    };
    let told: Vec<String> = parts.iter().map(text).filter(|text| !text.is_empty()).collect();
    if !told.is_empty() {
        return Value::String(told.join("\n\n"));
    }
    output.clone()
}

/// The changes of files among the parts.
pub(super) fn diffs(content: &[Value]) -> String {
    let changes = content.iter().filter(|part| part["type"] == "diff").map(change);
    changes.collect::<Vec<_>>().join("\n\n")
}

/// A change of a file, a line each: what goes has `-` in front, what comes `+`.
fn change(part: &Value) -> String {
    let path = clean(part["path"].as_str().unwrap_or("a file"));
    let (old, new) = (part["oldText"].as_str(), part["newText"].as_str().unwrap_or_default());
    let (old, new): (Vec<&str>, Vec<&str>) = (old.unwrap_or_default().lines().collect(), new.lines().collect());
    let mut text = format!("--- {path}\n+++ {path}\n");
    if old.len() > MAX_LINES || new.len() > MAX_LINES {
        let _ = writeln!(text, "[{} lines become {}]", old.len(), new.len());
        return text;
    }
    let before = old.iter().zip(&new).take_while(|(old, new)| old == new).count();
    let rest = old.len().min(new.len()) - before;
    let after = old.iter().rev().zip(new.iter().rev()).take(rest).take_while(|(old, new)| old == new).count();
    let (gone, come) = (&old[before..old.len() - after], &new[before..new.len() - after]);
    let _ = writeln!(text, "@@ -{},{} +{},{} @@", before + 1, gone.len(), before + 1, come.len());
    for (mark, lines) in [('-', gone), ('+', come)] {
        for line in lines {
            let _ = writeln!(text, "{mark}{}", clean(line));
        }
    }
    text
}
