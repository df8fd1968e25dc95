//! Administration: one section at a time, each read from `/api/admin` in the browser. A section says what it reads and what can be
//! done with a row; `board.rs` reads and does it, `table.rs` shows it.

mod agents;
mod audit;
mod board;
mod cell;
mod confirm;
mod connections;
mod invitations;
mod notices;
mod runs;
mod settings;
mod sign_ins;
mod table;
mod usage;
mod users;

pub(super) use confirm::Confirmation;
use leptos::prelude::*;
use leptos_meta::Title;
use netra_ws::model::Role;

use crate::app::{
    address::use_address,
    components::{Notices, Topbar},
    store::use_store,
    view::{Erase, Key, Row, list, live, memo, part, view},
};

/// A section of the page.
struct Section {
    /// Its part of the address.
    slug: &'static str,
    /// Its heading.
    title: &'static str,
    view: fn() -> AnyView,
}

/// The sections, the first being shown when none is named.
const SECTIONS: [Section; 10] = [
    Section { slug: "users", title: "People", view: users::view },
    Section { slug: "invitations", title: "Invitations", view: invitations::view },
    Section { slug: "sign-ins", title: "Sign-ins", view: sign_ins::view },
    Section { slug: "connections", title: "Connections", view: connections::view },
    Section { slug: "runs", title: "Runs", view: runs::view },
    Section { slug: "usage", title: "Use", view: usage::view },
    Section { slug: "agents", title: "Agents", view: agents::view },
    Section { slug: "notices", title: "Notices", view: notices::view },
    Section { slug: "settings", title: "Settings", view: settings::view },
    Section { slug: "audit", title: "Audit log", view: audit::view },
];

/// The page.
#[component]
pub(crate) fn AdminPage() -> impl IntoView {
    let administers = use_store().user().is_some_and(|user| user.role == Role::Admin);
    let address = use_address();
    let shown = memo(move || {
        let path = address.path();
        let slug = path.strip_prefix("/admin/").unwrap_or_default();
        SECTIONS.iter().position(|section| section.slug == slug).unwrap_or_default()
    });
    view! {
        <Title text="Administration" />
        <Topbar title="Administration" agent="" />
        <Notices />
        {if administers {
            administration(shown)
        } else {
            view! {
                <div class="page">
                    <h2>"For administrators"</h2>
                    <p>"An administrator of this server can make you one, too."</p>
                </div>
            }
            .erase()
        }}
    }
    .erase()
}

fn administration(shown: Memo<usize>) -> AnyView {
    let link = move |at: usize| {
        let Section { slug, title, .. } = &SECTIONS[at];
        let current = live(move || (shown.get() == at).then_some("page"));
        view! {
            <li>
                <a class="admin-link" href=format!("/admin/{slug}") aria-current=current>
                    {*title}
                </a>
            </li>
        }
        .erase()
    };
    let links = move || (0..SECTIONS.len()).map(|at| Row::new(Key::At(at), move || link(at))).collect();
    view! {
        <div class="admin">
            <nav class="admin-links" aria-label="Administration">
                <ul>{list(links)}</ul>
            </nav>
            {part(move || {
                let section = &SECTIONS[shown.get()];
                view! {
                    <section class="admin-section" aria-label=section.title>
                        <h2>{section.title}</h2>
                        {(section.view)()}
                    </section>
                }
                .erase()
            })}
        </div>
    }
    .erase()
}
