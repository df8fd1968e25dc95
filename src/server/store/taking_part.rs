//! Who takes part in a thread, and what each may do there: invitations, roles, blocks.

use async_trait::async_trait;
use netra_ws::{
    ThreadId, Timestamp, UserId,
    model::{Author, MemberRole, Role},
};

use super::StoreError;

/// Members that a thread may have besides its owner, those invited among them.
pub const MAX_MEMBERS: usize = 100;

/// Invitations that one person may have from another, and from all together, before answering some.
pub const MAX_INVITATIONS: (usize, usize) = (20, 200);

/// People whom one user may block.
pub const MAX_BLOCKS: usize = 1_000;

/// What became of an invitation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inviting {
    /// It was made.
    Made,
    /// The person takes part already, or was invited before.
    IsMember,
    /// The thread has [`MAX_MEMBERS`].
    Full,
    /// The person has [`MAX_INVITATIONS`].
    TooMany,
    /// The person takes none from this one.
    Blocked,
}

/// An invitation to a thread.
#[derive(Clone, Debug)]
pub struct ThreadInvitation {
    /// Which thread.
    pub thread_id: ThreadId,
    /// Its title.
    pub title: String,
    /// Who invites.
    pub invited_by: Author,
    /// What the invited may do there.
    pub role: MemberRole,
    /// When.
    pub created_at: Timestamp,
}

/// What a user may do in a thread, and what waits for them.
// Each is a fact of its own.
#[allow(clippy::struct_excessive_bools)]
#[derive(Clone, Copy, Debug)]
pub struct Standing {
    /// What the user is on this server.
    pub role: Role,
    /// Whether the user has yet to show that the address is theirs.
    pub address_due: bool,
    /// Whether the user may write in the thread; in a new one everybody may.
    pub writes: bool,
    /// Whether the user was invited to the thread and has yet to accept.
    pub invited: bool,
    /// The user's runs in this thread that have not ended.
    pub unfinished_here: u64,
    /// The same in all threads.
    pub unfinished: u64,
}

impl Standing {
    /// Whether the user may do more in the thread than read. Guests never do.
    pub fn may_write(&self) -> bool {
        self.writes && self.role != Role::Guest
    }
}

/// What models have used for a user.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Spent {
    /// Tokens, read and written.
    pub tokens: u64,
    /// US dollars, as far as prices are known.
    pub cost: f64,
}

/// What a store does for those who take part.
///
/// # Guarantees
/// Each call is one transaction. How many members, invitations and blocks there are is counted in the transaction that adds one. A
/// block and the end of the invitations that it is about are one transaction, so that none of them is accepted afterwards; so are a
/// change of members and the growth of the thread's version. [`TakingPart::standing`] reads nothing stale: a role or a membership that
/// was taken away opens nothing after the call returned. What is counted of runs and spending may be older than what is written
/// beside it; quotas allow for that. When somebody was invited, accepted or blocked is told by the store's clock; `since` is the
/// caller's.
#[async_trait]
pub trait TakingPart: Send + Sync {
    /// Invites a user to a thread.
    async fn invite(
        &self,
        thread: ThreadId,
        by: UserId,
        user: UserId,
        role: MemberRole,
    ) -> Result<Inviting, StoreError>;
    /// The invitations that a user has yet to answer, the newest first.
    async fn thread_invitations(&self, user: UserId) -> Result<Vec<ThreadInvitation>, StoreError>;
    /// Takes an invitation; `false` when there is none, or it was taken before.
    async fn accept_invitation(&self, thread: ThreadId, user: UserId) -> Result<bool, StoreError>;
    /// Changes what a member may do; `false` when the user is no member.
    async fn set_member_role(&self, thread: ThreadId, user: UserId, role: MemberRole) -> Result<bool, StoreError>;
    /// The address that a user signs in with.
    async fn address_of(&self, user: UserId) -> Result<Option<String>, StoreError>;
    /// What models have used for the user since then.
    async fn spent(&self, user: UserId, since: Timestamp) -> Result<Spent, StoreError>;
    /// What the user may do; `None` for a thread that the user may not read.
    async fn standing(&self, user: UserId, thread: Option<ThreadId>) -> Result<Option<Standing>, StoreError>;

    /// Threads of the owner's in which the other takes part or is invited.
    async fn shared_with(&self, owner: UserId, other: UserId) -> Result<Vec<ThreadId>, StoreError>;
    /// The user wants no more invitations from another; those that wait go. `false` when [`MAX_BLOCKS`] are blocked already.
    async fn block(&self, user: UserId, blocked: UserId) -> Result<bool, StoreError>;
    /// Takes that back; `false` when there was nothing to take back.
    async fn unblock(&self, user: UserId, blocked: UserId) -> Result<bool, StoreError>;
    /// Whom the user has blocked, by name.
    async fn blocked(&self, user: UserId) -> Result<Vec<Author>, StoreError>;
}
