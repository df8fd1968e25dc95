//! Threads as people handle them: list, make, rename, pin, put away, delete. What changes is told to all of the user's pages.

use std::sync::Arc;

use netra_ws::{
    ErrorCode, ThreadId, UserId,
    bus::{Bus, Delivery},
    model::{Message, Thread},
    payload::ThreadSnapshot,
};

use super::{
    agent::{MAX_TITLE, Registry},
    announcer::Announcer,
    error::ApiError,
    store::{SharedStore, ThreadChange, ThreadQuery},
};

/// A cheap handle on the service.
#[derive(Clone)]
pub struct Threads {
    pub(super) store: SharedStore,
    registry: Arc<Registry>,
    pub(super) bus: Arc<dyn Bus>,
    pub(super) announcer: Announcer,
}

impl Threads {
    /// A service over these.
    pub fn new(store: SharedStore, registry: Arc<Registry>, bus: Arc<dyn Bus>, announcer: Announcer) -> Self {
        Self { store, registry, bus, announcer }
    }

    /// The user's threads: pinned first, then the newest; and whether there are more.
    pub async fn list(&self, user: UserId, query: &ThreadQuery) -> Result<(Vec<Thread>, bool), ApiError> {
        let mut found = self.store.threads(user, &ThreadQuery { limit: query.limit + 1, ..query.clone() }).await?;
        let more = found.len() > query.limit;
        found.truncate(query.limit);
        Ok((found, more))
    }

    /// One thread.
    pub async fn get(&self, user: UserId, id: ThreadId) -> Result<Thread, ApiError> {
        self.store.thread(user, id).await?.ok_or_else(ApiError::not_found)
    }

    /// A thread as it stands, for a page that is rendered here.
    pub async fn snapshot(&self, user: UserId, id: ThreadId) -> Result<ThreadSnapshot, ApiError> {
        Ok(self.store.snapshot(user, id).await?)
    }

    /// Messages before an event, oldest first, and whether there are more.
    pub async fn messages(
        &self,
        user: UserId,
        id: ThreadId,
        before_seq: Option<u64>,
        limit: usize,
    ) -> Result<(Vec<Message>, bool), ApiError> {
        self.get(user, id).await?;
        let mut found = self.store.messages(id, before_seq, limit + 1).await?;
        let more = found.len() > limit;
        if more {
            found.remove(0);
        }
        Ok((found, more))
    }

    /// Makes an empty thread. Its title comes with its first message, unless one is given.
    pub async fn create(&self, user: UserId, title: Option<&str>, agent: Option<&str>) -> Result<Thread, ApiError> {
        let title = title.map(valid_title).transpose()?.unwrap_or_default();
        let agent = self.agent(agent)?;
        let thread = self.store.add_thread(user, &title, &agent).await?;
        self.announcer.thread(thread.clone(), true).await;
        Ok(thread)
    }

    /// Changes title and settings.
    pub async fn change(&self, user: UserId, id: ThreadId, mut change: ThreadChange) -> Result<Thread, ApiError> {
        change.title = change.title.as_deref().map(valid_title).transpose()?;
        change.agent = change.agent.as_deref().map(|agent| self.agent(Some(agent))).transpose()?;
        self.owned(user, id).await?;
        let thread = self.store.change_thread(user, id, &change).await?.ok_or_else(ApiError::not_found)?;
        self.announcer.thread(thread.clone(), false).await;
        Ok(thread)
    }

    /// Deletes a thread and everything in it.
    pub async fn delete(&self, user: UserId, id: ThreadId) -> Result<(), ApiError> {
        self.owned(user, id).await?;
        let users = self.announcer.audience(id).await;
        if !self.store.remove_thread(user, id).await? {
            return Err(ApiError::not_found());
        }
        self.bus.publish(Delivery::Gone { thread_id: id });
        self.announcer.gone(&users, id);
        Ok(())
    }

    fn agent(&self, name: Option<&str>) -> Result<String, ApiError> {
        self.registry.require(name).map(|agent| agent.name.clone())
    }
}

fn valid_title(title: &str) -> Result<String, ApiError> {
    let title = title.split_whitespace().collect::<Vec<_>>().join(" ");
    if title.is_empty() || title.chars().count() > MAX_TITLE {
        return Err(ApiError::new(ErrorCode::InvalidPayload, format!("a title has 1 to {MAX_TITLE} characters")));
    }
    Ok(title)
}
