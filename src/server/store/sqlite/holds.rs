//! How long housekeeping holds the writer: whatever else is to be written waits for as long, so it goes in slices and is measured.

use std::time::Instant;

use crate::server::metrics::metrics;

/// What holds the writer.
#[derive(Clone, Copy, Debug)]
pub(super) enum Work {
    /// Deltas of old runs go.
    Trim,
    /// What belonged to a deleted thread goes.
    Delete,
    /// Pages are given back to the file system.
    Vacuum,
}

impl Work {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Trim => "trim",
            Self::Delete => "delete",
            Self::Vacuum => "vacuum",
        }
    }
}

/// One slice of it, which holds the writer from its making to its end.
pub(super) struct Hold {
    work: Work,
    pub(super) began: Instant,
}

impl Hold {
    /// Begins when the writer is there.
    pub(super) fn begin(work: Work) -> Self {
        Self { work, began: Instant::now() }
    }

    /// Ends once what was done is committed.
    pub(super) fn end(self) {
        metrics().held(self.work.as_str(), self.began.elapsed());
    }
}

#[cfg(test)]
#[path = "holds_tests.rs"]
mod tests;
