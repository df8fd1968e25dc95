//! Links by which anybody reads the conversation, for its owner: in the panel of who takes part.

use leptos::{html, prelude::*, task::spawn_local};
use netra_ws::{ThreadId, Timestamp};
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::copying::copy_button;
use crate::app::{
    fetch,
    view::{Erase, Key, Row, effect, list, live, view, when, words},
};

#[derive(Clone, Deserialize)]
struct Link {
    id: Uuid,
    created_at: Timestamp,
    expires_at: Timestamp,
}

#[derive(Deserialize)]
struct Listed {
    links: Vec<Link>,
}

/// How long a link may be good, in days.
const DAYS: [(&str, &str); 4] = [("1", "a day"), ("7", "a week"), ("30", "30 days"), ("365", "a year")];

/// The links there are, and the way to another.
#[component]
pub(super) fn ReadOnlyLinks(thread: ThreadId) -> impl IntoView {
    let address = format!("/api/threads/{thread}/links");
    let links = RwSignal::new(Vec::<Link>::new());
    // What a new link is, which is shown once.
    let made = RwSignal::new(None::<String>);
    let status = RwSignal::new(String::new());
    let busy = RwSignal::new(false);
    let read = {
        let address = address.clone();
        move || {
            let address = address.clone();
            spawn_local(async move {
                match fetch::get::<Listed>(&address).await {
                    Ok(listed) => _ = links.try_set(listed.links),
                    Err(why) => _ = status.try_set(format!("The links could not be read: {why}")),
                }
            });
        }
    };
    effect({
        let read = read.clone();
        move || read()
    });
    let days = NodeRef::<html::Select>::new();
    let make = {
        let (address, read) = (address.clone(), read.clone());
        move || {
            let chosen = days.get_untracked().and_then(|field| field.value().parse::<u64>().ok()).unwrap_or(30);
            let (address, read) = (address.clone(), read.clone());
            busy.set(true);
            spawn_local(async move {
                let answer = fetch::send("POST", &address, Some(&json!({ "expires_in_s": chosen * 86_400 }))).await;
                let _ = busy.try_set(false);
                match answer {
                    Ok(answer) => {
                        let _ = status.try_set(String::new());
                        let _ = made.try_set(answer["url"].as_str().map(str::to_owned));
                        read();
                    }
                    Err(why) => _ = status.try_set(format!("No link was made: {why}")),
                }
            });
        }
    };
    let take_back = move |id: Uuid| {
        let (address, read) = (format!("{address}/{id}"), read.clone());
        spawn_local(async move {
            match fetch::send("DELETE", &address, None).await {
                Ok(_) => {
                    let _ = made.try_set(None);
                    read();
                }
                Err(why) => _ = status.try_set(format!("The link is still good: {why}")),
            }
        });
    };
    let rows = move || {
        let take_back = take_back.clone();
        let row = move |link: Link| {
            let take_back = take_back.clone();
            Row::new(Key::Id(link.id, "link"), move || {
                let Link { id, created_at, expires_at } = link;
                let about = format!("Made {}, good until {}", day(created_at), day(expires_at));
                let take_back = take_back.clone();
                view! {
                    <li class="member">
                        <span class="member-name">{about}</span>
                        <button type="button" class="button quiet" on:click=move |_| take_back(id)>
                            "Take back"
                        </button>
                    </li>
                }
                .erase()
            })
        };
        links.get().into_iter().map(row).collect()
    };
    let fresh = move || {
        let address = made.get_untracked().unwrap_or_default();
        let copied = address.clone();
        view! {
            <p class="read-only-link">
                <input type="text" class="input" readonly aria-label="The new link" prop:value=address />
                {copy_button("Copy link", move || copied.clone())}
            </p>
        }
        .erase()
    };
    let options = move || {
        let option = |(at, (days, words)): (usize, (&'static str, &'static str))| {
            let selected = days == "30";
            Row::new(Key::At(at), move || view! { <option value=days selected=selected>{words}</option> }.erase())
        };
        DAYS.into_iter().enumerate().map(option).collect()
    };
    view! {
        <section class="read-only-links">
            <h3 class="members-title">"Read-only links"</h3>
            <p class="members-note">
                "Whoever has such a link reads the conversation as it is when the link is made, without an account."
            </p>
            <p class="read-only-link">
                <label>
                    "Good for "
                    <select class="input" node_ref=days>
                        {list(options)}
                    </select>
                </label>
                <button type="button" class="button" disabled=live(move || busy.get()) on:click=move |_| make()>
                    "Make a link"
                </button>
            </p>
            {when(move || made.get().is_some(), fresh)}
            <ul class="member-list">{list(rows)}</ul>
            <p class="members-status" role="status">
                {words(move || status.get())}
            </p>
        </section>
    }
    .erase()
}

/// The day in a time.
fn day(at: Timestamp) -> String {
    at.to_string().chars().take(10).collect()
}
