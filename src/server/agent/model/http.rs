//! One model server: how it is asked, and what its refusals mean.

use std::{
    cmp::Reverse,
    sync::Arc,
    time::{Duration, Instant},
};

use reqwest::{
    Response, StatusCode,
    header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION},
    redirect::Policy,
};
use serde_json::Value;
use tokio::time::{Instant as Until, timeout, timeout_at};
use url::Url;

use super::{
    Again, ModelError,
    body::{Body, Broken},
    breaker::{Breaker, Open, Pass},
    refusal::{hint, retry_after},
    sse::MAX_EVENT,
    words::{self, CUT},
};
use crate::server::metrics::metrics;

/// The most of an error's body that is read, in bytes.
const MAX_ERROR_BODY: usize = 64 * 1024;

/// How long an error's body is waited for: some have no end, and what came tells enough.
const ERROR_PATIENCE: Duration = Duration::from_secs(5);

/// Shorter secrets are no secrets, and would hide words.
const MIN_SECRET: usize = 4;

/// Redirects that are followed.
const MAX_REDIRECTS: usize = 4;

/// The longest pause that a server may ask for; a person is told of a longer one.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(10);

/// How long a stream may stay open once it gave the reason for its end: usage may follow.
pub(in crate::server::agent) const AFTER_END: Duration = Duration::from_secs(3);

/// The client for requests to models. It follows no redirects: it would turn a POST into a GET.
pub fn client() -> reqwest::Result<reqwest::Client> {
    reqwest::Client::builder()
        .connect_timeout(Duration::from_secs(10))
        .redirect(Policy::none())
        .http1_only()
        .user_agent(concat!("netra/", env!("CARGO_PKG_VERSION")))
        .build()
}

/// Where a model is, and what opens it.
pub struct Server {
    http: reqwest::Client,
    url: Url,
    headers: HeaderMap,
    /// What must never be shown: servers repeat keys in their errors.
    secrets: Vec<String>,
    stall: Duration,
    breaker: Arc<Breaker>,
}

/// Why a request got no answer.
#[derive(Debug)]
pub(in crate::server::agent) enum Refusal {
    /// The server understood and refused; these are its words.
    Refused { status: StatusCode, said: String, error: ModelError },
    /// It did not come to that.
    Failed(ModelError),
}

impl From<Refusal> for ModelError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Refused { error, .. } | Refusal::Failed(error) => error,
        }
    }
}

impl Server {
    /// The server behind `base`. `path` is where its protocol is, unless the base leads there already; a query stays. `stall` is
    /// the silence after which it counts as gone.
    pub fn new(http: reqwest::Client, base: &Url, path: &str, stall: Duration) -> Self {
        let breaker = Breaker::of(&base.origin().ascii_serialization());
        Self { http, url: address(base, path), headers: HeaderMap::new(), secrets: Vec::new(), stall, breaker }
    }

