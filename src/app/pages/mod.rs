//! Pages, one a file.

mod account;
mod admin;
mod chat;
mod connecting;
mod home;
mod login;
mod not_found;
mod settings;
mod thread;

pub(crate) use account::AccountPage;
pub(crate) use admin::AdminPage;
pub(crate) use chat::{ChatLayout, Layout};
pub(crate) use home::HomePage;
pub(crate) use login::LoginPage;
pub(crate) use not_found::{NotFoundPage, UnknownPage};
pub(crate) use settings::SettingsPage;
pub(crate) use thread::ThreadPage;
