//! The HTTP side: every operation of the OpenAPI document.

use leptos::prelude::*;
use serde_json::Value;

use super::table;

/// A row for each operation.
pub(super) fn operations(document: &Value) -> AnyView {
    let mut rows = Vec::new();
    for (path, item) in document["paths"].as_object().into_iter().flatten() {
        for (method, operation) in item.as_object().into_iter().flatten() {
            rows.push(row(path, method, operation));
        }
    }
    table(["request", "what it does", "needs", "answers"], rows.collect_view().into_any())
}

fn row(path: &str, method: &str, operation: &Value) -> AnyView {
    let security = operation["security"].as_array().is_some_and(|all| !all.is_empty());
    let answers: Vec<&str> =
        operation["responses"].as_object().into_iter().flatten().map(|(code, _)| &**code).collect();
    view! {
        <tr>
            <td>
                <code>{format!("{} {path}", method.to_uppercase())}</code>
            </td>
            <td>{operation["summary"].as_str().unwrap_or_default().to_owned()}</td>
            <td data-name="needs">{if security { "a sign-in or an API token" } else { "nothing" }}</td>
            <td data-name="answers">{answers.join(", ")}</td>
        </tr>
    }
    .into_any()
}
