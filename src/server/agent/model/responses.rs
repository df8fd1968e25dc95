//! OpenAI's Responses API (platform.openai.com/docs/api-reference/responses-streaming), without keeping anything at the server:
//! `store` is off, and sealed reasoning goes back with the next turn.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use netra_ws::model::Usage;
use serde_json::{Map, Value, json};

use super::{
    ChatMessage, Ending, GivenFile, ModelError, Piece, Settings, Turn, TurnEnd, Written,
    calls::{CallDelta, Calls},
    clean, extend, failed,
    json::count,
    order::{self, Order, laid_out},
    parts::Part,
    said,
    sse::Event,
    stream::{Assemble, Reader, Wire, named},
    tool_name,
};

/// The Responses API.
pub struct Responses;

impl Wire for Responses {
    const PATH: &str = "responses";
    type Answer = Assembly;

    fn request(settings: &Settings, turn: &Turn<'_>, left_out: &BTreeSet<Part>) -> Value {
        let input: Vec<Value> = turn.messages.iter().flat_map(|message| items(message, left_out)).collect();
        let mut body = json!({ "model": settings.model, "input": input, "stream": true, "store": false });
        if let Some(system) = &settings.system {
            body["instructions"] = json!(system);
        }
        if !left_out.contains(&Part::Include) {
            body["include"] = json!(["reasoning.encrypted_content"]);
        }
        let tool = |tool: &&super::ToolSpec| {
            json!({
                "type": "function", "name": tool.name, "description": tool.description, "parameters": tool.parameters,
                "strict": false,
            })
        };
        let tools: Vec<Value> = turn.tools.iter().map(tool).collect();
        if !tools.is_empty() && !left_out.contains(&Part::Tools) {
            body["tools"] = tools.into();
        }
        extend(&mut body, Some(&settings.options));
        body
    }
}

fn file_part(file: &GivenFile) -> Value {
    if file.is_image() {
        json!({ "type": "input_image", "image_url": file.data_url(), "detail": "auto" })
    } else {
        json!({ "type": "input_file", "filename": file.name, "file_data": file.data_url() })
    }
}

/// A message as the items that it is here.
fn items(message: &ChatMessage, left_out: &BTreeSet<Part>) -> Vec<Value> {
    match message {
        ChatMessage::User { text, files } => {
            let (text, files) = said(text, files, left_out);
            let words = (!text.is_empty() || files.is_empty()).then(|| json!({ "type": "input_text", "text": text }));
            let content: Vec<Value> = words.into_iter().chain(files.iter().map(file_part)).collect();
            vec![json!({ "type": "message", "role": "user", "content": content })]
        }
        ChatMessage::Assistant { text, calls, replay } => {
            let item = |part| match part {
                order::Part::Sealed(reasoning) => (!left_out.contains(&Part::Include)).then(|| reasoning.clone()),
                order::Part::Said(text) => {
                    let content = json!([{ "type": "output_text", "text": text }]);
                    Some(json!({ "type": "message", "role": "assistant", "content": content }))
                }
                order::Part::Called(at) => calls.get(at).map(|call| {
                    let arguments = call.arguments.as_ref().cloned().unwrap_or_else(|_| Map::new());
                    let (name, arguments) = (tool_name(&call.tool), Value::Object(arguments).to_string());
                    json!({ "type": "function_call", "call_id": call.id, "name": name, "arguments": arguments })
                }),
            };
            laid_out(replay, text, calls.len()).into_iter().filter_map(item).collect()
        }
        ChatMessage::Tool { id, result, .. } => {
            vec![json!({ "type": "function_call_output", "call_id": id, "output": result })]
        }
    }
}

/// An answer in the making.
#[derive(Default)]
pub(super) struct Assembly {
    calls: Calls,
    /// Reasoning items, to be sent back as they came and where they stood.
    order: Order,
    usage: Option<Usage>,
    ending: Option<Ending>,
    refused: bool,
    written: Written,
    /// What was said of each output item and kind, in bytes: `done` events repeat it, and some servers send nothing else.
    said: BTreeMap<(u64, &'static str), usize>,
}

impl Reader for Assembly {
    fn read(&mut self, event: &Event) -> Result<Vec<Piece>, ModelError> {
        let Some((kind, value)) = named(event)? else { return Ok(Vec::new()) };
        let mut pieces = Vec::new();
        self.calls.begin_chunk();
        self.apply(&kind, &value, &mut pieces)?;
        self.written.add(&pieces)?;
        Ok(pieces)
    }

