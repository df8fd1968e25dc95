//! Names and addresses of people: what others will read as a name, and may trust.

/// The longest name, in characters.
pub(super) const MAX_NAME: usize = 100;

/// The longest address, in bytes (RFC 5321, 4.5.3.1).
const MAX_ADDRESS: usize = 254;

/// Characters that a domain's label may have (RFC 1123, 2.1); other scripts are written in their ASCII form.
fn is_label(label: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-';
    (1..=63).contains(&label.len()) && label.chars().all(allowed) && !label.starts_with('-') && !label.ends_with('-')
}

/// Characters of an address before its `@` that need no quotes (RFC 5321, 4.1.2: Atom and dots).
fn is_local(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c)
}

/// The address in small letters, if it is one: ASCII, with a domain of two labels or more.
pub(super) fn address(typed: &str) -> Option<String> {
    let typed = typed.trim().to_lowercase();
    let (local, domain) = typed.split_once('@')?;
    let labels = domain.split('.').filter(|label| is_label(label)).count();
    let valid = typed.len() <= MAX_ADDRESS
        && (1..=64).contains(&local.len())
        && local.chars().all(is_local)
        && labels >= 2
        && labels == domain.split('.').count();
    valid.then_some(typed)
}

/// Characters that change how the text around them is shown, or that are not seen: controls, marks of direction, joiners
/// without a letter to join, and what Unicode calls ignorable. A name needs none of them.
pub(crate) fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}' | '\u{e000}'..='\u{f8ff}')
}

/// Why a name is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NameError {
    /// Nothing to see in it.
    Empty,
    /// Longer than [`MAX_NAME`].
    Long,
    /// Controls or characters that are not seen.
    Hidden,
    /// Somebody would take it for the system or an agent.
    Reserved,
}

impl NameError {
    pub(super) fn sentence(self) -> String {
        match self {
            Self::Empty => "a name has a letter, a digit or another character that is seen".to_owned(),
            Self::Long => format!("a name has at most {MAX_NAME} characters"),
            Self::Hidden => "a name has no line breaks and no characters that are not seen".to_owned(),
            Self::Reserved => "this name belongs to the system or to an agent".to_owned(),
        }
    }
}

/// The name with single spaces, if others may see it. `reserved` are names in small letters.
pub(super) fn name(typed: &str, reserved: &[String]) -> Result<String, NameError> {
    if typed.trim().chars().any(is_hidden) {
        return Err(NameError::Hidden);
    }
    let name = typed.split_whitespace().collect::<Vec<_>>().join(" ");
    if name.is_empty() {
        return Err(NameError::Empty);
    }
    if name.chars().count() > MAX_NAME {
        return Err(NameError::Long);
    }
    if reserved.contains(&name.to_lowercase()) {
        return Err(NameError::Reserved);
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_plain() {
        assert_eq!(address(" Ada.L+x@Example.ORG ").as_deref(), Some("ada.l+x@example.org"));
        assert_eq!(address("o'brien@mail.example.co").as_deref(), Some("o'brien@mail.example.co"));
        for bad in [
            "a@b",
            "a@",
            "@b.org",
            "a b@x.org",
            "a\0@x.org",
            "\u{1b}a@x.org",
            "\u{202e}a@x.org",
            "<img/src=x>a@x",
            "a@x..org",
            "a@-x.org",
            "a@x.org@y.org",
            "<a>@x.org",
            "a\"b@x.org",
            "ä@x.org",
            "a@bücher.de",
        ] {
            assert_eq!(address(bad), None, "{bad:?}");
        }
        assert_eq!(address(&format!("{}@example.org", "a".repeat(65))), None);
    }

    #[test]
    fn names_are_what_they_look_like() {
        let reserved = ["netra".to_owned(), "guide".to_owned()];
        let check = |typed: &str| name(typed, &reserved);
        assert_eq!(check("  Ada   Lovelace ").as_deref(), Ok("Ada Lovelace"));
        for good in ["李小龍", "Zoë", "محمد", "O’Brien-Smith", "नेत्र"] {
            assert_eq!(check(good).as_deref(), Ok(good));
        }
        for hidden in ["Ada\u{202e}gnp.exe", "Ada\nAdmin: hi", "A\0B", "\u{200b}", "\u{1b}[31mred", "A\u{ad}da", "a\tb"]
        {
            assert_eq!(check(hidden), Err(NameError::Hidden), "{hidden:?}");
        }
        assert_eq!(check("  "), Err(NameError::Empty));
        assert_eq!(check("Guide"), Err(NameError::Reserved));
        assert_eq!(check(" NETRA "), Err(NameError::Reserved));
        assert_eq!(check(&"x".repeat(101)), Err(NameError::Long));
    }
}
