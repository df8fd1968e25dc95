//! Components, one a file.

mod answer;
mod card;
mod composer;
mod icon;
mod link_status;
mod message_list;
mod notices;
mod sharing;
mod sidebar;
mod steps;
mod thread_item;
mod topbar;
mod typing;
mod waiting;

pub(crate) use composer::Composer;
pub(crate) use icon::{Icon, Mark};
pub(crate) use message_list::MessageList;
pub(crate) use notices::Notices;
pub(crate) use sharing::Sharing;
pub(crate) use sidebar::Sidebar;
pub(crate) use topbar::Topbar;
pub(crate) use typing::Typing;
pub(crate) use waiting::waiting_row;
