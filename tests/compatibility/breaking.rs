//! What in a new schema an old client would notice.
//!
//! Of what the server sends, fields must stay, stay required, and take no new kinds of values; of what a client sends, the
//! server must take all that it took, and ask for nothing more. New types and optional fields are fine, and so are new names
//! in an enumeration (statuses, roles, levels, codes) and new kinds of steps, which a client reads as unknown.
//!
//! The HTTP side is held to the same: what is asked for as a client's frame is, what is answered as the server's.

use std::collections::{BTreeSet, HashSet};

use serde_json::Value;

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Sender {
    Client,
    Server,
}

/// What is a list of messages: it may grow, but none may go.
const MESSAGES: [&str; 2] = ["ServerFrame", "ClientFrame"];

struct Comparison<'a> {
    then: &'a Value,
    now: &'a Value,
    seen: HashSet<(String, Sender)>,
    found: Vec<String>,
}

/// What a value is promised to be, or asked to be, beyond its kind.
const BOUNDS: [&str; 8] = ["format", "pattern", "minLength", "maxLength", "minimum", "maximum", "minItems", "maxItems"];

/// What is broken, a line each.
pub(crate) fn breaks(then: &Value, now: &Value) -> Vec<String> {
    let mut comparison =
        Comparison { then: &then["$defs"], now: &now["$defs"], seen: HashSet::new(), found: Vec::new() };
    comparison.definition("ServerFrame", Sender::Server);
    comparison.definition("ClientFrame", Sender::Client);
    comparison.found
}

/// The same for the HTTP side.
pub(crate) fn breaks_http(then: &Value, now: &Value) -> Vec<String> {
    let (before, after) = (&then["components"]["schemas"], &now["components"]["schemas"]);
    let mut comparison = Comparison { then: before, now: after, seen: HashSet::new(), found: Vec::new() };
    for (path, operations) in then["paths"].as_object().into_iter().flatten() {
        for (method, operation) in operations.as_object().into_iter().flatten() {
            let place = format!("{method} {path}");
            match now["paths"][path].get(method) {
                Some(now) => comparison.operation(&place, operation, now),
                None => comparison.found.push(format!("{place} is gone")),
            }
        }
    }
    comparison.found
}

/// What a place allows: kinds of JSON, constants, and definitions.
fn allowed(schema: &Value) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for choice in choices(schema) {
        all.extend(allowed(choice));
        all.extend(tag_of(choice).map(|tag| format!("the variant {tag}")));
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

/// The choices of a schema, whichever word introduces them.
fn choices(schema: &Value) -> Vec<&Value> {
    ["oneOf", "anyOf"].iter().flat_map(|word| schema[word].as_array().into_iter().flatten()).collect()
}

/// Whether the place holds a name out of a list, or an object of one of several kinds.
fn is_enumeration(schema: &Value) -> bool {
    let name = |choice: &Value| choice["type"] == "string" && reference(choice).is_none();
    let kind = |choice: &Value| choice["properties"]["kind"]["type"] == "string";
    let choices = choices(schema);
    !choices.is_empty() && (choices.iter().all(|choice| name(choice)) || choices.iter().all(|choice| kind(choice)))
}

fn reference(schema: &Value) -> Option<&str> {
    let whole = schema["$ref"].as_str()?;
    whole.strip_prefix("#/$defs/").or_else(|| whole.strip_prefix("#/components/schemas/"))
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
        let messages = MESSAGES.contains(&path);
        let may_grow = messages || (is_enumeration(then) && is_enumeration(now));
        // A kind that the server no longer sends is missed by nobody, but a whole message is; one that it newly sends is.
        if !gone.is_empty() && (sender == Sender::Client || messages) {
            self.found.push(format!("{path} no longer allows {gone:?}"));
        }
        if !new.is_empty() && sender == Sender::Server && !may_grow {
            self.found.push(format!("{path} newly allows {new:?}"));
        }
        for bound in BOUNDS {
            // How wide a number is where it was made promises nothing: its bounds do.
            if bound == "format" && (then["type"] == "integer" || then["type"] == "number") {
                continue;
            }
            match sender {
                Sender::Server if !then[bound].is_null() && then[bound] != now[bound] => {
                    self.found.push(format!("{path} no longer keeps its {bound}"));
                }
                Sender::Client if !now[bound].is_null() && then[bound] != now[bound] => {
                    self.found.push(format!("{path} newly asks for a {bound}"));
                }
                Sender::Client | Sender::Server => {}
            }
        }
        self.fields(path, then, now, sender);
        let after = choices(now);
        for choice in choices(then) {
            if let Some(name) = reference(choice) {
                self.definition(name, sender);
            }
            // A variant is known by its constants.
            let tag = tag_of(choice);
            let same = after.iter().find(|other| tag.is_some() && tag_of(other) == tag);
            if let (Some(tag), Some(same)) = (tag, same) {
                self.fields(&format!("{path}.{tag}"), choice, same, sender);
            }
        }
        if let Some(name) = reference(then) {
            self.definition(name, sender);
        }
        if then["items"].is_object() {
            self.compare(&format!("{path}[]"), &then["items"], &now["items"], sender);
        }
    }

    fn operation(&mut self, place: &str, then: &Value, now: &Value) {
        let json = |message: &Value| message["content"]["application/json"]["schema"].clone();
        let (before, after) = (json(&then["requestBody"]), json(&now["requestBody"]));
        if then["requestBody"]["required"] != true && now["requestBody"]["required"] == true {
            self.found.push(format!("{place} must have a body now"));
        }
        if !before.is_null() {
            self.compare(&format!("{place}, asked"), &before, &after, Sender::Client);
        }
        let named = |operation: &Value, needed: bool| -> BTreeSet<String> {
            let all = operation["parameters"].as_array().into_iter().flatten();
            let wanted = all.filter(|parameter| !needed || parameter["required"] == true);
            wanted.filter_map(|parameter| Some(parameter["name"].as_str()?.to_owned())).collect()
        };
        for gone in named(then, false).difference(&named(now, false)) {
            self.found.push(format!("{place}: the parameter {gone} is gone"));
        }
        for new in named(now, true).difference(&named(then, true)) {
            self.found.push(format!("{place}: the parameter {new} must be given now"));
        }
        for (status, answer) in then["responses"].as_object().into_iter().flatten() {
            // A refusal that no longer comes is missed by nobody.
            let Some(now) = now["responses"].get(status) else {
                if status.starts_with('2') {
                    self.found.push(format!("{place} no longer answers {status}"));
                }
                continue;
            };
            self.compare(&format!("{place}, {status}"), &json(answer), &json(now), Sender::Server);
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
