//! The guide's answer: what the tools returned, in sentences.

use std::fmt::Write as _;

use serde_json::Value;

use crate::server::tool::ToolRequest;

/// One paragraph or more for each call, in Markdown. Each ends so that the next can follow.
pub(super) fn compose(results: &[(&ToolRequest, Value)]) -> Vec<String> {
    if results.is_empty() {
        return vec!["None of my tools is switched on here, so I cannot look anything up.".to_owned()];
    }
    let mut paragraphs: Vec<String> = results.iter().map(|(call, result)| paragraph(call, result)).collect();
    let last = paragraphs.len() - 1;
    for paragraph in &mut paragraphs[..last] {
        paragraph.push_str("\n\n");
    }
    paragraphs
}

fn paragraph(call: &ToolRequest, result: &Value) -> String {
    let text = |name: &str| result.get(name).and_then(Value::as_str).unwrap_or_default();
    if result.get("error").is_some() {
        return format!("`{}` could not answer: {}.", call.tool, text("error").trim_end_matches('.'));
    }
    match call.tool.as_str() {
        "calculate" => {
            let sign = if result.get("exact") == Some(&Value::Bool(false)) { "≈" } else { "=" };
            format!("{} {sign} **{}**", code(text("expression")), escape(text("result")))
        }
        "date_time" => {
            format!("{}: **{}** ({})", code(text("expression")), escape(text("result")), escape(text("zone")))
        }
        "search_conversations" => conversations(result),
        _ => documentation(result),
    }
}

fn hits(result: &Value) -> &[Value] {
    result.get("results").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn field<'a>(hit: &'a Value, name: &str) -> &'a str {
    hit.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn conversations(result: &Value) -> String {
    let query = result.get("query").and_then(Value::as_str).unwrap_or_default();
    let hits = hits(result);
    if hits.is_empty() {
        return format!("None of your conversations holds {}.", code(query));
    }
    let mut text = format!("Your conversations that hold {}:\n", code(query));
    for hit in hits {
        let day = field(hit, "said_at").get(..10).unwrap_or_default();
        let excerpt = escape(&field(hit, "excerpt").split_whitespace().collect::<Vec<_>>().join(" "));
        let (title, thread) = (escape(field(hit, "title")), field(hit, "thread_id"));
        _ = write!(text, "\n- [{title}](/t/{thread}), {day}: {excerpt}");
    }
    text
}

fn documentation(result: &Value) -> String {
    let Some((best, others)) = hits(result).split_first() else {
        return "I found nothing on that in Netra's documentation. I work without a language model: I can calculate, work with \
                dates, search your conversations, and look things up in Netra's documentation. For free conversation, connect a \
                model with `NETRA_LLM_BASE_URL` and `NETRA_LLM_MODEL`."
            .to_owned();
    };
    let mut text =
        format!("From Netra's documentation, **{}**:\n\n{}", escape(field(best, "section")), field(best, "text"));
    let names: Vec<String> = others.iter().map(|hit| format!("*{}*", escape(field(hit, "section")))).collect();
    if !names.is_empty() {
        _ = write!(text, "\n\nRelated: {}.", names.join(", "));
    }
    text
}

/// Inline code that holds any text: the fence is longer than any run of backticks inside (CommonMark §6.1).
fn code(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    if longest == 0 { format!("`{text}`") } else { format!("{fence} {text} {fence}") }
}

/// Plain text inside Markdown.
fn escape(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, c| {
        if matches!(c, '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '#' | '|' | '~' | '&') {
            out.push('\\');
        }
        out.push(c);
        out
    })
}
