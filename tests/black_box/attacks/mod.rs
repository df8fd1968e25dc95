//! What a hostile user, page or network tries, and what comes of it.

mod answers;
mod authorisation;
mod connections;
mod credentials;
mod developer;
mod files;
mod frames;
mod held_up;
mod pages;
mod search;
mod sharing;