    fn has_ended(&self) -> bool {
        self.ending.is_some()
    }

    fn is_done(&self) -> bool {
        self.ending.is_some()
    }
}

impl Assembly {
    fn apply(&mut self, kind: &str, value: &Value, pieces: &mut Vec<Piece>) -> Result<(), ModelError> {
        let place = count(&value["output_index"]).unwrap_or_default();
        let text = |field: &str| value[field].as_str().unwrap_or_default();
        match kind {
            "response.output_text.delta" => self.say(place, text("delta"), pieces),
            "response.output_text.done" => self.say_rest(place, text("text"), pieces),
            "response.refusal.delta" => {
                self.refused = true;
                self.say(place, text("delta"), pieces);
            }
            "response.reasoning_summary_text.delta" | "response.reasoning_text.delta" => {
                self.think(place, text("delta"), pieces);
            }
            // Summaries come in parts, each a paragraph.
            "response.reasoning_summary_part.added" if count(&value["summary_index"]) > Some(0) => {
                self.think(place, "\n\n", pieces);
            }
            "response.output_item.added" => self.begin(place, &value["item"])?,
            "response.function_call_arguments.delta" => {
                let delta = CallDelta { index: Some(place), arguments: value["delta"].clone(), ..CallDelta::default() };
                self.calls.push(delta)?;
            }
            "response.output_item.done" => self.end_item(place, &value["item"], pieces)?,
            // Some servers end with this whatever happened, and say in it what did.
            "response.completed" | "response.done" => {
                let ending = whole_ending(&value["response"])?;
                self.end(&value["response"], ending, pieces)?;
            }
            "response.incomplete" => {
                let reason = value["response"]["incomplete_details"]["reason"].as_str().unwrap_or("incomplete");
                let ending = match reason {
                    "max_output_tokens" | "max_tokens" => Ending::Length,
                    "content_filter" => Ending::Filtered,
                    other => Ending::Other(other.to_owned()),
                };
                self.end(&value["response"], ending, pieces)?;
            }
            "response.failed" => return Err(failed(&value["response"])),
            "error" => return Err(failed(value)),
            "" if value["object"] == "response" => self.end(value, whole_ending(value)?, pieces)?,
            "" if !value["error"].is_null() => return Err(failed(value)),
            // Events of tools that run at the server, of audio, of annotations, and those to come.
            _ => {}
        }
        Ok(())
    }

    fn say(&mut self, place: u64, text: &str, pieces: &mut Vec<Piece>) {
        if text.is_empty() {
            return;
        }
        *self.said.entry((place, "text")).or_default() += text.len();
        let text = clean(text);
        self.order.said(place, text.len());
        pieces.push(Piece::Text(text));
    }

    /// What of a whole text was not said piece by piece.
    fn say_rest(&mut self, place: u64, whole: &str, pieces: &mut Vec<Piece>) {
        if self.said.get(&(place, "text")).copied().unwrap_or_default() == 0 {
            self.say(place, whole, pieces);
        }
    }

    fn think(&mut self, place: u64, text: &str, pieces: &mut Vec<Piece>) {
        if text.is_empty() {
            return;
        }
        *self.said.entry((place, "thought")).or_default() += text.len();
        pieces.push(Piece::Thinking(clean(text)));
    }

    fn begin(&mut self, place: u64, item: &Value) -> Result<(), ModelError> {
        if item["type"] == "reasoning" {
            self.written.keep(size_of::<Value>());
            self.order.seal(place, Value::Null);
        }
        if item["type"] != "function_call" {
            return Ok(());
        }
        self.said.insert((place, "call"), 1);
        self.order.called(place);
        let text = |field: &str| item[field].as_str().unwrap_or_default().to_owned();
        let (id, name) = (text("call_id"), text("name"));
        let arguments = item["arguments"].clone();
        self.calls.push(CallDelta { index: Some(place), id, name, arguments, ..CallDelta::default() })
    }

