//! Titles of conversations: from the first message at once, and from a model later where an agent is configured to.

use async_trait::async_trait;

use super::model::{ChatMessage, Model, Piece, Sink, Turn};

/// The longest title made from a message, in characters.
const MADE_TITLE: usize = 60;

/// The longest title that is taken from a model; one that says more did not understand.
const SAID_TITLE: usize = 100;

/// How much of the question and of the answer a model is shown for a title, in characters.
const SHOWN: usize = 1_000;

/// A title from a message: its first line, cut at a word.
pub(super) fn made_title(content: &str) -> String {
    let line = content.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    let line = line.trim_start_matches(['#', '>', '-', '*', ' ']);
    let words: String = line.split_whitespace().collect::<Vec<_>>().join(" ");
    if words.chars().count() <= MADE_TITLE {
        return words;
    }
    let cut: String = words.chars().take(MADE_TITLE).collect();
    let end = cut.rfind(' ').filter(|at| *at > MADE_TITLE / 2).unwrap_or(cut.len());
    format!("{}…", cut[..end].trim_end_matches([',', '.', ';', ':']))
}

/// What a conversation is named after: its first message, or its first file's name where there are no words.
pub(super) fn first_words<'a>(content: &'a str, file: Option<&'a str>) -> &'a str {
    file.filter(|_| content.trim().is_empty()).unwrap_or(content)
}

/// A title for a conversation that began with this question and answer; nothing when the model gave none that fits.
pub(super) async fn ask(model: &dyn Model, question: &str, answer: &str) -> Option<String> {
    let cut = |text: &str| text.chars().take(SHOWN).collect::<String>();
    let prompt = format!(
        "Give this conversation a title of two to six words, in its language. Answer with the title alone.\n\n\
         Question: {}\n\nAnswer: {}",
        cut(question),
        cut(answer)
    );
    let messages = [ChatMessage::user(prompt)];
    let mut said = Said::default();
    match model.turn(Turn { messages: &messages, tools: &[] }, &mut said).await {
        Ok(_) => said_title(&said.0),
        Err(error) => {
            tracing::debug!(%error, "no title from the model");
            None
        }
    }
}

/// The words alone.
#[derive(Default)]
struct Said(String);

#[async_trait]
impl Sink for Said {
    async fn piece(&mut self, piece: Piece) {
        match piece {
            Piece::Text(text) => self.0.push_str(&text),
            Piece::WasThinking => self.0.clear(),
            Piece::Thinking(_) | Piece::Note(_) => {}
        }
    }
}

/// The title in what a model said.
fn said_title(said: &str) -> Option<String> {
    let line = said.lines().map(str::trim).find(|line| !line.is_empty())?;
    let marks: &[char] = &['#', '*', '"', '\'', '“', '”', '«', '»', '`', ' '];
    let line = line.trim_matches(marks);
    let line =
        line.strip_prefix("Title:").unwrap_or(line).trim_matches(marks).trim_end_matches('.').trim_matches(marks);
    let words = line.split_whitespace().collect::<Vec<_>>().join(" ");
    (!words.is_empty() && words.chars().count() <= SAID_TITLE).then_some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_from_messages() {
        let check = |content: &str, title: &str| assert_eq!(made_title(content), title, "{content:?}");
        check("What is 2 + 2?", "What is 2 + 2?");
        check("\n\n  ## A   heading\nmore", "A heading");
        check(
            "Explain what happens between pressing Enter and seeing the first word of an answer",
            "Explain what happens between pressing Enter and seeing the…",
        );
        check(&"x".repeat(100), &format!("{}…", "x".repeat(60)));
        check("", "");
    }

    #[test]
    fn titles_from_models() {
        let check = |said: &str, title: Option<&str>| assert_eq!(said_title(said).as_deref(), title, "{said:?}");
        check("A walk in Lisbon", Some("A walk in Lisbon"));
        check("\n**Title:** \"A walk in Lisbon.\"\n\nIt is about ...", Some("A walk in Lisbon"));
        check("# A   walk", Some("A walk"));
        check("What is it?", Some("What is it?"));
        check("", None);
        check("\"\"", None);
        check(&"word ".repeat(60), None);
    }
}
