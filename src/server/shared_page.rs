//! `GET /shared/{secret}`: a conversation behind a read-only link, as a page that needs neither a sign-in nor a script. It holds what was
//! said up to when the link was made, on the way that leads to what was newest then; what tools were given and gave is not shown.

use axum::{
    extract::{Path, Query, State, rejection::QueryRejection},
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{Html, IntoResponse, Response},
};
use leptos::prelude::*;
use netra_ws::{
    Timestamp,
    branch::Choices,
    model::{Message, Run, Step, ToolStatus},
    state::ThreadState,
};
use serde::Deserialize;
use tokio::sync::Semaphore;

use super::{auth::link_digest, error::ApiError, reference, state::AppState, store::read_only_links::Opened};
use crate::app::{components::whole_answer, markdown};

/// What stands before the secret.
pub(super) const PATH: &str = "/shared/";

/// Pages that are rendered at a time; others wait.
static RENDERINGS: Semaphore = Semaphore::const_new(4);

/// Messages of a page.
const MESSAGES: usize = 200;

/// Without scripts, and with the application's own style. Where a link on the page leads to hears nothing of it.
static HEADERS: [(HeaderName, HeaderValue); 4] = [
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ),
    ),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (header::CACHE_CONTROL, HeaderValue::from_static("private, no-store")),
    (HeaderName::from_static("x-robots-tag"), HeaderValue::from_static("noindex, nofollow")),
];

/// Which part of a long conversation.
#[derive(Deserialize)]
pub(super) struct Part {
    /// The event before which it ends.
    before: Option<u64>,
}

/// Serves the page.
pub(super) async fn serve(
    State(state): State<AppState>,
    Path(secret): Path<String>,
    part: Result<Query<Part>, QueryRejection>,
) -> Response {
    let before = part.ok().and_then(|Query(part)| part.before);
    let style = state.leptos.css_path();
    let (status, page) = match conversation(&state, &secret, before).await {
        Ok(Some(shown)) => (StatusCode::OK, in_owner(move || page(style, &shown, &secret)).await),
        Ok(None) => (StatusCode::NOT_FOUND, in_owner(move || ended(style)).await),
        Err(error) => return error.into_response(),
    };
    (status, HEADERS.clone(), Html(page)).into_response()
}

/// Renders apart from the threads that serve sockets, a few pages at a time: whoever asks may be anybody.
async fn in_owner(render: impl FnOnce() -> String + Send + 'static) -> String {
    let _turn = RENDERINGS.acquire().await;
    let rendered = tokio::task::spawn_blocking(move || Owner::new().with(render)).await;
    rendered.unwrap_or_else(|error| {
        tracing::error!(%error, "a shared page could not be rendered");
        String::new()
    })
}

struct Shown {
    title: String,
    opened: Opened,
    turns: Vec<Said>,
    /// Where the part before begins.
    earlier: Option<u64>,
}

/// A person's message or an answer.
struct Said {
    who: String,
    by_agent: bool,
    at: Timestamp,
    content: String,
    files: Vec<String>,
    tools: Vec<(String, bool)>,
}

async fn conversation(state: &AppState, secret: &str, before: Option<u64>) -> Result<Option<Shown>, ApiError> {
    let Some(opened) = state.store.open_read_only_link(&link_digest(secret)).await? else { return Ok(None) };
    let end = opened.link.up_to_seq.saturating_add(1);
    let before = before.map_or(end, |before| before.min(end));
    let thread = state.threads.get(opened.owner, opened.thread).await?;
    let history = state.threads.history(opened.owner, opened.thread, Some(before), MESSAGES).await?;
    let earlier = history.messages.first().filter(|_| history.earlier).map(|first| first.seq);
    let known = ThreadState {
        messages: history.messages.into_iter().map(Into::into).collect(),
        runs: history.runs.into_iter().map(Into::into).collect(),
        earlier_cursor: earlier.map(|seq| seq.to_string()),
        ..ThreadState::default()
    };
    let mut turns = Vec::new();
    for turn in known.path(&Choices::default()) {
        let asked = known.message(turn.message);
        turns.extend(asked.map(|message| said(message, None, &opened.owner_name)));
        let run = turn.answer.and_then(|id| known.run(id));
        // An answer that came later than the link is not among these.
        let answer = run.and_then(|run| known.message(run.message_id?));
        turns.extend(answer.map(|message| said(message, run, &opened.owner_name)));
    }
    for answer in turns.iter_mut().filter(|said| said.by_agent) {
        if let Some(agent) = state.registry.find(Some(&answer.who)) {
            answer.who.clone_from(&agent.title);
        }
    }
    tracing::info!(thread_id = %opened.thread, "a conversation was read by its link");
    Ok(Some(Shown { title: thread.title, opened, turns, earlier }))
}

