//! What in a new schema an old client would notice.
//!
//! Of what the server sends, fields must stay, stay required, and take no new kinds of values; of what a client sends, the
//! server must take all that it took, and ask for nothing more. New types, optional fields and error codes are fine.

use std::collections::{BTreeSet, HashSet};

use serde_json::Value;

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Sender {
    Client,
    Server,
}

/// Where clients are to expect new values.
const OPEN: [&str; 3] = ["ErrorCode", "ServerFrame", "ClientFrame"];

struct Comparison<'a> {
    then: &'a Value,
    now: &'a Value,
    seen: HashSet<(String, Sender)>,
    found: Vec<String>,
}

/// What is broken, a line each.
pub(crate) fn breaks(then: &Value, now: &Value) -> Vec<String> {
    let mut comparison =
        Comparison { then: &then["$defs"], now: &now["$defs"], seen: HashSet::new(), found: Vec::new() };
    comparison.definition("ServerFrame", Sender::Server);
    comparison.definition("ClientFrame", Sender::Client);
    comparison.found
}

/// What a place allows: kinds of JSON, constants, and definitions.
fn allowed(schema: &Value) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for choices in ["oneOf", "anyOf"] {
        for choice in schema[choices].as_array().into_iter().flatten() {
            all.extend(allowed(choice));
        }
    }
    if let Some(name) = reference(schema) {
        all.insert(format!("a {name}"));
    }
    if let Some(constant) = schema.get("const") {
        all.insert(constant.to_string());
    } else if all.is_empty() {
        match &schema["type"] {
            Value::String(kind) => _ = all.insert(kind.clone()),
            Value::Array(kinds) => all.extend(kinds.iter().filter_map(Value::as_str).map(str::to_owned)),
            _ => {}
        }
    }
    all
}

fn reference(schema: &Value) -> Option<&str> {
    schema["$ref"].as_str()?.strip_prefix("#/$defs/")
}

fn names(list: &Value) -> BTreeSet<&str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

impl Comparison<'_> {
    fn definition(&mut self, name: &str, sender: Sender) {
        if !self.seen.insert((name.to_owned(), sender)) {
            return;
        }
        let (then, now) = (&self.then[name], &self.now[name]);
        if now.is_null() {
            self.found.push(format!("{name} is gone"));
            return;
        }
        self.compare(name, then, now, sender);
    }

    fn compare(&mut self, path: &str, then: &Value, now: &Value, sender: Sender) {
        let (before, after) = (allowed(then), allowed(now));
        let gone: Vec<&String> = before.difference(&after).collect();
        let new: Vec<&String> = after.difference(&before).collect();
        let open = OPEN.contains(&path);
        // A kind that the server no longer sends is missed by nobody, but a whole message is; one that it newly sends is.
        if !gone.is_empty() && (sender == Sender::Client || open) {
            self.found.push(format!("{path} no longer allows {gone:?}"));
        }
        if !new.is_empty() && sender == Sender::Server && !open {
            self.found.push(format!("{path} newly allows {new:?}"));
        }
        self.fields(path, then, now, sender);
        for choices in ["oneOf", "anyOf"] {
            let (before, after) = (then[choices].as_array(), now[choices].as_array());
            for choice in before.into_iter().flatten() {
                if let Some(name) = reference(choice) {
                    self.definition(name, sender);
                }
                // A variant is known by its constants.
                let tag = tag_of(choice);
                let same = after.into_iter().flatten().find(|other| tag.is_some() && tag_of(other) == tag);
                if let (Some(tag), Some(same)) = (tag, same) {
                    self.fields(&format!("{path}.{tag}"), choice, same, sender);
                }
            }
        }
        if let Some(name) = reference(then) {
            self.definition(name, sender);
        }
        if then["items"].is_object() {
            self.compare(&format!("{path}[]"), &then["items"], &now["items"], sender);
        }
    }

    fn fields(&mut self, path: &str, then: &Value, now: &Value, sender: Sender) {
        for (name, field) in then["properties"].as_object().into_iter().flatten() {
            let place = format!("{path}.{name}");
            match now["properties"].get(name) {
                Some(now) => self.compare(&place, field, now, sender),
                None => self.found.push(format!("{place} is gone")),
            }
        }
        let (before, after) = (names(&then["required"]), names(&now["required"]));
        let (missing, what) = match sender {
            Sender::Server => (before.difference(&after), "may be absent now"),
            Sender::Client => (after.difference(&before), "must be given now"),
        };
        for name in missing {
            self.found.push(format!("{path}.{name} {what}"));
        }
    }
}

/// The constants of a variant's fields.
fn tag_of(choice: &Value) -> Option<String> {
    let fields = choice["properties"].as_object()?;
    let constants: Vec<String> = fields.values().filter_map(|field| Some(field.get("const")?.to_string())).collect();
    (!constants.is_empty()).then(|| constants.join(" "))
}
