//! The list of conversations by day: all of them, those that were put away, or those in which words were found. Each is read in
//! parts, as far as the reader goes.

use std::time::Duration;

use leptos::{html, prelude::*, task::spawn_local};
use netra_ws::{ThreadId, model::Thread};

use super::{thread_item::ThreadItem, undoing::Undoing};
use crate::app::{
    address::use_address,
    apart::{Part, Piece, draw},
    api::{self, ThreadPage},
    store::{sort, use_store},
    time::day_group,
    view::{Erase, Key, Row, effect, list, memo, part, view, when},
};

/// How long a reader rests before their words are looked for.
const PAUSE: Duration = Duration::from_millis(150);

/// How near to the end of the list the next part is read, in pixels.
const NEAR_END: i32 = 200;

/// What is listed.
#[derive(Clone, Debug, PartialEq)]
struct Asked {
    query: String,
    archived: bool,
}

impl Asked {
    /// Whether it is the list that events keep up to date.
    fn is_own(&self) -> bool {
        self.query.is_empty() && !self.archived
    }

    /// As many parts as hold what was known, at least one.
    async fn read_again(&self, known: usize) -> Result<ThreadPage, ServerFnError> {
        let mut page = self.read(None).await?;
        while page.threads.len() < known && page.next.is_some() {
            let more = self.read(page.next.take()).await?;
            page.threads.extend(more.threads);
            page.found.extend(more.found);
            page.next = more.next;
        }
        Ok(page)
    }

    async fn read(&self, cursor: Option<String>) -> Result<ThreadPage, ServerFnError> {
        let archived = Some(self.archived);
        if self.query.is_empty() {
            api::list_threads(archived, cursor).await
        } else {
            api::search_threads(self.query.clone(), archived, cursor).await
        }
    }
}

/// A list that was asked for.
#[derive(Clone, Debug, PartialEq)]
enum Listing {
    /// On its way.
    Reading,
    /// As far as it was read.
    Read(ThreadPage),
    /// The server did not answer, or refused.
    Failed(String),
}

