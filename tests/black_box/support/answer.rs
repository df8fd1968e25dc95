//! One HTTP answer, read whole.

use std::sync::LazyLock;

use reqwest::{
    Client,
    header::{HeaderMap, SET_COOKIE},
};
use serde_json::Value;

use super::ERROR_CODES;

/// The one HTTP client. It keeps no connection open: each test has a runtime of its own, and a connection that another
/// runtime drove would die with it.
pub(crate) fn http() -> &'static Client {
    static CLIENT: LazyLock<Client> = LazyLock::new(|| {
        // The client is built without a TLS provider of its own, like the server's. A second install changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Client::builder()
            .no_proxy()
            .pool_max_idle_per_host(0)
            .redirect(reqwest::redirect::Policy::none())
            .timeout(super::PATIENCE)
            .build()
            .expect("the client builds")
    });
    &CLIENT
}

/// Status, headers and body.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The status code.
    pub(crate) status: u16,
    /// The headers.
    pub(crate) headers: HeaderMap,
    /// The body as text; empty for a switched protocol.
    pub(crate) body: String,
}

impl Answer {
    /// Sends a request and reads the answer.
    pub(crate) async fn of(request: reqwest::RequestBuilder) -> Self {
        let response = request.send().await.expect("an answer");
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        // A switched protocol has no body, and waiting for its end would be waiting for the socket's.
        let body = if status == 101 { String::new() } else { response.text().await.expect("a text body") };
        Self { status, headers, body }
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e} in {} {:?}", self.status, self.body))
    }

    /// The body of a 2xx answer.
    pub(crate) fn ok(&self) -> Value {
        assert!((200..300).contains(&self.status), "{} {}", self.status, self.body);
        self.json()
    }

    /// The status and error code of a refusal, whose shape is checked.
    pub(crate) fn error(&self) -> (u16, String) {
        let body = self.json();
        let error = &body["error"];
        let code = error["code"].as_str().unwrap_or_else(|| panic!("no error.code in {body}"));
        assert!(ERROR_CODES.contains(&code), "unknown code {code}");
        assert!(error["message"].as_str().is_some_and(|m| !m.is_empty()), "no error.message in {body}");
        assert!(error["retryable"].is_boolean(), "no error.retryable in {body}");
        (self.status, code.to_owned())
    }

    /// A header's value, empty when absent.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |v| v.to_str().expect("a text header"))
    }

    /// Every `Set-Cookie` header.
    pub(crate) fn set_cookies(&self) -> Vec<&str> {
        self.headers.get_all(SET_COOKIE).iter().map(|v| v.to_str().expect("a text header")).collect()
    }
}
