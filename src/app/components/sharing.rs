//! Who takes part in a thread: who is here now, and the panel where members are added and removed.

use leptos::{html, prelude::*, task::spawn_local, web_sys::EventTarget};
use netra_ws::{
    ThreadId,
    model::{Member, MemberRole, Thread},
};

use super::{Icon, read_only_links::ReadOnlyLinks};
use crate::app::{
    api,
    room_view::enumerated,
    store::use_store,
    view::{Erase, Key, Row, effect, list, live, memo, view, when, words},
};

/// The button in the top bar, and its panel.
#[component]
pub(crate) fn Sharing(thread: ThreadId, head: Memo<Option<Thread>>) -> impl IntoView {
    let store = use_store();
    let me = store.user().map(|user| user.id);
    let own = memo(move || head.with(|head| head.as_ref().is_some_and(|thread| Some(thread.owner_id) == me)));
    let shared = memo(move || head.with(|head| head.as_ref().is_some_and(|thread| thread.shared)));
    let open = RwSignal::new(false);
    let room = store.room.clone();
    let here = memo(move || room.with(|room| room.others(me)));
    let label = move || {
        let names = here.get();
        match (names.is_empty(), shared.get()) {
            (false, _) => format!("{} here", enumerated(&names)),
            (true, true) => "Shared".to_owned(),
            (true, false) => "Share".to_owned(),
        }
    };
    let panel = move || view! { <Panel thread own open /> }.erase();
    // A modal dialog of the browser's own: the page behind it is inert, Escape closes it, and the focus goes in and comes back.
    let dialog = NodeRef::<html::Dialog>::new();
    effect(move || {
        let (Some(dialog), wanted) = (dialog.get(), open.get()) else { return };
        // After its content is there, for the focus to go into.
        request_animation_frame(move || match (wanted, dialog.open()) {
            (true, false) => _ = dialog.show_modal(),
            (false, true) => dialog.close(),
            (true, true) | (false, false) => {}
        });
    });
    view! {
        <div class="sharing">
            <button
                type="button"
                class="button quiet sharing-button"
                aria-haspopup="dialog"
                aria-expanded=live(move || open.get().to_string())
                aria-controls="members"
                data-present=live(move || (!here.with(Vec::is_empty)).to_string())
                on:click=move |_| open.set(true)
            >
                {Icon::People.view()}
                <span class="sharing-label">{words(label)}</span>
            </button>
            <dialog
                class="sharing-panel"
                id="members"
                aria-label="Who takes part"
                node_ref=dialog
                on:close=move |_| open.set(false)
                on:click=move |event| {
                    // The content covers the dialog: what hits the dialog itself has gone beside it.
                    let hit = event.target().zip(dialog.get_untracked());
                    let beside = hit.is_some_and(|(target, dialog)| {
                        let dialog: &EventTarget = dialog.as_ref();
                        target == *dialog
                    });
                    if beside {
                        open.set(false);
                    }
                }
            >
                {when(move || open.get(), panel)}
            </dialog>
        </div>
    }
    .erase()
}

#[component]
fn Panel(thread: ThreadId, own: Memo<bool>, open: RwSignal<bool>) -> impl IntoView {
    let me = use_store().user().map(|user| user.id);
    let members = RwSignal::new(Vec::<Member>::new());
    let status = RwSignal::new("Loading…".to_owned());
    let failed = RwSignal::new(false);
    let busy = RwSignal::new(false);
    let show = move |outcome: Result<Vec<Member>, ServerFnError>| {
        // The panel may be closed when the server answers.
        let _ = busy.try_set(false);
        let _ = failed.try_set(outcome.is_err());
        match outcome {
            Ok(found) => {
                let _ = status.try_set(String::new());
                let _ = members.try_set(found);
            }
            Err(error) => _ = status.try_set(api::reason(&error)),
        }
    };
    effect(move || spawn_local(async move { show(api::members(thread).await) }));
    let address = NodeRef::<html::Input>::new();
    let reads_only = NodeRef::<html::Input>::new();
    let add = move || {
        let Some(field) = address.get_untracked() else { return };
        let email = field.value().trim().to_owned();
        if email.is_empty() || busy.get_untracked() {
            return;
        }
        let viewer = reads_only.get_untracked().is_some_and(|field| field.checked());
        busy.set(true);
        spawn_local(async move {
            let outcome = api::add_member(thread, email, Some(viewer)).await;
            if outcome.is_ok()
                && let Some(field) = address.try_get_untracked().flatten()
            {
                field.set_value("");
            }
            show(outcome);
        });
    };
    let remove = move |email: Option<String>| {
        let leaving = email.is_none();
        spawn_local(async move {
            match api::remove_member(thread, email).await {
                // The page hears that the thread is gone.
                Ok(_) if leaving => _ = open.try_set(false),
                outcome => show(outcome),
            }
        });
    };
    let rows = move || {
        let row = move |member: Member| {
            let key = Key::Id(member.id.uuid(), if own.get() { "own" } else { "other" });
            let removable = !member.owner && (own.get() || Some(member.id) == me);
            let itself = Some(member.id) == me;
            Row::new(key, move || {
                let Member { name, email, owner, role, invited, .. } = member;
                let address = email.clone().unwrap_or_default();
                let about = match (owner, invited, role == MemberRole::Viewer) {
                    (true, ..) => "Owner".to_owned(),
                    (false, true, _) => format!("{address} · invited"),
                    (false, false, true) => format!("{address} · reads"),
                    (false, false, false) => address,
                };
                let button = removable.then(|| {
                    let (label, address) = if itself { ("Leave", None) } else { ("Remove", email) };
                    view! {
                        <button type="button" class="button quiet" on:click=move |_| remove(address.clone())>
                            {label}
                        </button>
                    }
                    .erase()
                });
                view! {
                    <li class="member">
                        <span class="member-name">{name}</span>
                        <span class="member-about">{about}</span>
                        {button}
                    </li>
                }
                .erase()
            })
        };
        members.get().into_iter().map(row).collect()
    };
    let form = move || {
        view! {
            <form
                class="member-form"
                on:submit=move |event| {
                    event.prevent_default();
                    add();
                }
            >
                <input
                    type="email"
                    class="input"
                    required
                    placeholder="E-mail address"
                    aria-label="E-mail address of someone to add"
                    node_ref=address
                />
                <button type="submit" class="button" disabled=live(move || busy.get())>
                    "Add"
                </button>
                <label class="member-viewer">
                    <input type="checkbox" node_ref=reads_only />
                    "May read only"
                </label>
            </form>
        }
        .erase()
    };
    let links = move || view! { <ReadOnlyLinks thread /> }.erase();
    view! {
        <section class="members">
            <header class="members-head">
                <h2 class="members-title">"Who takes part"</h2>
                <button type="button" class="icon-button" aria-label="Close" on:click=move |_| open.set(false)>
                    {Icon::Cross.view()}
                </button>
            </header>
            <ul class="member-list">{list(rows)}</ul>
            <p
                class="members-status"
                data-failed=live(move || failed.get().to_string())
                role="status"
            >
                {words(move || status.get())}
            </p>
            {when(move || own.get(), form)}
            <p class="members-note">"Whoever you add is invited: they can read the whole conversation, and take part once they accept."</p>
            {when(move || own.get(), links)}
        </section>
    }
    .erase()
}
