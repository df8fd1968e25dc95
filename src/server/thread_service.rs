//! Threads as people handle them: list, make, rename, pin, put away, delete. What changes is told to all of the user's pages.

use std::sync::Arc;

use netra_ws::{
    ErrorCode, RunId, ThreadId, UserId,
    bus::{Bus, Delivery},
    model::{Run, Thread},
    payload::ThreadSnapshot,
};

use super::{
    agent::{Engine, MAX_TITLE, Registry},
    announcer::Announcer,
    error::ApiError,
    quotas::Admissions,
    searches::Searches,
    store::{History, SharedStore, ThreadChange, ThreadQuery, importing::Imported},
};

/// A cheap handle on the service.
#[derive(Clone)]
pub struct ThreadService {
    pub(super) store: SharedStore,
    searches: Arc<Searches>,
    registry: Arc<Registry>,
    pub(super) engine: Engine,
    pub(super) bus: Arc<dyn Bus>,
    pub(super) announcer: Announcer,
    pub(super) admissions: Admissions,
}

impl ThreadService {
    /// A service over these.
    pub fn new(
        store: SharedStore,
        searches: Arc<Searches>,
        registry: Arc<Registry>,
        engine: Engine,
        bus: Arc<dyn Bus>,
        announcer: Announcer,
        admissions: Admissions,
    ) -> Self {
        Self { store, searches, registry, engine, bus, announcer, admissions }
    }

    /// The user's threads: pinned first, then the newest; and whether there are more.
    pub async fn list(&self, user: UserId, query: &ThreadQuery) -> Result<(Vec<Thread>, bool), ApiError> {
        let wanted = ThreadQuery { limit: query.limit + 1, ..query.clone() };
        let searched = query.text.as_ref().is_some_and(|text| !text.trim().is_empty());
        let mut found = if searched {
            self.searches.threads(user, &wanted).await?
        } else {
            self.store.threads(user, &wanted).await?
        };
        let more = found.len() > query.limit;
        found.truncate(query.limit);
        Ok((found, more))
    }

    /// What stands around the words of a search in the messages of these threads; nothing of those whose title alone holds them.
    pub async fn excerpts(
        &self,
        user: UserId,
        text: Option<&str>,
        threads: &[Thread],
    ) -> Result<Vec<(ThreadId, String)>, ApiError> {
        let Some(text) = text.filter(|text| !text.trim().is_empty()) else { return Ok(Vec::new()) };
        let ids: Vec<ThreadId> = threads.iter().map(|thread| thread.id).collect();
        Ok(self.searches.excerpts(user, text, &ids).await?)
    }

    /// One thread.
    pub async fn get(&self, user: UserId, id: ThreadId) -> Result<Thread, ApiError> {
        self.store.thread(user, id).await?.ok_or_else(ApiError::not_found)
    }

    /// A thread as it stands, for a page that is rendered here.
    pub async fn snapshot(&self, user: UserId, id: ThreadId) -> Result<ThreadSnapshot, ApiError> {
        Ok(self.store.snapshot(user, id).await?)
    }

    /// A page of messages before an event, oldest first, with the runs that they need.
    pub async fn history(
        &self,
        user: UserId,
        id: ThreadId,
        before_seq: Option<u64>,
        limit: usize,
    ) -> Result<History, ApiError> {
        self.store.history(user, id, before_seq, limit).await?.ok_or_else(ApiError::not_found)
    }

    /// A run, with nothing cut.
    pub async fn run(&self, user: UserId, id: ThreadId, run: RunId) -> Result<Run, ApiError> {
        self.store.run(user, id, run).await?.ok_or_else(ApiError::not_found)
    }

    /// Makes an empty thread. Its title comes with its first message, unless one is given.
    pub async fn create(&self, user: UserId, title: Option<&str>, agent: Option<&str>) -> Result<Thread, ApiError> {
        let title = title.map(valid_title).transpose()?.unwrap_or_default();
        let agent = self.agent(agent)?;
        self.admissions.may_begin(user).await?;
        let thread = self.store.add_thread(user, &title, &agent).await?;
        self.announcer.thread(thread.clone(), true).await;
        Ok(thread)
    }

    /// Whether the user may begin conversations.
    pub async fn may_begin(&self, user: UserId) -> Result<(), ApiError> {
        self.admissions.may_begin(user).await
    }

    /// Takes a conversation in that was had elsewhere.
    pub async fn import(&self, user: UserId, imported: &Imported) -> Result<Thread, ApiError> {
        let thread = self.store.import(user, imported).await?;
        self.announcer.thread(thread.clone(), true).await;
        Ok(thread)
    }

    /// Changes title and agent, which are the owner's to change, and what the user set for themselves: a member's pin and
    /// archive are no matter of anyone else's.
    pub async fn change(&self, user: UserId, id: ThreadId, mut change: ThreadChange) -> Result<Thread, ApiError> {
        change.title = change.title.as_deref().map(valid_title).transpose()?;
        change.agent = change.agent.as_deref().map(|agent| self.agent(Some(agent))).transpose()?;
        let concerns_all = change.title.is_some() || change.agent.is_some();
        if concerns_all {
            self.owned(user, id).await?;
        }
        let thread = self.store.change_thread(user, id, &change).await?.ok_or_else(ApiError::not_found)?;
        if concerns_all {
            self.announcer.thread(thread.clone(), false).await;
        } else {
            self.announcer.thread_to(user, thread.clone(), false);
        }
        Ok(thread)
    }

    /// Deletes a thread and everything in it.
    pub async fn delete(&self, user: UserId, id: ThreadId) -> Result<(), ApiError> {
        self.owned(user, id).await?;
        let users = self.announcer.audience(id).await;
        if !self.store.remove_thread(user, id).await? {
            return Err(ApiError::not_found());
        }
        self.engine.forget(id);
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
