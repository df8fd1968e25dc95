//! Who takes part in a thread besides its owner.

use netra_ws::{
    ErrorCode, ThreadId, UserId,
    bus::Delivery,
    message::ServerMessage,
    model::{Member, Object, Role, Thread, User},
    payload::RoomHeard,
    room::Presence,
};

use super::{error::ApiError, threads::Threads};

impl Threads {
    /// The thread's members, its owner first.
    pub async fn members(&self, user: UserId, id: ThreadId) -> Result<Vec<Member>, ApiError> {
        self.get(user, id).await?;
        Ok(self.store.members(id).await?)
    }

    /// Lets the user with this address read the thread and take part in it.
    pub async fn add_member(&self, owner: UserId, id: ThreadId, email: &str) -> Result<Member, ApiError> {
        self.owned(owner, id).await?;
        let user = self.user_by_address(email).await?;
        if user.id == owner {
            return Err(ApiError::new(ErrorCode::Conflict, "the thread is yours already"));
        }
        if !self.store.add_member(id, user.id).await? {
            let members = self.store.members(id).await?;
            let message = if members.iter().any(|member| member.id == user.id) {
                "that person is a member already".to_owned()
            } else {
                format!("a thread has at most {} members", super::store::MAX_MEMBERS)
            };
            return Err(ApiError::new(ErrorCode::Conflict, message));
        }
        tracing::info!(thread_id = %id, user_id = %user.id, "member added");
        let thread = self.get(owner, id).await?;
        self.announcer.thread(thread, false).await;
        Ok(Member { id: user.id, name: user.name, email: user.email, owner: false })
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
        if !self.store.remove_member(id, member.id).await? {
            return Err(ApiError::new(ErrorCode::NotFound, "that person is no member"));
        }
        tracing::info!(thread_id = %id, user_id = %member.id, "member removed");
        self.bus.publish(Delivery::Revoked { thread_id: id, user_id: member.id });
        self.announcer.gone(&[member.id], id);
        let from = User { id: member.id, name: member.name, role: Role::User, email: None };
        self.announcer.to_room(id, heard(id, from, Presence::Left.to_body()));
        let thread = self.get(thread.owner_id, id).await?;
        self.announcer.thread(thread, false).await;
        Ok(())
    }

    /// The thread, if it is the user's own; members hear that it is not, others nothing.
    pub(super) async fn owned(&self, user: UserId, id: ThreadId) -> Result<Thread, ApiError> {
        let thread = self.get(user, id).await?;
        if thread.owner_id == user { Ok(thread) } else { Err(not_the_owner()) }
    }

    async fn user_by_address(&self, email: &str) -> Result<User, ApiError> {
        let email = email.trim().to_lowercase();
        let user = self.store.user_by_address(&email).await?;
        user.ok_or_else(|| ApiError::new(ErrorCode::NotFound, "nobody has an account with this e-mail address here"))
    }
}

fn not_the_owner() -> ApiError {
    ApiError::new(ErrorCode::Forbidden, "only the owner of the thread may do that")
}

/// Something said in a thread's room. The room hears a name, not an address.
pub(crate) fn heard(room: ThreadId, from: User, body: Object) -> ServerMessage {
    ServerMessage::RoomMessage(RoomHeard { room: room.to_string(), from: User { email: None, ..from }, body })
}
