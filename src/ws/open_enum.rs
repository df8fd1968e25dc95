//! Enumerations that may grow within `netra.v1`: a value of a later server is read as unknown and kept as it came.

use std::str::FromStr;

use arrayvec::ArrayString;

/// A value that this build does not know. It lives in place, so that the enumerations stay as cheap to copy as their names;
/// what goes beyond 48 bytes is cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Word(ArrayString<48>);

impl Word {
    /// Keeps the text.
    pub fn new(text: &str) -> Self {
        let whole = ArrayString::from_str(text);
        Self(whole.unwrap_or_else(|_| {
            let mut start = ArrayString::new();
            for char in text.chars() {
                if start.try_push(char).is_err() {
                    break;
                }
            }
            start
        }))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for Word {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Makes an enumeration of names that may grow: `Unknown` holds what a later server added.
macro_rules! open_enum {
    ($(#[doc = $about:literal])* $name:ident { $($(#[doc = $doc:literal])* $variant:ident = $wire:literal,)* }) => {
        $(#[doc = $about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[doc = $doc])* $variant,)*
            /// A value of a later server, as it came. This version never makes one.
            Unknown($crate::open_enum::Word),
        }

        impl $name {
            /// Every value that this version knows.
            pub const KNOWN: &[Self] = &[$(Self::$variant,)*];

            /// The name on the wire; `unknown` for a later server's, whose own name [`std::fmt::Display`] gives.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $wire,)* Self::Unknown(_) => "unknown" }
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                match text { $($wire => Self::$variant,)* _ => Self::Unknown($crate::open_enum::Word::new(text)) }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                match self {
                    Self::Unknown(word) => f.write_str(word.as_str()),
                    known => f.write_str(known.as_str()),
                }
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                <std::borrow::Cow<'de, str>>::deserialize(deserializer).map(|text| Self::from(&*text))
            }
        }

        #[cfg(feature = "schema")]
        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                $crate::open_enum::schema(
                    concat!($($about),*),
                    &[$(($wire, concat!($($doc),*)),)*],
                )
            }
        }
    };
}
pub(crate) use open_enum;

/// The known values, each with what it means, and any other text.
#[cfg(feature = "schema")]
pub(crate) fn schema(about: &str, known: &[(&str, &str)]) -> schemars::Schema {
    let known = known
        .iter()
        .map(|(name, doc)| serde_json::json!({ "type": "string", "const": name, "description": doc.trim() }));
    let later =
        serde_json::json!({ "type": "string", "description": "A value of a later server: read it as unknown." });
    let choices: Vec<_> = known.chain([later]).collect();
    schemars::json_schema!({ "description": about.trim(), "anyOf": choices })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        error::ErrorCode,
        model::{MessageRole, Role, RunStatus, ToolStatus},
        payload::{CompletedStatus, Level, SubscribeMode},
    };

    #[test]
    fn what_is_not_known_comes_back_as_it_came() {
        macro_rules! check {
            ($($name:ident),*) => {$(
                let later: $name = serde_json::from_str("\"day_dreaming\"").expect("any name is read");
                assert_eq!((later.as_str(), later.to_string()), ("unknown", "day_dreaming".to_owned()));
                assert_eq!(serde_json::to_string(&later).expect("encodes"), "\"day_dreaming\"");
                for known in $name::KNOWN {
                    let text = serde_json::to_string(known).expect("encodes");
                    assert_eq!(text, format!("\"{}\"", known.as_str()));
                    assert_eq!(serde_json::from_str::<$name>(&text).expect("reads"), *known);
                }
                assert!(serde_json::from_str::<$name>("7").is_err(), "a number is no name");
            )*};
        }
        check!(ErrorCode, Role, MessageRole, RunStatus, ToolStatus, CompletedStatus, Level, SubscribeMode);
    }

    #[test]
    fn a_long_word_is_cut_between_characters() {
        let word = |text: &str| Word::new(text).as_str().to_owned();
        assert_eq!(word(&"x".repeat(48)), "x".repeat(48));
        assert_eq!(word(&"x".repeat(49)), "x".repeat(48));
        assert_eq!(word(&format!("{}é", "x".repeat(47))), "x".repeat(47));
        assert_eq!(word(""), "");
    }
}
