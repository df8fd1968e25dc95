//! Who takes part in a thread besides its owner.

use netra_ws::{
    ErrorCode, ThreadId, UserId,
    bus::Delivery,
    frame::Frame,
    message::ServerMessage,
    model::{Author, Member, MemberRole, Object, Role, Thread, User},
    payload::{Level, Notice, RoomHeard},
    room::Presence,
};

use super::{
    error::ApiError,
    store::{
        Deed,
        taking_part::{Inviting, MAX_BLOCKS, MAX_MEMBERS, ThreadInvitation},
    },
    thread_service::ThreadService,
    whence,
};

/// When to try again where somebody has too many invitations, in milliseconds.
const INVITATION_PAUSE: u64 = 60 * 60 * 1_000;

impl ThreadService {
    /// The thread's members, its owner first.
    pub async fn members(&self, user: UserId, id: ThreadId) -> Result<Vec<Member>, ApiError> {
        let owns = self.get(user, id).await?.owner_id == user;
        let mut members = self.store.members(id).await?;
        // Addresses are how the owner names people; what signs someone in is no matter of the other members'.
        for member in members.iter_mut().filter(|member| !owns && member.id != user) {
            member.email = None;
        }
        Ok(members)
    }

    /// Whether the user may do more in the thread than read.
    pub async fn may_write(&self, user: UserId, id: ThreadId) -> Result<bool, ApiError> {
        let standing = self.store.standing(user, Some(id)).await?.ok_or_else(ApiError::not_found)?;
        Ok(standing.may_write())
    }

    /// Invites the user with this address. The invitation lets them read the thread; among their conversations it is once they
    /// accept, or write in it.
    pub async fn add_member(
        &self,
        owner: UserId,
        id: ThreadId,
        email: &str,
        role: MemberRole,
    ) -> Result<Member, ApiError> {
        known(role)?;
        let thread = self.owned(owner, id).await?;
        let user = self.user_by_address(owner, email).await?;
        if user.id == owner {
            return Err(ApiError::new(ErrorCode::Conflict, "the thread is yours already"));
        }
        match self.store.invite(id, owner, user.id, role).await? {
            Inviting::Made => {}
            Inviting::IsMember => {
                return Err(ApiError::new(ErrorCode::Conflict, "that person is a member already, or was invited"));
            }
            Inviting::Full => {
                let message = format!("a thread has at most {MAX_MEMBERS} members");
                return Err(ApiError::new(ErrorCode::Conflict, message));
            }
            Inviting::TooMany => {
                let message = "that person has many invitations to answer; try again when some were answered";
                return Err(ApiError::new(ErrorCode::RateLimited, message).retry_after_ms(INVITATION_PAUSE));
            }
            Inviting::Blocked => {
                return Err(ApiError::new(ErrorCode::Forbidden, "that person takes no invitations from you"));
            }
        }
        tracing::info!(thread_id = %id, user_id = %user.id, "member invited");
        self.note(owner, "member.invited", id, user.id).await;
        let thread = self.get(owner, thread.id).await?;
        self.announcer.thread(thread, false).await;
        let notice =
            Notice { level: Level::Info, message: "You are invited to a conversation; see the sidebar".into() };
        self.announcer.to_users(&[user.id], Frame::new(ServerMessage::SystemMessage(notice)));
        Ok(Member { id: user.id, name: user.name, email: user.email, owner: false, role, invited: true })
    }

    /// Changes what a member may do.
    pub async fn change_member(
        &self,
        owner: UserId,
        id: ThreadId,
        email: &str,
        role: MemberRole,
    ) -> Result<Member, ApiError> {
        known(role)?;
        self.owned(owner, id).await?;
        let user = self.user_by_address(owner, email).await?;
        if !self.store.set_member_role(id, user.id, role).await? {
            return Err(ApiError::new(ErrorCode::NotFound, "that person is no member"));
        }
        self.note(owner, "member.role_changed", id, user.id).await;
        // Its version grew: pages ask anew what their reader may do.
        self.announcer.thread_as_stored(id).await;
        let members = self.store.members(id).await?;
        members.into_iter().find(|member| member.id == user.id).ok_or_else(ApiError::not_found)
    }

    /// The invitations that the user has yet to answer.
    pub async fn invitations(&self, user: UserId) -> Result<Vec<ThreadInvitation>, ApiError> {
        Ok(self.store.thread_invitations(user).await?)
    }

    /// Takes an invitation.
    pub async fn accept(&self, user: UserId, id: ThreadId) -> Result<Thread, ApiError> {
        let accepted = self.store.accept_invitation(id, user).await?;
        // Accepting twice is accepting.
        let thread = self.get(user, id).await?;
        if accepted {
            tracing::info!(thread_id = %id, user_id = %user, "invitation accepted");
            self.note(user, "member.accepted", id, user).await;
            self.announcer.thread_as_stored(id).await;
        }
        Ok(thread)
    }

    /// Declines an invitation, and blocks who sent it if that is wanted.
    pub async fn decline(&self, user: UserId, id: ThreadId, block: bool) -> Result<(), ApiError> {
        let invitations = self.store.thread_invitations(user).await?;
        let invitation =
            invitations.into_iter().find(|invitation| invitation.thread_id == id).ok_or_else(ApiError::not_found)?;
        self.remove_member(user, id, None).await?;
        if block {
            self.block(user, invitation.invited_by.id).await?;
        }
        Ok(())
    }

