//! What left the server by its sockets, and from which step on.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;
use uuid::Uuid;

use crate::trace::Step;

/// Frames with the step at which their last byte began to leave, and every byte for what else is to be found.
pub(crate) struct Heard {
    /// WebSocket frames of the server, decoded.
    pub(crate) frames: Vec<(usize, Value)>,
    streams: Vec<Stream>,
}

/// What left by one socket, and where in it each send began.
#[derive(Default)]
struct Stream {
    bytes: Vec<u8>,
    sends: BTreeMap<usize, usize>,
}

impl Stream {
    /// The step that sent the byte.
    fn step(&self, byte: usize) -> usize {
        *self.sends.range(..=byte).next_back().expect("a send").1
    }
}

impl Heard {
    /// Reads the sends among the steps. A socket's number may be used again by a later process, so one recording at a time.
    pub(crate) fn read(recordings: &[Vec<Step>]) -> Self {
        let mut heard = Self { frames: Vec::new(), streams: Vec::new() };
        let mut number = 0;
        for steps in recordings {
            let mut streams: HashMap<&str, Stream> = HashMap::new();
            for step in steps {
                if let Step::Send { socket, bytes } = step
                    && !bytes.is_empty()
                {
                    let stream = streams.entry(socket).or_default();
                    stream.sends.insert(stream.bytes.len(), number);
                    stream.bytes.extend_from_slice(bytes);
                }
                number += 1;
            }
            heard.streams.extend(streams.into_values());
        }
        heard.frames = heard.streams.iter().flat_map(frames).collect();
        heard.frames.sort_by_key(|(step, _)| *step);
        heard
    }

    /// The step at which this text had left for the first time.
    pub(crate) fn said(&self, text: &str) -> Option<usize> {
        let last = |stream: &Stream| {
            let at = stream.bytes.windows(text.len()).position(|part| part == text.as_bytes())?;
            Some(stream.step(at + text.len() - 1))
        };
        self.streams.iter().filter_map(last).min()
    }
}

/// The text frames of a stream that became a WebSocket. A server does not mask, and this one does not compress or fragment.
fn frames(stream: &Stream) -> Vec<(usize, Value)> {
    let bytes = stream.bytes.as_slice();
    let head = bytes.windows(4).position(|part| part == b"\r\n\r\n");
    let (true, Some(head)) = (bytes.starts_with(b"HTTP/1.1 101"), head) else { return Vec::new() };
    let mut found = Vec::new();
    let mut at = head + 4;
    while let Some([first, second, rest @ ..]) = bytes.get(at..) {
        let (size, header) = match second {
            126 if rest.len() >= 2 => (usize::from(u16::from_be_bytes([rest[0], rest[1]])), 4),
            127 if rest.len() >= 8 => {
                let size = u64::from_be_bytes(rest[..8].try_into().expect("eight bytes"));
                (usize::try_from(size).expect("a size"), 10)
            }
            126 | 127 => break,
            size => (usize::from(*size), 2),
        };
        let Some(payload) = bytes.get(at + header..at + header + size) else { break };
        if *first == 0x81 {
            let frame = serde_json::from_slice(payload).expect("a frame is JSON");
            found.push((stream.step(at + header + size - 1), frame));
        }
        at += header + size;
    }
    found
}

/// An id in a frame.
pub(crate) fn id(value: &Value) -> Option<Uuid> {
    value.as_str()?.parse().ok()
}

#[test]
fn frames_are_found_with_the_send_of_their_last_byte() {
    let send = |bytes: &[u8]| Step::Send { socket: "socket:[1]".to_owned(), bytes: bytes.to_vec() };
    let steps = vec![
        send(b"HTTP/1.1 101 Switching Protocols\r\n\r\n\x81\x08{\"a\""),
        Step::SyncEnds { call: 0 },
        send(b": 1}\x89\x00\x81\x02{}"),
        send(b"\x81\x7e\x00"),
    ];
    let heard = Heard::read(&[steps]);
    assert_eq!(heard.frames, [(2, serde_json::json!({ "a": 1 })), (2, serde_json::json!({}))]);
    assert_eq!(heard.said("Switching"), Some(0));
    assert_eq!(heard.said("\"a\": 1"), Some(2));
    assert_eq!(heard.said("nothing"), None);
}
