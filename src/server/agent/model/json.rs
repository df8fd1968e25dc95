//! JSON as model servers write it: with halves of surrogate pairs, and with raw line breaks inside strings.

use serde_json::Value;

/// Reads a value; when that fails, once more with what is wrong in its strings mended.
pub(super) fn read(text: &str) -> serde_json::Result<Value> {
    serde_json::from_str(text).or_else(|error| mend(text).map_or(Err(error), |mended| serde_json::from_str(&mended)))
}

/// The text with half surrogate pairs replaced by U+FFFD and raw control characters in strings escaped; nothing when there was
/// nothing to mend.
fn mend(text: &str) -> Option<String> {
    let mut mended = String::with_capacity(text.len());
    let mut rest = text;
    let mut in_string = false;
    while let Some(c) = rest.chars().next() {
        let (taken, written) = match c {
            '\\' if in_string => escape(rest),
            '"' => {
                in_string = !in_string;
                (1, "\"".into())
            }
            c if in_string && c < ' ' => (1, format!("\\u{:04x}", u32::from(c)).into()),
            c => (c.len_utf8(), std::borrow::Cow::Borrowed(&rest[..c.len_utf8()])),
        };
        mended.push_str(&written);
        rest = &rest[taken..];
    }
    (mended != text).then_some(mended)
}

/// The escape that `text` begins with: how many bytes it has, and how it is written.
fn escape(text: &str) -> (usize, std::borrow::Cow<'_, str>) {
    let unit = |at: usize| {
        let hex = text.get(at..at + 6)?.strip_prefix("\\u")?;
        hex.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| u16::from_str_radix(hex, 16).ok())?
    };
    match unit(0) {
        Some(0xd800..=0xdbff) if matches!(unit(6), Some(0xdc00..=0xdfff)) => (12, (&text[..12]).into()),
        Some(0xd800..=0xdfff) => (6, "\\ufffd".into()),
        Some(_) => (6, (&text[..6]).into()),
        None => {
            let taken = 1 + text[1..].chars().next().map_or(0, char::len_utf8);
            (taken, (&text[..taken]).into())
        }
    }
}

/// A count that may be written as `7`, `7.0` or `"7"`; nothing when it is none.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
pub(super) fn count(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => number
            .as_u64()
            .or_else(|| number.as_f64().filter(|float| float.is_finite() && *float >= 0.0).map(|float| float as u64)),
        Value::String(text) => text.trim().parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn strings_that_are_none() {
        let check = |text: &str, wanted: &str| assert_eq!(read(text).expect(text), json!([wanted]), "{text}");
        check(r#"["plain"]"#, "plain");
        // Kohaku-Lab/KohakuTerrarium#48
        check(r#"["x\udcafy"]"#, "x\u{fffd}y");
        // elizaOS/eliza#30904
        check(r#"["\ud83d"]"#, "\u{fffd}");
        check(r#"["\ud83d\ude00 \ud83dx"]"#, "😀 \u{fffd}x");
        check(r#"["\ud83d\ud83d\ude00"]"#, "\u{fffd}😀");
        check("[\"a\nb\tc\"]", "a\nb\tc");
        check("[\"a\nb \\\" c\\\\\"]", "a\nb \" c\\");
        assert!(read(r#"["\udcaf""#).is_err(), "what is no JSON stays none");
    }

    #[test]
    fn counts() {
        for (value, wanted) in [
            (json!(7), Some(7)),
            (json!(7.0), Some(7)),
            (json!("7"), Some(7)),
            (json!(-7), None),
            (json!(null), None),
            (json!([7]), None),
        ] {
            assert_eq!(count(&value), wanted, "{value}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in any::<String>()) {
            let _ = read(&text);
        }

        #[test]
        fn mending_changes_nothing_that_is_right(text in any::<String>()) {
            let value = json!([text]);
            prop_assert_eq!(mend(&value.to_string()), None);
        }
    }
}
