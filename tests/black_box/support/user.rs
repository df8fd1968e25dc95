//! A person with a browser: a cookie jar kept by hand, and the HTTP interface.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
};

use reqwest::Method;
use serde_json::{Value, json};

use super::{answer::Answer, answer::http, server::Server, socket::Socket};

/// The password of every test user.
pub(crate) const PASSWORD: &str = "a quiet harbour at dawn 7";

/// A visitor, or a signed-in user.
pub(crate) struct User {
    base: String,
    jar: Mutex<BTreeMap<String, String>>,
    /// The sign-in address; empty for visitors and the development user.
    pub(crate) email: String,
    /// The user's id; empty for visitors.
    pub(crate) id: String,
}

impl User {
    /// Somebody with no cookie.
    pub(crate) fn visitor(server: &Server) -> Self {
        let jar = Mutex::default();
        Self { base: server.base.clone(), jar, email: String::new(), id: String::new() }
    }

    /// The development user.
    pub(crate) async fn dev(server: &Server) -> Self {
        let mut user = Self::visitor(server);
        user.id = id_of(&user.post("/api/auth/dev", json!({})).await);
        user
    }

    /// A new account.
    pub(crate) async fn register(server: &Server) -> Self {
        let mut user = Self::visitor(server);
        user.email = fresh_email();
        let body = json!({ "email": user.email, "password": PASSWORD, "name": "Ada" });
        user.id = id_of(&user.post("/api/auth/register", body).await);
        user
    }

    /// The same person at a server that was started again at another address.
    pub(crate) fn moved(self, server: &Server) -> Self {
        Self { base: server.base.clone(), ..self }
    }

    /// Sends a request with the jar's cookies and keeps those that come back.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<String>,
        headers: &[(&str, &str)],
    ) -> Answer {
        let mut request = http().request(method, format!("{}{path}", self.base));
        let cookies = self.cookies();
        if !cookies.is_empty() {
            request = request.header("cookie", cookies);
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = Answer::of(request).await;
        self.keep(&answer);
        answer
    }

    /// `GET`.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None, &[]).await
    }

    /// `POST` with a JSON body.
    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, Some(body.to_string()), &[]).await
    }

    /// `PATCH` with a JSON body.
    pub(crate) async fn patch(&self, path: &str, body: Value) -> Answer {
        self.send(Method::PATCH, path, Some(body.to_string()), &[]).await
    }

    /// `DELETE`.
    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, None, &[]).await
    }

    /// Opens a page as a browser does, through redirects.
    pub(crate) async fn browse(&self, path: &str) -> Answer {
        let mut path = path.to_owned();
        for _ in 0..5 {
            let answer = self.send(Method::GET, &path, None, &[("accept", "text/html")]).await;
            if !(300..400).contains(&answer.status) {
                return answer;
            }
            let to = answer.header("location").to_owned();
            path = to.strip_prefix(&self.base).unwrap_or(&to).to_owned();
            assert!(path.starts_with('/'), "redirected away to {to:?}");
        }
        panic!("redirected without end, last to {path}");
    }

    /// A thread made over HTTP.
    pub(crate) async fn thread(&self, title: &str) -> Value {
        let answer = self.post("/api/threads", json!({ "title": title })).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        answer.json()
    }

    /// The server's address.
    #[allow(dead_code, reason = "the tests in tests/power open their sockets by hand")]
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// A fresh token for the socket.
    pub(crate) async fn token(&self) -> String {
        let answer = self.post("/api/auth/ws-token", json!({})).await.ok();
        answer["token"].as_str().unwrap_or_else(|| panic!("no token in {answer}")).to_owned()
    }

    /// An open socket, past its `connect` frame.
    pub(crate) async fn connect(&self) -> Socket {
        Socket::open(&self.base, &self.token().await).await
    }

    /// The jar as a `Cookie` header.
    pub(crate) fn cookies(&self) -> String {
        self.jar().iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join("; ")
    }

    /// Whether the jar holds a session.
    pub(crate) fn has_session(&self) -> bool {
        self.jar().contains_key("netra_session")
    }

    fn jar(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.jar.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, answer: &Answer) {
        let mut jar = self.jar();
        for cookie in answer.set_cookies() {
            let mut parts = cookie.split(';');
            let (name, value) = parts.next().and_then(|p| p.split_once('=')).expect("a cookie has a name");
            let gone = parts.any(|p| {
                let p = p.trim().to_ascii_lowercase();
                p == "max-age=0" || p.starts_with("max-age=-") || p.starts_with("expires=thu, 01 jan 1970")
            });
            if gone || value.is_empty() {
                jar.remove(name);
            } else {
                jar.insert(name.into(), value.into());
            }
        }
    }
}

/// An address nobody used before.
pub(crate) fn fresh_email() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    format!("person{}@example.org", NEXT.fetch_add(1, Ordering::Relaxed))
}

fn id_of(answer: &Answer) -> String {
    let body = answer.ok();
    body["user"]["id"].as_str().unwrap_or_else(|| panic!("no user.id in {body}")).to_owned()
}
