//! The Agent Client Protocol: what the updates of a session say. A call begins once it works, and not while it may still be refused.

mod content;

use serde_json::{Map, Value, json};

use content::{diffs, returned, words};

use super::{Fault, Outcome, Said, Spent, Tokens, calls::Calls, clean, text_of};

/// Calls that are known at a time, begun or not.
const MAX_KNOWN: usize = 256;

/// Bytes of a call's content that are kept until it ends.
const MAX_CONTENT: usize = 1 << 20;

/// How far a call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// It was told of, and may still be refused.
    Told,
    /// It works, the agent says; some say so and ask a person at once.
    Ripe,
    /// It began.
    Open,
    /// A person did not allow it.
    Refused,
}

/// A call as it is known so far.
#[derive(Debug)]
struct Known {
    id: String,
    tool: String,
    title: String,
    input: Value,
    content: Vec<Value>,
    output: Value,
    stage: Stage,
}

/// Reads one turn of a session.
#[derive(Debug, Default)]
pub(in crate::server::agent) struct Updates {
    calls: Calls,
    known: Vec<Known>,
    spent: Spent,
    content: usize,
    message: Option<String>,
    plan: String,
}

/// A call that a person is asked about.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::server::agent) struct Requested {
    /// The agent's id of it.
    pub(in crate::server::agent) id: String,
    /// The tool.
    pub(in crate::server::agent) tool: String,
    /// What it is about.
    pub(in crate::server::agent) title: String,
    /// Its arguments.
    pub(in crate::server::agent) arguments: Map<String, Value>,
}

impl Updates {
    /// Reads one update.
    pub(in crate::server::agent) fn read(&mut self, update: &Map<String, Value>) -> Result<Vec<Said>, Fault> {
        match text_of(update, "sessionUpdate").unwrap_or_default() {
            "agent_message_chunk" => self.text(update),
            "agent_thought_chunk" => {
                let text = words(update.get("content").unwrap_or(&Value::Null));
                self.spent.text(text.len())?;
                Ok((!text.is_empty()).then_some(Said::Thought(text)).into_iter().collect())
            }
            "tool_call" | "tool_call_update" => self.call(update),
            "plan" => Ok(self.plan(update).into_iter().collect()),
            "session_info_update" | "usage_update" | "user_message_chunk" => Ok(Vec::new()),
            // What is offered, what is for other programs, and what is to come.
            _ => Ok(Vec::new()),
        }
    }

    fn text(&mut self, update: &Map<String, Value>) -> Result<Vec<Said>, Fault> {
        let text = words(update.get("content").unwrap_or(&Value::Null));
        if text.is_empty() {
            return Ok(Vec::new());
        }
        self.spent.text(text.len())?;
        let message = text_of(update, "messageId");
        let is_new = message.is_some() && message != self.message.as_deref();
        if is_new {
            self.message = message.map(str::to_owned);
        }
        Ok(is_new.then_some(Said::Message).into_iter().chain([Said::Text(text)]).collect())
    }

    fn plan(&mut self, update: &Map<String, Value>) -> Option<Said> {
        self.spent.plan(update.get("entries")?, true, &mut self.plan)
    }

    fn call(&mut self, update: &Map<String, Value>) -> Result<Vec<Said>, Fault> {
        let Some(at) = self.learn(update)? else { return Ok(Vec::new()) };
        let id = self.known[at].id.clone();
        match (text_of(update, "status").unwrap_or_default(), self.known[at].stage) {
            ("in_progress", Stage::Told | Stage::Refused) => {
                self.known[at].stage = Stage::Ripe;
                Ok(Vec::new())
            }
            // Told of behind the question that a person answered.
            ("failed", Stage::Refused) => {
                self.known.remove(at);
                Ok(Vec::new())
            }
            (status @ ("completed" | "failed"), _) => {
                let mut said: Vec<Said> = self.begin(&id)?.into_iter().collect();
                let result = returned(&self.known[at].content, &self.known[at].output);
                self.known.remove(at);
                let outcome = if status == "failed" { Outcome::Failed(result) } else { Outcome::Ok(result) };
                said.extend(self.calls.end(&id, outcome));
                Ok(said)
            }
            _ => Ok(Vec::new()),
        }
    }

