//! Conversations from a file: what became of it is told, and what was left out.

use leptos::{html, prelude::*, task::spawn_local};
use serde_json::Value;

use crate::app::view::{Erase, Key, Row, list, live, part, view, words};

/// The most conversations that are named; more are counted.
const NAMED: usize = 20;

/// The button that chooses a file, and what became of it.
#[component]
pub(crate) fn Importing() -> impl IntoView {
    let field = NodeRef::<html::Input>::new();
    let report = RwSignal::new(Value::Null);
    let said = RwSignal::new(String::new());
    let failure = RwSignal::new(String::new());
    let busy = RwSignal::new(false);
    let take = move || {
        let Some(field) = field.get_untracked() else { return };
        busy.set(true);
        failure.set(String::new());
        report.set(Value::Null);
        said.set("The file is being read…".to_owned());
        spawn_local(async move {
            let outcome = take_in(&field).await;
            // The same file may be chosen again.
            field.set_value("");
            let _ = busy.try_set(false);
            match outcome {
                Ok(told) => {
                    let _ = said.try_set(summary(&told));
                    let _ = report.try_set(told);
                }
                Err(why) => {
                    let _ = said.try_set(String::new());
                    let _ = failure.try_set(format!("Nothing was taken in: {why}."));
                }
            }
        });
    };
    let threads = move || {
        let row = |thread: &Value| {
            let id = thread["id"].as_str().unwrap_or_default().to_owned();
            let title = thread["title"].as_str().filter(|title| !title.is_empty()).unwrap_or("Conversation").to_owned();
            Row::new(Key::Name(id.clone()), move || {
                let href = format!("/t/{id}");
                view! {
                    <li>
                        <a href=href dir="auto">{title}</a>
                    </li>
                }
                .erase()
            })
        };
        report.with(|report| report["threads"].as_array().into_iter().flatten().take(NAMED).map(row).collect())
    };
    let left_out = move || {
        let row = |line: &Value| {
            let what = line["what"].as_str().unwrap_or_default().to_owned();
            let line = format!("{} × {what}", line["count"]);
            Row::new(Key::Name(what), move || view! { <li>{line}</li> }.erase())
        };
        report.with(|report| report["left_out"].as_array().into_iter().flatten().map(row).collect())
    };
    view! {
        <p>
            "A file that Netra, ChatGPT (its archive, or "<code>"conversations.json"</code>" out of it) or Open WebUI exported, up to 64 MB. Files and pictures stay behind."
        </p>
        <input
            type="file"
            class="visually-hidden"
            accept=".json,.zip,application/json,application/zip"
            tabindex="-1"
            aria-hidden="true"
            node_ref=field
            on:change=move |_| take()
        />
        <button
            type="button"
            class="button"
            disabled=live(move || busy.get())
            on:click=move |_| {
                if let Some(field) = field.get_untracked() {
                    field.click();
                }
            }
        >
            "Choose a file"
        </button>
        <p role="status">{words(move || said.get())}</p>
        <ul aria-label="Conversations from the file">{list(threads)}</ul>
        <ul aria-label="Left out">{list(left_out)}</ul>
        {part(move || {
            let why = failure.get();
            if why.is_empty() { ().erase() } else { view! { <p class="form-error" role="alert">{why}</p> }.erase() }
        })}
    }
    .erase()
}

fn summary(report: &Value) -> String {
    let count = |name: &str| report[name].as_array().map_or(0, Vec::len);
    let taken = match count("threads") {
        1 => "A conversation was taken in.".to_owned(),
        many => format!("{many} conversations were taken in."),
    };
    let more = if count("threads") > NAMED { " The first are named here; all are in the sidebar." } else { "" };
    let left = if count("left_out") > 0 { " Left out:" } else { " Nothing was left out." };
    format!("{taken}{more}{left}")
}

#[cfg(feature = "hydrate")]
async fn take_in(field: &web_sys::HtmlInputElement) -> Result<Value, String> {
    let file = field.files().and_then(|files| files.get(0)).ok_or_else(|| "no file was chosen".to_owned())?;
    crate::app::fetch::upload("/api/threads/import", &file).await
}

/// Only browsers have files to send.
#[cfg(not(feature = "hydrate"))]
async fn take_in(_: &leptos::web_sys::HtmlInputElement) -> Result<Value, String> {
    std::future::ready(Err(String::new())).await
}
