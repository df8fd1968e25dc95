//! What a server asks of a person while it works on a call (elicitation): as a question of ours, and the answer as it wants it.

use netra_ws::model::{Object, Question};
use rmcp::model::{ElicitRequestParams, ElicitResult, ElicitationAction};
use serde_json::{Value, json};

use crate::server::{form, store::questions::Verdict, tool::Notes};

/// The longest question, in bytes of JSON.
const LONGEST: usize = 32 << 10;

/// Asks whoever the call is made for. What cannot be asked is declined.
pub(super) async fn ask(server: &str, notes: &Notes, request: ElicitRequestParams) -> ElicitResult {
    match question(server, request) {
        Ok(question) => result(notes.ask(question).await),
        Err(why) => {
            tracing::warn!(server, why, "an MCP server's question is declined");
            ElicitResult::new(ElicitationAction::Decline)
        }
    }
}

fn question(server: &str, request: ElicitRequestParams) -> Result<Question, String> {
    let ElicitRequestParams::FormElicitationParams { message, requested_schema, .. } = request else {
        return Err("it is no form".to_owned());
    };
    let schema = serde_json::to_value(requested_schema).map_err(|error| error.to_string())?;
    let form = form_of(schema)?;
    let message = format!("{server} asks: {message}");
    let size = message.len() + form.as_ref().map_or(0, |form| json!(form).to_string().len());
    if size > LONGEST {
        return Err(format!("it has {size} bytes, and may have {LONGEST}"));
    }
    Ok(Question { message: Some(message), options: Vec::new(), form })
}

/// The form that people are shown: titled choices as plain ones, and without fields that a form cannot have and that may be empty.
/// A form without fields is none.
fn form_of(schema: Value) -> Result<Option<Object>, String> {
    let Value::Object(schema) = schema else { return Err("its form is no object".to_owned()) };
    let mut form: Object = schema.into_iter().collect();
    let required: Vec<String> =
        form.get("required").map(|names| serde_json::from_value(names.clone()).unwrap_or_default()).unwrap_or_default();
    if let Some(Value::Object(fields)) = form.get_mut("properties") {
        for field in fields.values_mut() {
            if let Some(choices) = titled(field) {
                field["enum"] = choices;
            }
            if let Some(choices) = field.get("items").and_then(titled) {
                field["items"]["enum"] = choices;
            }
        }
        let is_shown = |field: &Value| field["type"] != "array" || form::several(field).is_some();
        fields.retain(|name, field| is_shown(field) || required.contains(name));
        if fields.is_empty() {
            return Ok(None);
        }
    }
    form::check_form(&form)?;
    Ok(Some(form))
}

/// The values of choices that have titles.
fn titled(of: &Value) -> Option<Value> {
    let choices = ["oneOf", "anyOf"].iter().find_map(|name| of.get(name)?.as_array())?;
    Some(choices.iter().map(|choice| choice["const"].clone()).collect())
}

fn result(verdict: Verdict) -> ElicitResult {
    match verdict {
        Verdict::Approved { answer, .. } => {
            // What was left empty is not there.
            let answer: Object = answer.unwrap_or_default().into_iter().filter(|(_, value)| !value.is_null()).collect();
            ElicitResult::new(ElicitationAction::Accept).with_content(json!(answer))
        }
        Verdict::Denied { .. } => ElicitResult::new(ElicitationAction::Decline),
        Verdict::Expired | Verdict::Open => ElicitResult::new(ElicitationAction::Cancel),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_made_plain() {
        let schema = json!({
            "type": "object",
            "properties": {
                "name": { "type": "string" },
                "hero": { "type": "string", "oneOf": [{ "const": "h1", "title": "One" }, { "const": "h2", "title": "Two" }] },
                "fish": { "type": "array", "items": { "type": "string" } },
                "days": { "type": "array", "items": { "type": "string", "enum": ["mo", "tu"] } },
                "heroes": { "type": "array", "items": { "anyOf": [{ "const": "h1", "title": "One" }, { "const": "h2", "title": "Two" }] } }
            },
            "required": ["name"]
        });
        let form = json!(form_of(schema.clone()).expect("a form").expect("fields"));
        assert_eq!(form["properties"]["hero"]["enum"], json!(["h1", "h2"]));
        assert_eq!(form["properties"]["heroes"]["items"]["enum"], json!(["h1", "h2"]));
        assert_eq!(form["properties"]["days"]["items"]["enum"], json!(["mo", "tu"]));
        assert!(form["properties"].get("fish").is_none(), "{form}");
        let mut needed = schema;
        needed["required"] = json!(["fish"]);
        assert!(form_of(needed).is_err(), "what cannot be filled in is not asked for");
        assert_eq!(form_of(json!({ "type": "object", "properties": {} })), Ok(None));
    }
}