    /// Learns what is told of a call; nothing of one without an id.
    fn learn(&mut self, update: &Map<String, Value>) -> Result<Option<usize>, Fault> {
        let Some(id) = text_of(update, "toolCallId") else { return Ok(None) };
        let at = if let Some(at) = self.known.iter().position(|call| call.id == id) {
            at
        } else {
            // The end of a call that ended already says nothing.
            if text_of(update, "sessionUpdate") == Some("tool_call_update") && text_of(update, "title").is_none() {
                return Ok(None);
            }
            if self.known.len() == MAX_KNOWN {
                return Err(Fault::protocol(format!("the agent has more than {MAX_KNOWN} calls that do not end")));
            }
            self.spent.id()?;
            let id = id.to_owned();
            let (tool, title, input, output) = (String::new(), String::new(), Value::Null, Value::Null);
            self.known.push(Known { id, tool, title, input, output, content: Vec::new(), stage: Stage::Told });
            self.known.len() - 1
        };
        let call = &mut self.known[at];
        if let Some(title) = text_of(update, "title") {
            call.title = clean(title).chars().take(500).collect();
        }
        let kind = text_of(update, "name").or_else(|| text_of(update, "kind").filter(|kind| *kind != "other"));
        if let Some(kind) = kind {
            kind.clone_into(&mut call.tool);
        }
        let mut size = 0;
        if let Some(input) = update.get("rawInput").filter(|input| !input.is_null()) {
            size += input.to_string().len();
            call.input = input.clone();
        }
        if let Some(output) = update.get("rawOutput").filter(|output| !output.is_null()) {
            call.output = output.clone();
        }
        if let Some(content) = update.get("content").and_then(Value::as_array) {
            size += content.iter().map(|part| part.to_string().len()).sum::<usize>();
            if size <= MAX_CONTENT {
                call.content.clone_from(content);
            } else {
                call.content = vec![json!({ "type": "content", "content": { "text": "[too long to be shown]" } })];
            }
        }
        self.content = self.content.saturating_add(size);
        if self.content > 64 * MAX_CONTENT {
            return Err(Fault::protocol("the agent tells too much of its calls"));
        }
        Ok(Some(at))
    }

    fn begin(&mut self, id: &str) -> Result<Option<Said>, Fault> {
        let Some(call) = self.known.iter_mut().find(|call| call.id == id && call.stage != Stage::Open) else {
            return Ok(None);
        };
        call.stage = Stage::Open;
        let tool = tool_of(call).to_owned();
        let arguments = Value::Object(arguments(call));
        self.calls.whole(id, &tool, &arguments)
    }

    /// A person is to be asked about a call; what the request tells of it counts. A call that has begun has not, then.
    pub(in crate::server::agent) fn request(&mut self, told: &Map<String, Value>) -> Result<Requested, Fault> {
        let mut told = told.clone();
        told.remove("status");
        told.remove("sessionUpdate");
        let Some(at) = self.learn(&told)? else {
            return Err(Fault::protocol("the agent asks about a call and does not say which"));
        };
        let call = &mut self.known[at];
        if call.stage == Stage::Open {
            self.calls.forget_open(&call.id);
        }
        call.stage = Stage::Told;
        let (id, tool, title) = (call.id.clone(), tool_of(call).to_owned(), call.title.clone());
        let mut arguments = arguments(call);
        let shown = diffs(&call.content);
        if !shown.is_empty() {
            arguments.insert("change".to_owned(), Value::String(shown));
        }
        Ok(Requested { id, tool, title, arguments })
    }

    /// The run leaves the open calls behind: they are told as they are when it goes on.
    pub(in crate::server::agent) fn suspend(&mut self) {
        for call in self.known.iter_mut().filter(|call| call.stage == Stage::Open) {
            call.stage = Stage::Ripe;
        }
        self.calls = Calls::default();
    }

