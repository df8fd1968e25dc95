//! Thoughts that come as text in tags, at the beginning of an answer: `<think>` and its kin. Some templates write the opening
//! tag into the prompt, so that only the closing one is seen.

use super::Piece;

/// The tags that models are trained with.
const TAGS: [(&str, &str); 7] = [
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("<reasoning>", "</reasoning>"),
    ("[THINK]", "[/THINK]"),
    ("<seed:think>", "</seed:think>"),
    ("◁think▷", "◁/think▷"),
];

/// The closing tags, which are seen alone, too.
const ALONE: [&str; 7] =
    ["</think>", "</thinking>", "</thought>", "</reasoning>", "[/THINK]", "</seed:think>", "◁/think▷"];

/// How opening tags begin that are mentioned in an answer.
const MENTIONS: [&str; 6] = ["<think", "<thought", "<reasoning", "[THINK", "<seed:think", "◁think"];

/// The bytes of the longest of them.
const LONGEST_MENTION: usize = "<seed:think".len();

#[derive(Clone, Copy, Debug)]
enum State {
    /// Nothing but white space and thoughts so far.
    Start,
    /// Inside a thought, until this tag.
    Thought(&'static str),
    /// In the answer, where a closing tag may tell that all of it was a thought.
    Open,
    /// In the answer for good.
    Answer,
}

/// Takes an answer's text apart, whatever the cuts.
#[derive(Debug)]
pub(super) struct Tags {
    state: State,
    /// What cannot be told yet: white space, or the beginning of a tag.
    held: String,
    /// A thought was closed; white space before the answer belongs to neither.
    thought: bool,
    /// Backticks so far: inside code, a tag is a word about tags.
    ticks: usize,
    /// An opening tag stood in the answer.
    mentioned: bool,
    /// The end of what was said, where a tag may have begun.
    tail: String,
}

impl Default for Tags {
    fn default() -> Self {
        Self {
            state: State::Start,
            held: String::new(),
            thought: false,
            ticks: 0,
            mentioned: false,
            tail: String::new(),
        }
    }
}

impl Tags {
    /// Reads more text.
    pub(super) fn push(&mut self, text: &str) -> Vec<Piece> {
        let mut pieces = Vec::new();
        self.held.push_str(text);
        while self.step(&mut pieces) {}
        pieces
    }

    /// Thoughts come in a field of their own: a closing tag in the answer is a word about tags.
    pub(super) fn thoughts_are_elsewhere(&mut self) {
        self.mentioned = true;
    }

    /// The text is over: what was held is what it looks like.
    pub(super) fn finish(&mut self) -> Vec<Piece> {
        let held = std::mem::take(&mut self.held);
        match self.state {
            State::Start if held.trim().is_empty() => Vec::new(),
            State::Thought(_) => thinking(&held),
            State::Start | State::Open | State::Answer => text(&held),
        }
    }

    /// Goes on as far as one state goes; whether there is more to do.
    fn step(&mut self, pieces: &mut Vec<Piece>) -> bool {
        if self.held.is_empty() {
            return false;
        }
        match self.state {
            State::Start => self.start(),
            State::Thought(close) => {
                let Some(at) = self.held.find(close) else {
                    let kept = beginning_of(&self.held, &[close]);
                    pieces.extend(thinking(&self.release(kept)));
                    return false;
                };
                pieces.extend(thinking(&self.held[..at]));
                self.held.drain(..at + close.len());
                self.state = State::Start;
                self.thought = true;
                true
            }
            State::Open => self.open(pieces),
            State::Answer => {
                pieces.extend(text(&std::mem::take(&mut self.held)));
                false
            }
        }
    }

    fn start(&mut self) -> bool {
        let words = self.held.trim_start();
        if words.is_empty() {
            return false;
        }
        if let Some((open, close)) = TAGS.iter().find(|(open, _)| words.starts_with(open)) {
            let at = self.held.len() - words.len() + open.len();
            self.held.drain(..at);
            self.state = State::Thought(close);
            return true;
        }
        if TAGS.iter().any(|(open, _)| open.starts_with(words)) {
            return false;
        }
        if self.thought {
            self.held = words.to_owned();
        }
        self.state = if self.thought { State::Answer } else { State::Open };
        true
    }

    fn open(&mut self, pieces: &mut Vec<Piece>) -> bool {
        let found = ALONE.iter().filter_map(|tag| Some((self.held.find(tag)?, tag.len()))).min();
        let Some((at, length)) = found else {
            let kept = beginning_of(&self.held, &ALONE);
            let said = self.release(kept);
            self.note(&said);
            pieces.extend(text(&said));
            return false;
        };
        let before = self.held[..at].to_owned();
        self.note(&before);
        pieces.extend(text(&before));
        if self.mentioned || !self.ticks.is_multiple_of(2) {
            self.state = State::Answer;
            self.held.drain(..at);
        } else {
            pieces.push(Piece::WasThinking);
            self.held.drain(..at + length);
            self.state = State::Start;
            self.thought = true;
        }
        true
    }