    /// Sends a header with every request; its value, and `secret` in it, are never shown. What is no header's value is left out:
    /// the configuration refuses it before.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: &str, secret: &str) -> Self {
        if let Ok(mut value) = HeaderValue::from_str(value) {
            value.set_sensitive(true);
            self.headers.insert(name, value);
            // Servers repeat the key without the scheme before it.
            let parts = secret.split_whitespace().filter(|part| part.len() >= 8);
            self.secrets.extend(parts.chain([secret]).map(str::to_owned));
            self.secrets.sort_unstable_by_key(|secret| Reverse(secret.len()));
        }
        self
    }

    /// Where requests go.
    pub(super) fn url(&self) -> &Url {
        &self.url
    }

    /// The silence after which the server counts as gone.
    pub(in crate::server::agent) fn stall(&self) -> Duration {
        self.stall
    }

    /// Sends the request; gives the answer that begins.
    pub(in crate::server::agent) async fn post(&self, body: &Value) -> Result<Body, Refusal> {
        let body = bytes::Bytes::from(body.to_string());
        let mut url = self.url.clone();
        for _ in 0..=MAX_REDIRECTS {
            let (response, pass) = self.send(&url, &body).await.map_err(Refusal::Failed)?;
            if response.status().is_redirection() {
                url = self.moved(&url, &response).map_err(Refusal::Failed)?;
                continue;
            }
            if response.status().is_success() {
                return opened(response, pass).map_err(|error| {
                    metrics().upstream("broken");
                    self.breaker.succeeded();
                    Refusal::Failed(error)
                });
            }
            return Err(self.refusal(response).await);
        }
        Err(Refusal::Failed(ModelError::protocol("the model's server redirects in a circle; correct its address")))
    }

    async fn send(&self, url: &Url, body: &bytes::Bytes) -> Result<(Response, Pass), ModelError> {
        let call = self.http.post(url.clone()).headers(self.headers.clone()).header(CONTENT_TYPE, "application/json");
        let started = Instant::now();
        let pass = self.breaker.admit(started).map_err(|open| left_alone(&open))?;
        let sent = timeout(self.stall, call.body(body.clone()).send()).await;
        // What begins well is counted when it has ended.
        match &sent {
            Ok(Ok(response)) if response.status().is_success() => {}
            Ok(Ok(_)) => metrics().upstream("refused"),
            Ok(Err(_)) => metrics().upstream("unreachable"),
            Err(_) => metrics().upstream("silent"),
        }
        metrics().upstream_began(started.elapsed());
        match &sent {
            // Its answer may fail yet.
            Ok(Ok(response)) if response.status().is_success() => {}
            Ok(Ok(response)) if !response.status().is_server_error() => self.breaker.succeeded(),
            Ok(Ok(_) | Err(_)) | Err(_) => self.breaker.failed(pass, Instant::now()),
        }
        match sent {
            Ok(Ok(response)) => Ok((response, pass)),
            Ok(Err(error)) => {
                let why = self.redact(&plain(error));
                Err(ModelError::unavailable(format!("the model's server cannot be reached: {why}"), true, Again::Soon))
            }
            Err(_) => Err(self.silent()),
        }
    }

    /// The server said something.
    pub(in crate::server::agent) fn answered(&self) {
        self.breaker.succeeded();
    }

    /// An answer failed before it said anything.
    pub(in crate::server::agent) fn said_nothing(&self, pass: Pass, error: &ModelError) {
        if error.is_servers() {
            self.breaker.failed(pass, Instant::now());
        } else {
            self.breaker.succeeded();
        }
    }

    /// Where a redirect leads. A key is for the server that it was given for, at its port, or at that of HTTPS.
    fn moved(&self, from: &Url, response: &Response) -> Result<Url, ModelError> {
        let place = response.headers().get(LOCATION).and_then(|place| place.to_str().ok());
        let to = place.and_then(|place| from.join(place).ok());
        match to {
            Some(to) if may_follow(&self.url, from, &to) => {
                tracing::debug!(from = %from.path(), to = %to.path(), "the model's server redirects");
                Ok(to)
            }
            to => Err(ModelError::unavailable(
                format!(
                    "the model's server redirects ({}) to {}; set the agent's address to where it is",
                    response.status().as_u16(),
                    to.map_or_else(|| "nowhere".to_owned(), |to| to.origin().ascii_serialization()),
                ),
                false,
                Again::No,
            )),
        }
    }

    fn page(&self) -> ModelError {
        let message = format!(
            "the model's server answered with a page (\"text/html\") instead of an event stream: {} leads to a web page or a login",
            self.place()
        );
        ModelError::protocol(message)
    }

    /// The address for people, without what may be secret in it.
    fn place(&self) -> String {
        format!("{}{}", self.url.origin().ascii_serialization(), self.url.path())
    }

    pub(in crate::server::agent) fn silent(&self) -> ModelError {
        let message = format!("the model's server was silent for {} s", self.stall.as_secs());
        ModelError::unavailable(message, true, Again::No)
    }

    /// What a body that broke means.
    pub(in crate::server::agent) fn broken(&self, broken: Broken) -> ModelError {
        match broken {
            Broken::Silent => self.silent(),
            Broken::Cut(why) => ModelError::broke_off(format_args!(": {}", self.redact(&why))),
            Broken::TooLong => ModelError::protocol(format!(
                "the model's server sent more than {} MiB without the end of an event",
                MAX_EVENT >> 20
            )),
            Broken::Page => self.page(),
        }
    }

    async fn refusal(&self, response: Response) -> Refusal {
        let status = response.status();
        let pause = retry_after(response.headers());
        let body = first_bytes(response, ERROR_PATIENCE.min(self.stall)).await;
        let said = words::of_body(&body).map(|said| self.redact(&said)).unwrap_or_default();
        let is_page = body.trim_ascii_start().starts_with(b"<");
        let hint = hint(status, is_page, &said, self.secrets.iter().any(|secret| !secret.is_empty()));
        let mut message = format!("{hint} ({})", status.as_u16());
        if !said.is_empty() {
            message = format!("{message}: {said}");
        }
        let passing = status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error();
        let again = match pause {
            _ if !passing => Again::No,
            Some(pause) if pause > MAX_RETRY_AFTER => {
                let wait = format!("try again in {} s", pause.as_secs());
                if !message.contains(&wait) {
                    message = format!("{message}; {wait}");
                }
                Again::No
            }
            Some(pause) => Again::After(pause),
            // A gateway waited for long already.
            None if matches!(status.as_u16(), 504 | 524) => Again::No,
            None => Again::Soon,
        };
        Refusal::Refused { status, said, error: ModelError::unavailable(message, passing, again) }
    }

    /// The text without secrets; people and logs must not see them.
    pub(in crate::server::agent) fn redact(&self, text: &str) -> String {
        let long = self.secrets.iter().filter(|secret| secret.len() >= MIN_SECRET);
        long.fold(text.to_owned(), |text, secret| hide(text.replace(secret.as_str(), "[key]"), secret))
    }

    /// The same for an error.
    pub(in crate::server::agent) fn redacted(&self, error: ModelError) -> ModelError {
        ModelError { message: self.redact(&error.message), ..error }
    }
}