fn said(message: &Message, run: Option<&Run>, owner: &str) -> Said {
    let author = || message.author.as_ref().map_or(owner, |author| author.name.as_str()).to_owned();
    let tools = run.iter().flat_map(|run| &run.steps).filter_map(|step| match step {
        Step::Tool(call) => Some((call.tool.clone(), call.status == Some(ToolStatus::Ok))),
        Step::Thinking { .. } | Step::Progress { .. } | Step::Unknown(_) => None,
    });
    Said {
        who: run.map_or_else(author, |run| run.agent.clone()),
        by_agent: run.is_some(),
        at: message.created_at,
        content: message.content.clone(),
        files: message.attachments.iter().map(|file| file.name.clone()).collect(),
        tools: tools.collect(),
    }
}

fn page(style: String, shown: &Shown, secret: &str) -> String {
    let title = if shown.title.is_empty() { "Conversation".to_owned() } else { markdown::words(&shown.title) };
    let Opened { owner_name, link, .. } = &shown.opened;
    let about = format!(
        "Shared by {owner_name}, as it was on {}. This link is good until {}.",
        day(link.created_at),
        day(link.expires_at)
    );
    let earlier = shown.earlier.map(|seq| {
        view! {
            <nav class="shared-earlier" aria-label="Parts">
                <a class="button" href=format!("{PATH}{secret}?before={seq}")>
                    "Earlier messages"
                </a>
            </nav>
        }
    });
    let turns = shown.turns.iter().map(turn).collect_view();
    document(
        style,
        title.clone(),
        view! {
            <h1>{title}</h1>
            <p class="shared-about">{about}</p>
            {earlier}
            <div class="column">{turns}</div>
        }
        .into_any(),
    )
}

fn turn(said: &Said) -> impl IntoView + use<> {
    let tools = (!said.tools.is_empty()).then(|| {
        let tools = said.tools.iter().map(|(tool, worked)| {
            let mark = if *worked { "" } else { " (did not work)" };
            view! { <li>{format!("{tool}{mark}")}</li> }
        });
        view! {
            <p class="shared-tools">"Tools used:"</p>
            <ul class="shared-tools">{tools.collect_view()}</ul>
        }
    });
    let files =
        said.files.iter().map(|name| view! { <p class="shared-file">{format!("File: {name}")}</p> }).collect_view();
    let head = view! {
        <header class="shared-head">
            <strong>{said.who.clone()}</strong>
            <time datetime=said.at.to_string()>{minute(said.at)}</time>
        </header>
    };
    if said.by_agent {
        let answer = whole_answer(&said.content);
        view! {
            <article class="card shared-turn">
                {head} {tools} <div class="answer markdown" inner_html=answer></div>
            </article>
        }
        .into_any()
    } else {
        view! {
            <article class="message message-user shared-turn">
                {head} {files} <div class="bubble" dir="auto" inner_html=markdown::plain(&said.content)></div>
            </article>
        }
        .into_any()
    }
}

fn ended(style: String) -> String {
    document(
        style,
        "This link leads nowhere".to_owned(),
        view! {
            <h1>"This link leads nowhere"</h1>
            <p class="shared-about">
                "Its time is over, it was taken back, or it was copied in part. Ask whoever gave it to you for another."
            </p>
        }
        .into_any(),
    )
}

fn document(style: String, title: String, body: AnyView) -> String {
    let view = view! {
        <!DOCTYPE html>
        <html lang="en">
            <head>
                <meta charset="utf-8" />
                <meta name="viewport" content="width=device-width, initial-scale=1" />
                <meta name="color-scheme" content="light dark" />
                <meta name="robots" content="noindex, nofollow" />
                <title>{format!("{title}: Netra")}</title>
                <link rel="icon" href="/favicon.svg" type="image/svg+xml" />
                <link rel="stylesheet" href=style />
                <link rel="stylesheet" href=reference::STYLE />
            </head>
            <body class="shared">
                <main>{body}</main>
                <footer class="shared-foot">
                    "Read only, in " <a class="brand" href="/">
                        "Netra"
                    </a>
                </footer>
            </body>
        </html>
    };
    view.to_html()
}

/// The day in a time that is told as RFC 3339.
fn day(at: Timestamp) -> String {
    at.to_string().chars().take(10).collect()
}

fn minute(at: Timestamp) -> String {
    let text = at.to_string();
    let (date, time) = text.split_once('T').unwrap_or((&text, ""));
    format!("{date} {} UTC", time.get(..5).unwrap_or_default())
}
