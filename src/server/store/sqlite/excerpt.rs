//! The part of a message that a search found.

/// Words of an excerpt, and those of them before the first word that was looked for.
const WORDS: usize = 24;
const WORDS_BEFORE: usize = 6;

/// The longest excerpt, in characters: a word may have any length.
const MAX_CHARS: usize = 400;

/// Stands where text was left out.
const CUT: &str = " … ";

/// About two dozen words around the first one that was looked for; the beginning when none is found as it was typed. One pass
/// over the text, however often the words occur. `words` are in small letters.
pub(super) fn excerpt(text: &str, words: &[String]) -> String {
    let starts: Vec<usize> = words_of(text).map(|(at, _)| at).collect();
    let found = words_of(text).position(|(_, word)| words.iter().any(|wanted| is_same(word, wanted))).unwrap_or(0);
    let first = found.saturating_sub(WORDS_BEFORE);
    let from = if first == 0 { 0 } else { starts[first] };
    let end = starts.get(first + WORDS).copied().unwrap_or(text.len());
    let part = text[from..end].trim();
    let short: String = part.chars().take(MAX_CHARS).collect();
    let cut = end < text.len() || short.len() < part.len();
    format!("{}{short}{}", if first > 0 { CUT.trim_start() } else { "" }, if cut { CUT.trim_end() } else { "" })
}

/// Characters of an excerpt before what was found, and from there on.
const AROUND: (usize, usize) = (40, 120);

/// What stands around the first of these parts, wherever in a word it is; none when none of them is there as it was typed. `parts`
/// are in small letters.
pub(super) fn around(text: &str, parts: &[String]) -> Option<String> {
    let begins = |at: usize, part: &str| {
        let mut here = text[at..].chars().flat_map(char::to_lowercase);
        part.chars().all(|wanted| here.next() == Some(wanted))
    };
    let at = text.char_indices().map(|(at, _)| at).find(|&at| parts.iter().any(|part| begins(at, part)))?;
    let from = text[..at].char_indices().rev().take(AROUND.0).last().map_or(at, |(at, _)| at);
    let end = text[at..].char_indices().nth(AROUND.1).map_or(text.len(), |(after, _)| at + after);
    let part = text[from..end].split_whitespace().collect::<Vec<_>>().join(" ");
    let (before, after) = (if from > 0 { "…" } else { "" }, if end < text.len() { "…" } else { "" });
    Some(format!("{before}{part}{after}"))
}

/// Where each word begins, and the word.
fn words_of(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(move |word| (word.as_ptr().addr() - text.as_ptr().addr(), word))
}

/// Whether the index takes both for one word, as far as can be told without its stemmer: one begins with the other but for
/// an ending.
fn is_same(word: &str, wanted: &str) -> bool {
    let mut common = 0;
    let mut word = word.chars().flat_map(char::to_lowercase);
    for wanted in wanted.chars() {
        if word.next() != Some(wanted) {
            break;
        }
        common += 1;
    }
    let length = wanted.chars().count();
    common == length || common >= 4 && length - common <= 3
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str, words: &[&str]) -> String {
        excerpt(text, &words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn the_words_stand_in_it() {
        assert_eq!(of("The quick brown fox.", &["fox"]), "The quick brown fox.");
        let long = format!("{} the penguin swims {}", "before ".repeat(100), "after ".repeat(100));
        let cut = of(&long, &["penguins"]);
        assert!(cut.starts_with("… before") && cut.ends_with("after …") && cut.contains("the penguin swims"), "{cut}");
        assert_eq!(cut.split_whitespace().filter(|word| *word != "…").count(), WORDS);
        assert_eq!(of("nothing of that kind", &["zebra"]), "nothing of that kind");
        assert_eq!(of("", &["zebra"]), "");
        assert_eq!(of("…", &["zebra"]), "…");
        assert_eq!(of("Ünïcode über alles", &["über"]), "Ünïcode über alles");
    }

    #[test]
    fn parts_of_words_stand_in_it() {
        let of =
            |text: &str, parts: &[&str]| around(text, &parts.iter().map(|&part| part.to_owned()).collect::<Vec<_>>());
        assert_eq!(of("これは日本語です", &["日本"]).as_deref(), Some("これは日本語です"));
        assert_eq!(of("A penguin", &["guin"]).as_deref(), Some("A penguin"));
        assert_eq!(of("ÜBER alles", &["über"]).as_deref(), Some("ÜBER alles"));
        assert_eq!(of("nothing", &["zebra"]), None);
        let long = of(&format!("{}日本語{}", "前".repeat(10_000), "後".repeat(10_000)), &["日本"]).unwrap_or_default();
        assert!(long.starts_with("…前") && long.ends_with("後…") && long.contains("日本語"), "{long}");
        assert_eq!(long.chars().count(), AROUND.0 + AROUND.1 + 2);
    }

    #[test]
    fn a_word_without_end_is_cut() {
        let cut = of(&"x".repeat(100_000), &["x"]);
        assert!(cut.chars().count() <= MAX_CHARS + 2, "{}", cut.len());
        let many = of(&"quick brown fox ".repeat(4_000), &["quick", "brown", "fox"]);
        assert_eq!(many.split_whitespace().filter(|word| *word != "…").count(), WORDS);
    }
}