/// The list.
#[component]
#[allow(clippy::too_many_lines)]
pub(crate) fn ThreadList(search: RwSignal<String>, archived: RwSignal<bool>, picking: RwSignal<bool>) -> impl IntoView {
    let store = use_store();
    let undoing = Undoing::new(store.clone(), use_address());
    let asked = memo(move || Asked { query: search.get().trim().to_owned(), archived: archived.get() });
    let listing = RwSignal::new(Listing::Reading);
    let read = move || {
        let wanted = asked.get_untracked();
        if wanted.is_own() {
            return;
        }
        let known = listing.with_untracked(|listing| match listing {
            Listing::Read(page) => page.threads.len(),
            Listing::Reading | Listing::Failed(_) => 0,
        });
        spawn_local(async move {
            let outcome = match wanted.read_again(known).await {
                Ok(page) => Listing::Read(page),
                Err(error) => Listing::Failed(api::reason(&error)),
            };
            // The answer to an older question may come after that to a newer one.
            if asked.try_get_untracked() == Some(wanted) {
                listing.set(outcome);
            }
        });
    };
    let read = debounced(read);
    effect(move || {
        if !asked.get().is_own() {
            listing.set(Listing::Reading);
            read();
        }
    });
    // What was renamed, pinned, put away or deleted, here or elsewhere, may belong to another list now.
    let changed = store.threads.clone();
    let mut first = true;
    effect(move || {
        changed.track();
        if !std::mem::take(&mut first) {
            read();
        }
    });
    let offset = RwSignal::new(0_i64);
    #[cfg(feature = "hydrate")]
    effect(move || offset.set(crate::app::time::zone_offset_ms()));

    let own = store.threads.clone();
    let listed = memo(move || {
        let asked = asked.get();
        if asked.is_own() {
            return own.get();
        }
        let found = listing.with(|listing| match listing {
            Listing::Read(page) => page.threads.clone(),
            Listing::Reading | Listing::Failed(_) => Vec::new(),
        });
        // What is renamed, pinned or taken back shows at once.
        own.with(|own| {
            let newest = |thread: Thread| own.iter().find(|known| known.id == thread.id).cloned().unwrap_or(thread);
            found.into_iter().map(newest).filter(|thread| thread.archived == asked.archived).collect()
        })
    });
    // What was just put away or deleted is said where it was.
    let shown = memo(move || {
        let mut threads = listed.get();
        let archived = asked.with(|asked| asked.archived);
        if undoing.lay_over(archived, &mut threads) {
            sort(&mut threads);
        }
        threads
    });
    let now = store.rendered_at();
    let editing = RwSignal::new(None::<ThreadId>);
    let groups = Memo::new(move |before: Option<&Vec<(&'static str, Vec<Thread>)>>| {
        let fresh = shown.get();
        match before {
            Some(before) if editing.with(Option::is_some) => in_place(before, &fresh),
            _ => by_day(fresh, now, offset.get()),
        }
    });
    let found = Found(memo(move || {
        listing.with(|listing| match listing {
            Listing::Read(page) if !asked.get().is_own() => (asked.get().query, page.found.clone()),
            Listing::Read(_) | Listing::Reading | Listing::Failed(_) => Default::default(),
        })
    }));
    let rows = move || {
        let row = |(name, _): (&'static str, Vec<Thread>)| {
            Row::new(Key::Name(name.to_owned()), move || view! { <Group groups name /> }.erase())
        };
        groups.get().into_iter().map(row).collect()
    };
    let next = {
        let own = store.threads_next.clone();
        memo(move || {
            if asked.get().is_own() {
                return own.get();
            }
            listing.with(|listing| match listing {
                Listing::Read(page) => page.next.clone(),
                Listing::Reading | Listing::Failed(_) => None,
            })
        })
    };
    let reading_more = RwSignal::new(false);
    let failure = RwSignal::new(None::<String>);
    let more = {
        let store = StoredValue::new(store);
        move || {
            let (Some(cursor), false) = (next.get_untracked(), reading_more.get_untracked()) else { return };
            reading_more.set(true);
            failure.set(None);
            let wanted = asked.get_untracked();
            spawn_local(async move {
                let outcome = wanted.read(Some(cursor)).await;
                if reading_more.try_set(false).is_some() || asked.try_get_untracked().as_ref() != Some(&wanted) {
                    return;
                }
                match outcome {
                    Ok(page) if wanted.is_own() => store.with_value(|store| store.add_threads(page)),
                    Ok(page) => listing.update(|listing| {
                        if let Listing::Read(known) = listing {
                            known.threads.extend(page.threads);
                            known.found.extend(page.found);
                            known.next = page.next;
                        }
                    }),
                    Err(error) => failure.set(Some(api::reason(&error))),
                }
            });
        }
    };
    let scroller = NodeRef::<html::Div>::new();
    let on_scroll = move |_| {
        if let Some(scroller) = scroller.get_untracked()
            && scroller.scroll_height() - scroller.scroll_top() - scroller.client_height() < NEAR_END
            && failure.with_untracked(Option::is_none)
        {
            more();
        }
    };
    let more_view = move || {
        view! {
            <button type="button" class="button quiet thread-more" on:click=move |_| more()>
                {part(move || if reading_more.get() { "Reading…".erase() } else { "Show more".erase() })}
            </button>
        }
        .erase()
    };
    provide_context(Listed { groups, found, editing, undoing, archived, picking });
    let several = move || {
        let said = move |number| part(move || draw(Part::Conversation, Piece::Undone(undoing, number)));
        let row = |number| Row::new(Key::At(number), move || said(number));
        undoing.of_several().into_iter().map(row).collect()
    };
    view! {
        <div class="thread-groups" node_ref=scroller on:scroll=on_scroll>
            <div class="undo-several">{list(several)}</div>
            {part(move || {
                if picking.get() {
                    draw(Part::Conversation, Piece::Picking)
                } else {
                    list(rows)
                }
            })}
            <div role="status">
                {part(move || match said(&asked.get(), &listing.get(), shown.with(Vec::is_empty)) {
                    words if words.is_empty() => ().erase(),
                    words => view! { <p class="sidebar-empty">{words}</p> }.erase(),
                })}
            </div>
            {part(move || match failure.get() {
                Some(why) => view! { <p class="form-error" role="alert">{why}</p> }.erase(),
                None => ().erase(),
            })}
            {when(move || next.with(Option::is_some), more_view)}
        </div>
    }
    .erase()
}