/// Hides what is left of a secret where words were shortened.
fn hide(text: String, secret: &str) -> String {
    if !text.contains(CUT) {
        return text;
    }
    let ends = secret.char_indices().map(|(at, _)| at).filter(|at| *at >= MIN_SECRET).rev();
    ends.fold(text, |text, end| text.replace(&format!("{}{CUT}", &secret[..end]), &format!("[key]{CUT}")))
}

fn left_alone(open: &Open) -> ModelError {
    let message = format!(
        "the model's server failed {} times in a row and is left alone; it is asked again in {} s",
        open.failures,
        open.left.as_secs() + 1
    );
    ModelError::unavailable(message, true, Again::NotAsked)
}

/// Whether a redirect stays at the server: at its port, or from HTTP to HTTPS at their usual ports; and never back to HTTP.
fn may_follow(server: &Url, from: &Url, to: &Url) -> bool {
    let same_port = to.port_or_known_default() == server.port_or_known_default() && to.scheme() == server.scheme();
    let secured = server.scheme() == "http" && server.port().is_none() && to.scheme() == "https" && to.port().is_none();
    to.host_str() == server.host_str() && (same_port || secured) && (to.scheme() == "https" || from.scheme() == "http")
}

fn address(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    let given = url.path().trim_end_matches('/');
    let whole = if given.ends_with(path) { given.to_owned() } else { format!("{given}/{path}") };
    url.set_path(&whole);
    url.set_fragment(None);
    url
}

