//! Changes of files in what a tool was given or gave: a unified diff, or a text as it was with the text that takes its place.
//! Found, and worked out line by line.

use serde_json::{Map, Value};

/// Names of fields that hold a text as it was and the one in its place.
const PAIRS: [(&str, &str); 6] = [
    ("old_string", "new_string"),
    ("old_text", "new_text"),
    ("oldText", "newText"),
    ("old_str", "new_str"),
    ("old_content", "new_content"),
    ("old", "new"),
];

/// Names of fields that say which file.
const PATHS: [&str; 5] = ["file_path", "path", "filename", "file", "filePath"];

/// Names of fields that hold several changes of one file.
const SEVERAL: [&str; 2] = ["edits", "changes"];

/// Lines that are compared with each other, on each side: the time goes with the square.
const COMPARED: usize = 600;

/// Lines that stay the same and are shown around what changes.
const AROUND: usize = 3;

/// Lines of a diff at most; of a longer one the end is not drawn.
const MOST_LINES: usize = 5_000;

/// What a line of a diff is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It stays.
    Same,
    Removed,
    Added,
    /// Where a part of the file begins, or that some is left out.
    Gap,
}

impl Kind {
    /// What stands before the line.
    pub(super) const fn sign(self) -> &'static str {
        match self {
            Self::Same => " ",
            Self::Removed => "-",
            Self::Added => "+",
            Self::Gap => "",
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Removed => "removed",
            Self::Added => "added",
            Self::Gap => "gap",
        }
    }
}

/// A line of a diff.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) kind: Kind,
    pub(super) text: String,
}

impl Line {
    fn new(kind: Kind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into() }
    }
}

/// What changes in one file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Diff {
    /// Which file; empty where that is not said.
    pub(super) path: String,
    pub(super) lines: Vec<Line>,
}

impl Diff {
    /// Lines of a kind.
    pub(super) fn count(&self, kind: Kind) -> usize {
        self.lines.iter().filter(|line| line.kind == kind).count()
    }
}

/// A part of a value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Part {
    /// What is no change, as it is.
    Rest(Value),
    Change(Diff),
}

