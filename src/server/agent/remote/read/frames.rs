//! From bytes to events, whatever the cuts between them: server-sent events, or JSON values one after another, each told as soon as
//! it is whole. What a server calls its body does not count; its first byte does.

use crate::server::agent::model::{
    body::Broken,
    sse::{Event, MAX_EVENT, Parser, TooLong},
};

/// What the body turned out to be.
#[derive(Debug, Default)]
pub(in crate::server::agent) enum Frames {
    /// Nothing but white space so far, or part of a byte order mark.
    #[default]
    Unknown,
    /// A byte order mark that has begun.
    Mark(Vec<u8>),
    /// Server-sent events.
    Events(Parser),
    /// JSON.
    Values(Values),
}

impl Frames {
    /// Reads more bytes, and gives the events that are complete.
    pub(in crate::server::agent) fn push(&mut self, bytes: &[u8]) -> Result<Vec<Event>, Broken> {
        match self {
            Self::Events(parser) => parser.push(bytes).map_err(|TooLong| Broken::TooLong),
            Self::Values(values) => values.push(bytes).map_err(|TooLong| Broken::TooLong),
            Self::Mark(mark) => {
                let mut all = std::mem::take(mark);
                all.extend_from_slice(bytes);
                *self = Self::Unknown;
                self.begin(&all)
            }
            Self::Unknown => self.begin(bytes),
        }
    }

    fn begin(&mut self, bytes: &[u8]) -> Result<Vec<Event>, Broken> {
        const MARK: &[u8] = b"\xef\xbb\xbf";
        let bytes = bytes.trim_ascii_start();
        if !bytes.is_empty() && bytes.len() < MARK.len() && MARK.starts_with(bytes) {
            *self = Self::Mark(bytes.to_vec());
            return Ok(Vec::new());
        }
        let bytes = bytes.strip_prefix(MARK).unwrap_or(bytes).trim_ascii_start();
        match bytes.first() {
            None => return Ok(Vec::new()),
            Some(b'<') => return Err(Broken::Page),
            Some(b'{' | b'[') => *self = Self::Values(Values::default()),
            Some(_) => *self = Self::Events(Parser::default()),
        }
        self.push(bytes)
    }

    /// The body is over; what it left without an end counts.
    pub(in crate::server::agent) fn finish(self) -> Option<Event> {
        match self {
            Self::Unknown => None,
            Self::Mark(rest) => Some(event(&rest)),
            Self::Events(parser) => parser.finish(),
            Self::Values(values) => (!values.value.trim_ascii().is_empty()).then(|| event(&values.value)),
        }
    }
}

/// JSON values one after another, with white space, commas or record separators (RFC 7464) between them.
#[derive(Debug, Default)]
pub(in crate::server::agent) struct Values {
    value: Vec<u8>,
    depth: usize,
    in_string: bool,
    escaped: bool,
}

impl Values {
    fn push(&mut self, bytes: &[u8]) -> Result<Vec<Event>, TooLong> {
        let mut events = Vec::new();
        for byte in bytes {
            if self.value.is_empty() && matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b',' | 0x1e) {
                continue;
            }
            if self.value.len() == MAX_EVENT {
                return Err(TooLong);
            }
            self.value.push(*byte);
            if self.is_whole(*byte) {
                events.push(event(&std::mem::take(&mut self.value)));
                (self.depth, self.in_string, self.escaped) = (0, false, false);
            }
        }
        Ok(events)
    }

    /// Whether a value ends with this byte. What is no object and no list ends with its line.
    fn is_whole(&mut self, byte: u8) -> bool {
        if self.in_string {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => self.in_string = false,
                _ => {}
            }
            return false;
        }
        match byte {
            b'"' => self.in_string = true,
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => {
                self.depth = self.depth.saturating_sub(1);
                return self.depth == 0;
            }
            b'\n' => return self.depth == 0,
            _ => {}
        }
        false
    }
}

fn event(bytes: &[u8]) -> Event {
    Event { kind: String::new(), data: String::from_utf8_lossy(bytes).trim().to_owned() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<String>, String> {
        let mut frames = Frames::default();
        let mut events = Vec::new();
        for piece in pieces {
            events.extend(frames.push(piece).map_err(|broken| format!("{broken:?}"))?);
        }
        events.extend(frames.finish());
        Ok(events.into_iter().map(|event| format!("{}{}", event.kind, event.data)).collect())
    }

    #[test]
    fn bodies_of_every_kind() {
        let check = |body: &[u8], wanted: &[&str]| {
            let wanted: Vec<String> = wanted.iter().map(|data| (*data).to_owned()).collect();
            assert_eq!(read([body]), Ok(wanted.clone()), "{}", String::from_utf8_lossy(body));
            assert_eq!(read(body.chunks(1)), Ok(wanted), "a byte at a time");
        };
        check(b"event: x\r\ndata: {}\r\n\r\n", &["x{}"]);
        check(b"\xef\xbb\xbf\n\ndata: {}\n\n", &["{}"]);
        check(b": hello\n\ndata: {}\n\n", &["{}"]);
        check(b"{\"a\":\"}\"}\n{\"a\":2}\n", &["{\"a\":\"}\"}", "{\"a\":2}"]);
        check(b"{\n  \"a\": [\n1, \"\\\"]\"]}{}", &["{\n  \"a\": [\n1, \"\\\"]\"]}", "{}"]);

        check(b"{},{}", &["{}", "{}"]);
        check(b"{} nonsense\n{}", &["{}", "nonsense", "{}"]);
        check(b"[{}, 1]", &["[{}, 1]"]);
        check(b"{\"a\":", &["{\"a\":"]);
        check(b" \n", &[]);
        assert_eq!(read([b" <html>".as_slice()]), Err("Page".to_owned()));
        let mebibyte = vec![b'['; 1 << 20];
        assert_eq!(read((0..6).map(|_| mebibyte.as_slice())), Err("TooLong".to_owned()));
        let mut endless = b"data: ".to_vec();
        endless.resize(1 << 20, b'x');
        assert_eq!(read((0..6).map(|_| endless.as_slice())), Err("TooLong".to_owned()));
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_events(bytes in prop::collection::vec(prop_oneof![Just(b'{'), Just(b'}'), Just(b'"'), Just(b'\\'), Just(b'\n'), Just(b':'), Just(0xef), any::<u8>()], 0..80)) {
            prop_assert_eq!(read(bytes.chunks(1)), read([bytes.as_slice()]));
            prop_assert_eq!(read(bytes.chunks(3)), read([bytes.as_slice()]));
        }
    }
}
