//! A handshake as bare HTTP, so that the whole answer to a refused one can be read.

use super::{
    answer::{Answer, http},
    server::Server,
};

/// A handshake to be tried.
#[derive(Clone, Debug, Default)]
pub(crate) struct Handshake {
    /// What stands after `/ws`.
    pub(crate) query: String,
    /// `Sec-WebSocket-Protocol`, absent when empty.
    pub(crate) protocols: String,
    /// `Origin`.
    pub(crate) origin: Option<String>,
    /// `Authorization: Bearer`.
    pub(crate) bearer: Option<String>,
}

impl Handshake {
    /// What a browser sends with this token, but for the origin.
    pub(crate) fn with_token(token: &str) -> Self {
        Self { protocols: format!("netra.v1, jwt.{token}"), ..Self::default() }
    }

    /// Sends it.
    pub(crate) async fn send(&self, server: &Server) -> Answer {
        let mut request = http()
            .get(format!("{}/ws{}", server.base, self.query))
            .header("connection", "Upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
        if !self.protocols.is_empty() {
            request = request.header("sec-websocket-protocol", &self.protocols);
        }
        if let Some(origin) = &self.origin {
            request = request.header("origin", origin);
        }
        if let Some(bearer) = &self.bearer {
            request = request.header("authorization", format!("Bearer {bearer}"));
        }
        Answer::of(request).await
    }
}
