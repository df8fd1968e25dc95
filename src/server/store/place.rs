//! A place in the list of threads, where a page of it ended.

use std::{fmt, str::FromStr};

use netra_ws::{ThreadId, Timestamp, model::Thread};

/// Where a thread stood in the list. What moves to the top meanwhile is neither shown twice nor pushes another one out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ThreadPlace {
    /// Pinned ones stand before all others.
    pub pinned: bool,
    /// Then the newest.
    pub updated_at: Timestamp,
    /// Then the one made last.
    pub id: ThreadId,
}

impl From<&Thread> for ThreadPlace {
    fn from(thread: &Thread) -> Self {
        Self { pinned: thread.pinned, updated_at: thread.updated_at, id: thread.id }
    }
}

impl fmt::Display for ThreadPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", u8::from(self.pinned), self.updated_at.as_millis(), self.id)
    }
}

/// The text is no place that this server gave.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("no place in a list")]
pub struct NoPlace;

impl FromStr for ThreadPlace {
    type Err = NoPlace;

    fn from_str(text: &str) -> Result<Self, NoPlace> {
        let mut parts = text.splitn(3, '.');
        let mut next = || parts.next().ok_or(NoPlace);
        let pinned = match next()? {
            "0" => false,
            "1" => true,
            _ => return Err(NoPlace),
        };
        let millis = next()?.parse().ok().filter(|millis| i64::try_from(*millis).is_ok()).ok_or(NoPlace)?;
        let id = next()?.parse().map_err(|_| NoPlace)?;
        Ok(Self { pinned, updated_at: Timestamp::from_millis(millis), id })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_form_round_trips() {
        let place =
            ThreadPlace { pinned: true, updated_at: Timestamp::from_millis(1_763_000_000_123), id: ThreadId::new() };
        assert_eq!(place.to_string().parse(), Ok(place));
        for wrong in ["", "3", "2.1.x", "1.x.y", "1.99999999999999999999.0", &format!("1.-1.{}", ThreadId::new())] {
            assert_eq!(wrong.parse::<ThreadPlace>(), Err(NoPlace), "{wrong}");
        }
    }
}
