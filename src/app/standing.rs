//! Whether the reader of a conversation may do more there than read.

use leptos::prelude::*;
use netra_ws::{
    ThreadId,
    model::{Role, Thread},
};

use super::{
    store::use_store,
    view::{effect, memo},
};

/// Whether the reader may not write in the conversation.
#[derive(Clone, Copy)]
pub(crate) struct Standing(pub(crate) Memo<bool>);

/// Whether what is shown can only be read, because of the reader's standing or because it is past; the card of a run asks it, too.
#[derive(Clone, Copy)]
pub(crate) struct ReadsOnly(pub(crate) Memo<bool>);

/// For the conversation that a page shows. What the page came with counts until the thread's next version, whose roles may be
/// others.
pub(crate) fn provide_standing(thread: ThreadId, head: Memo<Option<Thread>>) -> Standing {
    let app = use_store();
    let me = app.user().map(|user| user.id);
    let guest = app.user().is_some_and(|user| user.role == Role::Guest);
    let reads = RwSignal::new(app.reads_only(thread));
    let own = memo(move || head.with(|head| head.as_ref().is_some_and(|thread| Some(thread.owner_id) == me)));
    let version = memo(move || head.with(|head| head.as_ref().map(|thread| thread.version)));
    let mut known = app.reads_only(thread).then_some(()).and(version.get_untracked());
    effect(move || {
        let now = version.get();
        if own.get() || guest || now.is_none() || now == known {
            return;
        }
        known = now;
        ask(thread, reads);
    });
    Standing(memo(move || !own.get() && (guest || reads.get())))
}

#[cfg(feature = "hydrate")]
fn ask(thread: ThreadId, reads: RwSignal<bool>) {
    leptos::task::spawn_local(async move {
        // What cannot be asked now is asked with the next version; the server refuses meanwhile what is not allowed.
        if let Ok(may_write) = super::api::may_write(thread).await {
            let _ = reads.try_set(!may_write);
        }
    });
}

#[cfg(not(feature = "hydrate"))]
fn ask(_: ThreadId, _: RwSignal<bool>) {}
