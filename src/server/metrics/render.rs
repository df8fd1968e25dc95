//! The metrics as text. However many ask at once, it is made a few times a second at most.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use axum::body::Bytes;
use prometheus_client::encoding::text::encode;

use super::metrics;

/// What Prometheus is told the text is.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// How old a text may be.
const FRESH: Duration = Duration::from_millis(250);

static LAST: Mutex<Option<(Instant, Bytes)>> = Mutex::new(None);

/// The text.
pub fn render() -> Bytes {
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((made, text)) = &*last
        && made.elapsed() < FRESH
    {
        return text.clone();
    }
    metrics().take_census();
    let text = Bytes::from(encoded());
    *last = Some((Instant::now(), text.clone()));
    text
}

/// The text as of now.
pub(in crate::server) fn encoded() -> String {
    let mut text = String::new();
    if let Err(error) = encode(&mut text, &metrics().registry) {
        tracing::error!(%error, "the metrics do not encode");
    }
    text
}
