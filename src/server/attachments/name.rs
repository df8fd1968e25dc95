//! Names of files: what people read, and what their own machines may write.

/// The longest name, in characters.
const MAX_NAME: usize = 120;

/// A name that can be shown and saved: without folders, controls, marks of direction and what is not seen.
pub(super) fn clean(given: &str) -> String {
    let file = given.rsplit(['/', '\\']).next().unwrap_or_default();
    let seen: String = file.chars().filter(|c| !crate::server::auth::is_hidden(*c)).collect();
    // Characters that some file systems refuse.
    let plain = seen.replace(['<', '>', ':', '"', '|', '?', '*'], "_");
    let trimmed = plain.trim().trim_start_matches('.').trim_end_matches(['.', ' ']);
    if trimmed.is_empty() { "file".to_owned() } else { shorten(trimmed) }
}

/// Keeps the ending, by which people and programs know a file.
fn shorten(name: &str) -> String {
    if name.chars().count() <= MAX_NAME {
        return name.to_owned();
    }
    let ending = match name.rsplit_once('.') {
        Some((_, ending)) if (1..=16).contains(&ending.chars().count()) => format!(".{ending}"),
        _ => String::new(),
    };
    let kept = MAX_NAME - ending.chars().count();
    name.chars().take(kept).chain(ending.chars()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files() {
        let check = |given: &str, wanted: &str| assert_eq!(clean(given), wanted, "{given:?}");
        check("report.pdf", "report.pdf");
        check("Übersicht 2026.txt", "Übersicht 2026.txt");
        check("../../etc/passwd", "passwd");
        check("C:\\Users\\ada\\secret.txt", "secret.txt");
        check("a\r\nX-Header: 1", "aX-Header_ 1");
        check("photo\u{202e}gpj.exe", "photogpj.exe");
        check("..", "file");
        check("", "file");
        check("\u{200b}\u{0}", "file");
        check(".bashrc", "bashrc");
        check("who?.txt", "who_.txt");
        let long = clean(&format!("{}.jpeg", "n".repeat(500)));
        assert_eq!(long.chars().count(), MAX_NAME);
        assert!(long.ends_with("n.jpeg"), "{long}");
        assert_eq!(clean(&"n".repeat(500)).chars().count(), MAX_NAME);
    }
}
