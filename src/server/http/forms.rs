//! Server functions as plain forms call them: where a browser without scripts goes afterwards, and with which words.

use axum::{
    body::{Body, to_bytes},
    extract::Request,
    http::{HeaderValue, StatusCode, header},
    middleware::Next,
    response::Response,
};

/// Bytes of a failure that are looked at.
const FAILURE: usize = 64 * 1024;

/// What a failure of the one who calls begins with: what was sent cannot be read.
const UNREADABLE: [&str; 3] = ["Args|", "Deserialization|", "MissingArg|"];

/// The query's parameter with the status of the last try. The page has a sentence for it: no word comes out of an address.
pub(crate) const REFUSED: &str = "refused";

/// Parameters in which Leptos carries the words of a failure.
const WORDS: [&str; 2] = ["__path", "__err"];

/// Runs a server function. Its answer leads to no other site, whatever the `Referer`; what cannot be read is the caller's fault.
pub(super) async fn call(request: Request, next: Next, origins: &[String]) -> Response {
    let mut response = next.run(request).await;
    if response.status() == StatusCode::INTERNAL_SERVER_ERROR {
        response = unreadable(response).await;
    }
    let Some(to) = response.headers().get(header::LOCATION) else { return response };
    let failed = !(response.status().is_success() || response.status().is_redirection());
    let status = failed.then(|| response.status());
    let to = way_back(to.to_str().unwrap_or_default(), origins, status);
    response
        .headers_mut()
        .insert(header::LOCATION, HeaderValue::from_str(&to).unwrap_or(HeaderValue::from_static("/")));
    *response.status_mut() = StatusCode::SEE_OTHER;
    response
}

/// The answer as 400, when it says that the arguments cannot be read.
async fn unreadable(response: Response) -> Response {
    let (mut parts, body) = response.into_parts();
    let Ok(body) = to_bytes(body, FAILURE).await else { return Response::from_parts(parts, Body::empty()) };
    if UNREADABLE.iter().any(|start| body.starts_with(start.as_bytes())) {
        parts.status = StatusCode::BAD_REQUEST;
    }
    Response::from_parts(parts, Body::from(body))
}

/// The page to go back to: its path when it is one of ours, the first page otherwise.
pub(crate) fn way_back(to: &str, origins: &[String], refused: Option<StatusCode>) -> String {
    let own = url::Url::parse(to).ok().filter(|url| origins.contains(&url.origin().ascii_serialization()));
    let own = own.or_else(|| is_path(to).then(|| url::Url::parse("http://own").ok()?.join(to).ok()).flatten());
    let Some(mut url) = own else { return "/".to_owned() };
    let kept: Vec<(String, String)> = url
        .query_pairs()
        .filter(|(name, _)| !WORDS.contains(&&**name) && name != REFUSED)
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect();
    url.set_query(None);
    if !kept.is_empty() || refused.is_some() {
        let mut query = url.query_pairs_mut();
        query.extend_pairs(kept);
        if let Some(status) = refused {
            query.append_pair(REFUSED, status.as_str());
        }
    }
    let back = url[url::Position::BeforePath..url::Position::AfterQuery].to_owned();
    if is_path(&back) { back } else { "/".to_owned() }
}

/// `//host` and `/\host` are addresses of other sites.
fn is_path(address: &str) -> bool {
    address.strip_prefix('/').is_some_and(|rest| !rest.starts_with(['/', '\\']))
}

/// The address without words that somebody put there, when there are any.
pub(super) fn without_words(path_and_query: &str) -> Option<String> {
    let (path, query) = path_and_query.split_once('?')?;
    let path = if is_path(path) { path } else { "/" };
    let is_words = |name: &str| WORDS.contains(&name);
    url::form_urlencoded::parse(query.as_bytes()).any(|(name, _)| is_words(&name)).then(|| {
        let mut kept = url::form_urlencoded::Serializer::new(String::new());
        kept.extend_pairs(url::form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| !is_words(name)));
        let kept = kept.finish();
        if kept.is_empty() { path.to_owned() } else { format!("{path}?{kept}") }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_leads_to_a_page_of_ours() {
        let own = ["https://chat.example.org".to_owned()];
        let back = |to: &str, status| way_back(to, &own, status);
        assert_eq!(back("https://chat.example.org/login?mode=register", None), "/login?mode=register");
        assert_eq!(back("/t/7", None), "/t/7");
        for foreign in ["https://evil.example/x", "//evil.example", "/\\evil.example", "javascript:alert(1)", "", "x"] {
            assert_eq!(back(foreign, None), "/", "{foreign}");
        }
        for tricky in
            ["https://chat.example.org//evil.example/x", "https://chat.example.org/\\evil.example", "/.//evil"]
        {
            assert_eq!(back(tricky, Some(StatusCode::CONFLICT)), "/", "{tricky}");
        }
        let failed =
            back("https://chat.example.org/login?__path=%2Ffn%2Flogin&__err=d29yZHM", Some(StatusCode::UNAUTHORIZED));
        assert_eq!(failed, "/login?refused=401");
        let again = back("https://chat.example.org/login?refused=401&mode=register", Some(StatusCode::CONFLICT));
        assert_eq!(again, "/login?mode=register&refused=409");
    }

    #[test]
    fn words_of_strangers_are_taken_out() {
        assert_eq!(without_words("/login?__err=x&mode=register&%5F_path=y").as_deref(), Some("/login?mode=register"));
        assert_eq!(without_words("/login?__err=x").as_deref(), Some("/login"));
        assert_eq!(without_words("//evil.example/?__err=x").as_deref(), Some("/"));
        assert_eq!(without_words("/login?mode=register"), None);
        assert_eq!(without_words("/login"), None);
    }
}
