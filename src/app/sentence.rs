//! Words from elsewhere, as the page says them.

/// A message as a sentence: it begins with a capital and ends with a full stop. Identifiers at its start stay as they are.
pub(crate) fn sentence(message: &str) -> String {
    let message = message.trim();
    let first = message.split_whitespace().next().unwrap_or_default();
    let mut chars = message.chars();
    let mut out = match chars.next() {
        Some(start) if first.chars().all(char::is_alphabetic) => start.to_uppercase().chain(chars).collect(),
        _ => message.to_owned(),
    };
    if !out.is_empty() && !out.ends_with(['.', '!', '?', ':', '…']) {
        out.push('.');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::sentence;

    #[test]
    fn sentences() {
        let check = |message: &str, wanted: &str| assert_eq!(sentence(message), wanted);
        check("a title has 1 to 200 characters", "A title has 1 to 200 characters.");
        check("the server does not answer; try again", "The server does not answer; try again.");
        check("`cursor` is not one that this server gave", "`cursor` is not one that this server gave.");
        check("Done. ", "Done.");
        check("max_tokens was reached", "max_tokens was reached.");
        check("éclair", "Éclair.");
        check("", "");
    }
}
