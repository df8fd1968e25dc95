use proptest::prelude::*;

use super::*;

fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<Event>, TooLong> {
    let mut parser = Parser::default();
    let mut events = Vec::new();
    for piece in pieces {
        events.extend(parser.push(piece)?);
    }
    events.extend(parser.finish());
    Ok(events)
}

fn check(stream: impl AsRef<[u8]>, wanted: &[(&str, &str)]) {
    let stream = stream.as_ref();
    let wanted: Vec<Event> =
        wanted.iter().map(|(kind, data)| Event { kind: (*kind).to_owned(), data: (*data).to_owned() }).collect();
    assert_eq!(read([stream]).as_ref(), Ok(&wanted), "{:?}", String::from_utf8_lossy(stream));
    assert_eq!(read(stream.chunks(1)).as_ref(), Ok(&wanted), "a byte at a time");
}

#[test]
fn what_servers_write() {
    check("data: a\n\ndata:b\n\n", &[("", "a"), ("", "b")]);
    check("data: a\r\n\r\ndata: b\r\n\r\n", &[("", "a"), ("", "b")]);
    // kubernetes-sigs/inference-perf#781
    check("data: a\r\rdata: b\r\r", &[("", "a"), ("", "b")]);
    // openai/openai-python#3819
    check(b"\xef\xbb\xbfdata: a\n\n", &[("", "a")]);
    // SamSaffron/term-llm#454
    check("data: a\ndata: b\n\n", &[("", "a\nb")]);
    // SamSaffron/term-llm#487
    check("event:message\nid:7\nretry: 10\ndata:a\n\n", &[("message", "a")]);
    // openai/openai-go#227
    check(": OPENROUTER PROCESSING\n\n:\n\ndata: a\n\n", &[("", "a")]);
    // coddy-project/coddy-agent#106
    check("error: {\"code\":400}\n\n", &[("error", "{\"code\":400}")]);
    check("data:\n\ndata\n\n", &[("", ""), ("", "")]);
    check("data: a", &[("", "a")]);
    check("data: a\n", &[("", "a")]);
    check(b"data: x\xe6\x80=\n\n", &[("", "x\u{fffd}=")]);
    check("event: ping\n\ndata: a\n\n", &[("", "a")]);
    check("", &[]);
}

#[test]
fn an_event_has_an_end() {
    let mebibyte = vec![b'x'; 1 << 20];
    let mut parser = Parser::default();
    let outcome = (0..100).map(|_| parser.push(&mebibyte)).find(Result::is_err);
    assert_eq!(outcome, Some(Err(TooLong)), "one line");
    let mut parser = Parser::default();
    let line = [b"data: ", mebibyte.as_slice(), b"\n"].concat();
    assert_eq!((0..100).map(|_| parser.push(&line)).find(Result::is_err), Some(Err(TooLong)), "many lines");
    let mut parser = Parser::default();
    assert!(
        (0..100).all(|_| parser.push(b"data: short\n\n: a comment\n").is_ok()),
        "many events are no event without end"
    );
}

/// Streams that are nearly right, which say more than noise does.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        Just(b"data".to_vec()),
        Just(b"event".to_vec()),
        Just(b"error".to_vec()),
        Just(b":".to_vec()),
        Just(b" ".to_vec()),
        Just(b"\n".to_vec()),
        Just(b"\r".to_vec()),
        Just(b"\r\n\r\n".to_vec()),
        Just(b"\xef\xbb\xbf".to_vec()),
        Just("{\"a\":\"日本🙂\"}".as_bytes().to_vec()),
        prop::collection::vec(any::<u8>(), 0..4),
    ];
    prop::collection::vec(part, 0..40).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn any_split_gives_the_same_events(stream in stream(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8)) {
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        cuts.sort_unstable();
        let mut pieces = Vec::new();
        let mut from = 0;
        for cut in cuts {
            pieces.push(&stream[from..cut]);
            from = cut;
        }
        pieces.push(&stream[from..]);
        prop_assert_eq!(read(pieces), read([stream.as_slice()]));
    }

    #[test]
    fn any_bytes_are_read_to_their_end(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let events = read([bytes.as_slice()]).expect("short");
        // Each byte that is no UTF-8 becomes three.
        prop_assert!(events.iter().map(|event| event.data.len()).sum::<usize>() <= 3 * bytes.len());
    }
}
