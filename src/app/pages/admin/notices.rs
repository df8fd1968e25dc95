//! A notice for every open page.

use leptos::{html, prelude::*};
use serde_json::json;

use super::{
    board::{Board, Deed},
    table::outcome,
};
use crate::app::view::{Erase, live, view};

pub(super) fn view() -> AnyView {
    let board = Board::reading("");
    let words = NodeRef::<html::Textarea>::new();
    let level = NodeRef::<html::Select>::new();
    let send = move || {
        let (Some(words), Some(level)) = (words.get_untracked(), level.get_untracked()) else { return };
        board.act(Deed {
            method: "POST",
            path: "/api/admin/broadcast".to_owned(),
            body: Some(json!({ "message": words.value(), "level": level.value() })),
            done: "Every page that is open shows it.",
        });
        words.set_value("");
    };
    view! {
        <form
            class="admin-form admin-notice"
            on:submit=move |event| {
                event.prevent_default();
                send();
            }
        >
            <label class="field">
                <span class="field-label">"What everyone is to read"</span>
                <textarea rows="3" maxlength="2000" required node_ref=words></textarea>
            </label>
            <label class="field">
                <span class="field-label">"How much it matters"</span>
                <select node_ref=level>
                    <option value="info">"For information"</option>
                    <option value="warn">"A warning"</option>
                    <option value="danger">"A fault"</option>
                </select>
            </label>
            <button type="submit" class="button primary" disabled=live(move || board.busy.get())>
                "Show it"
            </button>
        </form>
        {outcome(board)}
    }
    .erase()
}
