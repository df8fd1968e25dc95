//! The body of an answer as events, held to limits of silence and of size. What a server calls its body does not count; what
//! stands in it does: an event stream, one JSON value, JSON lines, or a page.

use std::{collections::VecDeque, time::Duration};

use serde_json::value::RawValue;
use tokio::time::timeout;

use super::{
    breaker::Pass,
    json,
    sse::{Event, MAX_EVENT, Parser, TooLong},
};

/// Why no more events come.
#[derive(Debug)]
pub(in crate::server::agent) enum Broken {
    /// Nothing came for too long.
    Silent,
    /// The connection broke.
    Cut(String),
    /// An event had no end.
    TooLong,
    /// It is a page for people.
    Page,
}

/// An answer's events, as they come.
pub(in crate::server::agent) struct Body {
    response: reqwest::Response,
    framing: Framing,
    /// How its request came through.
    pass: Pass,
    ready: VecDeque<Event>,
    over: bool,
    whole: bool,
}

impl Body {
    pub(super) fn new(response: reqwest::Response, pass: Pass) -> Self {
        Self { response, framing: Framing::default(), pass, ready: VecDeque::new(), over: false, whole: false }
    }

    /// The answer itself, for whoever reads events in another way, and how its request came through.
    pub(in crate::server::agent) fn into_parts(self) -> (reqwest::Response, Pass) {
        (self.response, self.pass)
    }

    /// How its request came through.
    pub(super) fn pass(&self) -> Pass {
        self.pass
    }

    /// Whether it is one value, and no stream.
    pub(super) fn is_whole(&self) -> bool {
        self.whole
    }

    /// The next event, or nothing at the end. Any byte is a sign of life, comments included: gateways send them while a request
    /// waits in their queue.
    pub(super) async fn next(&mut self, patience: Duration) -> Result<Option<Event>, Broken> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Ok(Some(event));
            }
            if self.over {
                return Ok(None);
            }
            match timeout(patience, self.response.chunk()).await {
                Err(_) => return Err(Broken::Silent),
                Ok(Err(error)) => return Err(Broken::Cut(super::http::plain(error))),
                Ok(Ok(Some(bytes))) => self.ready.extend(self.framing.push(&bytes)?),
                Ok(Ok(None)) => {
                    self.over = true;
                    let framing = std::mem::take(&mut self.framing);
                    let is_json = matches!(framing, Framing::Json(_));
                    self.ready.extend(framing.finish());
                    self.whole = is_json && self.ready.len() == 1;
                }
            }
        }
    }
}

/// What the body turned out to be.
#[derive(Debug)]
pub(super) enum Framing {
    /// Nothing but white space so far.
    Unknown(Vec<u8>),
    Events(Parser),
    /// JSON, read at its end.
    Json(Vec<u8>),
}

impl Default for Framing {
    fn default() -> Self {
        Self::Unknown(Vec::new())
    }
}

impl Framing {
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<Vec<Event>, Broken> {
        let begun = match self {
            Self::Events(parser) => {
                let events = parser.push(bytes).map_err(|TooLong| Broken::TooLong)?;
                return Ok(events.into_iter().flat_map(separate).collect());
            }
            Self::Unknown(begun) | Self::Json(begun) => begun,
        };
        if begun.len() + bytes.len() > MAX_EVENT {
            return Err(Broken::TooLong);
        }
        begun.extend_from_slice(bytes);
        let Self::Unknown(begun) = self else { return Ok(Vec::new()) };
        let words = begun.strip_prefix(b"\xef\xbb\xbf").unwrap_or(begun);
        let first = words.iter().copied().find(|byte| !byte.is_ascii_whitespace());
        match first {
            None => Ok(Vec::new()),
            // It may become a byte order mark.
            Some(0xef) if begun.len() < 3 => Ok(Vec::new()),
            Some(b'<') => Err(Broken::Page),
            Some(b'{' | b'[') => {
                *self = Self::Json(std::mem::take(begun));
                Ok(Vec::new())
            }
            Some(_) => {
                let begun = std::mem::take(begun);
                *self = Self::Events(Parser::default());
                self.push(&begun)
            }
        }
    }

