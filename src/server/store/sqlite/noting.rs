//! Uses of sign-ins and tokens are noted beside what they are used for, one note at a time for each: a busy or hostile program
//! lets no notes pile up before the writer.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// What is being noted, by digest.
#[derive(Clone, Default)]
pub(super) struct Noting(Arc<Mutex<HashSet<Vec<u8>>>>);

/// A note on its way.
pub(super) struct Note {
    noting: Noting,
    pub(super) digest: Vec<u8>,
}

impl Noting {
    fn under_way(&self) -> MutexGuard<'_, HashSet<Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins one, unless one is under way.
    pub(super) fn begin(&self, digest: &[u8]) -> Option<Note> {
        let begun = self.under_way().insert(digest.to_owned());
        begun.then(|| Note { noting: self.clone(), digest: digest.to_owned() })
    }
}

impl Drop for Note {
    fn drop(&mut self) {
        self.noting.under_way().remove(&self.digest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_note_at_a_time() {
        let noting = Noting::default();
        let first = noting.begin(b"ada");
        assert!(first.is_some() && noting.begin(b"ada").is_none() && noting.begin(b"eve").is_some());
        drop(first);
        assert!(noting.begin(b"ada").is_some());
    }
}
