//! The store: users, sign-ins, threads, runs, and the event log.

mod place;
pub mod sqlite;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use netra_ws::{
    CommandId, MessageId, RunId, ThreadId, Timestamp, UserId,
    log::{EventLog, Fence, LogError},
    model::{Member, Message, Role, Thread, User},
    payload::Ack,
};
use uuid::Uuid;

pub use place::ThreadPlace;

/// A store failed, or holds something that cannot be read back.
pub type StoreError = sqlx::Error;

/// What a store does, apart from the log.
#[async_trait]
pub trait Store: EventLog {
    /// Whether the database answers.
    async fn ping(&self) -> Result<(), StoreError>;

    /// Adds a user; `None` when the e-mail address is taken. The first user with a password becomes an administrator.
    async fn add_user(&self, user: NewUser) -> Result<Option<User>, StoreError>;
    /// The user with this address and the password's hash.
    async fn user_by_email(&self, email: &str) -> Result<Option<(User, String)>, StoreError>;
    /// The developer, made when missing.
    async fn dev_user(&self) -> Result<User, StoreError>;

    /// Keeps a sign-in under the digest of its secret.
    async fn add_session(&self, digest: &[u8], user: UserId, expires_at: Timestamp) -> Result<(), StoreError>;
    /// Whose sign-in it is, if it is still good.
    async fn session(&self, digest: &[u8]) -> Result<Option<User>, StoreError>;
    /// Ends a sign-in.
    async fn end_session(&self, digest: &[u8]) -> Result<(), StoreError>;

    /// Keeps a program's token under its digest; `None` when the user has [`MAX_API_TOKENS`] already.
    async fn add_api_token(&self, user: UserId, name: &str, digest: &[u8]) -> Result<Option<ApiToken>, StoreError>;
    /// The user's tokens, oldest first.
    async fn api_tokens(&self, user: UserId) -> Result<Vec<ApiToken>, StoreError>;
    /// Revokes a token; `false` when it is not the user's.
    async fn remove_api_token(&self, user: UserId, id: Uuid) -> Result<bool, StoreError>;
    /// Whose token it is, if it was not revoked; notes that it was used.
    async fn api_token_user(&self, digest: &[u8]) -> Result<Option<User>, StoreError>;
    /// The user with this address.
    async fn user_by_address(&self, email: &str) -> Result<Option<User>, StoreError>;

    /// Makes an empty thread.
    async fn add_thread(&self, user: UserId, title: &str, agent: &str) -> Result<Thread, StoreError>;
    /// The thread, if the user owns it or is a member.
    async fn thread(&self, user: UserId, id: ThreadId) -> Result<Option<Thread>, StoreError>;
    /// Threads that the user owns or is a member of: pinned first, then the newest.
    async fn threads(&self, user: UserId, query: &ThreadQuery) -> Result<Vec<Thread>, StoreError>;
    /// Changes title and settings; nothing changes when the thread is not the user's own.
    async fn change_thread(
        &self,
        user: UserId,
        id: ThreadId,
        change: &ThreadChange,
    ) -> Result<Option<Thread>, StoreError>;
    /// Removes a thread with all that belongs to it; `false` when it is not the user's own.
    async fn remove_thread(&self, user: UserId, id: ThreadId) -> Result<bool, StoreError>;
    /// Up to `limit` messages before the event `before_seq`, oldest first.
    async fn messages(
        &self,
        thread: ThreadId,
        before_seq: Option<u64>,
        limit: usize,
    ) -> Result<Vec<Message>, StoreError>;
    /// The user's messages that match, best first.
    async fn search_messages(&self, user: UserId, query: &str, limit: usize) -> Result<Vec<Found>, StoreError>;

    /// The thread's members, its owner first.
    async fn members(&self, thread: ThreadId) -> Result<Vec<Member>, StoreError>;
    /// Lets a user read the thread; `false` when the user may already, or the thread has [`MAX_MEMBERS`].
    async fn add_member(&self, thread: ThreadId, user: UserId) -> Result<bool, StoreError>;
    /// Takes that back; `false` when the user is no member.
    async fn remove_member(&self, thread: ThreadId, user: UserId) -> Result<bool, StoreError>;
    /// Everyone who may read the thread.
    async fn audience(&self, thread: ThreadId) -> Result<Vec<UserId>, StoreError>;

    /// What the command was answered before, marked as a duplicate; `IdConflict` when it was another command.
    async fn earlier_answer(&self, user: UserId, command: CommandId, digest: &[u8]) -> Result<Option<Ack>, LogError>;

