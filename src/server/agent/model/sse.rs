//! Server-sent events (WHATWG HTML, 9.2.6), read as leniently as servers write them: a byte order mark, any line ends, bytes
//! that are no UTF-8, a last event without its blank line, and llama.cpp's `error:` lines.

/// The most bytes that one event may have. A chunk of an answer has a few hundred; whole arguments of a tool come in one.
pub(in crate::server::agent) const MAX_EVENT: usize = 4 << 20;

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::server::agent) struct Event {
    /// Its type; empty for `message`.
    pub(in crate::server::agent) kind: String,
    /// Its data, lines joined by `\n`.
    pub(in crate::server::agent) data: String,
}

/// An event grew beyond [`MAX_EVENT`].
#[derive(Debug, PartialEq, Eq)]
pub(in crate::server::agent) struct TooLong;

/// Turns bytes into events, whatever the cuts between them.
#[derive(Debug, Default)]
pub(in crate::server::agent) struct Parser {
    /// The line that has begun.
    line: Vec<u8>,
    /// The data of the event that has begun; each line ends in `\n`.
    data: Vec<u8>,
    kind: Vec<u8>,
    /// The last byte was a carriage return: a line feed behind it belongs to it.
    after_return: bool,
    /// A line was read: a byte order mark stands only before the first.
    begun: bool,
}

impl Parser {
    /// Reads more bytes, and gives the events that are complete.
    pub(in crate::server::agent) fn push(&mut self, mut bytes: &[u8]) -> Result<Vec<Event>, TooLong> {
        let mut events = Vec::new();
        while let Some(first) = bytes.first() {
            if std::mem::take(&mut self.after_return) && *first == b'\n' {
                bytes = &bytes[1..];
                continue;
            }
            let end = bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
            let (part, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
            if self.line.len() + self.data.len() + part.len() > MAX_EVENT {
                return Err(TooLong);
            }
            self.line.extend_from_slice(part);
            let Some((end, rest)) = rest.split_first() else { break };
            self.after_return = *end == b'\r';
            bytes = rest;
            events.extend(self.end_line());
        }
        Ok(events)
    }

    /// The stream is over; what it left without a blank line counts.
    pub(in crate::server::agent) fn finish(mut self) -> Option<Event> {
        self.end_line().or_else(|| self.end_event())
    }

    fn end_line(&mut self) -> Option<Event> {
        let line = std::mem::take(&mut self.line);
        let mut line = line.as_slice();
        if !std::mem::replace(&mut self.begun, true) {
            line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        }
        if line.is_empty() {
            return self.end_event();
        }
        let colon = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
        let (field, value) = line.split_at(colon);
        let value = value.strip_prefix(b":").unwrap_or_default();
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            b"data" => self.extend(value),
            b"event" => self.kind = value.to_vec(),
            b"error" => {
                self.kind = b"error".to_vec();
                self.extend(value);
            }
            // `id` and `retry` are for clients that connect again; a comment has an empty name.
            _ => {}
        }
        None
    }

    fn extend(&mut self, value: &[u8]) {
        self.data.extend_from_slice(value);
        self.data.push(b'\n');
    }

    fn end_event(&mut self) -> Option<Event> {
        let (kind, mut data) = (std::mem::take(&mut self.kind), std::mem::take(&mut self.data));
        data.pop()?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Some(Event { kind: text(&kind), data: text(&data) })
    }
}

#[cfg(test)]
#[path = "sse_tests.rs"]
mod tests;
