use proptest::prelude::*;
use serde_json::json;

use super::*;

/// A piece: index, id, name, arguments.
type Piece = (Option<u64>, &'static str, &'static str, Value);

fn delta((index, id, name, arguments): Piece) -> CallDelta {
    CallDelta { index, id: id.to_owned(), name: name.to_owned(), arguments, ..CallDelta::default() }
}

/// Reads chunks, each of some pieces.
fn finish(chunks: Vec<Vec<Piece>>) -> Finished {
    let mut calls = Calls::default();
    for chunk in chunks {
        calls.begin_chunk();
        for piece in chunk {
            calls.push(delta(piece)).expect("few and small");
        }
    }
    calls.finish(&HashSet::new())
}

const SUM: &str = r#"{"expression":"6*7"}"#;
const SUM2: &str = r#"{"expression":"2+3"}"#;

/// Holds chunks of one piece each to be one call, or two.
fn check(report: &str, pieces: Vec<Piece>, count: usize) {
    check_chunks(report, pieces.into_iter().map(|piece| vec![piece]).collect(), count);
}

fn check_chunks(report: &str, chunks: Vec<Vec<Piece>>, count: usize) {
    let Finished { calls, .. } = finish(chunks);
    let wanted: Vec<Value> =
        [SUM, SUM2].iter().take(count).map(|sum| serde_json::from_str(sum).expect("JSON")).collect();
    let got: Vec<Value> =
        calls.iter().map(|call| call.arguments.clone().map_or_else(Value::from, Value::from)).collect();
    assert_eq!(got, wanted, "{report}");
    assert!(calls.iter().all(|call| call.tool == "calculate"), "{report}: {calls:?}");
    let ids: HashSet<&str> = calls.iter().map(|call| call.id.as_str()).collect();
    assert_eq!(ids.len(), count, "{report}: ids differ");
}

#[test]
fn one_call_in_every_mixture() {
    let (name, whole) = ("calculate", json!(SUM));
    let [a, b, c] = [json!("{\"expre"), json!("ssion\":\"6"), json!("*7\"}")];
    let piece = |index, id, name, part: &Value| (index, id, name, part.clone());
    check("ollama/ollama#7881", vec![piece(None, "a", name, &json!("")), piece(None, "", "", &whole)], 1);
    check(
        "JetBrains/koog#2052",
        vec![piece(None, "a", name, &a), piece(None, "a", name, &b), piece(None, "a", name, &c)],
        1,
    );
    check_chunks(
        "openai/openai-python#3201",
        vec![
            vec![piece(Some(0), "a", name, &json!("")), piece(Some(0), "", "", &a)],
            vec![piece(Some(0), "", "", &b)],
            vec![piece(Some(0), "", "", &c)],
        ],
        1,
    );
    check(
        "SillyTavern/SillyTavern#5948",
        vec![piece(Some(0), "a", name, &a), piece(Some(0), "a", "", &b), piece(Some(0), "a", "", &c)],
        1,
    );
    check(
        "poolsideai/pool#9",
        vec![piece(Some(0), "a", name, &a), piece(Some(0), "b", "", &b), piece(Some(0), "b", "", &c)],
        1,
    );
    check(
        "NousResearch/hermes-agent#12230",
        vec![piece(Some(0), "a", name, &a), piece(Some(0), "a", name, &b), piece(Some(0), "a", name, &c)],
        1,
    );
    check(
        "a name in every chunk, and no id",
        vec![piece(Some(0), "", name, &a), piece(Some(0), "", name, &b), piece(Some(0), "", name, &c)],
        1,
    );
    check(
        "continuedev/continue#5849",
        vec![
            piece(Some(0), "a", "calc", &json!("")),
            piece(Some(0), "", "ulate", &json!("")),
            piece(Some(0), "", "", &whole),
        ],
        1,
    );
    check(
        "a name that grows",
        vec![
            piece(Some(0), "a", "calc", &json!("")),
            piece(Some(0), "a", name, &json!("")),
            piece(Some(0), "a", name, &whole),
        ],
        1,
    );
    check("0xPlaygrounds/rig#1829", vec![piece(Some(0), "a", name, &json!({ "expression": "6*7" }))], 1);
    check("64bit/async-openai#329", vec![piece(Some(0), "a", name, &whole), piece(Some(0), "", "", &whole)], 1);
    check(
        "arguments that grow",
        vec![piece(Some(0), "a", name, &json!("{\"expression\":\"6")), piece(Some(0), "a", "", &whole)],
        1,
    );
    check("BerriAI/litellm#20480", vec![piece(Some(0), "a", name, &json!(whole.to_string()))], 1);
    check("vercel/ai#3953", vec![piece(Some(0), "a", name, &whole), piece(Some(0), "", "", &json!(""))], 1);
    check(
        "an index that came late",
        vec![piece(None, "a", name, &a), piece(Some(0), "", "", &b), piece(Some(0), "", "", &c)],
        1,
    );
}

