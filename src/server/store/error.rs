//! Why a store failed, as far as those who ask it can do something about it.

use std::error::Error;

/// A store failed, or holds something that cannot be read back. The text is the database's own.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Someone else wrote for longer than anyone waits. The same call may succeed in a moment.
    #[error("{0}")]
    Busy(String),
    /// The disk takes nothing now. Who runs the server can change that, and nothing is lost.
    #[error("{1}")]
    Disk(DiskFault, String),
    /// The call had an end in time, and came to it.
    #[error("{0}")]
    TooSlow(String),
    /// What the call is about is not there, or went while it was under way.
    #[error("{0}")]
    Gone(String),
    /// What was to be kept does not go with what is, and never will.
    #[error("{0}")]
    Refused(String),
    /// What is kept is damaged, or was written by something that this version cannot read.
    #[error("{0}")]
    Corrupt(String),
    /// Anything else: a fault of ours, or a database that cannot be opened.
    #[error("{0}")]
    Other(String),
}

/// Why a disk takes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DiskFault {
    /// There is no room.
    #[error("the server's disk is full")]
    Full,
    /// Nothing may be written, or the file cannot be opened.
    #[error("the server's disk is read-only")]
    ReadOnly,
    /// Reading or writing failed.
    #[error("the server's disk fails")]
    Failing,
}

impl StoreError {
    /// The store's error among the causes of another one.
    pub fn among<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e Self> {
        let mut next = Some(error);
        while let Some(cause) = next {
            if let Some(found) = cause.downcast_ref() {
                return Some(found);
            }
            next = cause.source();
        }
        None
    }

    /// What cannot be read back.
    pub(in crate::server) fn corrupt(error: impl Error) -> Self {
        Self::Corrupt(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use netra_ws::log::LogError;

    use super::*;

    #[test]
    fn a_failed_log_names_its_cause() {
        let full = StoreError::Disk(DiskFault::Full, "database or disk is full".to_owned());
        let failed = LogError::store(full.clone());
        assert_eq!(StoreError::among(&failed), Some(&full));
        assert_eq!(StoreError::among(&LogError::NotFound), None);
    }
}
