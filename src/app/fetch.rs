//! Requests, in the browser: reading from `/api`, and changing what is there.

use serde::de::DeserializeOwned;
use serde_json::Value;

/// What an address of the API answers, or why not, for people.
#[cfg(feature = "hydrate")]
pub(crate) async fn get<T: DeserializeOwned>(path: &str) -> Result<T, String> {
    let text = browser::get(path).await?;
    // By way of a value, like every frame: the types are then read in one way, and their code is loaded once.
    serde_json::from_str(&text)
        .and_then(serde_json::from_value)
        .map_err(|_| "its answer could not be read; reload the page".to_owned())
}

/// Changes something at an address of the API; what it answers, null when it answers nothing, or why it refused, for people.
#[cfg(feature = "hydrate")]
pub(crate) async fn send(method: &str, path: &str, body: Option<&Value>) -> Result<Value, String> {
    let text = browser::send(method, path, body).await?;
    Ok(serde_json::from_str(&text).unwrap_or_default())
}

/// Text as it stands in an address.
#[cfg(feature = "hydrate")]
pub(crate) fn escaped(text: &str) -> String {
    js_sys::encode_uri_component(text).into()
}

/// Nothing is changed while a page is rendered.
#[cfg(not(feature = "hydrate"))]
pub(crate) async fn send(_: &str, _: &str, _: Option<&Value>) -> Result<Value, String> {
    std::future::ready(Err(String::new())).await
}

/// Nothing is looked for while a page is rendered.
#[cfg(not(feature = "hydrate"))]
pub(crate) fn escaped(text: &str) -> String {
    text.to_owned()
}

/// Pages are rendered from the store; nothing is fetched for them.
#[cfg(not(feature = "hydrate"))]
pub(crate) async fn get<T: DeserializeOwned>(_: &str) -> Result<T, String> {
    std::future::ready(Err(String::new())).await
}

#[cfg(feature = "hydrate")]
pub(crate) use browser::{post, reason, upload};

#[cfg(feature = "hydrate")]
mod browser {
    use std::time::Duration;

    use js_sys::Promise;
    use leptos::prelude::*;
    use serde_json::Value;
    use wasm_bindgen::{JsCast, JsValue};
    use wasm_bindgen_futures::JsFuture;
    use web_sys::{RequestInit, Response, UrlSearchParams};

    use crate::app::within::within;

    /// How long the server may take.
    const PATIENCE: Duration = Duration::from_secs(15);

    /// The same for a file that it has to take and read.
    const PATIENCE_WITH_FILES: Duration = Duration::from_mins(10);

    pub(super) async fn get(path: &str) -> Result<String, String> {
        send("GET", path, None).await
    }

    pub(super) async fn send(method: &str, path: &str, body: Option<&Value>) -> Result<String, String> {
        let init = RequestInit::new();
        init.set_method(method);
        if let Some(body) = body {
            let json = js_sys::Array::of2(&"content-type".into(), &"application/json".into());
            init.set_headers(&js_sys::Array::of1(&json));
            init.set_body(&body.to_string().into());
        }
        match within(PATIENCE, read(window().fetch_with_str_and_init(path, &init))).await {
            Some(Ok((true, text))) => Ok(text),
            Some(Ok((false, text))) => Err(reason(&text)),
            Some(Err(_)) | None => Err("the server does not answer".to_owned()),
        }
    }

    /// Sends a file as it is; what the server answers, null when it answers nothing, or why it refused, for people.
    pub(crate) async fn upload(path: &str, file: &JsValue) -> Result<Value, String> {
        let init = RequestInit::new();
        init.set_method("POST");
        init.set_body(file);
        match within(PATIENCE_WITH_FILES, read(window().fetch_with_str_and_init(path, &init))).await {
            Some(Ok((true, text))) => Ok(serde_json::from_str(&text).unwrap_or_default()),
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
