//! What a provider says: the bytes of an OpenAI-compatible answer, cut where the test wants.

use std::time::Duration;

use serde_json::{Value, json};

use super::provider::MODEL;

/// One thing a streamed answer does.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Sends bytes.
    Bytes(Vec<u8>),
    /// Sends nothing for a while.
    Pause(Duration),
    /// Drops the connection in the middle of the body.
    Abort,
}

/// An answer of the provider.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// Server-sent events, in writes of at most `piece` bytes.
    Stream { steps: Vec<Step>, piece: usize },
    /// A whole body.
    Whole { status: u16, headers: Vec<(&'static str, String)>, body: String },
    /// A body that does not end.
    Endless { status: u16, body: String },
}

impl Reply {
    /// A complete answer of one delta.
    pub(crate) fn text(text: &str) -> Self {
        Stream::new().text(text).end("stop")
    }

    /// A JSON error with this status.
    pub(crate) fn error(status: u16, message: &str) -> Self {
        let body = json!({ "error": { "message": message, "type": "scripted" } }).to_string();
        Self::Whole { status, headers: vec![("content-type", "application/json".into())], body }
    }

    /// Adds a header to a whole body.
    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        if let Self::Whole { headers, .. } = &mut self {
            headers.push((name, value.into()));
        }
        self
    }
}

/// The text of [`Stream::texts`] put together: `n` times `text`, with `{k}` as the number of the piece.
pub(crate) fn numbered(n: usize, text: &str) -> String {
    (0..n).fold(String::new(), |whole, k| whole + &piece(text, k))
}

fn piece(text: &str, k: usize) -> String {
    text.replace("{k}", &k.to_string())
}

/// Builds a streamed answer.
#[derive(Clone, Debug)]
pub(crate) struct Stream {
    steps: Vec<Step>,
    piece: usize,
}

impl Stream {
    /// An answer that has said who speaks and nothing else.
    pub(crate) fn new() -> Self {
        Self { steps: Vec::new(), piece: usize::MAX }.delta(json!({ "role": "assistant", "content": "" }))
    }

    /// Cuts the bytes into writes of this size, wherever that falls.
    pub(crate) fn piece(mut self, bytes: usize) -> Self {
        self.piece = bytes;
        self
    }

    /// A piece of the answer.
    pub(crate) fn text(self, text: &str) -> Self {
        self.delta(json!({ "content": text }))
    }

    /// `n` pieces with a pause after each; see [`numbered`].
    pub(crate) fn texts(mut self, n: usize, text: &str, pause: Duration) -> Self {
        for k in 0..n {
            self = self.text(&piece(text, k)).pause(pause);
        }
        self
    }

    /// Reasoning, a word at a time; `key` is `reasoning_content` or `reasoning`.
    pub(crate) fn thinking(mut self, key: &str, text: &str) -> Self {
        for word in text.split_inclusive(' ') {
            self = self.delta(json!({ key: word }));
        }
        self
    }

    /// Begins a tool call.
    pub(crate) fn call(self, index: usize, id: &str, tool: &str) -> Self {
        self.delta(json!({ "tool_calls": [
            { "index": index, "id": id, "type": "function", "function": { "name": tool, "arguments": "" } },
        ] }))
    }

    /// Adds to the arguments of a tool call.
    pub(crate) fn arguments(self, index: usize, part: &str) -> Self {
        self.delta(json!({ "tool_calls": [{ "index": index, "function": { "arguments": part } }] }))
    }

    /// A tool call whose arguments come three characters at a time.
    pub(crate) fn tool(mut self, index: usize, id: &str, tool: &str, arguments: &str) -> Self {
        self = self.call(index, id, tool);
        let chars: Vec<char> = arguments.chars().collect();
        for part in chars.chunks(3) {
            self = self.arguments(index, &part.iter().collect::<String>());
        }
        self
    }

    /// Says nothing for a while.
    pub(crate) fn pause(mut self, time: Duration) -> Self {
        self.steps.push(Step::Pause(time));
        self
    }

    /// Any bytes.
    pub(crate) fn raw(mut self, bytes: &str) -> Self {
        self.steps.push(Step::Bytes(bytes.as_bytes().to_vec()));
        self
    }

    /// The reason why the turn is over.
    pub(crate) fn finish(self, reason: &str) -> Self {
        self.chunk(&json!([{ "index": 0, "delta": {}, "finish_reason": reason }]), None)
    }

    /// Ends as the field's servers do: reason, usage without choices, `[DONE]`.
    pub(crate) fn end(self, reason: &str) -> Reply {
        self.finish(reason).usage().raw("data: [DONE]\n\n").close()
    }

    /// The chunk that counts tokens and has no choices.
    pub(crate) fn usage(self) -> Self {
        self.chunk(&json!([]), Some(json!({ "prompt_tokens": 7, "completion_tokens": 11, "total_tokens": 18 })))
    }

    /// Closes the body without another word.
    pub(crate) fn close(self) -> Reply {
        Reply::Stream { steps: self.steps, piece: self.piece }
    }

    /// Drops the connection in the middle of the body.
    pub(crate) fn abort(mut self) -> Reply {
        self.steps.push(Step::Abort);
        self.close()
    }

    fn delta(self, delta: Value) -> Self {
        self.chunk(&json!([{ "index": 0, "delta": delta, "finish_reason": null }]), None)
    }

    fn chunk(self, choices: &Value, usage: Option<Value>) -> Self {
        let mut chunk = json!({
            "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": MODEL, "choices": choices,
        });
        if let Some(usage) = usage {
            chunk["usage"] = usage;
        }
        self.raw(&format!("data: {chunk}\n\n"))
    }
}
