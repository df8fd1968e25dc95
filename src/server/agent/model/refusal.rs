//! What a refusal means to people, and the pause that it asks for.

use std::time::Duration;

use netra_ws::Timestamp;
use reqwest::{
    StatusCode,
    header::{HeaderMap, RETRY_AFTER},
};

/// What a refusal means. A key is blamed only by the model's server itself, and only where there is one.
pub(super) fn hint(status: StatusCode, is_page: bool, said: &str, has_key: bool) -> &'static str {
    match status {
        StatusCode::UNAUTHORIZED if is_page => "the model's server, or a proxy before it, wants a login",
        StatusCode::UNAUTHORIZED if !has_key => "the model's server wants a key, and none is set",
        StatusCode::UNAUTHORIZED => "the model's server refused the key",
        StatusCode::FORBIDDEN if !is_page && has_key && speaks_of_keys(said) => "the model's server refused the key",
        StatusCode::FORBIDDEN => "the model's server, or a firewall before it, does not let this request through",
        StatusCode::NOT_FOUND => "the model's server does not know this model or address",
        StatusCode::METHOD_NOT_ALLOWED => "there is no such interface at the model's address",
        StatusCode::PAYMENT_REQUIRED => "the account at the model's server is used up",
        StatusCode::TOO_MANY_REQUESTS => "the model's server is busy or a quota is used up",
        status if status.is_server_error() => "the model's server failed",
        _ => "the model's server refused the request",
    }
}

/// Whether a refusal is about who asks, and not about what is between.
fn speaks_of_keys(said: &str) -> bool {
    let said = said.to_lowercase();
    ["key", "token", "auth", "credential", "permission", "account"].iter().any(|word| said.contains(word))
}

/// How long a server wants to be left alone (RFC 9110, 10.2.3): seconds, or a date.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let at = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
    let left = at.as_millisecond() - i64::try_from(Timestamp::now().as_millis()).ok()?;
    Some(Duration::from_millis(u64::try_from(left).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    #[test]
    fn whom_a_refusal_blames() {
        let check = |status: u16, is_page: bool, said: &str, has_key: bool, words: &str| {
            let status = StatusCode::from_u16(status).expect("a status");
            let hint = hint(status, is_page, said, has_key);
            assert!(hint.contains(words), "{status}, {said:?}: {hint}");
        };
        check(401, false, "invalid key", true, "refused the key");
        check(401, false, "no Authorization header", false, "none is set");
        check(401, true, "Please sign in", true, "wants a login");
        check(401, true, "", false, "wants a login");
        check(403, false, "your key may not do that", true, "refused the key");
        check(403, false, "your account may not do that", false, "firewall");
        check(403, true, "the key to your security", true, "firewall");
        check(403, false, "blocked", true, "firewall");
        check(404, false, "", true, "does not know");
        check(502, true, "", true, "failed");
        check(418, false, "", true, "refused the request");
    }

    #[test]
    fn pauses_that_servers_ask_for() {
        let check = |text: &str, least: u64, most: u64| {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_str(text).expect(text))]);
            let seconds = retry_after(&headers).map_or(u64::MAX, |pause| pause.as_secs());
            assert!((least..=most).contains(&seconds), "{text}: {seconds}");
        };
        check("3", 3, 3);
        check(" 1.5 ", 1, 1);
        check("Fri, 01 Jan 2100 00:00:00 GMT", 1_000_000_000, 3_000_000_000);
        check("Thu, 01 Jan 1970 00:00:00 GMT", 0, 0);
        check("soon", u64::MAX, u64::MAX);
        check("-1", u64::MAX, u64::MAX);
    }
}