    /// Keeps that a run is to stop, with the command that said so: the first answer when it was carried out before.
    async fn record_stop(&self, run: RunId, command: Recorded<'_>) -> Result<Ack, LogError>;

    /// Claims the thread's next run, if none is being worked on.
    async fn claim_run(&self, thread: ThreadId, owner: &str, lease: Duration)
    -> Result<Option<ClaimedRun>, StoreError>;
    /// Keeps a run for another lease; `false` when it is no longer ours.
    async fn renew_lease(&self, fence: Fence, lease: Duration) -> Result<bool, StoreError>;
    /// Gives a run back, so that any process can claim it at once.
    async fn release_lease(&self, fence: Fence) -> Result<(), StoreError>;
    /// Threads with runs that wait for a worker or whose worker is gone.
    async fn threads_with_work(&self, lease: Duration) -> Result<Vec<ThreadId>, StoreError>;
    /// Removes deltas of runs that ended before `before`, of `limit` runs at most; cursors inside then get a snapshot.
    async fn trim(&self, before: Timestamp, limit: usize) -> Result<Trimmed, StoreError>;
    /// The run's thread and whether the run has yet to end, if the user may read it.
    async fn find_run(&self, user: UserId, run: RunId) -> Result<Option<(ThreadId, bool)>, StoreError>;
}

/// A store behind a pointer.
pub type SharedStore = Arc<dyn Store>;

/// Members that a thread may have besides its owner.
pub const MAX_MEMBERS: usize = 100;

/// Tokens that one user may have.
pub const MAX_API_TOKENS: usize = 100;

/// A program's token, as far as it is kept.
#[derive(Clone, Debug, schemars::JsonSchema, serde::Serialize)]
pub struct ApiToken {
    /// Names it when it is to be revoked.
    #[schemars(with = "String")]
    pub id: Uuid,
    /// What it is for.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was used last, to the minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<Timestamp>,
}

/// A user to be added.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// Sign-in address.
    pub email: String,
    /// Name shown.
    pub name: String,
    /// Argon2id hash in PHC form.
    pub password_hash: String,
}

/// Which threads to list.
#[derive(Clone, Debug, Default)]
pub struct ThreadQuery {
    /// Words in the title or in a message.
    pub text: Option<String>,
    /// Archived ones instead of the others.
    pub archived: bool,
    /// At most so many.
    pub limit: usize,
    /// Those behind this place.
    pub after: Option<ThreadPlace>,
}

/// What to change; what is absent stays.
#[derive(Clone, Debug, Default)]
pub struct ThreadChange {
    /// The new title.
    pub title: Option<String>,
    /// Kept on top or not.
    pub pinned: Option<bool>,
    /// Put away or not.
    pub archived: Option<bool>,
    /// The agent that answers.
    pub agent: Option<String>,
}

/// A command that adds no message, and its answer.
#[derive(Clone, Copy, Debug)]
pub struct Recorded<'a> {
    /// Who gave it.
    pub user_id: UserId,
    /// The idempotency key.
    pub command_id: CommandId,
    /// A digest of its body, to tell a resend from a clash.
    pub digest: &'a [u8],
    /// The thread that it is about; the record lives as long.
    pub thread_id: ThreadId,
    /// The answer.
    pub ack: &'a Ack,
}

/// A message that matched a search.
#[derive(Clone, Debug)]
pub struct Found {
    /// Its thread.
    pub thread_id: ThreadId,
    /// The thread's title.
    pub title: String,
    /// The part that matched.
    pub excerpt: String,
    /// When it was said.
    pub created_at: Timestamp,
}

/// What trimming removed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Trimmed {
    /// Runs looked at.
    pub runs: usize,
    /// Events removed.
    pub events: usize,
}

/// A run to work on.
#[derive(Clone, Debug)]
pub struct ClaimedRun {
    /// Proof of owning it.
    pub fence: Fence,
    /// Its thread.
    pub thread_id: ThreadId,
    /// For whom: whoever wrote the message, so that tools show nobody else's data.
    pub user_id: UserId,
    /// The message to answer.
    pub message_id: Option<MessageId>,
    /// Who answers.
    pub agent: String,
    /// The event that started it, when a worker before this one got that far.
    pub start_seq: Option<u64>,
    /// Its user stopped it, perhaps in another process's time.
    pub stopped: bool,
}

/// A role as the store keeps it.
pub(crate) const fn role_name(role: Role) -> &'static str {
    match role {
        Role::User => "user",
        Role::Admin => "admin",
    }
}