    /// An item is complete: it says again what its pieces said, and what was not said in pieces.
    fn end_item(&mut self, place: u64, item: &Value, pieces: &mut Vec<Piece>) -> Result<(), ModelError> {
        match item["type"].as_str() {
            Some("function_call") if self.said.contains_key(&(place, "call")) => {
                let arguments = item["arguments"].clone();
                self.calls.push(CallDelta { index: Some(place), arguments, whole: true, ..CallDelta::default() })
            }
            Some("function_call") => self.begin(place, item),
            Some("reasoning") => {
                self.written.keep(item.to_string().len());
                self.order.seal(place, item.clone());
                let thoughts =
                    ["summary", "content"].into_iter().flat_map(|field| item[field].as_array().into_iter().flatten());
                let whole: Vec<&str> = thoughts.filter_map(|part| part["text"].as_str()).collect();
                if !self.said.contains_key(&(place, "thought")) {
                    self.think(place, &whole.join("\n\n"), pieces);
                }
                Ok(())
            }
            Some("message") => {
                let mut whole = String::new();
                for part in item["content"].as_array().into_iter().flatten() {
                    self.refused |= part["type"] == "refusal";
                    whole.push_str(part["text"].as_str().or(part["refusal"].as_str()).unwrap_or_default());
                }
                self.say_rest(place, &whole, pieces);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn end(&mut self, response: &Value, ending: Ending, pieces: &mut Vec<Piece>) -> Result<(), ModelError> {
        // Some servers tell a part of it here alone. Ids may differ from those before, so calls are counted, too.
        let (said, sealed) = (self.said.keys().any(|(_, kind)| *kind == "text"), self.order.has_sealed());
        let output = response["output"].as_array().map_or(&[][..], Vec::as_slice);
        let calls = output.iter().filter(|item| item["type"] == "function_call").count();
        for (item, place) in output.iter().zip(0..) {
            match item["type"].as_str() {
                Some("message") if !said => self.end_item(place, item, pieces)?,
                Some("reasoning") if !sealed => self.end_item(place, item, pieces)?,
                Some("function_call") if self.calls.len() < calls => {
                    let known = item["call_id"].as_str().is_some_and(|id| self.calls.knows(id));
                    if !known {
                        self.begin(place, item)?;
                    }
                }
                _ => {}
            }
        }
        let usage = &response["usage"];
        let of = |field: &str| count(&usage[field]);
        if let (Some(prompt_tokens), Some(completion_tokens)) = (of("input_tokens"), of("output_tokens")) {
            let total_tokens = of("total_tokens").unwrap_or(prompt_tokens.saturating_add(completion_tokens));
            self.usage = Some(Usage { prompt_tokens, completion_tokens, total_tokens, cost_usd_micros: None });
        }
        self.ending = Some(if self.refused { Ending::Refused } else { ending });
        Ok(())
    }
}

impl Assemble for Assembly {
    fn finish(self, broken: Option<ModelError>, taken: &HashSet<&str>) -> Result<TurnEnd, ModelError> {
        let Some(ending) = self.ending else {
            return Err(broken.unwrap_or_else(|| ModelError::broke_off(" before its end")));
        };
        let finished = self.calls.finish(taken);
        let replay = self.order.finish(&finished);
        Ok(TurnEnd { ending, calls: finished.calls, usage: self.usage, replay, ..TurnEnd::default() })
    }
}

/// How a response ended that came as a whole.
fn whole_ending(response: &Value) -> Result<Ending, ModelError> {
    match response["status"].as_str() {
        Some("failed" | "cancelled") => Err(failed(response)),
        Some("incomplete") => Ok(match response["incomplete_details"]["reason"].as_str() {
            Some("content_filter") => Ending::Filtered,
            _ => Ending::Length,
        }),
        _ => Ok(Ending::Done),
    }
}

#[cfg(test)]
#[path = "responses_tests.rs"]
mod tests;
