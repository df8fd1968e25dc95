//! Names of tools: `mcp:<server>/<tool>` in configuration and in events, and what models are given in their place.

use std::{borrow::Cow, fmt::Write as _};

use sha2::{Digest as _, Sha256};

/// What names of tools of MCP servers begin with.
pub const MCP: &str = "mcp:";

/// The longest name that every model takes.
const LONGEST: usize = 64;

/// The name of an MCP server's tool.
pub fn of_mcp(server: &str, tool: &str) -> String {
    format!("{MCP}{server}/{tool}")
}

/// The server and the tool that a name means, where it is one of an MCP server's.
pub fn parts_of_mcp(name: &str) -> Option<(&str, &str)> {
    name.strip_prefix(MCP)?.split_once('/')
}

/// Whether an agent with this list may use a tool. Without a list it is those that are always there.
pub fn allows(list: Option<&[String]>, name: &str) -> bool {
    match list {
        None => !name.starts_with(MCP),
        Some(patterns) => patterns.iter().any(|pattern| matches(pattern, name)),
    }
}

/// Whether a pattern, in which `*` stands for any characters, means this name.
pub fn matches(pattern: &str, name: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(mut left) = name.strip_prefix(start) else { return false };
    let mut pieces: Vec<&str> = rest.split('*').collect();
    let last = pieces.pop().unwrap_or_default();
    for piece in pieces {
        match left.find(piece) {
            Some(at) => left = &left[at + piece.len()..],
            None => return false,
        }
    }
    left.ends_with(last)
}

/// The name as models are given it: letters, digits, `-` and `_`. One that had to be changed, beyond the two parts of an MCP
/// server's tool, ends in what tells it from others that would look the same.
pub fn for_models(name: &str) -> Cow<'_, str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let joined = match parts_of_mcp(name) {
        Some((server, tool)) => Cow::Owned(format!("{server}__{tool}")),
        None => Cow::Borrowed(name),
    };
    if !joined.is_empty() && joined.len() <= LONGEST && joined.chars().all(plain) {
        return joined;
    }
    let mut safe: String = joined.chars().map(|c| if plain(c) { c } else { '_' }).take(LONGEST - 9).collect();
    safe.push('_');
    for byte in &Sha256::digest(name.as_bytes())[..4] {
        // Writing to a string does not fail.
        let _ = write!(safe, "{byte:02x}");
    }
    Cow::Owned(safe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, name, wanted) in [
            ("calculate", "calculate", true),
            ("calculate", "calculates", false),
            ("mcp:everything/*", "mcp:everything/echo", true),
            ("mcp:everything/*", "mcp:everything/", true),
            ("mcp:everything/*", "mcp:everything2/echo", false),
            ("mcp:*/echo", "mcp:a/echo", true),
            ("mcp:*/echo", "mcp:a/echo2", false),
            ("mcp:*/get-*-image", "mcp:a/get-tiny-image", true),
            ("*", "calculate", true),
            ("**", "mcp:a/b", true),
            ("a*a", "a", false),
            ("", "", true),
            ("", "x", false),
        ] {
            assert_eq!(matches(pattern, name), wanted, "{pattern} {name}");
        }
    }

    #[test]
    fn tools_of_mcp_servers_are_named_by_who_wants_them() {
        assert!(allows(None, "calculate") && !allows(None, "mcp:a/b"));
        let list = ["mcp:a/*".to_owned()];
        assert!(allows(Some(&list), "mcp:a/b") && !allows(Some(&list), "calculate"));
    }

    #[test]
    fn models_are_given_names_that_they_take() {
        assert_eq!(for_models("calculate"), "calculate");
        assert_eq!(for_models("mcp:everything/echo"), "everything__echo");
        let (dot, line) = (for_models("mcp:a/b.c"), for_models("mcp:a/b_c"));
        assert_eq!(line, "a__b_c");
        assert_ne!(dot, line);
        assert_ne!(dot, for_models("mcp:a/b:c"));
        for name in [format!("mcp:a/{}", "x".repeat(200)), "mcp:ä/ö".to_owned(), String::new(), dot.into_owned()] {
            let safe = for_models(&name);
            assert!(!safe.is_empty() && safe.len() <= LONGEST, "{safe}");
            assert!(safe.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_'), "{safe}");
        }
    }
}