    fn note(&mut self, said: &str) {
        self.ticks += said.matches('`').count();
        self.tail.push_str(said);
        self.mentioned |= MENTIONS.iter().any(|tag| self.tail.contains(tag));
        let kept = self.tail.floor_char_boundary(self.tail.len().saturating_sub(LONGEST_MENTION - 1));
        self.tail.drain(..kept);
    }

    /// Takes out all that is held but the last `kept` bytes.
    fn release(&mut self, kept: usize) -> String {
        let rest = self.held.split_off(self.held.len() - kept);
        std::mem::replace(&mut self.held, rest)
    }
}

/// How many bytes at the end of `text` may be the beginning of one of the tags.
fn beginning_of(text: &str, tags: &[&str]) -> usize {
    let longest = |tag: &&str| {
        (1..tag.len())
            .rev()
            .find(|length| tag.is_char_boundary(*length) && text.ends_with(&tag[..*length]))
            .unwrap_or(0)
    };
    tags.iter().map(longest).max().unwrap_or(0)
}

fn thinking(words: &str) -> Vec<Piece> {
    if words.is_empty() { Vec::new() } else { vec![Piece::Thinking(words.to_owned())] }
}

fn text(words: &str) -> Vec<Piece> {
    if words.is_empty() { Vec::new() } else { vec![Piece::Text(words.to_owned())] }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The thoughts and the text that a person ends up with.
    fn read<'a>(pieces: impl IntoIterator<Item = &'a str>) -> (String, String) {
        let mut tags = Tags::default();
        let (mut thoughts, mut text) = (String::new(), String::new());
        let mut all: Vec<Piece> = pieces.into_iter().flat_map(|piece| tags.push(piece)).collect();
        all.extend(tags.finish());
        for piece in all {
            match piece {
                Piece::Thinking(words) => thoughts.push_str(&words),
                Piece::Text(words) => text.push_str(&words),
                Piece::WasThinking => thoughts.push_str(&std::mem::take(&mut text)),
                Piece::Note(_) => unreachable!("tags note nothing"),
            }
        }
        (thoughts, text)
    }

    fn check(whole: &str, thoughts: &str, text: &str) {
        let wanted = (thoughts.to_owned(), text.to_owned());
        assert_eq!(read([whole]), wanted, "{whole:?}");
        assert_eq!(read(whole.split_inclusive(|_| true)), wanted, "{whole:?}, a character at a time");
    }

    #[test]
    fn thoughts_in_tags() {
        check("It works.", "", "It works.");
        // lmstudio-ai/lmstudio-bug-tracker#1569, vllm-project/vllm#34625
        check("<think>let me see</think>\n\nIt works.", "let me see", "It works.");
        check("\n<thinking>hm</thinking>It works.", "hm", "It works.");
        check("[THINK]hm[/THINK]It works.", "hm", "It works.");
        check("◁think▷hm◁/think▷It works.", "hm", "It works.");
        check("<think>a</think><think>b</think>c", "ab", "c");
        check("<think></think>\n\nIt works.", "", "It works.");
        check("<think>it never ends </thin", "it never ends </thin", "");
        check("<b>bold</b> and 1 < 2", "", "<b>bold</b> and 1 < 2");
        check("<thin", "", "<thin");
        check("  \n", "", "");
    }

    #[test]
    fn only_the_closing_tag() {
        // logancyang/obsidian-copilot#2153
        check("let me see</think>\n\nIt works.", "let me see", "It works.");
        check("let me see</think>a</think>b", "let me see", "a</think>b");
        check("let me see[/THINK]It works.", "let me see", "It works.");
        check("let me see</thought>It works.", "let me see", "It works.");
        check("let me see</reasoning>It works.", "let me see", "It works.");
        check("let me see</seed:think>It works.", "let me see", "It works.");
        check("let me see◁/think▷It works.", "let me see", "It works.");
        check("The tags are [THINK] and [/THINK].", "", "The tags are [THINK] and [/THINK].");
        check("Write `</think>` to close it.", "", "Write `</think>` to close it.");
        check("The tags are <think> and </think>.", "", "The tags are <think> and </think>.");
        check("```\n</think>\n```", "", "```\n</think>\n```");
    }

    #[test]
    fn a_closing_tag_where_thoughts_came_elsewhere() {
        let mut tags = Tags::default();
        tags.thoughts_are_elsewhere();
        let mut pieces = tags.push("It ends with </think> here.");
        pieces.extend(tags.finish());
        let said: String = pieces.iter().map(|piece| if let Piece::Text(text) = piece { text } else { "?" }).collect();
        assert_eq!(said, "It ends with </think> here.");
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same(parts in prop::collection::vec(prop::sample::select(vec!["<think>", "</think>", "[THINK]", "[/THINK]", "◁/think▷", "</seed:", "think>", "`", " ", "\n", "日", "<", "ab"]), 0..12)) {
            let whole = parts.concat();
            let one = read([whole.as_str()]);
            prop_assert_eq!(&read(whole.split_inclusive(|_| true)), &one);
            prop_assert_eq!(&read(parts.iter().copied()), &one);
        }
    }
}
