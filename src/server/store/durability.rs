//! What a commit outlives.

use std::{fmt, str::FromStr};

/// What is still there of that which was shown or acknowledged: after a power cut, or after a crash of the process alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// A commit is on the disk before anyone hears of it.
    #[default]
    Power,
    /// A commit is with the operating system before anyone hears of it, and on the disk some time later.
    Process,
}

impl Durability {
    /// The name in settings.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Power => "power",
            Self::Process => "process",
        }
    }
}

impl fmt::Display for Durability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Durability {
    type Err = UnknownDurability;

    fn from_str(text: &str) -> Result<Self, UnknownDurability> {
        match text {
            "power" => Ok(Self::Power),
            "process" => Ok(Self::Process),
            _ => Err(UnknownDurability),
        }
    }
}

/// The text names no durability.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("neither power nor process")]
pub struct UnknownDurability;
