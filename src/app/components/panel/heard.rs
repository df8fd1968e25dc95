//! What the page has heard since the event panel was opened for the first time. It outlives the page that shows it.

use std::{
    cell::OnceCell,
    sync::{Arc, Mutex, PoisonError},
};

use leptos::prelude::*;
use netra_ws::Timestamp;

use super::log::FrameLog;
use crate::app::tap::{self, Direction};

/// A part of the page that wants to know of each frame of the server's.
type Follower = Box<dyn Fn(&str) + Send>;

/// The log of frames, for whoever shows it.
#[derive(Clone)]
pub(crate) struct Heard {
    log: Arc<Mutex<FrameLog>>,
    /// Changes with the log, once per animation frame.
    changed: ArcTrigger,
    /// Tells of each heartbeat.
    pub(super) beats: ArcTrigger,
    follower: Arc<Mutex<Option<Follower>>>,
}

thread_local! {
    static HEARD: OnceCell<Heard> = const { OnceCell::new() };
}

impl Heard {
    /// The page's own; from the first call on, frames are kept.
    pub(in crate::app::components) fn here() -> Self {
        HEARD.with(|heard| heard.get_or_init(Self::begin).clone())
    }

    /// Lets go of what was heard, if anything was: whoever looks at the page now is not signed in.
    pub(super) fn forget() {
        HEARD.with(|heard| {
            if let Some(heard) = heard.get() {
                *heard.log.lock().unwrap_or_else(PoisonError::into_inner) = FrameLog::default();
                heard.changed.notify();
            }
        });
    }

    fn begin() -> Self {
        let heard = Self {
            log: Arc::default(),
            changed: ArcTrigger::new(),
            beats: ArcTrigger::new(),
            follower: Arc::default(),
        };
        let (this, scheduled) = (heard.clone(), Arc::new(Mutex::new(false)));
        tap::listen(move |direction, text| {
            this.log.lock().unwrap_or_else(PoisonError::into_inner).push(direction, text, now());
            if direction == Direction::In {
                if text.contains("\"heartbeat\"") {
                    this.beats.notify();
                }
                if let Some(follower) = &*this.follower.lock().unwrap_or_else(PoisonError::into_inner) {
                    follower(text);
                }
            }
            if !std::mem::replace(&mut *scheduled.lock().unwrap_or_else(PoisonError::into_inner), true) {
                let (changed, scheduled) = (this.changed.clone(), scheduled.clone());
                request_animation_frame(move || {
                    *scheduled.lock().unwrap_or_else(PoisonError::into_inner) = false;
                    changed.notify();
                });
            }
        });
        heard
    }

    /// Has somebody hear each frame of the server's from now on, in the place of whoever did.
    pub(in crate::app::components) fn follow(&self, follower: Option<Follower>) {
        *self.follower.lock().unwrap_or_else(PoisonError::into_inner) = follower;
    }

    /// Reads the log, and follows it.
    pub(super) fn with<T>(&self, view: impl FnOnce(&FrameLog) -> T) -> T {
        self.changed.track();
        self.with_untracked(view)
    }

    /// Reads the log.
    pub(super) fn with_untracked<T>(&self, view: impl FnOnce(&FrameLog) -> T) -> T {
        view(&self.log.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(feature = "hydrate")]
fn now() -> Timestamp {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    Timestamp::from_millis(js_sys::Date::now() as u64)
}

#[cfg(not(feature = "hydrate"))]
fn now() -> Timestamp {
    Timestamp::default()
}