/// The parts of a value, if there is a change among them.
pub(super) fn parts(value: &Value) -> Option<Vec<Part>> {
    let mut parts = Vec::new();
    match value {
        Value::String(text) => in_text(text, &mut parts),
        Value::Object(fields) => in_fields(fields, &mut parts),
        Value::Array(items) if items.len() <= 50 => {
            for item in items {
                match self::parts(item) {
                    Some(found) => parts.extend(found),
                    None => parts.push(Part::Rest(item.clone())),
                }
            }
        }
        Value::Array(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
    parts.iter().any(|part| matches!(part, Part::Change(_))).then_some(parts)
}

fn in_fields(fields: &Map<String, Value>, parts: &mut Vec<Part>) {
    let text = |fields: &Map<String, Value>, name: &str| fields.get(name).and_then(Value::as_str).map(str::to_owned);
    let path = PATHS.iter().find_map(|name| text(fields, name)).unwrap_or_default();
    let pair = |fields: &Map<String, Value>| {
        let (old, new) = PAIRS.iter().find_map(|(old, new)| {
            let (before, after) = (fields.get(*old)?, fields.get(*new)?);
            // A file that is new has no text before.
            let before = if before.is_null() { Some("") } else { before.as_str() };
            before.zip(after.as_str()).map(|_| (*old, *new))
        })?;
        let diff = between(&text(fields, old).unwrap_or_default(), &text(fields, new).unwrap_or_default());
        Some((old, new, diff))
    };
    let (mut rest, mut found) = (fields.clone(), Vec::new());
    if let Some((old, new, lines)) = pair(fields) {
        rest.remove(old);
        rest.remove(new);
        found.push(Part::Change(Diff { path: path.clone(), lines }));
    }
    for (name, value) in fields {
        let mut inside = Vec::new();
        match value {
            Value::String(text) if rest.contains_key(name) => in_text(text, &mut inside),
            Value::Array(items) if SEVERAL.contains(&name.as_str()) => {
                let pairs: Option<Vec<_>> = items.iter().map(|item| item.as_object().and_then(pair)).collect();
                let change = |(_, _, lines)| Part::Change(Diff { path: path.clone(), lines });
                inside.extend(pairs.into_iter().flatten().map(change));
            }
            _ => {}
        }
        if inside.iter().any(|part| matches!(part, Part::Change(_))) {
            rest.remove(name);
            found.extend(inside);
        }
    }
    // The file is named above each change.
    if !path.is_empty() && found.iter().any(|part| matches!(part, Part::Change(diff) if diff.path == path)) {
        for name in PATHS {
            rest.remove(name);
        }
    }
    if !rest.is_empty() {
        parts.push(Part::Rest(Value::Object(rest)));
    }
    parts.extend(found);
}

/// The unified diffs in a text, and what stands between them.
fn in_text(text: &str, parts: &mut Vec<Part>) {
    if !text.contains("@@ -") {
        return;
    }
    let lines: Vec<&str> = text.lines().collect();
    let mut before = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        let Some((diff, end)) = unified(&lines, at) else {
            before.push(lines[at]);
            at += 1;
            continue;
        };
        // What programs write above a diff says nothing that it does not.
        while before.last().is_some_and(|line: &&str| line.starts_with("diff --git ") || line.starts_with("index ")) {
            before.pop();
        }
        rest(&mut before, parts);
        parts.push(Part::Change(diff));
        at = end;
    }
    rest(&mut before, parts);
}

fn rest(lines: &mut Vec<&str>, parts: &mut Vec<Part>) {
    let text = lines.join("\n");
    lines.clear();
    if !text.trim().is_empty() {
        parts.push(Part::Rest(Value::String(text.trim_matches('\n').to_owned())));
    }
}

/// The diff of one file that begins at this line, and where it ends.
fn unified(lines: &[&str], start: usize) -> Option<(Diff, usize)> {
    let old = lines.get(start)?.strip_prefix("--- ")?;
    let new = lines.get(start + 1)?.strip_prefix("+++ ")?;
    let named = |name: &str| {
        let name = name.split('\t').next().unwrap_or_default().trim();
        let bare = name.strip_prefix("a/").or_else(|| name.strip_prefix("b/")).unwrap_or(name);
        (bare != "/dev/null").then(|| bare.to_owned())
    };
    let mut diff = Diff { path: named(new).or_else(|| named(old)).unwrap_or_default(), lines: Vec::new() };
    let mut at = start + 2;
    while let Some((mut gone, mut come, place)) = lines.get(at).and_then(|line| head(line)) {
        if !diff.lines.is_empty() || place > 1 {
            diff.lines.push(Line::new(Kind::Gap, format!("Line {place}")));
        }
        at += 1;
        while gone + come > 0 {
            let Some(line) = lines.get(at) else { break };
            let mut signs = line.chars();
            let (kind, text) = match signs.next() {
                Some('-') if gone > 0 => (Kind::Removed, signs.as_str()),
                Some('+') if come > 0 => (Kind::Added, signs.as_str()),
                Some(' ') => (Kind::Same, signs.as_str()),
                // Editors take the space from lines that have nothing else.
                None => (Kind::Same, ""),
                Some('\\') => {
                    at += 1;
                    continue;
                }
                Some(_) => break,
            };
            gone = gone.saturating_sub(usize::from(kind != Kind::Added));
            come = come.saturating_sub(usize::from(kind != Kind::Removed));
            diff.lines.push(Line::new(kind, text));
            at += 1;
        }
        while lines.get(at).is_some_and(|line| line.starts_with('\\')) {
            at += 1;
        }
    }
    diff.lines.truncate(MOST_LINES);
    (!diff.lines.is_empty()).then_some((diff, at))
}

/// How many lines of each side follow, and where on the newer one: `@@ -1,2 +1,3 @@`.
fn head(line: &str) -> Option<(usize, usize, usize)> {
    let (old, new) = line.strip_prefix("@@ -")?.split_once(" @@")?.0.split_once(" +")?;
    let side = |side: &str| match side.split_once(',') {
        Some((place, count)) => Some((place.parse().ok()?, count.parse().ok()?)),
        None => Some((side.parse().ok()?, 1)),
    };
    let ((_, gone), (place, come)): ((usize, usize), (usize, usize)) = (side(old)?, side(new)?);
    Some((gone, come, place))
}

/// The lines of two texts: what stays, goes and comes, and no more of what stays than is needed to find the place.
fn between(old: &str, new: &str) -> Vec<Line> {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let start = old.iter().zip(&new).take_while(|(old, new)| old == new).count();
    let left = old.len().min(new.len()) - start;
    let end = old.iter().rev().zip(new.iter().rev()).take(left).take_while(|(old, new)| old == new).count();
    let (gone, come) = (&old[start..old.len() - end], &new[start..new.len() - end]);
    let same = |lines: &[&str]| lines.iter().map(|line| Line::new(Kind::Same, *line)).collect::<Vec<_>>();
    let lines = [same(&old[..start]), middle(gone, come), same(&old[old.len() - end..])].concat();
    let mut lines = folded(lines);
    lines.truncate(MOST_LINES);
    lines
}

/// The longest common lines stay; beyond what is compared all goes and all comes.
fn middle(old: &[&str], new: &[&str]) -> Vec<Line> {
    let line = |kind: Kind| move |text: &&str| Line::new(kind, *text);
    if old.len() > COMPARED || new.len() > COMPARED {
        return old.iter().map(line(Kind::Removed)).chain(new.iter().map(line(Kind::Added))).collect();
    }
    // How many lines are common from here on.
    let width = new.len() + 1;
    let mut common = vec![0_u16; (old.len() + 1) * width];
    for (row, before) in old.iter().enumerate().rev() {
        for (column, after) in new.iter().enumerate().rev() {
            let here = row * width + column;
            common[here] =
                if before == after { common[here + width + 1] + 1 } else { common[here + width].max(common[here + 1]) };
        }
    }
    let (mut row, mut column) = (0, 0);
    let mut lines = Vec::with_capacity(old.len() + new.len());
    while row < old.len() || column < new.len() {
        let here = row * width + column;
        if row < old.len() && column < new.len() && old[row] == new[column] {
            lines.push(Line::new(Kind::Same, old[row]));
            (row, column) = (row + 1, column + 1);
        } else if row < old.len() && (column == new.len() || common[here + width] >= common[here + 1]) {
            lines.push(Line::new(Kind::Removed, old[row]));
            row += 1;
        } else {
            lines.push(Line::new(Kind::Added, new[column]));
            column += 1;
        }
    }
    lines
}

/// Leaves out what stays far from any change.
fn folded(lines: Vec<Line>) -> Vec<Line> {
    let mut near = vec![false; lines.len()];
    for (at, _) in lines.iter().enumerate().filter(|(_, line)| line.kind != Kind::Same) {
        let end = (at + AROUND + 1).min(lines.len());
        near[at.saturating_sub(AROUND)..end].fill(true);
    }
    let mut kept = Vec::with_capacity(lines.len());
    let mut skipped = 0_usize;
    let gap = |skipped: usize| {
        let words = if skipped == 1 { "1 line stays".to_owned() } else { format!("{skipped} lines stay") };
        Line::new(Kind::Gap, words)
    };
    for (line, near) in lines.into_iter().zip(near) {
        if !near {
            skipped += 1;
            continue;
        }
        if skipped > 0 {
            kept.push(gap(std::mem::take(&mut skipped)));
        }
        kept.push(line);
    }
    if skipped > 0 && !kept.is_empty() {
        kept.push(gap(skipped));
    }
    kept
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A value's parts, each diff as its path and its lines with their signs.
    fn told(value: &Value) -> String {
        let part = |part: &Part| match part {
            Part::Rest(value) => format!("<{}>", value.as_str().map_or_else(|| value.to_string(), str::to_owned)),
            Part::Change(diff) => {
                let line = |line: &Line| match line.kind {
                    Kind::Gap => format!("~{}", line.text),
                    kind => format!("{}{}", kind.sign(), line.text),
                };
                format!("[{}|{}]", diff.path, diff.lines.iter().map(line).collect::<Vec<_>>().join("|"))
            }
        };
        parts(value).map_or_else(String::new, |parts| parts.iter().map(part).collect::<Vec<_>>().concat())
    }

    #[test]
    fn changes_are_found_wherever_tools_put_them() {
        let check = |value: Value, wanted: &str| assert_eq!(told(&value), wanted, "{value}");
        check(json!({ "file_path": "a.rs", "old_string": "one\ntwo", "new_string": "one\n2" }), "[a.rs| one|-two|+2]");
        check(json!({ "path": "a", "oldText": null, "newText": "x" }), "[a|+x]");
        check(json!({ "path": "a", "old": "x", "new": "x\ny", "n": 1 }), r#"<{"n":1}>[a| x|+y]"#);
        check(
            json!({ "file_path": "a", "edits": [{ "old_string": "1", "new_string": "2" }, { "old_string": "3", "new_string": "" }] }),
            "[a|-1|+2][a|-3]",
        );
        let diff = "--- a/x.txt\n+++ b/x.txt\n@@ -1,2 +1,2 @@\n one\n-two\n+2\n";
        check(json!(diff), "[x.txt| one|-two|+2]");
        check(
            json!(format!("Done.\n\ndiff --git a/x b/x\n{diff}\nThat is all.")),
            "<Done.>[x.txt| one|-two|+2]<That is all.>",
        );
        check(json!({ "title": "Edit", "change": diff }), r#"<{"title":"Edit"}>[x.txt| one|-two|+2]"#);
        check(json!([{ "diff": diff }, "and"]), "[x.txt| one|-two|+2]<and>");
        check(json!("--- /dev/null\n+++ b/y\n@@ -0,0 +1 @@\n+new\n\\ No newline at end of file"), "[y|+new]");
        check(json!("--- y\n+++ y\n@@ -1 +1 @@\n-a\n+b\n@@ -9 +9 @@\n-c\n+d"), "[y|-a|+b|~Line 9|-c|+d]");
        // What is no change.
        for other in [
            json!("a -- b"),
            json!("--- a\n+++ b\nno head"),
            json!("@@ -1 +1 @@\n-a\n+b"),
            json!({ "old": 1, "new": 2 }),
            json!({ "edits": [{ "old": "1", "new": "2" }, 3] }),
            json!(null),
        ] {
            check(other, "");
        }
    }

    #[test]
    fn what_stays_far_away_is_left_out() {
        let old: Vec<String> = (1..=20).map(|n| n.to_string()).collect();
        let mut new = old.clone();
        new[9] = "ten".to_owned();
        let value = json!({ "old": old.join("\n"), "new": new.join("\n") });
        assert_eq!(told(&value), "[|~6 lines stay| 7| 8| 9|-10|+ten| 11| 12| 13|~7 lines stay]");
    }

    #[test]
    fn the_lines_are_those_of_both_texts() {
        let check = |old: &str, new: &str| {
            let (old_lines, new_lines): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
            let lines = middle(&old_lines, &new_lines);
            let side = |other: Kind| {
                lines.iter().filter(|line| line.kind != other).map(|line| line.text.as_str()).collect::<Vec<_>>()
            };
            assert_eq!(side(Kind::Added), old_lines);
            assert_eq!(side(Kind::Removed), new_lines);
        };
        check("", "");
        check("a\nb\nc", "b\nc\nd");
        check("a\nb", "");
        check("x\na\ny\nb", "a\nz\nb\nb");
        let long = (0..700).map(|n| n.to_string()).collect::<Vec<_>>().join("\n");
        check(&long, "1\n2");
    }

    proptest::proptest! {
        #[test]
        fn no_text_is_too_strange(text in "(--- a\n|\\+\\+\\+ b\n|@@ -[0-9],[0-9] \\+[0-9] @@\n|[-+ ]x\n|\n|\\\\\n){0,30}") {
            parts(&Value::String(text.clone()));
            parts(&serde_json::json!({ "old": text, "new": "x\n" }));
        }
    }
}