/// What comes of an error's body within this time.
async fn first_bytes(mut response: Response, patience: Duration) -> Vec<u8> {
    let until = Until::now() + patience;
    let mut bytes = Vec::new();
    while bytes.len() < MAX_ERROR_BODY
        && let Ok(Ok(Some(chunk))) = timeout_at(until, response.chunk()).await
    {
        bytes.extend_from_slice(&chunk);
    }
    bytes.truncate(MAX_ERROR_BODY);
    bytes
}

/// The innermost cause: "connection refused" rather than "error sending request for url". An address may hold a key.
pub(in crate::server::agent) fn plain(error: reqwest::Error) -> String {
    let error = error.without_url();
    let causes = std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source());
    causes.last().map_or_else(String::new, ToString::to_string)
}

/// The answer's body, if it can be read as it comes.
fn opened(response: Response, pass: Pass) -> Result<Body, ModelError> {
    let packed = response.headers().get(CONTENT_ENCODING).and_then(|value| value.to_str().ok());
    let packed = packed.unwrap_or_default().trim();
    if !packed.is_empty() && !packed.eq_ignore_ascii_case("identity") {
        return Err(ModelError::protocol(format!(
            "the model's server packed its answer ({packed}) though nobody asked for that; switch that off there or in the proxy before it"
        )));
    }
    Ok(Body::new(response, pass))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let check = |base: &str, wanted: &str| {
            let base = Url::parse(base).expect(base);
            assert_eq!(address(&base, "chat/completions").as_str(), wanted, "{base}");
        };
        check("http://h/v1", "http://h/v1/chat/completions");
        check("http://h/v1/", "http://h/v1/chat/completions");
        check("http://h", "http://h/chat/completions");
        check("http://h/v1/chat/completions", "http://h/v1/chat/completions");
        check("http://h/v1/chat/completions/", "http://h/v1/chat/completions");
        // can1357/oh-my-pi#782
        check(
            "https://h/openai/v1?api-version=2024-10-21",
            "https://h/openai/v1/chat/completions?api-version=2024-10-21",
        );
    }

    #[test]
    fn redirects_that_a_key_follows() {
        let check = |server: &str, from: &str, to: &str, wanted: bool| {
            let url = |text: &str| Url::parse(text).expect(text);
            assert_eq!(may_follow(&url(server), &url(from), &url(to)), wanted, "{server}: {from} to {to}");
        };
        check("http://h/v1", "http://h/v1", "https://h/v1", true);
        check("http://h:80/v1", "http://h/v1", "http://h/v2", true);
        check("https://h/v1", "https://h/v1", "https://h:443/v2", true);
        check("http://h:8000/v1", "http://h:8000/v1", "http://h:8000/v2", true);
        check("http://h:8000/v1", "http://h:8000/v1", "http://h:8001/v1", false);
        check("https://h/v1", "https://h/v1", "https://h:8443/v1", false);
        check("https://h/v1", "https://h/v1", "http://h/v1", false);
        check("http://h/v1", "https://h/v1", "http://h/v1", false);
        check("https://h/v1", "https://h/v1", "https://other/v1", false);
    }

    #[test]
    fn no_secret_is_shown() {
        // Another test may have done so.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let base = Url::parse("http://h/v1").expect("an address");
        let server = Server::new(reqwest::Client::new(), &base, "x", Duration::from_secs(1));
        let name = HeaderName::from_static("authorization");
        let gateway = "Bearer sk-a-long-secret";
        let server = server.header(name.clone(), gateway, gateway).header(name, "sk-a-long", "sk-a-long");
        let check = |said: &str, shown: &str| assert_eq!(server.redact(said), shown, "{said}");
        check("wrong key: sk-a-long-secret", "wrong key: [key]");
        check("wrong header: Bearer sk-a-long-secret!", "wrong header: [key]!");
        check("wrong key: sk-a-long", "wrong key: [key]");
        // Where words were shortened.
        check("wrong key: sk-a-long-sec…", "wrong key: [key]…");
        check("wrong key: sk-a…; try again", "wrong key: [key]…; try again");
        check("which Bearer? the one…", "which Bearer? the one…");
    }
}