    /// Whether calls work that were not told to have begun.
    pub(in crate::server::agent) fn has_ripe(&self) -> bool {
        self.known.iter().any(|call| call.stage == Stage::Ripe)
    }

    /// Nobody was asked about the calls that work: they have begun.
    pub(in crate::server::agent) fn ripen(&mut self) -> Result<Vec<Said>, Fault> {
        let ripe = self.known.iter().filter(|call| call.stage == Stage::Ripe);
        let ids: Vec<String> = ripe.map(|call| call.id.clone()).collect();
        ids.iter().filter_map(|id| self.begin(id).transpose()).collect()
    }

    /// A person has decided about a call: it begins, or it will not.
    pub(in crate::server::agent) fn decided(&mut self, id: &str, allowed: bool) -> Result<Option<Said>, Fault> {
        if allowed {
            return self.begin(id);
        }
        if let Some(call) = self.known.iter_mut().find(|call| call.id == id && call.stage == Stage::Told) {
            call.stage = Stage::Refused;
        }
        Ok(None)
    }
}

/// Tokens that a turn used, where its end tells.
pub(in crate::server::agent) fn used(answer: &Value) -> Option<Said> {
    let count = |name: &str| answer["usage"][name].as_u64().unwrap_or_default();
    let (input, output) = (count("inputTokens"), count("outputTokens"));
    (input + output > 0).then_some(Said::Used(Tokens { input, output }))
}

/// What a call is called: its tool's name, or its kind, or its title.
fn tool_of(call: &Known) -> &str {
    [&call.tool, &call.title].into_iter().find(|name| !name.is_empty()).map_or("tool", String::as_str)
}

