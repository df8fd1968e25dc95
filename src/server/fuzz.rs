//! Ways in for the fuzz targets: what strangers send by WebSocket and HTTP, and the Markdown of an answer. Those of model servers
//! are in `agent::model::fuzz`.

use axum::{
    body::Body,
    extract::{FromRequest as _, FromRequestParts as _},
    http::{Request, header},
};
use futures::FutureExt as _;
use netra_ws::{
    FrameError,
    frame::{ClientFrame, EventFrame, ServerFrame},
    state::{Applied, ThreadState},
};
use serde::de::DeserializeOwned;

use super::{
    error::ApiError,
    http::{ApiJson, ApiQuery, account, admin, auth, forms, invitations, members, threads, tokens},
    serve::Frames,
};
use crate::app::markdown;

/// The longest message about what somebody sent: it is answered and logged.
const MESSAGE: usize = 500;

/// Reads bytes of a WebSocket, in pieces of this size: the cuts change nothing, and neither does their text panic, as a client's
/// frame or as the server's. An event that was applied changes nothing when it comes again.
///
/// # Panics
/// When that does not hold.
pub fn socket(piece: usize, bytes: &[u8]) {
    let (mut whole, mut cut) = (Frames::new(), Frames::new());
    let flood = whole.count(bytes).is_err();
    let mut flood_cut = false;
    for piece in bytes.chunks(piece.max(1)) {
        flood_cut |= cut.count(piece).is_err();
    }
    assert!(whole == cut && flood == flood_cut, "the cuts change what is counted");

    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let short = |error: &FrameError| assert!(error.message.chars().count() <= MESSAGE, "{}", error.message.len());
    match ClientFrame::decode(text) {
        Ok(frame) => {
            ClientFrame::decode(&frame.encode().expect("it encodes")).expect("what was read is read again");
        }
        Err(error) => short(&error),
    }
    if let Err(error) = ServerFrame::decode(text) {
        short(&error);
    }
    if let Ok(event) = EventFrame::decode(text) {
        let (seq, epoch) = (event.seq.unwrap_or_default().saturating_sub(1), event.epoch.clone().unwrap_or_default());
        let mut state = ThreadState { seq, epoch, ..ThreadState::default() };
        if !matches!(state.apply_event(&event), Applied::Nothing | Applied::Gap) {
            let applied = state.clone();
            state.apply_event(&event);
            assert_eq!(state, applied, "an event that comes again changes nothing");
        }
    }
}

/// Takes a body and a query as handlers do.
///
/// # Panics
/// When a refusal is long.
pub fn body(kind: u8, bytes: &[u8]) {
    let reads: [fn(&[u8]); 17] = [
        read::<auth::Registration>,
        read::<auth::Credentials>,
        read::<auth::Confirmation>,
        read::<account::PasswordChange>,
        read::<account::PasswordReset>,
        read::<account::Forgotten>,
        read::<account::AddressLink>,
        read::<account::Confirmation>,
        read::<admin::Announcement>,
        read::<admin::Invitation>,
        read::<admin::UserChange>,
        read::<members::Invited>,
        read::<members::Changed>,
        read::<invitations::Block>,
        read::<threads::NewThread>,
        read::<threads::Change>,
        read::<tokens::Wanted>,
    ];
    reads[usize::from(kind) % reads.len()](bytes);

    let text = String::from_utf8_lossy(bytes);
    if let Ok(uri) = format!("/api/threads?{text}").parse() {
        let mut request = Request::new(());
        *request.uri_mut() = uri;
        let (mut parts, ()) = request.into_parts();
        let query = ApiQuery::<threads::ListQuery>::from_request_parts(&mut parts, &()).now_or_never();
        is_short(query.expect("nothing is waited for").map(drop));
    }
    let back = forms::way_back(&text, &["https://chat.example.org".to_owned()], None);
    assert!(back.starts_with('/') && !back.starts_with("//") && !back.starts_with("/\\"), "{back}");
}

fn read<T: DeserializeOwned>(bytes: &[u8]) {
    let request = Request::post("/").header(header::CONTENT_TYPE, "application/json");
    let request = request.body(Body::from(bytes.to_vec())).expect("a request");
    let read = ApiJson::<T>::from_request(request, &()).now_or_never();
    is_short(read.expect("nothing is waited for").map(drop));
}

