//! Small forms: the JSON Schema of a flat object, as the Model Context Protocol's elicitation has it, and what is filled in.
//! A field is a string, a number, a whole number, a boolean, one of a list of strings, or several of one.

use netra_ws::model::Object;
use serde_json::Value;

/// Fields that a form may have.
const MOST_FIELDS: usize = 32;

/// Holds what was filled in against its form; what is wrong otherwise, for people.
pub(crate) fn check(form: &Object, answer: &Object) -> Result<(), String> {
    let empty = Object::new();
    let fields = form.get("properties").and_then(Value::as_object).unwrap_or(&empty);
    if let Some(unknown) = answer.keys().find(|name| !fields.contains_key(*name)) {
        return Err(format!("there is no field {unknown:?}"));
    }
    let required = form.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    for name in required {
        if answer.get(name).is_none_or(Value::is_null) {
            return Err(format!("{name:?} is missing"));
        }
    }
    for (name, value) in answer.iter().filter(|(_, value)| !value.is_null()) {
        if let Some(field) = fields.get(name) {
            fits(field, value).map_err(|wrong| format!("{name:?} {wrong}"))?;
        }
    }
    Ok(())
}

/// Whether an agent's form is one that people can be shown; what is wrong otherwise.
pub(crate) fn check_form(form: &Object) -> Result<(), String> {
    let Some(Value::Object(fields)) = form.get("properties") else {
        return Err("a form has `properties`".to_owned());
    };
    if fields.len() > MOST_FIELDS {
        return Err(format!("a form has {MOST_FIELDS} fields at most"));
    }
    let known = |field: &Value| {
        let kind = field.get("type").and_then(Value::as_str);
        matches!(kind, Some("string" | "number" | "integer" | "boolean"))
            || field.get("enum").is_some()
            || several(field).is_some()
    };
    match fields.iter().find(|(_, field)| !known(field)) {
        Some((name, _)) => Err(format!("the field {name:?} is of no type that a form has")),
        None => Ok(()),
    }
}

/// The choices of a field in which several may be taken.
pub(crate) fn several(field: &Value) -> Option<&[Value]> {
    let choices = field.get("items").filter(|_| field["type"] == "array")?.get("enum")?.as_array()?;
    choices.iter().all(Value::is_string).then_some(choices)
}

/// Whether these are some of the choices, each once, and as many as are to be taken.
fn fits_several(field: &Value, choices: &[Value], value: &Value) -> Result<(), String> {
    let taken = value.as_array().ok_or("is no list")?;
    if taken.iter().any(|one| !choices.contains(one)) {
        return Err("has something that is none of the choices".to_owned());
    }
    if taken.iter().enumerate().any(|(at, one)| taken[..at].contains(one)) {
        return Err("has a choice twice".to_owned());
    }
    let bound = |name: &str| field.get(name).and_then(Value::as_u64);
    let count = u64::try_from(taken.len()).unwrap_or(u64::MAX);
    match () {
        () if bound("minItems").is_some_and(|least| count < least) => Err("has too few".to_owned()),
        () if bound("maxItems").is_some_and(|most| count > most) => Err("has too many".to_owned()),
        () => Ok(()),
    }
}

