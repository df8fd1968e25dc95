//! Who types, above the message box.

use leptos::prelude::*;

use crate::app::{
    room_view::enumerated,
    store::use_store,
    view::{Erase, view, words},
};

/// One line, empty while nobody types.
#[component]
pub(crate) fn Typing() -> impl IntoView {
    let store = use_store();
    let me = store.user().map(|user| user.id);
    let room = store.room;
    let sentence = move || {
        let names = room.with(|room| room.typing(me));
        match names.len() {
            0 => String::new(),
            1 => format!("{} is typing", enumerated(&names)),
            _ => format!("{} are typing", enumerated(&names)),
        }
    };
    view! {
        <p class="typing" role="status">
            {words(sentence)}
        </p>
    }
    .erase()
}
