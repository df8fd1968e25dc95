//! What lean clients understand of each server's messages.

use memchr::memmem::find;

use crate::job::Speech;

/// Within this many bytes stands all of a Netra frame's envelope.
const ENVELOPE: usize = 340;

/// Microseconds in a day.
const DAY: u64 = 86_400_000_000;

/// What a message was.
pub(super) enum Heard {
    /// An event: which of the client's threads, its number there, and microseconds since it was made.
    Event {
        /// An index into the client's threads.
        thread: usize,
        /// From 1, without holes.
        seq: u64,
        /// Microseconds.
        delay: u64,
    },
    /// It wants this answer.
    Answer(String),
    /// One of the answers that the client waits for before it is ready.
    Ready,
    /// Nothing that counts.
    Other,
}

/// Understands a message that came at `now`, in microseconds since the Unix epoch.
pub(super) fn hear(speech: Speech, text: &[u8], threads: &[String], now: u64) -> Heard {
    match speech {
        Speech::LeanNetra | Speech::Session => netra(&text[..text.len().min(ENVELOPE)], threads, now),
        Speech::LeanPlain => plain(text, now),
        Speech::LeanSocketIo => match text {
            // Engine.IO: open, ping. Socket.IO within: connected, event.
            [b'0', ..] => Heard::Answer("40".to_owned()),
            [b'2'] => Heard::Answer("3".to_owned()),
            [b'4', b'0', ..] => Heard::Ready,
            [b'4', b'2', ..] => plain(text, now),
            _ => Heard::Other,
        },
    }
}

fn plain(text: &[u8], now: u64) -> Heard {
    match (number(text, b"\"seq\":"), number(text, b"\"ts\":")) {
        (Some(seq), Some(ts)) => Heard::Event { thread: 0, seq, delay: now.saturating_sub(ts) },
        _ => Heard::Other,
    }
}

fn netra(envelope: &[u8], threads: &[String], now: u64) -> Heard {
    let event = || {
        let seq = number(envelope, b"\"seq\":")?;
        let id = value(envelope, b"\"thread_id\":\"", 36)?;
        let thread = threads.iter().position(|thread| thread.as_bytes() == id)?;
        let delay = time_of_day(value(envelope, b"\"ts\":\"", 24)?).map(|ts| (now % DAY + DAY - ts) % DAY)?;
        // A clock that was set back, not an event of yesterday.
        Some(Heard::Event { thread, seq, delay: if delay > DAY / 2 { 0 } else { delay } })
    };
    if let Some(event) = event() {
        return event;
    }
    match value(envelope, b"\"type\":\"", 11) {
        Some(b"subscribed\"") => Heard::Ready,
        Some(kind) if kind.starts_with(b"heartbeat") => {
            let id = value(envelope, b"\"id\":\"", 36).map(String::from_utf8_lossy).unwrap_or_default();
            let answer = netra_ws::FrameId::new();
            Heard::Answer(format!(
                r#"{{"v":1,"type":"heartbeat_ack","id":"{answer}","reply_to":"{id}","payload":{{}}}}"#
            ))
        }
        _ => Heard::Other,
    }
}

fn value<'a>(text: &'a [u8], key: &[u8], length: usize) -> Option<&'a [u8]> {
    let start = find(text, key)? + key.len();
    text.get(start..start + length)
}

fn number(text: &[u8], key: &[u8]) -> Option<u64> {
    let start = find(text, key)? + key.len();
    let digits = text[start..].iter().take_while(|byte| byte.is_ascii_digit());
    digits.fold(None, |sum: Option<u64>, digit| Some(sum.unwrap_or(0) * 10 + u64::from(digit - b'0')))
}

/// Microseconds since midnight of `2026-11-20T10:00:00.123Z`.
fn time_of_day(ts: &[u8]) -> Option<u64> {
    let part = |from: usize, to: usize| std::str::from_utf8(ts.get(from..to)?).ok()?.parse::<u64>().ok();
    let seconds = (part(11, 13)? * 60 + part(14, 16)?) * 60 + part(17, 19)?;
    Some(seconds * 1_000_000 + part(20, 23)? * 1_000)
}
