//! Requests to an authorization server on behalf of the protocol's library: to addresses that a secret may go to, bounded in time
//! and size, and without following redirects.

use http::Response;
use rmcp::transport::auth::{OAuthHttpClient, OAuthHttpClientError, OAuthHttpClientFuture, OAuthHttpRequest};
use url::Url;

use super::{PATIENCE, bounded, check_place, failed, origin};

/// The client for one server.
pub(super) struct Outgoing {
    /// The server that tokens are for: what may be asked without TLS depends on it.
    pub(super) resource: Url,
    pub(super) http: reqwest::Client,
}

impl Outgoing {
    async fn send(&self, asked: OAuthHttpRequest) -> Result<Response<Vec<u8>>, String> {
        let request = reqwest::Request::try_from(asked.request).map_err(|_| "an address that is none".to_owned())?;
        check_place(&self.resource, request.url())?;
        let at = origin(request.url());
        let request = reqwest::RequestBuilder::from_parts(self.http.clone(), request).timeout(PATIENCE);
        // The client follows no redirects.
        let answer = request.send().await.map_err(|error| failed(&at, &error))?;
        let mut response = Response::builder().status(answer.status());
        if let Some(headers) = response.headers_mut() {
            *headers = answer.headers().clone();
        }
        let body = bounded(&at, answer).await?;
        response.body(body).map_err(|_| format!("{at} answers with something that is no answer"))
    }
}

impl OAuthHttpClient for Outgoing {
    fn execute(&self, request: OAuthHttpRequest) -> OAuthHttpClientFuture<'_> {
        Box::pin(async move { self.send(request).await.map_err(OAuthHttpClientError::from) })
    }
}
