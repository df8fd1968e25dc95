//! Where someone was on the way to when they were asked to sign in.

use std::fmt::Write as _;

/// The query parameter that carries it.
pub(crate) const NAME: &str = "next";

/// Longer addresses are none of ours, in bytes.
const MAX_LENGTH: usize = 2_000;

/// The address of the sign-in page, or of its other form (`mode=register`), that leads on to `wanted`.
pub(crate) fn login(mode: &str, wanted: &str) -> String {
    let mut address = "/login".to_owned();
    let mut separator = '?';
    if !mode.is_empty() {
        _ = write!(address, "?{mode}");
        separator = '&';
    }
    let wanted = accept(Some(wanted));
    if wanted != "/" {
        _ = write!(address, "{separator}{NAME}=");
        for byte in wanted.bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                    address.push(char::from(byte));
                }
                byte => _ = write!(address, "%{byte:02X}"),
            }
        }
    }
    address
}

/// The address, if it is a page of this server; the first page otherwise. Whoever made a link to the sign-in page must not choose
/// where its visitor is sent.
pub(crate) fn accept(wanted: Option<&str>) -> &str {
    let ours = |path: &&str| {
        path.starts_with('/')
            // `//host`, and what browsers read as the same.
            && !path.starts_with("//")
            && !path.contains(['\\', '\t', '\n', '\r'])
            && !path.starts_with("/login")
            && path.len() <= MAX_LENGTH
    };
    wanted.filter(ours).unwrap_or("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_is_kept() {
        let check = |wanted: &str, address: &str| assert_eq!(login("", wanted), address);
        check("/t/0199", "/login?next=/t/0199");
        check("/t/1?a=b&c#d", "/login?next=/t/1%3Fa%3Db%26c%23d");
        check("/", "/login");
        assert_eq!(login("mode=register", "/t/1"), "/login?mode=register&next=/t/1");
        assert_eq!(login("mode=register", "/"), "/login?mode=register");
    }

    #[test]
    fn it_leads_nowhere_else() {
        for wanted in [
            "https://evil.example",
            "//evil.example",
            "/\\evil.example",
            "/\t/evil.example",
            "javascript:alert(1)",
            "",
            "t/1",
            "/login?next=/login",
        ] {
            assert_eq!(accept(Some(wanted)), "/", "{wanted:?}");
        }
        assert_eq!(accept(None), "/");
        assert_eq!(accept(Some("/t/1")), "/t/1");
    }
}
