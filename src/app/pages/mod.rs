//! Pages, one a file.

mod chat;
mod home;
mod login;
mod not_found;
mod thread;

pub(crate) use chat::{ChatLayout, Layout};
pub(crate) use home::HomePage;
pub(crate) use login::LoginPage;
pub(crate) use not_found::NotFoundPage;
pub(crate) use thread::ThreadPage;
