//! What a hostile user, page or network tries, and what comes of it.

mod answers;
mod authorisation;
mod connections;
mod developer;
mod files;
mod pages;
mod search;
mod sharing;