/// What the list shows, for those who draw it in another way.
#[derive(Clone, Copy)]
pub(super) struct Listed {
    /// The conversations by day.
    pub(super) groups: Memo<Groups>,
    /// What was looked for in them.
    pub(super) found: Found,
    /// The conversation whose title is being changed. As long as there is one nothing moves: its row would be made anew in
    /// another group, without what was typed.
    pub(super) editing: RwSignal<Option<ThreadId>>,
    /// What was just done to them.
    pub(super) undoing: Undoing,
    /// Whether they are those that were put away.
    pub(super) archived: RwSignal<bool>,
    /// Whether several are being chosen.
    pub(super) picking: RwSignal<bool>,
}

/// Conversations by day.
pub(super) type Groups = Vec<(&'static str, Vec<Thread>)>;

/// What was looked for, and what stands around it in the conversations that hold it.
#[derive(Clone, Copy)]
pub(crate) struct Found(Memo<(String, Vec<(ThreadId, String)>)>);

impl Found {
    /// The words that were found in a conversation.
    pub(crate) fn words(self, id: ThreadId) -> Option<String> {
        self.0.with_untracked(|(query, found)| found.iter().any(|(thread, _)| *thread == id).then(|| query.clone()))
    }

    /// What was found in a conversation, with the words marked.
    pub(crate) fn excerpt(self, id: ThreadId) -> Option<AnyView> {
        self.0.with(|(query, found)| {
            let (_, excerpt) = found.iter().find(|(thread, _)| *thread == id)?;
            let marked = marked(excerpt, query).into_iter().map(|(text, found)| {
                let text = text.to_owned();
                if found { view! { <mark>{text}</mark> }.erase() } else { text.erase() }
            });
            let marked: Vec<AnyView> = marked.collect();
            Some(view! { <span class="thread-excerpt" dir="auto">{marked}</span> }.erase())
        })
    }
}

/// A text in pieces, and of each whether it is one of the words that were looked for.
fn marked<'a>(text: &'a str, query: &str) -> Vec<(&'a str, bool)> {
    let words: Vec<String> = query.split_whitespace().map(str::to_lowercase).collect();
    let found_at = |at: usize| {
        let length = |word: &String| {
            let mut rest = text[at..].char_indices();
            for wanted in word.chars() {
                let (_, c) = rest.next()?;
                // Of the few letters whose small form has several characters, the first decides.
                if c.to_lowercase().next() != Some(wanted) {
                    return None;
                }
            }
            Some(rest.next().map_or(text.len(), |(end, _)| at + end))
        };
        words.iter().filter_map(length).max()
    };
    let (mut pieces, mut from, mut at) = (Vec::new(), 0, 0);
    while let Some(c) = text[at..].chars().next() {
        match found_at(at) {
            Some(end) if end > at => {
                pieces.push((&text[from..at], false));
                pieces.push((&text[at..end], true));
                (from, at) = (end, end);
            }
            _ => at += c.len_utf8(),
        }
    }
    pieces.push((&text[from..], false));
    pieces.retain(|(piece, _)| !piece.is_empty());
    pieces
}

