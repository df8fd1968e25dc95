//! The store: a trait for each concern, with what each promises, and the one that is all of them.

pub mod addresses;
mod attachment_store;
mod audit_log;
pub mod closing;
mod command_ledger;
pub mod confirmation;
mod durability;
mod error;
mod finder;
mod history_store;
pub mod identities;
pub mod importing;
mod link_store;
pub mod mcp_connections;
mod member_store;
pub mod model_turns;
pub mod oversight;
mod place;
pub mod questions;
pub mod read_only_links;
mod run_queue;
pub mod second_factor;
mod sign_in_store;
pub mod sqlite;
pub mod stopping;
pub mod taking_part;
mod thread_catalog;
mod token_store;
mod upkeep;
mod user_store;

use std::sync::Arc;

use netra_ws::log::EventLog;

pub use attachment_store::{AttachmentStore, KeptAttachment, NewAttachment, NoRoom, Room};
pub use audit_log::{AuditLine, AuditLog, Deed};
pub use command_ledger::{CommandLedger, Recorded};
pub use durability::{Durability, UnknownDurability};
pub use error::{DiskFault, StoreError};
pub use finder::{Finder, Found, ThreadQuery};
pub use history_store::{Asked, History, HistoryStore, Path};
pub use link_store::{InvitationUse, LinkStore, Purpose};
pub use member_store::MemberStore;
pub use place::ThreadPlace;
pub use run_queue::{ClaimedRun, Nested, RunQueue, Wakes};
pub use sign_in_store::{MAX_SESSIONS, SignIn, SignInStore};
pub use thread_catalog::{ThreadCatalog, ThreadChange};
pub use token_store::{ApiToken, KnownToken, MAX_API_TOKENS, Scope, TokenStore};
pub use upkeep::{Trimmed, Upkeep};
pub use user_store::{NewUser, UserStore};

/// Everything about who somebody is.
pub trait AccountStore:
    UserStore
    + SignInStore
    + TokenStore
    + LinkStore
    + AuditLog
    + addresses::Addresses
    + closing::Closing
    + confirmation::Confirmations
    + identities::Identities
    + second_factor::SecondFactors
{
}

impl<T> AccountStore for T where
    T: UserStore
        + SignInStore
        + TokenStore
        + LinkStore
        + AuditLog
        + addresses::Addresses
        + closing::Closing
        + confirmation::Confirmations
        + identities::Identities
        + second_factor::SecondFactors
{
}

/// Everything that is kept: the event log and each concern beside it. What takes a part of it names that part.
pub trait Store:
    EventLog
    + AccountStore
    + ThreadCatalog
    + MemberStore
    + taking_part::TakingPart
    + RunQueue
    + questions::Questions
    + mcp_connections::McpConnections
    + read_only_links::ReadOnlyLinks
    + importing::Importing
    + stopping::Stopping
    + HistoryStore
    + AttachmentStore
    + model_turns::ModelTurns
    + Finder
    + CommandLedger
    + oversight::Oversight
    + Upkeep
{
}

impl<T> Store for T where
    T: EventLog
        + AccountStore
        + ThreadCatalog
        + MemberStore
        + taking_part::TakingPart
        + RunQueue
        + questions::Questions
        + mcp_connections::McpConnections
        + read_only_links::ReadOnlyLinks
        + importing::Importing
        + stopping::Stopping
        + HistoryStore
        + AttachmentStore
        + model_turns::ModelTurns
        + Finder
        + CommandLedger
        + oversight::Oversight
        + Upkeep
{
}

/// A store behind a pointer.
pub type SharedStore = Arc<dyn Store>;