fn is_short(read: Result<(), ApiError>) {
    if let Err(refused) = read {
        assert!(refused.message.chars().count() <= MESSAGE, "{}", refused.message.len());
    }
}

/// Elements that an answer may become.
const ELEMENTS: [&str; 33] = [
    "a",
    "blockquote",
    "br",
    "button",
    "code",
    "del",
    "div",
    "em",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "input",
    "li",
    "ol",
    "p",
    "pre",
    "section",
    "span",
    "strong",
    "sub",
    "sup",
    "table",
    "tbody",
    "td",
    "tfoot",
    "th",
    "thead",
    "tr",
    "ul",
];

/// Those without an end.
const VOID: [&str; 3] = ["br", "hr", "input"];

/// Renders an answer, growing or whole: each block is of known elements that all end, and links lead only where they may.
///
/// # Panics
/// When that does not hold.
pub fn answer(growing: bool, bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for block in markdown::blocks(&text, growing) {
        let mut open: Vec<&str> = Vec::new();
        for tag in block.split('<').skip(1) {
            let (is_end, tag) = tag.strip_prefix('/').map_or((false, tag), |tag| (true, tag));
            let name = tag.split([' ', '>']).next().unwrap_or_default();
            assert!(ELEMENTS.contains(&name), "<{name}> in {block}");
            if is_end {
                assert_eq!(open.pop(), Some(name), "{block}");
            } else if !VOID.contains(&name) {
                open.push(name);
            }
        }
        assert!(open.is_empty(), "{open:?} stay open in {block}");
        for address in block.split("href=\"").skip(1) {
            let address = address.split('"').next().unwrap_or_default().to_ascii_lowercase();
            let leads = ["http://", "https://", "mailto:", "#", "/"].iter().any(|start| address.starts_with(start));
            assert!(leads && !address.starts_with("//"), "a link that leads to {address:?}");
        }
    }
    assert!(!markdown::words(&text).contains('\n'));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parts(of: &'static [&'static str]) -> impl Strategy<Value = String> {
        prop::collection::vec(prop_oneof![prop::sample::select(of).prop_map(str::to_owned), any::<String>()], 0..12)
            .prop_map(|parts| parts.concat())
    }

    const JSON: &[&str] = &[
        "{\"v\":1,\"id\":\"0198f3a0-0000-7000-8000-000000000000\",\"type\":\"",
        "user_message\",\"payload\":{\"content\":\"a\"}}",
        "partial_result\",\"payload\":{\"message_id\":\"0198f3a0-0000-7000-8000-000000000000\",\"pos\":0,\"delta\":\"",
        "{\"email\":\"",
        "\",\"password\":\"",
        "\"}",
        "{\"title\":",
        "null}",
        "\u{1}\u{80}",
    ];

    const MARKDOWN: &[&str] = &[
        "# ",
        "- ",
        "1. ",
        "> ",
        "**",
        "_",
        "`",
        "```\n",
        "|a|b|\n|-|-|\n",
        "[a](",
        "javascript:x",
        ")",
        "![",
        "<b>",
        "$$",
        "\\(",
        "[^1]",
        "[^1]: ",
        "\n",
        "\n\n",
        "https://a.example/",
        "&lt;",
    ];

    proptest! {
        #[test]
        fn the_cuts_of_a_socket_change_nothing(piece in 1..40_usize, text in parts(JSON)) {
            socket(piece, text.as_bytes());
        }

        #[test]
        fn bodies_are_read_or_refused_in_few_words(kind in 0..17_u8, text in parts(JSON)) {
            body(kind, text.as_bytes());
        }

        #[test]
        fn answers_are_of_known_elements(growing: bool, text in parts(MARKDOWN)) {
            answer(growing, text.as_bytes());
        }
    }

    #[test]
    fn what_is_quoted_of_a_body_is_short() {
        let long = format!("{{\"title\":{{\"{}\":1}}}}", "x".repeat(100_000));
        for kind in 0..17 {
            body(kind, long.as_bytes());
            body(kind, format!("[\"{}\"]", "x".repeat(100_000)).as_bytes());
        }
        socket(7, format!("{{\"v\":1,\"id\":\"0198f3a0-0000-7000-8000-000000000000\",\"type\":\"ping\",\"payload\":{{\"nonce\":[\"{}\"]}}}}", "x".repeat(50_000)).as_bytes());
    }
}
