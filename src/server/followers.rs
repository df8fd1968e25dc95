//! Whoever follows a thread without a socket is woken when something is new in its log. What it is, the log says.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use netra_ws::{ThreadId, bus::Delivery};
use tokio::sync::Notify;

/// Who follows which thread.
#[derive(Clone, Default)]
pub struct Followers(Arc<Mutex<HashMap<ThreadId, Vec<Arc<Notify>>>>>);

/// Follows a thread until it is dropped.
pub struct Following {
    followers: Followers,
    thread: ThreadId,
    news: Arc<Notify>,
}

impl Followers {
    fn threads(&self) -> MutexGuard<'_, HashMap<ThreadId, Vec<Arc<Notify>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Follows a thread from now on.
    pub fn follow(&self, thread: ThreadId) -> Following {
        let news = Arc::new(Notify::new());
        self.threads().entry(thread).or_default().push(news.clone());
        Following { followers: self.clone(), thread, news }
    }

    /// Wakes those whom a delivery concerns.
    pub(crate) fn tell(&self, delivery: &Delivery) {
        let thread = match delivery {
            Delivery::Events { thread_id, .. } | Delivery::Gone { thread_id } => thread_id,
            Delivery::User { .. }
            | Delivery::Room { .. }
            | Delivery::Everyone { .. }
            | Delivery::Revoked { .. }
            | Delivery::Close { .. } => return,
        };
        for news in self.threads().get(thread).into_iter().flatten() {
            news.notify_one();
        }
    }
}

impl Following {
    /// Waits for news since the last time.
    pub async fn news(&self) {
        self.news.notified().await;
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        let mut threads = self.followers.threads();
        if let Some(all) = threads.get_mut(&self.thread) {
            all.retain(|news| !Arc::ptr_eq(news, &self.news));
            if all.is_empty() {
                threads.remove(&self.thread);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_follows_is_woken_and_forgotten() {
        let followers = Followers::default();
        let thread = ThreadId::new();
        let following = followers.follow(thread);
        followers.tell(&Delivery::Events { thread_id: thread, events: Arc::new([]) });
        following.news().await;
        drop(following);
        assert!(followers.threads().is_empty());
    }
}