#[test]
fn two_calls_in_every_mixture() {
    let name = "calculate";
    let piece = |index, id, name, part: &str| (index, id, name, json!(part));
    check("langchain-ai/langchain#40562", vec![piece(None, "a", name, SUM), piece(None, "b", name, SUM2)], 2);
    check_chunks("oracle/langchain-oracle#254", vec![vec![piece(None, "", name, SUM), piece(None, "", name, SUM2)]], 2);
    check("ollama/ollama#15457", vec![piece(Some(0), "a", name, SUM), piece(Some(0), "b", name, SUM2)], 2);
    check(
        "LibreChat-AI/agents#260",
        vec![
            piece(Some(0), "a", name, ""),
            piece(Some(0), "", "", "{\"expression\":"),
            piece(Some(0), "", "", "\"6*7\"}"),
            piece(Some(0), "b", name, ""),
            piece(Some(0), "", "", "{\"expression\":"),
            piece(Some(0), "", "", "\"2+3\"}"),
        ],
        2,
    );
    check_chunks("HKUDS/nanobot#4059", vec![vec![piece(Some(0), "", name, SUM), piece(Some(1), "", name, SUM2)]], 2);
    check_chunks(
        "can1357/oh-my-pi#2055",
        vec![vec![piece(Some(0), "same", name, SUM), piece(Some(1), "same", name, SUM2)]],
        2,
    );
    check(
        "continuedev/continue#13223",
        vec![
            piece(Some(0), "a", name, ""),
            piece(Some(1), "b", name, ""),
            piece(Some(0), "", "", "{\"expression\":"),
            piece(Some(1), "", "", "{\"expression\":"),
            piece(Some(0), "", "", "\"6*7\"}"),
            piece(Some(1), "", "", "\"2+3\"}"),
        ],
        2,
    );
    check(
        "by id alone, interleaved",
        vec![
            piece(None, "a", name, "{\"expression\":"),
            piece(None, "b", name, "{\"expression\":"),
            piece(None, "a", "", "\"6*7\"}"),
            piece(None, "b", "", "\"2+3\"}"),
        ]
        .into_iter()
        .enumerate()
        // The second call begins while the first is in pieces: only an index tells.
        .map(|(at, piece)| (Some(u64::from(at % 2 == 1)), piece.1, piece.2, piece.3))
        .collect(),
        2,
    );
}

#[test]
fn arguments_that_were_cut_off_are_not_their_last_piece() {
    let piece = |text: &str| (Some(0), "a", "calculate", json!(text));
    for pieces in [vec!["{\"a\":", "{\"b\":1}"], vec!["{", "\"a\":", "{\"b\":1}"], vec!["{\"a\":[", "{}", "{}"]] {
        let chunks = pieces.iter().map(|text| vec![piece(text)]).collect();
        assert_eq!(finish(chunks).calls[0].arguments, Err(pieces.concat()), "{pieces:?}");
    }
}

