//! The moment at which the model wrote a piece, in the piece itself: so the whole way is timed, from the model's byte to the
//! event that a client has applied. Tool, model and clients have one clock.

use crate::delays::now_us;

/// What no other word begins with.
const MARK: char = '~';

/// Bytes of a stamp, for some centuries.
pub(crate) const LENGTH: usize = 14;

/// A word that says when it was written.
pub(crate) fn now() -> String {
    at(now_us())
}

fn at(microseconds: u64) -> String {
    format!("{MARK}{microseconds:013x}")
}

/// Whether the word is a stamp.
pub(crate) fn is(word: &str) -> bool {
    word.starts_with(MARK)
}

/// Microseconds from each stamp in a text until now.
pub(crate) fn ages(text: &str) -> impl Iterator<Item = u64> {
    let now = now_us();
    let stamps = text.split_whitespace().filter_map(|word| word.strip_prefix(MARK));
    stamps.filter_map(|stamp| u64::from_str_radix(stamp, 16).ok()).map(move |then| now.saturating_sub(then))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_read_as_its_age() {
        assert_eq!(now().len(), LENGTH);
        let ago = at(now_us() - 5_000_000);
        let ages: Vec<u64> = ages(&format!("word {ago} word {} ~nonsense ", now())).collect();
        assert!(matches!(ages[..], [5_000_000..7_000_000, 0..2_000_000]), "{ages:?}");
    }
}
