//! Requests, in the browser.

use serde::de::DeserializeOwned;

/// What an address of the API answers, or why not, for people.
#[cfg(feature = "hydrate")]
pub(crate) async fn get<T: DeserializeOwned>(path: &str) -> Result<T, String> {
    let text = browser::get(path).await?;
    // By way of a value, like every frame: the types are then read in one way, and their code is loaded once.
    serde_json::from_str(&text)
        .and_then(serde_json::from_value)
        .map_err(|_| "its answer could not be read; reload the page".to_owned())
}

/// Pages are rendered from the store; nothing is fetched for them.
#[cfg(not(feature = "hydrate"))]
pub(crate) async fn get<T: DeserializeOwned>(_: &str) -> Result<T, String> {
    std::future::ready(Err(String::new())).await
}

#[cfg(feature = "hydrate")]
pub(crate) use browser::{post, reason};

#[cfg(feature = "hydrate")]
mod browser {
    use std::time::Duration;

    use js_sys::Promise;
    use leptos::prelude::*;
    use wasm_bindgen::{JsCast, JsValue};
    use wasm_bindgen_futures::JsFuture;
    use web_sys::{RequestInit, Response, UrlSearchParams};

    use crate::app::within::within;

    /// How long the server may take.
    const PATIENCE: Duration = Duration::from_secs(15);

    pub(super) async fn get(path: &str) -> Result<String, String> {
        match within(PATIENCE, read(window().fetch_with_str(path))).await {
            Some(Ok((true, text))) => Ok(text),
            Some(Ok((false, text))) => Err(reason(&text)),
            Some(Err(_)) | None => Err("the server does not answer".to_owned()),
        }
    }

    /// Whether the answer is a good one, and what it is. How long the server may take is the caller's to say.
    pub(crate) async fn post(path: &str, form: &UrlSearchParams) -> Result<(bool, String), JsValue> {
        let how = RequestInit::new();
        how.set_method("POST");
        how.set_body(form);
        read(window().fetch_with_str_and_init(path, &how)).await
    }

    async fn read(response: Promise) -> Result<(bool, String), JsValue> {
        let response: Response = JsFuture::from(response).await?.unchecked_into();
        let text = JsFuture::from(response.text()?).await?.as_string().unwrap_or_default();
        Ok((response.ok(), text))
    }

    /// The server's own sentence, when there is one.
    pub(crate) fn reason(text: &str) -> String {
        let error: Option<serde_json::Value> = serde_json::from_str(text).ok();
        let message =
            error.as_ref().and_then(|error| error.pointer("/error/message")).and_then(|message| message.as_str());
        message.unwrap_or("the server refused").to_owned()
    }
}
