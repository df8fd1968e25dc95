//! Searches: one at a time for each user, the rest in line, each with an end in time.

use std::sync::Arc;

use netra_ws::{ErrorCode, ThreadId, UserId, model::Thread};

use super::{
    error::ApiError,
    store::{Finder, Found, MemberStore, SharedStore, StoreError, ThreadQuery},
    turns::{LineIsFull, Turns},
};

/// Searches of one user under way, and those that wait.
const AT_ONCE: usize = 1;
const IN_LINE: usize = 16;

/// When to try again after a full line, in milliseconds.
const RETRY_AFTER: u64 = 2_000;

/// Looks for threads and messages.
pub struct Searches {
    finder: Arc<dyn Finder>,
    readers: Arc<dyn MemberStore>,
    turns: Turns<UserId>,
}

/// Why nothing was found.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    /// The user's line is full.
    #[error("too many searches at once; wait for those under way")]
    TooMany,
    /// Others would read what is found.
    #[error("others read this conversation; search in one that is yours alone")]
    Overheard,
    /// It took too long.
    #[error("the search took too long; look for rarer words")]
    TooSlow,
    /// The store failed.
    #[error("the search failed")]
    Store(#[source] StoreError),
}

impl From<LineIsFull> for SearchError {
    fn from(_: LineIsFull) -> Self {
        Self::TooMany
    }
}

impl From<StoreError> for SearchError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::TooSlow(_) => Self::TooSlow,
            error => Self::Store(error),
        }
    }
}

impl From<SearchError> for ApiError {
    fn from(error: SearchError) -> Self {
        match &error {
            SearchError::TooMany => Self::new(ErrorCode::RateLimited, error.to_string()).retry_after_ms(RETRY_AFTER),
            SearchError::Overheard => Self::new(ErrorCode::Forbidden, error.to_string()),
            SearchError::TooSlow => Self::new(ErrorCode::ServerBusy, error.to_string()),
            SearchError::Store(_) => Self::store(&error),
        }
    }
}

impl Searches {
    /// Searches of this store.
    pub fn new(store: SharedStore) -> Self {
        Self { finder: store.clone(), readers: store, turns: Turns::new(AT_ONCE, IN_LINE) }
    }

    /// Threads with words in their title or messages.
    pub async fn threads(&self, user: UserId, query: &ThreadQuery) -> Result<Vec<Thread>, SearchError> {
        let _turn = self.turns.take(user).await?;
        Ok(self.finder.threads(user, query).await?)
    }

    /// What stands around the words in these threads.
    pub async fn excerpts(
        &self,
        user: UserId,
        text: &str,
        threads: &[ThreadId],
    ) -> Result<Vec<(ThreadId, String)>, SearchError> {
        let _turn = self.turns.take(user).await?;
        Ok(self.finder.search_excerpts(user, text, threads).await?)
    }

    /// The messages that match best, to be shown in the thread `shown_in`, whose readers must all be allowed to see them: what one
    /// member's conversations say is nobody else's, whatever a message in the thread asks for.
    pub async fn messages(
        &self,
        user: UserId,
        shown_in: ThreadId,
        text: &str,
        limit: usize,
    ) -> Result<Vec<Found>, SearchError> {
        if self.readers.audience(shown_in).await?.iter().any(|reader| *reader != user) {
            return Err(SearchError::Overheard);
        }
        let _turn = self.turns.take(user).await?;
        Ok(self.finder.search_messages(user, text, limit).await?)
    }
}