fn arguments(call: &Known) -> Map<String, Value> {
    let mut fields = match &call.input {
        Value::Object(fields) => fields.clone(),
        Value::Null => Map::new(),
        other => Map::from_iter([("input".to_owned(), other.clone())]),
    };
    if !call.title.is_empty() && call.title != call.tool {
        fields.entry("title").or_insert_with(|| call.title.clone().into());
    }
    fields
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(updates: &mut Updates, update: &Value) -> Vec<Said> {
        updates.read(update.as_object().expect("an object")).expect("read")
    }

    fn begun(said: &[Said]) -> Vec<String> {
        let begun = said.iter().filter_map(|said| match said {
            Said::Begun(call) => {
                Some(format!("{} {}", call.tool, Value::Object(call.arguments.clone().expect("fields"))))
            }
            _ => None,
        });
        begun.collect()
    }

    #[test]
    fn words_thoughts_and_plans() {
        let mut updates = Updates::default();
        let mut check = |update: Value, wanted: &[Said]| assert_eq!(read(&mut updates, &update), wanted, "{update}");
        let chunk =
            |kind: &str, text: &str| json!({ "sessionUpdate": kind, "content": { "type": "text", "text": text } });
        check(chunk("agent_message_chunk", "Hi"), &[Said::Text("Hi".to_owned())]);
        check(chunk("agent_thought_chunk", "hm\0"), &[Said::Thought("hm".to_owned())]);
        check(chunk("user_message_chunk", "no"), &[]);
        check(json!({ "sessionUpdate": "of_tomorrow", "content": 3 }), &[]);
        let plan = json!({ "sessionUpdate": "plan", "entries": [
            { "content": "look", "status": "completed", "priority": "high" },
            { "content": "leap", "status": "in_progress", "priority": "low" },
        ] });
        let message = "Plan: 1 of 2 done; leap\n\n- [x] look\n- [ ] leap (in progress)".to_owned();
        let note = Said::Note { message, fraction: Some(0.5) };
        check(plan.clone(), &[note]);
        check(plan, &[]);
    }

    #[test]
    fn a_call_begins_when_it_works_and_ends_once() {
        let mut updates = Updates::default();
        let call = json!({ "sessionUpdate": "tool_call", "toolCallId": "1", "title": "Edit a.txt", "kind": "edit", "rawInput": { "path": "a.txt" } });
        assert_eq!(read(&mut updates, &call), []);
        let requested = updates.request(
            json!({ "toolCallId": "1", "content": [
            { "type": "diff", "path": "/a.txt", "oldText": "1\n2\n3", "newText": "1\n4\n3" },
        ] })
            .as_object()
            .expect("fields"),
        );
        let requested = requested.expect("a request");
        assert_eq!((requested.tool.as_str(), requested.title.as_str()), ("edit", "Edit a.txt"));
        assert_eq!(requested.arguments["change"], "--- /a.txt\n+++ /a.txt\n@@ -2,1 +2,1 @@\n-2\n+4\n");
        let said: Vec<Said> = updates.decided("1", true).expect("fine").into_iter().collect();
        assert_eq!(begun(&said), ["edit {\"path\":\"a.txt\",\"title\":\"Edit a.txt\"}"]);
        let update = |status: &str| json!({ "sessionUpdate": "tool_call_update", "toolCallId": "1", "status": status });
        assert_eq!(read(&mut updates, &update("in_progress")), []);
        let ended = read(&mut updates, &update("completed"));
        assert!(
            matches!(&ended[..], [Said::Ended { outcome: Outcome::Ok(result), .. }] if result.as_str().is_some_and(|text| text.contains("+4"))),
            "{ended:?}"
        );
        assert_eq!(read(&mut updates, &update("completed")), [], "twice");
    }

    #[test]
    fn what_a_person_refused_does_not_begin() {
        let mut updates = Updates::default();
        let request = json!({ "toolCallId": "1", "title": "rm -rf", "kind": "execute" });
        updates.request(request.as_object().expect("fields")).expect("a request");
        assert_eq!(updates.decided("1", false).expect("fine"), None);
        let failed = json!({ "sessionUpdate": "tool_call_update", "toolCallId": "1", "status": "failed" });
        assert_eq!(read(&mut updates, &failed), []);
        // One that works all the same is told.
        updates.request(request.as_object().expect("fields")).expect("a request");
        updates.decided("1", false).expect("fine");
        let done = json!({ "sessionUpdate": "tool_call_update", "toolCallId": "1", "status": "completed" });
        assert_eq!(read(&mut updates, &done).len(), 2);
    }

    fn any_update() -> impl Strategy<Value = Value> {
        let kinds = ["agent_message_chunk", "tool_call", "tool_call_update", "plan", "agent_thought_chunk", "x"];
        let statuses = ["pending", "in_progress", "completed", "failed", "odd"];
        (0..kinds.len(), 0..3u8, 0..statuses.len(), any::<bool>(), ".{0,8}").prop_map(move |(kind, id, status, titled, text)| {
            let mut update = json!({ "sessionUpdate": kinds[kind], "toolCallId": id.to_string(), "status": statuses[status],
                "content": { "type": "text", "text": text }, "entries": [{ "content": text, "status": statuses[status] }] });
            if titled {
                update["title"] = text.clone().into();
                update["content"] = json!([{ "type": "diff", "path": 3, "newText": text }, null]);
            }
            update
        })
    }

    proptest! {
        #[test]
        fn whatever_comes_each_call_ends_as_often_as_it_begins_at_most(updates in prop::collection::vec(any_update(), 0..60)) {
            let mut reader = Updates::default();
            let mut open = std::collections::HashSet::new();
            for (at, update) in updates.iter().enumerate() {
                if at % 7 == 6 {
                    reader.suspend();
                    open.clear();
                }
                for said in reader.read(update.as_object().expect("an object")).unwrap_or_default() {
                    match said {
                        Said::Begun(call) => prop_assert!(open.insert(call.id)),
                        Said::Ended { id, .. } => prop_assert!(open.remove(&id)),
                        _ => {}
                    }
                }
            }
        }
    }
}
