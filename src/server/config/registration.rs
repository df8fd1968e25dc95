//! Who may make an account.

/// Who may make an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegistrationPolicy {
    /// Nobody, until this is changed.
    Closed,
    /// Whoever was given a link.
    Invitation,
    /// Whoever reaches the sign-in page.
    Open,
}

impl RegistrationPolicy {
    /// The name in settings and in discovery.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Invitation => "invitation",
            Self::Open => "open",
        }
    }

    /// The setting of this name.
    pub(super) fn named(name: &str) -> Option<Self> {
        [Self::Closed, Self::Invitation, Self::Open].into_iter().find(|mode| mode.as_str() == name)
    }

    /// Whether an account may be made, with an invitation or without.
    pub(crate) const fn allows(self, invited: bool) -> bool {
        match self {
            Self::Closed => false,
            Self::Invitation => invited,
            Self::Open => true,
        }
    }

    /// What somebody is told who may not.
    pub(crate) const fn refusal(self) -> &'static str {
        match self {
            Self::Invitation => "accounts are made by invitation here; ask an administrator for a link",
            Self::Closed | Self::Open => "no accounts are made here",
        }
    }
}
