//! The specification as files: made by `netra schema`, committed, served, and held equal to the types by a test.

use std::{fs, io, path::Path};

use axum::{
    http::header::CONTENT_TYPE,
    response::{IntoResponse, Response},
};
use serde_json::Value;

pub use super::http::openapi::openapi;

/// Every file of `schema/` with what it should hold.
pub fn files() -> [(&'static str, String); 3] {
    let text = |document: Value| format!("{document:#}\n");
    [
        ("asyncapi.json", text(netra_ws::schema::asyncapi())),
        ("messages.schema.json", text(netra_ws::schema::messages())),
        ("openapi.json", text(openapi())),
    ]
}

/// Writes the files into a folder.
pub fn write(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    files().into_iter().try_for_each(|(name, text)| fs::write(folder.join(name), text))
}

/// `GET /asyncapi.json`
pub(super) async fn serve_asyncapi() -> Response {
    json(include_str!("../../schema/asyncapi.json"))
}

/// `GET /openapi.json`
pub(super) async fn serve_openapi() -> Response {
    json(include_str!("../../schema/openapi.json"))
}

fn json(text: &'static str) -> Response {
    ([(CONTENT_TYPE, "application/json")], text).into_response()
}
