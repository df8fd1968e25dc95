//! How much of a conversation fits into one request. Tokens are estimated: counting them takes each model's own vocabulary.

use super::model::{ChatMessage, GivenFile, exchange};
use crate::server::tool::ToolSpec;

/// What a message costs beside its words.
const PER_MESSAGE: u64 = 4;

/// A conversation, its oldest messages left out where it does not fit.
pub(super) struct ContextBudget {
    conversation: Vec<ChatMessage>,
    /// What every request carries beside messages: tools and instructions.
    fixed: u64,
    most: Option<u64>,
    /// Messages left out, as people count them: questions and their answers.
    left_out: usize,
}

impl ContextBudget {
    /// The conversation, and how many tokens a request may have.
    pub(super) fn new(conversation: &[ChatMessage], tools: &[&ToolSpec], most: Option<u64>) -> Self {
        let fixed = tools.iter().map(|tool| tokens(&tool.description) + tokens(&tool.parameters.to_string())).sum();
        Self { conversation: conversation.to_vec(), fixed, most, left_out: 0 }
    }

    /// The same with what stands before every conversation.
    #[must_use]
    pub(super) fn instructed(mut self, instructions: Option<&str>) -> Self {
        self.fixed += instructions.map_or(0, |text| PER_MESSAGE + tokens(text));
        self
    }

    /// About how many tokens a request has behind these finished steps.
    pub(super) fn request(&self, done: &[ChatMessage]) -> u64 {
        self.fixed + sizes(&self.conversation) + sizes(done)
    }

    /// What is left of the conversation.
    pub(super) fn conversation(&self) -> &[ChatMessage] {
        &self.conversation
    }

    /// Leaves out what does not fit beside the finished steps, and says so when that is more than before: what earlier runs called
    /// first, then the oldest exchanges. The message to answer always stays: if it is too long, the server says so.
    pub(super) fn trim(&mut self, done: &[ChatMessage]) -> Option<String> {
        let most = self.most?;
        let mut whole = self.request(done);
        let before = self.left_out;
        while whole > most
            && let Some(saved) = self.tell_in_words()
        {
            whole = whole.saturating_sub(saved);
        }
        while whole > most
            && let Some(next) = self.question_after(0)
        {
            whole -= sizes(&self.conversation[..next]);
            self.conversation.drain(..next);
            self.left_out += 2;
        }
        (self.left_out > before).then(|| {
            format!(
                "The oldest {} messages are not shown to the model: the conversation does not fit into {most} tokens.",
                self.left_out
            )
        })
    }

    /// Where the exchange after this place begins.
    fn question_after(&self, place: usize) -> Option<usize> {
        let next = self.conversation.get(place + 1..)?.iter().position(exchange::is_question)?;
        Some(place + 1 + next)
    }

    /// Tells the oldest exchange with calls as its words; gives how many tokens that saves.
    fn tell_in_words(&mut self) -> Option<u64> {
        let called = self.conversation.iter().position(exchange::calls)?;
        let from = self.conversation[..called].iter().rposition(exchange::is_question)?;
        let upto = self.question_after(called)?;
        let told = exchange::in_words(&self.conversation[from..upto]);
        let saved = sizes(&self.conversation[from..upto]).saturating_sub(sizes(&told));
        self.conversation.splice(from..upto, told);
        Some(saved)
    }
}

/// About how many tokens messages have.
pub(super) fn sizes(messages: &[ChatMessage]) -> u64 {
    messages.iter().map(size).sum()
}

fn size(message: &ChatMessage) -> u64 {
    PER_MESSAGE
        + match message {
            ChatMessage::User { text, files } => tokens(text) + files.iter().map(file_size).sum::<u64>(),
            ChatMessage::Tool { result, .. } => tokens(result),
            ChatMessage::Assistant { text, calls, replay } => {
                let arguments = calls.iter().filter_map(|call| call.arguments.as_ref().ok());
                // It goes back as it came, and may be longer than all that was said.
                let replay = if replay.0.is_null() { 0 } else { tokens(&replay.0.to_string()) };
                replay
                    + tokens(text)
                    + arguments.map(|arguments| tokens(&serde_json::json!(arguments).to_string())).sum::<u64>()
            }
        }
}

