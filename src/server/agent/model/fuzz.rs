//! Ways in for the fuzz targets.

use std::collections::HashSet;

use super::{
    Piece,
    body::Framing,
    chat::Chat,
    messages::Messages,
    responses::Responses,
    stream::{Assemble as _, Reader, Wire},
    words,
};

/// Reads an answer in pieces of this size, and as a whole: both say the same.
///
/// # Panics
/// When they do not.
pub fn answer(protocol: u8, piece: usize, bytes: &[u8]) {
    match protocol % 3 {
        0 => hold::<Chat>(piece, bytes),
        1 => hold::<Responses>(piece, bytes),
        _ => hold::<Messages>(piece, bytes),
    }
}

/// Reads a refusal's body.
///
/// # Panics
/// When its words have no bound.
pub fn refusal(bytes: &[u8]) {
    assert!(words::of_body(bytes).is_none_or(|words| words.chars().count() < 500));
}

fn hold<W: Wire>(piece: usize, bytes: &[u8]) {
    let read = |pieces: &mut dyn Iterator<Item = &[u8]>| read(pieces, W::Answer::default());
    let (whole, cut) = (read(&mut [bytes].into_iter()), read(&mut bytes.chunks(piece)));
    assert_eq!(whole.0, cut.0, "the cuts change what is read");
    let calls = |reader: W::Answer| reader.finish(None, &HashSet::new()).ok().map(|end| end.calls.len());
    assert_eq!(calls(whole.1), calls(cut.1), "the cuts change how it ends");
}

/// The thoughts and the text, and what read them.
fn read<R: Reader>(pieces: &mut dyn Iterator<Item = &[u8]>, mut reader: R) -> ((String, String), R) {
    let mut framing = Framing::default();
    let (mut thoughts, mut text) = (String::new(), String::new());
    let mut events = Vec::new();
    for piece in pieces {
        match framing.push(piece) {
            Ok(more) => events.extend(more),
            Err(_) => return ((thoughts, text), reader),
        }
    }
    events.extend(framing.finish());
    let mut shown = Vec::new();
    for event in events {
        match reader.read(&event) {
            Ok(pieces) => shown.extend(pieces),
            Err(_) => break,
        }
    }
    shown.extend(reader.rest());
    for piece in shown {
        match piece {
            Piece::Thinking(words) => thoughts.push_str(&words),
            Piece::Text(words) => text.push_str(&words),
            Piece::WasThinking => thoughts.push_str(&std::mem::take(&mut text)),
            Piece::Note(_) => {}
        }
    }
    ((thoughts, text), reader)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Parts of events of all three protocols.
    fn part() -> impl Strategy<Value = &'static [u8]> {
        let parts: [&[u8]; 14] = [
            b"data: ",
            b"\n\n",
            b"\r\n",
            b"{\"choices\":[{\"delta\":{\"content\":\"a<think>b\"}}]}",
            b"{\"choices\":[{\"delta\":{\"content\":\"</think>\"},\"finish_reason\":\"stop\"}]}",
            b"{\"choices\":[{\"delta\":{\"tool_calls\":[{\"function\":{\"name\":\"a\",\"arguments\":\"{\"}}]}}]}",
            b"[DONE]",
            b"event: error",
            b"{\"type\":\"response.output_text.delta\",\"delta\":\"a\"}",
            b"{\"type\":\"response.completed\",\"response\":{}}",
            b"{\"type\":\"content_block_delta\",\"delta\":{\"type\":\"text_delta\",\"text\":\"a\"}}",
            b"{\"type\":\"message_stop\"}",
            b"\xef\xbb\xbf",
            b"\xff",
        ];
        prop::sample::select(parts.to_vec())
    }

    proptest! {
        #[test]
        fn the_cuts_change_nothing(protocol in 0..3_u8, piece in 1..20_usize, parts in prop::collection::vec(part(), 0..20)) {
            answer(protocol, piece, &parts.concat());
        }

        #[test]
        fn refusals_have_words_of_bounded_length(parts in prop::collection::vec(part(), 0..20)) {
            refusal(&parts.concat());
        }
    }
}