fn fits(field: &Value, value: &Value) -> Result<(), String> {
    if let Some(choices) = several(field) {
        return fits_several(field, choices, value);
    }
    if let Some(choices) = field.get("enum").and_then(Value::as_array)
        && !choices.contains(value)
    {
        return Err("is none of the choices".to_owned());
    }
    let number = |name: &str| field.get(name).and_then(Value::as_f64);
    match field.get("type").and_then(Value::as_str) {
        Some("string") => {
            let text = value.as_str().ok_or("is no text")?;
            #[allow(clippy::cast_precision_loss)] // no text is that long
            let length = text.chars().count() as f64;
            match () {
                () if number("minLength").is_some_and(|least| length < least) => Err("is too short".to_owned()),
                () if number("maxLength").is_some_and(|most| length > most) => Err("is too long".to_owned()),
                () => Ok(()),
            }
        }
        Some(kind @ ("number" | "integer")) => {
            let given = value.as_f64().ok_or("is no number")?;
            match () {
                () if kind == "integer" && given.fract() != 0.0 => Err("is no whole number".to_owned()),
                () if number("minimum").is_some_and(|least| given < least) => Err("is too small".to_owned()),
                () if number("maximum").is_some_and(|most| given > most) => Err("is too large".to_owned()),
                () => Ok(()),
            }
        }
        Some("boolean") => value.as_bool().map(drop).ok_or_else(|| "is neither yes nor no".to_owned()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> Object {
        value.as_object().cloned().expect("an object")
    }

    #[test]
    fn what_is_filled_in_fits_or_is_told_why_not() {
        let form = object(json!({
            "type": "object",
            "properties": {
                "name": { "type": "string", "minLength": 1, "maxLength": 5 },
                "age": { "type": "integer", "minimum": 0, "maximum": 150 },
                "share": { "type": "number" },
                "sure": { "type": "boolean" },
                "size": { "type": "string", "enum": ["s", "m"] },
                "days": { "type": "array", "items": { "type": "string", "enum": ["mo", "tu", "we"] }, "minItems": 1, "maxItems": 2 }
            },
            "required": ["name"]
        }));
        assert_eq!(check_form(&form), Ok(()));
        for (answer, wrong) in [
            (json!({ "name": "Ada", "age": 36, "share": 0.5, "sure": true, "size": "m" }), None),
            (json!({ "name": "Ada", "age": null }), None),
            (json!({}), Some("\"name\" is missing")),
            (json!({ "name": "" }), Some("\"name\" is too short")),
            (json!({ "name": "Augusta" }), Some("\"name\" is too long")),
            (json!({ "name": 7 }), Some("\"name\" is no text")),
            (json!({ "name": "Ada", "age": 1.5 }), Some("\"age\" is no whole number")),
            (json!({ "name": "Ada", "age": -1 }), Some("\"age\" is too small")),
            (json!({ "name": "Ada", "age": 151 }), Some("\"age\" is too large")),
            (json!({ "name": "Ada", "share": "x" }), Some("\"share\" is no number")),
            (json!({ "name": "Ada", "sure": "yes" }), Some("\"sure\" is neither yes nor no")),
            (json!({ "name": "Ada", "size": "xl" }), Some("\"size\" is none of the choices")),
            (json!({ "name": "Ada", "days": ["we", "mo"] }), None),
            (json!({ "name": "Ada", "days": "mo" }), Some("\"days\" is no list")),
            (json!({ "name": "Ada", "days": ["su"] }), Some("\"days\" has something that is none of the choices")),
            (json!({ "name": "Ada", "days": ["mo", "mo"] }), Some("\"days\" has a choice twice")),
            (json!({ "name": "Ada", "days": [] }), Some("\"days\" has too few")),
            (json!({ "name": "Ada", "days": ["mo", "tu", "we"] }), Some("\"days\" has too many")),
            (json!({ "name": "Ada", "other": 1 }), Some("there is no field \"other\"")),
        ] {
            let found = check(&form, &object(answer.clone())).err();
            assert_eq!(found.as_deref(), wrong, "{answer}");
        }
    }

    #[test]
    fn a_form_is_flat_and_small() {
        let nested = object(json!({ "properties": { "a": { "type": "object" } } }));
        assert!(check_form(&nested).is_err());
        let free = object(json!({ "properties": { "a": { "type": "array", "items": { "type": "string" } } } }));
        assert!(check_form(&free).is_err(), "a list without choices");
        assert!(check_form(&object(json!({ "type": "object" }))).is_err());
        let many: Object = (0..33).map(|at| (at.to_string(), json!({ "type": "string" }))).collect();
        assert!(check_form(&object(json!({ "properties": many }))).is_err());
    }
}
