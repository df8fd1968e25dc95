//! The server that is held to the protocol, and how to get in.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use netra_ws::{ThreadId, discovery::Discovery};
use reqwest::{
    Client, Method, RequestBuilder, Url,
    header::{COOKIE, SET_COOKIE},
};
use serde_json::{Value, json};

use super::Fault;

/// How long an HTTP request may take.
const HTTP_PATIENCE: Duration = Duration::from_secs(10);

/// How the checks are run.
pub struct Options {
    /// `ws://host:port/ws`, or the server's address as `http://host:port`.
    pub url: String,
    /// An API token; without one the server must allow dev sign-in.
    pub token: Option<String>,
    /// Who answers; the server's first agent when absent.
    pub agent: Option<String>,
    /// Waits for heartbeats, too.
    pub slow: bool,
    /// How long the server may take for one answer.
    pub patience: Duration,
}

/// What proves who asks.
enum Proof {
    Token(String),
    Cookie(String),
}

/// A server.
pub struct Target {
    base: Url,
    /// The socket's address.
    pub(super) socket: Url,
    http: Client,
    proof: Proof,
    /// What the server says of itself.
    pub(super) discovery: Discovery,
    pub(super) agent: String,
    pub(super) slow: bool,
    pub(super) patience: Duration,
    made: Mutex<Vec<ThreadId>>,
}

impl Target {
    /// Finds the server and signs in.
    pub async fn find(options: Options) -> Result<Self, Fault> {
        let base = http_base(&options.url)?;
        let http = Client::builder()
            .timeout(HTTP_PATIENCE.max(options.patience))
            .build()
            .map_err(|error| error.to_string())?;
        let at = |path: &str| base.join(path).map_err(|error| error.to_string());
        let answer = http.get(at("/api/config")?).send().await.map_err(|error| format!("discovery: {error}"))?;
        let discovery: Discovery =
            answer.json().await.map_err(|error| format!("discovery is not as specified: {error}"))?;
        let proof = match options.token {
            Some(token) => Proof::Token(token),
            None => Proof::Cookie(dev_cookie(&http, at("/api/auth/dev")?).await?),
        };
        let mut socket = base.join(&discovery.ws.url).map_err(|error| format!("`ws.url`: {error}"))?;
        let scheme = if matches!(socket.scheme(), "https" | "wss") { "wss" } else { "ws" };
        socket.set_scheme(scheme).map_err(|()| "`ws.url` has no host".to_owned())?;
        let first = discovery.agents.first().map(|agent| agent.name.clone());
        let agent = options.agent.or(first).ok_or("discovery names no agent")?;
        Ok(Self {
            base,
            socket,
            http,
            proof,
            discovery,
            agent,
            slow: options.slow,
            patience: options.patience,
            made: Mutex::default(),
        })
    }

    fn request(&self, method: Method, path: &str) -> Result<RequestBuilder, Fault> {
        let url = self.base.join(path).map_err(|error| error.to_string())?;
        let request = self.http.request(method, url);
        Ok(match &self.proof {
            Proof::Token(token) => request.bearer_auth(token),
            Proof::Cookie(cookie) => request.header(COOKIE, cookie),
        })
    }

    /// Asks over HTTP for JSON.
    pub(super) async fn get(&self, path: &str) -> Result<Value, Fault> {
        let answer = self.request(Method::GET, path)?.send().await.map_err(|error| format!("GET {path}: {error}"))?;
        let status = answer.status();
        if !status.is_success() {
            return Err(format!("GET {path} answers {status}"));
        }
        answer.json().await.map_err(|error| format!("GET {path} answers no JSON: {error}"))
    }

    /// A token for the socket.
    pub(super) async fn ws_token(&self) -> Result<String, Fault> {
        let path = "/api/auth/ws-token";
        let answer = self.request(Method::POST, path)?.json(&json!({})).send().await;
        let body: Value = answer.map_err(|error| format!("{path}: {error}"))?.json().await.unwrap_or_default();
        body["token"].as_str().map(str::to_owned).ok_or_else(|| format!("{path} gives no token: {body}"))
    }

    /// A thread that the checks made; it is deleted in the end.
    pub(super) fn made(&self, thread: ThreadId) {
        self.made.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
    }

    /// Deletes what the checks made.
    pub(super) async fn clean_up(&self) {
        let made = std::mem::take(&mut *self.made.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in made {
            if let Ok(request) = self.request(Method::DELETE, &format!("/api/threads/{thread}")) {
                // What cannot be deleted stays; the checks have said what they found.
                let _ = request.send().await;
            }
        }
    }
}

fn http_base(url: &str) -> Result<Url, Fault> {
    let problem = || format!("{url:?} is no address such as ws://127.0.0.1:3000/ws");
    let text = match url.split_once("://") {
        Some(("ws" | "http", rest)) => format!("http://{rest}"),
        Some(("wss" | "https", rest)) => format!("https://{rest}"),
        Some(_) | None => return Err(problem()),
    };
    let mut base = Url::parse(&text).map_err(|_| problem())?;
    base.set_path("/");
    base.set_query(None);
    Ok(base)
}

async fn dev_cookie(http: &Client, url: Url) -> Result<String, Fault> {
    let answer = http.post(url).json(&json!({})).send().await.map_err(|error| format!("dev sign-in: {error}"))?;
    if !answer.status().is_success() {
        return Err("dev sign-in is switched off there: give an API token with --token".to_owned());
    }
    let cookies = answer.headers().get_all(SET_COOKIE).iter().filter_map(|cookie| cookie.to_str().ok());
    let session = cookies.filter_map(|cookie| cookie.split(';').next()).find(|pair| pair.starts_with("netra_session="));
    session.map(str::to_owned).ok_or_else(|| "dev sign-in sets no cookie".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_all_kinds() {
        for (given, base) in [
            ("ws://127.0.0.1:3000/ws", "http://127.0.0.1:3000/"),
            ("wss://chat.example.org/ws?x=1", "https://chat.example.org/"),
            ("http://localhost:3000", "http://localhost:3000/"),
        ] {
            assert_eq!(http_base(given).map(String::from), Ok(base.to_owned()));
        }
        for wrong in ["127.0.0.1:3000", "ftp://example.org", "ws://", ""] {
            assert!(http_base(wrong).is_err_and(|why| why.contains("no address")), "{wrong}");
        }
    }
}
