//! JSON-RPC, a message a line. Programs write other lines to their output, too; those say nothing here.

use serde_json::{Value, json};

/// The longest line, in bytes: a message may carry a picture.
pub(super) const LONGEST: usize = 8 << 20;

/// What is answered to what is not known here.
const UNKNOWN_METHOD: i64 = -32601;

/// What is answered to what failed.
const INTERNAL: i64 = -32603;

/// A line was too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooLong;

/// From bytes to lines, whatever the cuts between them.
#[derive(Debug, Default)]
pub(super) struct Lines {
    line: Vec<u8>,
}

impl Lines {
    /// Reads more bytes; gives the lines that are whole.
    pub(super) fn push(&mut self, mut bytes: &[u8]) -> Result<Vec<Vec<u8>>, TooLong> {
        let mut lines = Vec::new();
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            self.add(&bytes[..end])?;
            lines.push(std::mem::take(&mut self.line));
            bytes = &bytes[end + 1..];
        }
        self.add(bytes)?;
        Ok(lines)
    }

    fn add(&mut self, bytes: &[u8]) -> Result<(), TooLong> {
        if self.line.len() + bytes.len() > LONGEST {
            return Err(TooLong);
        }
        self.line.extend_from_slice(bytes);
        Ok(())
    }
}

/// A message of the peer's.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Frame {
    /// It asks, and wants an answer with this id.
    Request {
        /// Its id of the request: a number or text.
        id: Value,
        /// What is asked.
        method: String,
        /// With these.
        params: Value,
    },
    /// It tells.
    Notice {
        /// What.
        method: String,
        /// With these.
        params: Value,
    },
    /// It answers what it was asked.
    Answer {
        /// Our id of the request.
        id: u64,
        /// The result, or why there is none.
        result: Result<Value, Refusal>,
    },
    /// The line is no message.
    Nonsense,
}

/// Why a request was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// JSON-RPC's code.
    pub(super) code: i64,
    /// The reason, and what is beside it.
    pub(super) message: String,
}

/// Reads a line; nothing of an empty one.
pub(super) fn frame(line: &[u8]) -> Option<Frame> {
    let line = line.trim_ascii();
    if line.is_empty() {
        return None;
    }
    let Ok(Value::Object(mut fields)) = serde_json::from_slice(line) else { return Some(Frame::Nonsense) };
    let id = fields.remove("id").filter(|id| id.is_number() || id.is_string());
    let params = fields.remove("params").unwrap_or_default();
    let method = match fields.remove("method") {
        Some(Value::String(method)) => Some(method),
        Some(_) => return Some(Frame::Nonsense),
        None => None,
    };
    Some(match (method, id) {
        (Some(method), Some(id)) => Frame::Request { id, method, params },
        (Some(method), None) => Frame::Notice { method, params },
        (None, Some(id)) => {
            // Some send numbers back as text.
            let id = id.as_u64().or_else(|| id.as_str()?.parse().ok());
            let result = match (fields.remove("result"), fields.remove("error")) {
                (_, Some(error)) if !error.is_null() => Err(refusal(&error)),
                (Some(result), _) => Ok(result),
                (None, _) => return Some(Frame::Nonsense),
            };
            id.map_or(Frame::Nonsense, |id| Frame::Answer { id, result })
        }
        (None, None) => Frame::Nonsense,
    })
}

fn refusal(error: &Value) -> Refusal {
    let details = match &error["data"] {
        Value::Null => String::new(),
        Value::String(text) => format!(": {text}"),
        data => data["details"]
            .as_str()
            .or_else(|| data["message"].as_str())
            .map_or_else(String::new, |text| format!(": {text}")),
    };
    let mut message = format!("{}{details}", error["message"].as_str().unwrap_or("no reason given")).replace('\0', "");
    message.truncate(message.floor_char_boundary(500));
    Refusal { code: error["code"].as_i64().unwrap_or_default(), message }
}

/// A request.
pub(super) fn request(id: u64, method: &str, params: &Value) -> String {
    json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }).to_string()
}

/// A word that wants no answer.
pub(super) fn notice(method: &str, params: &Value) -> String {
    json!({ "jsonrpc": "2.0", "method": method, "params": params }).to_string()
}

/// An answer.
pub(super) fn answer(id: &Value, result: Result<Value, &str>) -> String {
    match result {
        Ok(result) => json!({ "jsonrpc": "2.0", "id": id, "result": result }),
        Err(why) => json!({ "jsonrpc": "2.0", "id": id, "error": { "code": INTERNAL, "message": why } }),
    }
    .to_string()
}

/// The answer to what is not known here.
pub(super) fn unknown(id: &Value, method: &str) -> String {
    let message = format!("{method:?} is not offered");
    json!({ "jsonrpc": "2.0", "id": id, "error": { "code": UNKNOWN_METHOD, "message": message } }).to_string()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<Frame>, TooLong> {
        let mut lines = Lines::default();
        let mut frames = Vec::new();
        for piece in pieces {
            frames.extend(lines.push(piece)?.iter().filter_map(|line| frame(line)));
        }
        Ok(frames)
    }

    #[test]
    fn messages_of_every_kind() {
        let check = |line: &str, wanted: Frame| assert_eq!(frame(line.as_bytes()), Some(wanted), "{line}");
        let text = |text: &str| text.to_owned();
        check(r#"{"jsonrpc":"2.0","id":1,"result":null}"#, Frame::Answer { id: 1, result: Ok(Value::Null) });
        check(r#"{"id":"7","result":{}}"#, Frame::Answer { id: 7, result: Ok(json!({})) });
        let refused = Refusal { code: -32000, message: text("no: sign in") };
        check(
            r#"{"id":1,"error":{"code":-32000,"message":"no","data":{"details":"sign in"}}}"#,
            Frame::Answer { id: 1, result: Err(refused) },
        );
        check(
            r#"{"id":0,"method":"a","params":{}}"#,
            Frame::Request { id: json!(0), method: text("a"), params: json!({}) },
        );
        check(r#"{"method":"a"}"#, Frame::Notice { method: text("a"), params: Value::Null });
        for nonsense in
            ["hello", "[]", "{}", "{\"id\":1}", "{\"method\":1,\"id\":2}", "{\"id\":{},\"result\":1}", "\u{1b}[1mx"]
        {
            check(nonsense, Frame::Nonsense);
        }
        check(&"[".repeat(100_000), Frame::Nonsense);
        assert_eq!(frame(b" \r"), None);
        let mebibyte = vec![b'x'; 1 << 20];
        assert_eq!(read((0..9).map(|_| mebibyte.as_slice())), Err(TooLong));
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_messages(
            lines in prop::collection::vec(prop_oneof![
                Just(r#"{"id":1,"result":{"a":"\n"}}"#.to_owned()),
                Just(r#"{"method":"session/update","params":{"x":"ä"}}"#.to_owned()),
                ".{0,12}",
            ], 0..8),
            size in 1..9usize,
        ) {
            let bytes = lines.join("\n").into_bytes();
            prop_assert_eq!(read(bytes.chunks(size)), read([bytes.as_slice()]));
        }

        #[test]
        fn arbitrary_bytes_end(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(read([bytes.as_slice()]).is_ok());
        }
    }
}
