//! `GET /docs`: the specification as a page. It is made once, from the committed documents, and needs no script.

mod http;
mod messages;

use std::sync::OnceLock;

use axum::{
    extract::State,
    http::{HeaderValue, header},
    response::{Html, IntoResponse, Response},
};
use leptos::prelude::*;
use netra_ws::{CloseCode, ErrorCode, Retry, schema::Direction};
use serde_json::Value;

use super::{
    http::openapi::openapi,
    state::{AppState, VERSION},
};

/// Without scripts, and with the application's own style.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'self'; img-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; \
     frame-ancestors 'none'",
);

/// Where the style of pages stands that no visit to the application needs.
pub(super) const STYLE: &str = "/docs.css";

/// Serves that style.
pub(super) async fn style() -> impl IntoResponse {
    let text = concat!(include_str!("../../../style/reference.css"), include_str!("../../../style/shared.css"));
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8"), (header::CACHE_CONTROL, "public, max-age=3600")], text)
}

/// Serves the page.
pub(super) async fn serve(State(state): State<AppState>) -> Response {
    static PAGE: OnceLock<String> = OnceLock::new();
    let style = state.leptos.css_path();
    let page = PAGE.get_or_init(|| Owner::new().with(|| page(style)));
    ([(header::CONTENT_SECURITY_POLICY, POLICY)], Html(page.as_str())).into_response()
}

fn page(style: String) -> String {
    let schema = netra_ws::schema::messages();
    let definitions = &schema["$defs"];
    let client = messages::types(Direction::Client);
    let server = messages::types(Direction::Server);
    let view = view! {
        <!DOCTYPE html>
        <html lang="en">
            <head>
                <meta charset="utf-8" />
                <meta name="viewport" content="width=device-width, initial-scale=1" />
                <meta name="color-scheme" content="light dark" />
                <title>"Reference: Netra"</title>
                <link rel="icon" href="/favicon.svg" type="image/svg+xml" />
                <link rel="stylesheet" href=style />
                <link rel="stylesheet" href=STYLE />
            </head>
            <body class="reference">
                <header class="reference-head">
                    <a class="brand" href="/">
                        "Netra"
                    </a>
                    <nav aria-label="Sections">
                        <a href="#client">"Client"</a>
                        <a href="#server">"Server"</a>
                        <a href="#codes">"Codes"</a>
                        <a href="#http">"HTTP"</a>
                    </nav>
                </header>
                <main>
                    <h1>"The protocol netra.v1"</h1>
                    <p>
                        "One WebSocket at " <code>"/ws"</code> ", JSON in text frames. Made from the server's own types, version "
                        {VERSION} ". For programs: " <a href="/asyncapi.json">"AsyncAPI"</a> " and "
                        <a href="/openapi.json">"OpenAPI"</a> "."
                    </p>
                    <h2 id="client">"What a client sends"</h2>
                    {messages::overview(Direction::Client, &client)}
                    <h2 id="server">"What the server sends"</h2>
                    <p>"Durable messages are events of a thread's log: they carry its epoch and their number in it."</p>
                    {messages::overview(Direction::Server, &server)}
                    <h2 id="codes">"Close codes"</h2>
                    {close_codes()}
                    <h2 id="errors">"Error codes"</h2>
                    {error_codes()}
                    <h2 id="http">"HTTP"</h2>
                    {http::operations(&openapi())}
                    <h2>"Every message"</h2>
                    {messages::details(Direction::Client, &client, definitions)}
                    {messages::details(Direction::Server, &server, definitions)}
                </main>
            </body>
        </html>
    };
    view.to_html()
}

fn close_codes() -> AnyView {
    let row = |code: &CloseCode| {
        let number = code.as_u16();
        let client = match CloseCode::retry(number) {
            Retry::Stop => "stops",
            Retry::Jitter => "comes back after a random pause, resumes",
            Retry::Change => "changes something before it comes back",
            Retry::BackOff => "comes back with growing pauses, resumes",
        };
        view! {
            <tr>
                <td>
                    <code>{number}</code>
                </td>
                <td>{code.reason()}</td>
                <td data-name="the client">{client}</td>
            </tr>
        }
    };
    table(["code", "why", "the client"], CloseCode::ALL.iter().map(row).collect_view().into_any())
}

fn error_codes() -> AnyView {
    let row = |code: &ErrorCode| {
        view! {
            <tr>
                <td>
                    <code>{code.as_str()}</code>
                </td>
                <td>{code.description()}</td>
                <td data-name="HTTP">{code.http_status()}</td>
            </tr>
        }
    };
    table(["code", "when", "HTTP"], ErrorCode::KNOWN.iter().map(row).collect_view().into_any())
}

/// A table that scrolls by itself on a narrow screen.
fn table<const N: usize>(head: [&'static str; N], rows: AnyView) -> AnyView {
    view! {
        <div class="table-wrap" tabindex="0" role="group" aria-label=head.join(", ")>
            <table>
                <thead>
                    <tr>{head.map(|name| view! { <th scope="col">{name}</th> }).into_iter().collect_view()}</tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
    .into_any()
}

/// A schema in a few words: `string`, `integer`, `Thread`, `list of Message`.
fn kind(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
        return name.to_owned();
    }
    if let Some(constant) = schema.get("const") {
        return constant.to_string();
    }
    for choices in ["oneOf", "anyOf"] {
        if let Some(choices) = schema[choices].as_array() {
            let kinds: Vec<String> = choices.iter().map(kind).filter(|kind| kind != "null").collect();
            return kinds.join(" or ");
        }
    }
    match &schema["type"] {
        Value::String(kind) if kind == "array" => format!("list of {}", self::kind(&schema["items"])),
        Value::String(kind) => kind.clone(),
        Value::Array(kinds) => {
            let kinds: Vec<&str> = kinds.iter().filter_map(Value::as_str).filter(|kind| *kind != "null").collect();
            kinds.join(" or ")
        }
        _ => "any JSON".to_owned(),
    }
}