/// What a picture costs does not depend on its bytes; of a document, pages are counted, which have some ten thousand bytes.
fn file_size(file: &GivenFile) -> u64 {
    const PICTURE: u64 = 1_600;
    if file.media_type.starts_with("image/") { PICTURE } else { PICTURE * (1 + file.base64.len() as u64 / 20_000) }
}

/// An estimate on the safe side: four ASCII characters a token, any other character one.
fn tokens(text: &str) -> u64 {
    let other = text.chars().filter(|c| !c.is_ascii()).count();
    let ascii = text.bytes().filter(u8::is_ascii).count();
    (ascii.div_ceil(4) + other) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::agent::model::Replay;

    fn conversation(exchanges: usize) -> Vec<ChatMessage> {
        let mut messages = Vec::new();
        for _ in 0..exchanges {
            messages.push(ChatMessage::user("q".repeat(384)));
            messages.push(ChatMessage::Assistant {
                text: "a".repeat(384),
                calls: Vec::new(),
                replay: Replay::default(),
            });
        }
        messages.push(ChatMessage::user("q".repeat(384)));
        messages
    }

    #[test]
    fn the_oldest_go_first_and_the_question_stays() {
        // Each message has 100 tokens.
        let check = |most: Option<u64>, left: usize, says: bool| {
            let mut budget = ContextBudget::new(&conversation(4), &[], most);
            let note = budget.trim(&[]);
            assert_eq!((budget.conversation().len(), note.is_some()), (left, says), "{most:?}");
            assert!(matches!(budget.conversation()[0], ChatMessage::User { .. }), "it begins with a question");
        };
        check(None, 9, false);
        check(Some(900), 9, false);
        check(Some(899), 7, true);
        check(Some(300), 3, true);
        check(Some(1), 1, true);
    }

    #[test]
    fn instructions_count() {
        let instructions = "i".repeat(384);
        let budget = || ContextBudget::new(&conversation(4), &[], Some(900));
        assert_eq!(budget().trim(&[]), None);
        assert!(budget().instructed(Some(&instructions)).trim(&[]).is_some());
        assert_eq!(budget().instructed(Some(&instructions)).request(&[]), 1_000);
        assert_eq!(budget().instructed(None).request(&conversation(0)), 1_000);
    }

    #[test]
    fn results_of_tools_push_out_what_is_older() {
        let mut budget = ContextBudget::new(&conversation(4), &[], Some(1_000));
        assert_eq!(budget.trim(&[]), None);
        let result = ChatMessage::Tool { id: "a".into(), name: "x".into(), result: "r".repeat(784) };
        let note = budget.trim(std::slice::from_ref(&result)).expect("a note");
        assert!(note.contains("oldest 2 messages") && note.contains("1000 tokens"), "{note}");
        assert_eq!(budget.trim(&[result]), None, "it is said once");
    }

    #[test]
    fn what_earlier_runs_called_goes_before_what_was_said() {
        let mut long = conversation(2);
        let called = vec![crate::server::tool::ToolRequest {
            id: "a".into(),
            tool: "x".into(),
            arguments: Ok(netra_ws::model::Object::default()),
        }];
        let call = ChatMessage::Assistant { text: "Let me see.".into(), calls: called, replay: Replay::default() };
        let result = ChatMessage::Tool { id: "a".into(), name: "x".into(), result: "r".repeat(4_000) };
        long.splice(1..1, [call, result]);
        let mut budget = ContextBudget::new(&long, &[], Some(600));
        assert_eq!(budget.trim(&[]), None, "every message is there");
        let ChatMessage::Assistant { text, calls, .. } = &budget.conversation()[1] else { panic!("no answer") };
        assert!(text.starts_with("Let me see.\n\naaa") && calls.is_empty(), "{text}");
        assert_eq!(budget.conversation().len(), 5);
    }

    #[test]
    fn what_goes_back_to_the_model_counts() {
        let replay = Replay(serde_json::json!([{ "thinking": "t".repeat(4_000) }]));
        let thought = ChatMessage::Assistant { text: String::new(), calls: Vec::new(), replay };
        let mut budget = ContextBudget::new(&conversation(4), &[], Some(1_000));
        assert!(budget.trim(&[thought]).is_some());
        assert_eq!(budget.conversation().len(), 1, "only the question stays");
    }

    #[test]
    fn words_of_all_scripts_are_counted() {
        assert_eq!((tokens(""), tokens("four"), tokens("fives"), tokens("日本語"), tokens("é")), (0, 1, 2, 3, 1));
    }
}