    /// Takes no more invitations from somebody, and takes them out of the user's own conversations.
    pub async fn block(&self, user: UserId, blocked: UserId) -> Result<(), ApiError> {
        if user == blocked {
            return Err(ApiError::new(ErrorCode::Conflict, "nobody blocks themselves"));
        }
        if self.store.standing(blocked, None).await?.is_none() {
            return Err(ApiError::not_found());
        }
        if !self.store.block(user, blocked).await? {
            let message = format!("at most {MAX_BLOCKS} people can be blocked");
            return Err(ApiError::new(ErrorCode::Conflict, message));
        }
        // Who is blocked hears nothing more of the user's own conversations.
        for id in self.store.shared_with(user, blocked).await? {
            let thread = self.get(user, id).await?;
            let members = self.store.members(id).await?;
            if let Some(member) = members.into_iter().find(|member| member.id == blocked) {
                match self.take_out(user, &thread, member).await {
                    // Left or removed meanwhile.
                    Err(error) if error.code == ErrorCode::NotFound => {}
                    taken => taken?,
                }
            }
        }
        Ok(())
    }

    /// Takes that back.
    pub async fn unblock(&self, user: UserId, blocked: UserId) -> Result<(), ApiError> {
        if self.store.unblock(user, blocked).await? { Ok(()) } else { Err(ApiError::not_found()) }
    }

    /// Whom the user has blocked.
    pub async fn blocked(&self, user: UserId) -> Result<Vec<Author>, ApiError> {
        Ok(self.store.blocked(user).await?)
    }

    /// Takes a member out, at once and on open sockets too. Members may take themselves out; the owner anyone.
    pub async fn remove_member(&self, user: UserId, id: ThreadId, email: Option<&str>) -> Result<(), ApiError> {
        let thread = self.get(user, id).await?;
        let members = self.store.members(id).await?;
        let wanted = email.map(|email| email.trim().to_lowercase());
        let found = members.into_iter().find(|member| match &wanted {
            Some(email) => member.email.as_ref() == Some(email),
            None => member.id == user,
        });
        if thread.owner_id != user && found.as_ref().is_none_or(|member| member.id != user) {
            return Err(not_the_owner());
        }
        let member = found.ok_or_else(|| ApiError::new(ErrorCode::NotFound, "that person is no member"))?;
        if member.owner {
            return Err(ApiError::new(ErrorCode::Conflict, "the owner cannot leave; delete the thread instead"));
        }
        self.take_out(user, &thread, member).await
    }

    /// Ends a membership, on open sockets too, and tells whom it concerns.
    async fn take_out(&self, by: UserId, thread: &Thread, member: Member) -> Result<(), ApiError> {
        let id = thread.id;
        if !self.store.remove_member(id, member.id).await? {
            return Err(ApiError::new(ErrorCode::NotFound, "that person is no member"));
        }
        tracing::info!(thread_id = %id, user_id = %member.id, "member removed");
        self.bus.publish(Delivery::Revoked { thread_id: id, user_id: member.id });
        self.note(by, "member.removed", id, member.id).await;
        self.announcer.gone(&[member.id], id);
        let from = User { id: member.id, name: member.name, role: Role::User, email: None };
        self.announcer.to_room(id, heard(id, from, Presence::Left.to_body()));
        let thread = self.get(thread.owner_id, id).await?;
        self.announcer.thread(thread, false).await;
        Ok(())
    }

    /// Adds to the audit log.
    async fn note(&self, actor: UserId, action: &'static str, thread: ThreadId, member: UserId) {
        let subject = Some(format!("{thread} {member}"));
        let deed = Deed { actor: Some(actor), action, subject, address: whence::address() };
        if let Err(error) = self.store.note(deed).await {
            tracing::error!(%error, action, "the audit log could not be written");
        }
    }

    /// The thread, if it is the user's own; members hear that it is not, others nothing.
    pub(super) async fn owned(&self, user: UserId, id: ThreadId) -> Result<Thread, ApiError> {
        let thread = self.get(user, id).await?;
        if thread.owner_id == user { Ok(thread) } else { Err(not_the_owner()) }
    }

    async fn user_by_address(&self, asker: UserId, email: &str) -> Result<User, ApiError> {
        self.admissions.may_name(asker)?;
        let email = email.trim().to_lowercase();
        let user = self.store.user_by_address(&email).await?;
        user.ok_or_else(|| ApiError::new(ErrorCode::NotFound, "nobody has an account with this e-mail address here"))
    }
}

/// Only what comes from a server may be unknown.
fn known(role: MemberRole) -> Result<(), ApiError> {
    match role {
        MemberRole::Writer | MemberRole::Viewer => Ok(()),
        MemberRole::Unknown(word) => {
            Err(ApiError::new(ErrorCode::InvalidPayload, format!("`role` has no value \"{word}\"")))
        }
    }
}

fn not_the_owner() -> ApiError {
    ApiError::new(ErrorCode::Forbidden, "only the owner of the thread may do that")
}

/// Something said in a thread's room. The room hears a name: no address, and not who administers the server.
pub(crate) fn heard(room: ThreadId, from: User, body: Object) -> ServerMessage {
    ServerMessage::RoomMessage(RoomHeard {
        room: room.to_string(),
        from: User { email: None, role: Role::User, ..from },
        body,
    })
}
