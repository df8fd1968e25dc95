//! How the page calls the server's functions: a form goes out, JSON comes back.

use std::pin::Pin;

use http::Method;
use leptos::server_fn::{
    Http, Protocol, ServerFnError,
    client::Client,
    codec::{Json, PostUrl},
    server::Server,
};
use send_wrapper::SendWrapper;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

/// As Leptos does it, for the server. In the browser all functions share one small request, where Leptos would bring a form
/// writer, a JSON reader and a client for each.
pub struct Call;

type Usual = Http<PostUrl, Json>;

impl<I, O, C, S> Protocol<I, O, C, S, ServerFnError> for Call
where
    I: Serialize + Send,
    O: DeserializeOwned + Send,
    C: Client<ServerFnError>,
    S: Server<ServerFnError>,
    Usual: Protocol<I, O, C, S, ServerFnError>,
{
    const METHOD: Method = Method::POST;

    fn run_server<F, Fut>(
        request: S::Request,
        function: F,
    ) -> impl Future<Output = Result<S::Response, ServerFnError>> + Send
    where
        F: Fn(I) -> Fut + Send,
        Fut: Future<Output = Result<O, ServerFnError>> + Send,
    {
        Usual::run_server(request, function)
    }

    async fn run_client(path: &str, input: I) -> Result<O, ServerFnError> {
        let arguments =
            serde_json::to_value(input).map_err(|error| -> ServerFnError { ServerFnError::Args(error.to_string()) })?;
        let answer = ask(path, &arguments).await?;
        serde_json::from_value(answer).map_err(|error| ServerFnError::Deserialization(error.to_string()))
    }
}

/// An answer on its way.
type Asked<T> = SendWrapper<Pin<Box<dyn Future<Output = Result<T, ServerFnError>>>>>;

/// Only browsers call; on the server the functions are there.
#[cfg(not(feature = "hydrate"))]
fn ask(_: &str, _: &Value) -> Asked<Value> {
    SendWrapper::new(Box::pin(std::future::ready(Err(ServerFnError::Request(String::new())))))
}

#[cfg(not(feature = "hydrate"))]
pub(crate) fn submit(_: &leptos::ev::SubmitEvent) -> Asked<()> {
    SendWrapper::new(Box::pin(std::future::ready(Ok(()))))
}

#[cfg(feature = "hydrate")]
use browser::ask;
#[cfg(feature = "hydrate")]
pub(crate) use browser::submit;

#[cfg(feature = "hydrate")]
mod browser {
    use leptos::ev::SubmitEvent;
    use wasm_bindgen::{JsCast, JsValue};
    use web_sys::{FormData, HtmlFormElement, UrlSearchParams};

    use super::{Asked, SendWrapper, ServerFnError, Value};
    use crate::app::fetch;

    pub(super) fn ask(path: &str, arguments: &Value) -> Asked<Value> {
        let form = UrlSearchParams::new();
        if let (Ok(form), Some(arguments)) = (&form, arguments.as_object()) {
            for (name, value) in arguments {
                match value {
                    Value::Null => {}
                    Value::String(text) => form.append(name, text),
                    value => form.append(name, &value.to_string()),
                }
            }
        }
        let answer = post(path, form);
        SendWrapper::new(Box::pin(async move {
            serde_json::from_str(&answer.await?).map_err(|error| ServerFnError::Deserialization(error.to_string()))
        }))
    }

    /// Posts a form of the page as the browser would.
    pub(crate) fn submit(event: &SubmitEvent) -> Asked<()> {
        let form = event.target().and_then(|target| target.dyn_into::<HtmlFormElement>().ok());
        let path = form.as_ref().and_then(|form| form.get_attribute("action")).unwrap_or_default();
        let fields = form.ok_or(JsValue::UNDEFINED).and_then(|form| FormData::new_with_form(&form));
        let answer = post(&path, fields.and_then(|fields| UrlSearchParams::new_with_str_sequence_sequence(&fields)));
        SendWrapper::new(Box::pin(async move { answer.await.map(drop) }))
    }

    fn post(path: &str, form: Result<UrlSearchParams, JsValue>) -> Asked<String> {
        let path = path.to_owned();
        SendWrapper::new(Box::pin(async move {
            let silent = |_| -> ServerFnError { ServerFnError::Request(String::new()) };
            let (ok, text) = fetch::post(&path, &form.map_err(silent)?).await.map_err(silent)?;
            if ok { Ok(text) } else { Err(refusal(&text)) }
        }))
    }

    /// What the server says in place of an answer.
    fn refusal(text: &str) -> ServerFnError {
        match text.split_once('|') {
            Some(("ServerError", message)) => ServerFnError::ServerError(message.to_owned()),
            Some((_, message)) if !text.starts_with('{') => ServerFnError::Response(message.to_owned()),
            _ => ServerFnError::ServerError(fetch::reason(text)),
        }
    }
}
