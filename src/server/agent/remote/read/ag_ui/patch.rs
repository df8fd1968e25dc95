//! JSON Patch (RFC 6902), for the agent's state.

use serde_json::Value;

/// Operations of one patch.
const MAX_OPERATIONS: usize = 10_000;

/// Bytes that a state may grow to under patches; copies double.
const MAX_GROWN: usize = 4 << 20;

/// Applies a patch as a whole, or not at all.
pub(super) fn apply(state: &mut Value, patch: &Value) -> Result<(), String> {
    let operations = patch.as_array().ok_or("a patch is a list")?;
    if operations.len() > MAX_OPERATIONS {
        return Err(format!("a patch has more than {MAX_OPERATIONS} operations"));
    }
    let mut changed = state.clone();
    let mut grown = 0;
    for operation in operations {
        grown += one(&mut changed, operation)?;
        if grown > MAX_GROWN {
            return Err("the patch makes the state too large".to_owned());
        }
    }
    *state = changed;
    Ok(())
}

/// Applies one operation; gives about how many bytes it added.
fn one(state: &mut Value, operation: &Value) -> Result<usize, String> {
    let place = |name: &str| operation[name].as_str().ok_or_else(|| format!("an operation has no {name}"));
    let value = || operation.get("value").cloned().ok_or_else(|| "an operation has no value".to_owned());
    let path = place("path")?;
    match place("op")? {
        "add" => add(state, path, value()?),
        "replace" => {
            let value = value()?;
            let bytes = value.to_string().len();
            *state.pointer_mut(path).ok_or_else(|| nothing_at(path))? = value;
            Ok(bytes)
        }
        "remove" => remove(state, path).map(|_| 0),
        "move" => {
            let from = place("from")?;
            if path.strip_prefix(from).is_some_and(|rest| rest.starts_with('/')) {
                return Err("a value moves into itself".to_owned());
            }
            let moved = remove(state, from)?;
            add(state, path, moved)
        }
        "copy" => {
            let from = place("from")?;
            let copied = state.pointer(from).cloned().ok_or_else(|| nothing_at(from))?;
            add(state, path, copied)
        }
        "test" => {
            let wanted = value()?;
            let is_so = state.pointer(path) == Some(&wanted);
            if is_so { Ok(0) } else { Err(format!("{path:?} is not what the patch expects")) }
        }
        other => Err(format!("{other:?} is no operation")),
    }
}

fn add(state: &mut Value, path: &str, value: Value) -> Result<usize, String> {
    let bytes = value.to_string().len();
    let Some((parent, name)) = split(path)? else {
        *state = value;
        return Ok(bytes);
    };
    match state.pointer_mut(parent) {
        Some(Value::Object(fields)) => _ = fields.insert(name, value),
        Some(Value::Array(items)) => {
            let at = if name == "-" { items.len() } else { index(&name)? };
            if at > items.len() {
                return Err(nothing_at(path));
            }
            items.insert(at, value);
        }
        // A state that nobody set is an object to be filled.
        Some(empty @ Value::Null) if parent.is_empty() => *empty = Value::Object([(name, value)].into_iter().collect()),
        Some(_) | None => return Err(nothing_at(path)),
    }
    Ok(bytes)
}

fn remove(state: &mut Value, path: &str) -> Result<Value, String> {
    let Some((parent, name)) = split(path)? else { return Ok(std::mem::take(state)) };
    let removed = match state.pointer_mut(parent) {
        Some(Value::Object(fields)) => fields.remove(&name),
        Some(Value::Array(items)) => {
            let at = index(&name)?;
            (at < items.len()).then(|| items.remove(at))
        }
        Some(_) | None => None,
    };
    removed.ok_or_else(|| nothing_at(path))
}

/// The parent's pointer and the last name; nothing for the whole.
fn split(path: &str) -> Result<Option<(&str, String)>, String> {
    if path.is_empty() {
        return Ok(None);
    }
    let (parent, name) = path.rsplit_once('/').ok_or_else(|| format!("{path:?} is no pointer"))?;
    Ok(Some((parent, name.replace("~1", "/").replace("~0", "~"))))
}

fn index(name: &str) -> Result<usize, String> {
    let is_plain = name == "0" || !name.starts_with('0');
    name.parse().ok().filter(|_| is_plain).ok_or_else(|| format!("{name:?} is no place in a list"))
}

fn nothing_at(path: &str) -> String {
    format!("there is nothing at {path:?}")
}

/// Whether a value's JSON has at most so many bytes.
pub(super) fn is_at_most(value: &Value, most: usize) -> bool {
    value.to_string().len() <= most
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn patches_of_every_kind() {
        let check = |state: Value, patch: Value, wanted: Value| {
            let mut changed = state.clone();
            let applied = apply(&mut changed, &patch);
            if wanted.is_null() {
                assert!(applied.is_err(), "{patch} on {state}: {changed}");
                assert_eq!(changed, state, "what does not fit changes nothing");
            } else {
                assert_eq!((applied, changed), (Ok(()), wanted), "{patch} on {state}");
            }
        };
        let op = |op: &str, path: &str, value: Value| json!([{ "op": op, "path": path, "value": value }]);
        check(json!({}), op("add", "/a", json!(1)), json!({ "a": 1 }));
        check(Value::Null, op("add", "/a", json!(1)), json!({ "a": 1 }));
        check(json!({ "a": [1, 3] }), op("add", "/a/1", json!(2)), json!({ "a": [1, 2, 3] }));
        check(json!({ "a": [1] }), op("add", "/a/-", json!(2)), json!({ "a": [1, 2] }));
        check(json!({ "a": [1] }), op("add", "/a/2", json!(2)), Value::Null);
        check(json!({ "a": [1] }), op("add", "/a/01", json!(2)), Value::Null);
        check(json!({ "a/b": 1, "m~n": 2 }), op("replace", "/a~1b", json!(3)), json!({ "a/b": 3, "m~n": 2 }));
        check(json!({ "m~n": 2 }), op("replace", "/m~0n", json!(3)), json!({ "m~n": 3 }));
        check(json!({}), op("replace", "/a", json!(3)), Value::Null);
        check(json!({ "a": 1 }), op("add", "", json!({ "b": 2 })), json!({ "b": 2 }));
        check(json!({ "a": 1 }), json!([{ "op": "remove", "path": "/a" }]), json!({}));
        check(json!({ "a": 1 }), json!([{ "op": "move", "from": "/a", "path": "/b" }]), json!({ "b": 1 }));
        check(json!({ "a": {} }), json!([{ "op": "move", "from": "/a", "path": "/a/b" }]), Value::Null);
        check(json!({ "a": 1 }), json!([{ "op": "copy", "from": "/a", "path": "/b" }]), json!({ "a": 1, "b": 1 }));
        check(json!({ "a": 1 }), op("test", "/a", json!(1)), json!({ "a": 1 }));
        check(json!({ "a": 1 }), op("test", "/a", json!(2)), Value::Null);
        check(
            json!({ "a": 1 }),
            json!([{ "op": "remove", "path": "/a" }, { "op": "remove", "path": "/a" }]),
            Value::Null,
        );
        check(json!({}), json!({}), Value::Null);
        check(json!({}), json!([{ "op": "spin", "path": "" }]), Value::Null);
        let double = json!({ "op": "copy", "from": "", "path": "/x" });
        check(json!({ "a": "x".repeat(100_000) }), Value::Array(vec![double; 60]), Value::Null);
    }
}