/// What is said in place of a list, or about one that is not complete.
fn said(asked: &Asked, listing: &Listing, empty: bool) -> String {
    if asked.is_own() {
        return if empty { "Conversations will be listed here.".to_owned() } else { String::new() };
    }
    match listing {
        Listing::Reading if asked.query.is_empty() => "Reading the list…".to_owned(),
        Listing::Reading => "Searching…".to_owned(),
        Listing::Failed(why) if asked.query.is_empty() => format!("The list could not be read. {why}"),
        Listing::Failed(why) => format!("The search could not be done. {why}"),
        Listing::Read(_) if !empty => String::new(),
        Listing::Read(_) if asked.query.is_empty() => "No conversation has been archived.".to_owned(),
        Listing::Read(_) if asked.archived => format!("Nothing archived holds “{}”.", asked.query),
        Listing::Read(_) => format!("Nothing found for “{}”.", asked.query),
    }
}

fn by_day(threads: Vec<Thread>, now: netra_ws::Timestamp, offset: i64) -> Vec<(&'static str, Vec<Thread>)> {
    let newest = threads.iter().map(|thread| thread.updated_at).max().unwrap_or(now).max(now);
    let mut groups: Vec<(&'static str, Vec<Thread>)> = Vec::new();
    for thread in threads {
        let name = if thread.pinned { "Pinned" } else { day_group(thread.updated_at, newest, offset) };
        match groups.iter_mut().find(|(group, _)| *group == name) {
            Some((_, members)) => members.push(thread),
            None => groups.push((name, vec![thread])),
        }
    }
    groups
}

/// The groups as they were, with the threads as they are now; those that came meanwhile wait.
fn in_place(before: &[(&'static str, Vec<Thread>)], fresh: &[Thread]) -> Vec<(&'static str, Vec<Thread>)> {
    let newest = |thread: &Thread| fresh.iter().find(|known| known.id == thread.id).cloned();
    before.iter().map(|(name, members)| (*name, members.iter().filter_map(newest).collect())).collect()
}

/// Does it once nobody has asked for it again for a moment.
fn debounced(act: impl Fn() + Copy + Send + Sync + 'static) -> impl Fn() + Copy {
    let waiting = StoredValue::new(None::<TimeoutHandle>);
    on_cleanup(move || {
        if let Some(timer) = waiting.try_get_value().flatten() {
            timer.clear();
        }
    });
    move || {
        if let Some(timer) = waiting.get_value() {
            timer.clear();
        }
        waiting.set_value(set_timeout_with_handle(act, PAUSE).ok());
    }
}

/// The conversations of some days.
#[component]
fn Group(groups: Memo<Vec<(&'static str, Vec<Thread>)>>, name: &'static str) -> impl IntoView {
    let members = memo(move || {
        let members = |groups: &Vec<(&'static str, Vec<Thread>)>| {
            groups.iter().find(|(group, _)| *group == name).map(|(_, members)| members.clone())
        };
        groups.with(members).unwrap_or_default()
    });
    let rows = move || {
        let row = |first: Thread| {
            let id = first.id;
            Row::new(Key::Id(id.uuid(), "thread"), move || {
                let thread = memo(move || {
                    let known = members.with(|members| members.iter().find(|thread| thread.id == id).cloned());
                    known.unwrap_or_else(|| first.clone())
                });
                view! { <ThreadItem id thread /> }.erase()
            })
        };
        members.get().into_iter().map(row).collect()
    };
    view! {
        <section class="thread-group">
            <h2 class="thread-group-title">{name}</h2>
            <ul class="thread-list">{list(rows)}</ul>
        </section>
    }
    .erase()
}

#[cfg(test)]
mod tests {
    use super::marked;

    #[test]
    fn the_words_that_were_found_are_marked() {
        let check = |text: &str, query: &str, wanted: &[(&str, bool)]| assert_eq!(marked(text, query), wanted);
        check("A penguin swims", "PENG", &[("A ", false), ("peng", true), ("uin swims", false)]);
        check("これは日本語です", "日本", &[("これは", false), ("日本", true), ("語です", false)]);
        check("Ünder über", "ü", &[("Ü", true), ("nder ", false), ("ü", true), ("ber", false)]);
        check("aaa", "aa a", &[("aa", true), ("a", true)]);
        check("nothing", "", &[("nothing", false)]);
        check("", "x", &[]);
    }
}
