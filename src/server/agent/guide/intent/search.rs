//! What to search for, and where.

/// Most words of a query.
const MAX_WORDS: usize = 12;
/// Longest word of a query, in characters.
const MAX_LETTERS: usize = 64;

const GREETINGS: &str = "hello; hello there; hi; hi there; hey; hey there; good morning; good afternoon; good \
    evening; help; help me; what can you do; what can you do for me; what do you do; who are you; what are you; how \
    can you help; how can you help me; thanks; thank you; start; test";
/// Words that say nothing about the subject.
const STOP_WORDS: &str = "a about after all am an and any are as at be been before but by can could did do does \
    docs documentation explain for from get give had has have hello help her hey hi him his how i if in into is it \
    its just know let like me more most my need no not of on one or our out over please she should show so some \
    tell than thank thanks that the their them then there these they this those to too up us want was we were what \
    when where which who why will with would you your";
/// Words that begin a question or a request.
const QUESTION_WORDS: &str = "can could describe do does explain find give how is list search should show tell what \
    when where which who why";
const SEARCH_VERBS: &str = "search find look lookup show list get locate";
const OWNERS: &str = "my our the past previous earlier old older recent all";
const CONVERSATIONS: &str = "conversation conversations chat chats message messages history discussion discussions";
const SAYING: &str = "say said ask asked talk talked discuss discussed mention mentioned write wrote written tell \
    told speak spoke chat chatted decide decided agree agreed";
/// What else says nothing about the subject when the search is for a conversation.
const ABOUT_SAYING: &str = "about again already anything called concerning contain contains ever last named once \
    regarding something time through thread threads word words today yesterday week month";

/// Whether a text greets, or asks what the guide is for, and says no more.
pub(super) fn is_greeting(text: &str) -> bool {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let text = words.take(MAX_WORDS).collect::<Vec<_>>().join(" ").to_lowercase();
    GREETINGS.split("; ").any(|greeting| greeting == text)
}

/// Whether a text starts like a question or a request.
pub(super) fn is_question(text: &str) -> bool {
    words(text).first().is_some_and(|word| is_in(QUESTION_WORDS, word))
}

/// The words of a text that say what it is about, in order and once each.
pub(super) fn significant(text: &str) -> String {
    query(&words(text), "")
}

/// The words to search the conversations for when a text asks about them; empty when it does not say for what.
pub(super) fn asks_about_conversations(text: &str) -> Option<String> {
    let mut words = words(text);
    words.retain(|word| !is_in("ever already once also just", word));
    let lower: Vec<String> = words.iter().map(|word| word.to_lowercase()).collect();
    let lower: Vec<&str> = lower.iter().map(String::as_str).collect();
    let start = lower
        .iter()
        .position(|word| !matches!(*word, "please" | "can" | "could" | "you" | "would" | "and" | "then"))?;
    // How to do it is a question for the documentation.
    if matches!(lower[start], "how" | "why") || (start == 0 && matches!(lower.as_slice(), ["can", "i", ..])) {
        return None;
    }
    for (i, window) in lower.windows(3).enumerate() {
        if let ["did" | "have" | "had" | "when" | "where" | "what", "i" | "we" | "you", verb] = window
            && is_in(SAYING, verb)
        {
            return Some(query(&words[i + 3..], &format!("{ABOUT_SAYING} {SEARCH_VERBS}")));
        }
    }
    let noun = lower.iter().position(|word| is_in(CONVERSATIONS, word))?;
    let phrase = noun - lower[..noun].iter().rev().take_while(|word| is_in(OWNERS, word)).count();
    let searches = is_in(SEARCH_VERBS, lower[start]);
    let behind_verb = searches
        && lower[start + 1..phrase.max(start + 1)]
            .iter()
            .all(|word| matches!(*word, "in" | "through" | "for" | "me" | "up"));
    let mine = lower[phrase..noun].iter().any(|word| matches!(*word, "my" | "our" | "past" | "previous" | "earlier"));
    if !(behind_verb || mine || (searches && phrase < noun)) {
        return None;
    }
    let subject: Vec<&str> =
        words[start..phrase].iter().skip(usize::from(searches)).chain(&words[noun + 1..]).copied().collect();
    Some(query(&subject, &format!("{ABOUT_SAYING} {SEARCH_VERBS} {CONVERSATIONS} {SAYING}")))
}

fn words(text: &str) -> Vec<&str> {
    let is_separator = |c: char| !(c.is_alphanumeric() || matches!(c, '-' | '_' | '\''));
    text.split(is_separator).map(|word| word.trim_matches(['-', '_', '\''])).filter(|word| !word.is_empty()).collect()
}

fn query(words: &[&str], without: &str) -> String {
    let mut kept: Vec<String> = Vec::new();
    for word in words {
        let word: String = word.chars().take(MAX_LETTERS).collect();
        let lower = word.to_lowercase();
        let lower = lower.strip_suffix("'s").unwrap_or(&lower);
        let is_noise = is_in(STOP_WORDS, lower) || is_in(without, lower);
        if !is_noise && !kept.iter().any(|other| other.eq_ignore_ascii_case(&word)) {
            kept.push(word);
        }
    }
    kept.truncate(MAX_WORDS);
    kept.join(" ")
}

fn is_in(list: &str, word: &str) -> bool {
    list.split_ascii_whitespace().any(|entry| entry.eq_ignore_ascii_case(word))
}
