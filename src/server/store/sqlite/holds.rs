//! How long housekeeping holds the writer: whatever else is to be written waits for as long, so it goes in slices and is measured.

use std::time::{Duration, Instant};

use crate::server::metrics::metrics;

/// How long a slice may go on before it is committed and the next one begins.
const SLICE_TIME: Duration = Duration::from_millis(5);

/// A statement that takes less may take on more the next time; one that takes longer, less.
const QUICK: Duration = Duration::from_millis(1);
const SLOW: Duration = Duration::from_millis(3);

/// What holds the writer.
#[derive(Clone, Copy, Debug)]
pub(super) enum Work {
    /// Deltas of old runs go.
    Trim,
    /// What belonged to a deleted thread goes.
    Delete,
    /// Pages are given back to the file system.
    Vacuum,
    /// Parts of an index of words become one.
    Merge,
}

impl Work {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Trim => "trim",
            Self::Delete => "delete",
            Self::Vacuum => "vacuum",
            Self::Merge => "merge",
        }
    }
}

/// One slice of it, which holds the writer from its making to its end.
pub(super) struct Hold {
    work: Work,
    began: Instant,
}

impl Hold {
    /// Begins when the writer is there.
    pub(super) fn begin(work: Work) -> Self {
        Self { work, began: Instant::now() }
    }

    /// Whether the slice has had its time.
    pub(super) fn is_spent(&self) -> bool {
        self.began.elapsed() >= SLICE_TIME
    }

    /// Ends once what was done is committed.
    pub(super) fn end(self) {
        metrics().held(self.work.as_str(), self.began.elapsed());
    }
}

/// How much one statement of a slice takes on, in rows or pages: rows may be of 20 bytes or of megabytes, and disks differ.
pub(super) struct Portion {
    now: i64,
    most: i64,
}

impl Portion {
    /// Begins with little; never more than `most`.
    pub(super) fn up_to(most: i64) -> Self {
        Self { now: most.min(8), most }
    }

    /// What the next statement takes on.
    pub(super) const fn size(&self) -> i64 {
        self.now
    }

    /// The last one took so long.
    pub(super) fn took(&mut self, time: Duration) {
        if time > SLOW {
            self.now = (self.now / 2).max(1);
        } else if time < QUICK {
            self.now = (self.now * 2).min(self.most);
        }
    }
}

#[cfg(test)]
#[path = "holds_tests.rs"]
mod tests;