#[test]
fn the_end_of_a_call_says_it_again() {
    let text = format!("{{\"a\":\"{}\"}}", "x".repeat(700 << 10));
    let (begun, rest) = text.split_at(600 << 10);
    let mut calls = Calls::default();
    for (text, whole) in [(begun, false), (rest, false), (text.as_str(), true), ("", true)] {
        let delta = delta((Some(3), "a", "calculate", json!(text)));
        calls.push(CallDelta { whole, ..delta }).expect("within the limit");
    }
    assert!(calls.knows("a") && !calls.knows("b"));
    let finished = calls.finish(&HashSet::new());
    assert!(finished.calls[0].arguments.is_ok());
    assert_eq!(finished.places, [Some(3)]);
}

#[test]
fn names_and_signatures_have_a_limit() {
    let mut calls = Calls::default();
    let flood = (0..20).map(|_| {
        let extra = Map::from_iter([("extra_content".to_owned(), json!("s".repeat(1 << 20)))]);
        calls.push(CallDelta { extra, ..delta((Some(0), "a", "calculate", json!(""))) })
    });
    assert_eq!(flood.flatten().count(), 7);
}

#[test]
fn arguments_that_are_none() {
    for (text, wanted) in [
        ("", Some(json!({}))),
        ("null", Some(json!({}))),
        ("  ", Some(json!({}))),
        ("[1,2]", None),
        ("{\"expression\": \"6*", None),
        ("{}{}", Some(json!({}))),
        ("{\"a\":1}{\"a\":2}", None),
        ("{}{\"a\":1}", Some(json!({ "a": 1 }))),
        ("\"text\"", None),
    ] {
        let read = arguments(text.to_owned(), "", false);
        assert_eq!(read.clone().ok().map(Value::from), wanted, "{text}");
        assert!(read.is_ok() || read == Err(text.to_owned()), "the model is shown what it wrote");
    }
}

#[test]
fn arguments_that_are_nested_too_deep_are_not_taken() {
    for (depth, taken) in [(1, true), (60, true), (64, false), (120, false), (10_000, false)] {
        let nested = format!("{{\"expression\":{}1{}}}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(arguments(nested.clone(), &nested, true).is_ok(), taken, "{depth}");
    }
}

#[test]
fn a_flood_of_calls_is_refused() {
    let mut calls = Calls::default();
    let flood = (0..1_000).map(|index| calls.push(delta((Some(index), "", "calculate", json!("{}")))));
    assert_eq!(flood.flatten().count(), MAX_CALLS);
    let mut calls = Calls::default();
    let piece = "x".repeat(1 << 18);
    let endless = (0..10).map(|_| calls.push(delta((Some(0), "a", "calculate", json!(piece)))));
    assert_eq!(endless.flatten().count(), 4);
}

#[test]
fn ids_differ_from_those_that_are_taken() {
    let mut calls = Calls::default();
    for index in 0..3 {
        calls.push(delta((Some(index), "a1b2c3d4e", "calculate", json!("{}")))).expect("few");
    }
    let Finished { calls, .. } = calls.finish(&HashSet::from(["a1b2c3d4e"]));
    for call in &calls {
        assert!(
            call.id != "a1b2c3d4e" && call.id.len() == 9 && call.id.bytes().all(|byte| byte.is_ascii_alphanumeric())
        );
    }
    assert_eq!(calls.iter().map(|call| call.id.as_str()).collect::<HashSet<_>>().len(), 3);
}

proptest! {
    #[test]
    fn any_pieces_end_in_calls_with_names(
        pieces in prop::collection::vec(
            (prop::option::of(0..3_u64), prop_oneof![Just(""), Just("a"), Just("b")], prop_oneof![Just(""), Just("calc"), Just("calculate")],
             prop_oneof![Just(json!("")), Just(json!("{\"a\":")), Just(json!("1}")), Just(json!({ "a": 1 })), Just(json!(null)), Just(json!([1]))]),
            0..30,
        )
    ) {
        let mut calls = Calls::default();
        for piece in pieces {
            calls.begin_chunk();
            let _ = calls.push(delta(piece));
        }
        let finished = calls.finish(&HashSet::new());
        prop_assert!(finished.calls.iter().all(|call| !call.tool.is_empty() && !call.id.is_empty()));
        prop_assert_eq!(finished.calls.len(), finished.extras.len());
    }
}
