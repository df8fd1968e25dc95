//! Components, one a file.

mod answer;
mod approval;
mod attachments;
mod card;
mod commands;
mod composer;
mod copying;
mod export;
#[cfg(any(feature = "hydrate", test))]
mod growing;
mod icon;
mod importing;
mod invitations;
mod link_status;
mod looked_for;
mod message_list;
mod notices;
mod notifier;
mod overlay;
mod palette;
mod panel;
#[cfg(feature = "hydrate")]
mod patch;
mod picking;
mod queue;
mod read_only_links;
mod reader;
mod reading;
mod rewind;
mod said;
#[cfg_attr(not(feature = "hydrate"), allow(dead_code))]
mod scan;
mod sharing;
mod shortcuts;
mod sidebar;
mod spoken;
mod stamp;
mod steps;
mod theme_switch;
mod thread_item;
mod thread_list;
mod tool_data;
mod topbar;
mod typing;
mod undoing;
mod variants;
mod waiting;
mod window;

#[cfg(feature = "ssr")]
pub(crate) use answer::whole as whole_answer;
pub(crate) use commands::Commands;
pub(crate) use composer::{Composer, Work};
pub(crate) use copying::copy_button;
pub(crate) use export::Export;
pub(crate) use icon::{Icon, Mark};
pub(crate) use importing::Importing;
pub(crate) use looked_for::LookedFor;
pub(crate) use message_list::MessageList;
pub(crate) use notices::Notices;
pub(crate) use notifier::Notifier;
pub(crate) use palette::Palette;
pub(crate) use panel::{EventPanel, PanelButton, provide_panel};
pub(crate) use picking::Picking;
pub(crate) use queue::Queue;
pub(crate) use reading::watch_history;
pub(crate) use rewind::{RewindBar, provide_rewind};
pub(crate) use sharing::Sharing;
pub(crate) use shortcuts::Shortcuts;
pub(crate) use sidebar::Sidebar;
pub(crate) use spoken::Spoken;
pub(crate) use stamp::stamp;
pub(crate) use theme_switch::ThemeSwitch;
pub(crate) use topbar::Topbar;
pub(crate) use typing::Typing;
pub(crate) use variants::provide_way;
pub(crate) use waiting::waiting_row;
