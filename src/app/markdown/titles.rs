//! A title's words, without Markdown's signs. The list of conversations shows dozens of titles, on pages that load no parser; what
//! stands in one line needs none.

/// What is longer is cut, in characters.
const LONGEST: usize = 500;

/// The words of a title.
pub(crate) fn words(source: &str) -> String {
    let lines = source.lines().map(|line| {
        let line: Vec<char> = line.chars().take(LONGEST).collect();
        inline(without_mark(&line))
    });
    let text: String = lines.collect::<Vec<_>>().join(" ").chars().take(LONGEST).collect();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A line without what makes it a heading, a quote, or an item of a list.
fn without_mark(line: &[char]) -> &[char] {
    let mut rest = line;
    loop {
        rest = &rest[rest.iter().take_while(|c| c.is_whitespace()).count()..];
        let signs = rest.iter().take_while(|c| **c == '#').count();
        let digits = rest.iter().take_while(|c| c.is_ascii_digit()).count();
        let mark = match rest {
            _ if (1..=6).contains(&signs) => signs,
            _ if (1..=9).contains(&digits) && matches!(rest.get(digits), Some('.' | ')')) => digits + 1,
            ['>' | '-' | '*' | '+', ..] => 1,
            _ => return rest,
        };
        // A quote needs no space behind its sign.
        if rest.get(mark).is_some_and(|c| !c.is_whitespace()) && rest[0] != '>' {
            return rest;
        }
        rest = &rest[mark..];
    }
}

/// The text of a line: escaped signs as they are, code and links without what is around them, emphasis without its signs.
fn inline(text: &[char]) -> String {
    let mut out = String::new();
    let mut at = 0;
    while let Some(&c) = text.get(at) {
        let rest = &text[at..];
        let run = rest.iter().take_while(|other| **other == c).count();
        let (inside, length) = match c {
            '\\' if rest.get(1).is_some_and(char::is_ascii_punctuation) => (String::from(rest[1]), 2),
            '`' => match closed_at(text, at, run, |_| true) {
                Some(end) => (text[at + run..end].iter().collect(), end + run - at),
                None => (text[at..at + run].iter().collect(), run),
            },
            '[' => match link(rest) {
                Some((words, length)) => (inline(words), length),
                None => ("[".to_owned(), 1),
            },
            '!' if rest.get(1) == Some(&'[') && link(&rest[1..]).is_some() => (String::new(), 1),
            '*' | '_' | '~' => match emphasis(text, at, run) {
                Some(end) => (inline(&text[at + run..end]), end + run - at),
                None => (text[at..at + run].iter().collect(), run),
            },
            c => (String::from(c), 1),
        };
        out.push_str(&inside);
        at += length;
    }
    out
}

/// Where a run of as many of the same sign stands behind the one at `at`, at a place that will do.
fn closed_at(text: &[char], at: usize, run: usize, will_do: impl Fn(usize) -> bool) -> Option<usize> {
    let sign = text[at];
    let mut next = at + run;
    while next < text.len() {
        let length = text[next..].iter().take_while(|c| **c == sign).count();
        if length == run && will_do(next) {
            return Some(next);
        }
        next += length.max(1);
    }
    None
}

/// Where the emphasis ends that begins here, if one does.
fn emphasis(text: &[char], at: usize, run: usize) -> Option<usize> {
    let sign = text[at];
    if run > 3 || (sign == '~' && run != 2) {
        return None;
    }
    let space = |c: Option<&char>| c.is_none_or(|c| c.is_whitespace());
    // Inside a word an underscore is one.
    let word = |c: Option<&char>| sign == '_' && c.is_some_and(|c| c.is_alphanumeric());
    let before = |place: usize| place.checked_sub(1).and_then(|place| text.get(place));
    if space(text.get(at + run)) || word(before(at)) {
        return None;
    }
    closed_at(text, at, run, |end| !space(before(end)) && !word(text.get(end + run)))
}

/// The words of a link, and the length of all of it.
fn link(text: &[char]) -> Option<(&[char], usize)> {
    let mut depth = 0_usize;
    let close = text.iter().position(|c| {
        match c {
            '[' => depth += 1,
            ']' => depth -= 1,
            _ => {}
        }
        depth == 0
    })?;
    if text.get(close + 1) != Some(&'(') {
        return None;
    }
    let end = text[close..].iter().position(|c| *c == ')')?;
    Some((&text[1..close], close + end + 1))
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn titles_are_words() {
        for (title, wanted) in [
            ("# A **bold** `title`", "A bold title"),
            ("[a link](https://a.example) and *more*", "a link and more"),
            ("![a picture](/x.png) of **[one](y) _more_**", "a picture of one more"),
            ("- one\n- two", "one two"),
            ("> 1. **quoted**", "quoted"),
            ("1 + 1 < 3", "1 + 1 < 3"),
            ("-5 degrees, 3.5 more", "-5 degrees, 3.5 more"),
            ("What is 2 * 3 * 4?", "What is 2 * 3 * 4?"),
            ("snake_case_name and __init__", "snake_case_name and init"),
            ("a \\*star\\* and `**code**`", "a *star* and **code**"),
            ("~~gone~~ and ~here~", "gone and ~here~"),
            ("**never closed, [nor this", "**never closed, [nor this"),
            ("a]b [c] (d)", "a]b [c] (d)"),
            ("#1 and C#", "#1 and C#"),
            ("<b>html</b>", "<b>html</b>"),
            ("**\u{4e2d}\u{6587}**\u{5b57}", "\u{4e2d}\u{6587}\u{5b57}"),
            ("", ""),
        ] {
            assert_eq!(words(title), wanted, "{title:?}");
        }
        for bomb in
            ["*_".repeat(10_000), "[".repeat(10_000), "[a](".repeat(9_000), "`".repeat(10_000), "> ".repeat(9_000)]
        {
            assert!(words(&bomb).chars().count() <= 500);
        }
    }
}