    pub(super) fn finish(self) -> Vec<Event> {
        match self {
            Self::Unknown(_) => Vec::new(),
            Self::Events(parser) => parser.finish().into_iter().flat_map(separate).collect(),
            Self::Json(bytes) => values(&bytes),
        }
    }
}

/// Some servers end their events with one line break instead of two, and gateways write `data:` twice.
fn separate(event: Event) -> Vec<Event> {
    let data = event.data.trim_start_matches("data:");
    let is_value = |line: &str| line.is_empty() || is_done(line) || json::read(line).is_ok();
    if !data.contains('\n') || json::read(data).is_ok() || !data.lines().all(|line| is_value(line.trim())) {
        let data = data.to_owned();
        return vec![Event { data, ..event }];
    }
    data.lines().map(|line| Event { kind: event.kind.clone(), data: line.trim().to_owned() }).collect()
}

/// Whether data is the sign for the end of a stream.
pub(super) fn is_done(data: &str) -> bool {
    data.trim().trim_matches('"').eq_ignore_ascii_case("[done]")
}

/// One event for each JSON value in the text; what is none is one, too, for its reader to refuse.
fn values(bytes: &[u8]) -> Vec<Event> {
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim_start_matches('\u{feff}');
    let event = |data: &str| Event { kind: String::new(), data: data.to_owned() };
    let mut events = Vec::new();
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<&RawValue>();
    loop {
        let from = values.byte_offset();
        match values.next() {
            None => return events,
            Some(Ok(value)) => events.push(event(value.get())),
            Some(Err(_)) => {
                events.push(event(text[from..].trim()));
                return events;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<String>, String> {
        let mut reader = Framing::default();
        let mut events = Vec::new();
        for piece in pieces {
            events.extend(reader.push(piece).map_err(|broken| format!("{broken:?}"))?);
        }
        events.extend(reader.finish());
        Ok(events.into_iter().map(|event| event.data).collect())
    }

    #[test]
    fn bodies_of_every_kind() {
        let check = |body: &[u8], wanted: &[&str]| {
            let wanted: Vec<String> = wanted.iter().map(|data| (*data).to_owned()).collect();
            assert_eq!(read([body]), Ok(wanted.clone()), "{}", String::from_utf8_lossy(body));
            assert_eq!(read(body.chunks(1)), Ok(wanted), "a byte at a time");
        };
        check(b"data: {}\n\n", &["{}"]);
        check(b"\xef\xbb\xbf\n\ndata: {}\n\n", &["{}"]);
        check(b"\xef\xbb\xbf {\"a\":1}\n", &["{\"a\":1}"]);
        check(b"{\"a\":1}\n{\"a\":2}\n", &["{\"a\":1}", "{\"a\":2}"]);
        check(b"[1]", &["[1]"]);
        check(b"data: {\"a\":1}\ndata: {\"a\":2}\ndata: [DONE]\n", &["{\"a\":1}", "{\"a\":2}", "[DONE]"]);
        check(b"data: {\"a\":\ndata: 1}\n\n", &["{\"a\":\n1}"]);
        check(b"data: data: {}\n\n", &[" {}"]);
        check(b"{\"a\":", &["{\"a\":"]);
        check(b" \n", &[]);
        assert_eq!(read([b" <html>".as_slice()]), Err("Page".to_owned()));
        let mebibyte = vec![b'{'; 1 << 20];
        assert_eq!(read((0..6).map(|_| mebibyte.as_slice())), Err("TooLong".to_owned()));
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_events(bytes in prop::collection::vec(prop_oneof![Just(b'{'), Just(b'}'), Just(b'\n'), Just(b' '), Just(0xef), any::<u8>()], 0..60)) {
            prop_assert_eq!(read(bytes.chunks(1)), read([bytes.as_slice()]));
        }
    }
}
