//! What came of a sign-in at an MCP server: a word in the settings page's address, and its sentence. No sentence comes out of an
//! address.

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The server is connected.
    Connected,
    /// The round was not begun by this sign-in, or too long ago, or is over.
    Stale,
    /// The person said no.
    Denied,
    /// It did not work; the server's row says why.
    Failed,
}

impl Outcome {
    const ALL: [Self; 4] = [Self::Connected, Self::Stale, Self::Denied, Self::Failed];

    const fn word(self) -> &'static str {
        match self {
            Self::Connected => "made",
            Self::Stale => "stale",
            Self::Denied => "denied",
            Self::Failed => "failed",
        }
    }

    /// The settings page that tells of it.
    #[cfg(feature = "ssr")]
    pub(crate) fn address(self) -> String {
        format!("/settings?connection={}", self.word())
    }

    /// What the page's address tells.
    pub(crate) fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.word() == word)
    }

    /// The sentence for people.
    pub(crate) const fn sentence(self) -> &'static str {
        match self {
            Self::Connected => "The server is connected.",
            Self::Stale => {
                "Nothing was connected: this sign-in was begun elsewhere, or long ago. Press \"Connect\" again."
            }
            Self::Denied => "Nothing was connected: the sign-in was denied at the authorization server.",
            Self::Failed => "Nothing was connected. The server's entry below says why.",
        }
    }
}
