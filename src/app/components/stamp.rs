//! When something was said.

use leptos::prelude::*;
use netra_ws::Timestamp;

use crate::app::{
    store::use_store,
    time::moment,
    view::{Erase, live, view, words},
};
#[cfg(feature = "hydrate")]
use crate::app::{time::zone_offset_at, view::effect};

/// A time of day in the reader's zone, with its date when it was on another day.
pub(crate) fn stamp(at: Timestamp) -> AnyView {
    let rendered = use_store().rendered_at();
    // The server does not know the reader's zone: both sides begin with UTC.
    let offset = RwSignal::new(0_i64);
    #[cfg(feature = "hydrate")]
    effect(move || offset.set(zone_offset_at(at)));
    view! {
        <time
            class="stamp"
            datetime=at.to_string()
            title=live(move || moment(at, Timestamp::default(), offset.get()))
        >
            {words(move || moment(at, rendered.max(at), offset.get()))}
        </time>
    }
    .erase()
}
