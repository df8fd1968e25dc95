//! What letters say.

/// A letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Letter {
    /// The address of a new account is to be confirmed.
    ConfirmAddress {
        /// What to open.
        url: String,
    },
    /// Somebody wants a new password.
    NewPassword {
        /// What to open.
        url: String,
    },
    /// The password was changed.
    PasswordChanged,
    /// The second factor was turned off.
    SecondFactorEnded,
}

/// Said of every change: who did not make it has to act.
const NOT_YOU: &str =
    "If that was not you, set a new password, end all sign-ins under \"Account\", and tell whoever runs the server.";

impl Letter {
    /// Its name in the log.
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::ConfirmAddress { .. } => "confirm_address",
            Self::NewPassword { .. } => "new_password",
            Self::PasswordChanged => "password_changed",
            Self::SecondFactorEnded => "second_factor_ended",
        }
    }

    pub(super) const fn subject(&self) -> &'static str {
        match self {
            Self::ConfirmAddress { .. } => "Netra: confirm your address",
            Self::NewPassword { .. } => "Netra: a new password",
            Self::PasswordChanged => "Netra: your password was changed",
            Self::SecondFactorEnded => "Netra: your second factor was turned off",
        }
    }

    pub(super) fn text(&self) -> String {
        match self {
            Self::ConfirmAddress { url } => format!(
                "Somebody made an account with this address. If that was you, open this within a day:\n\n{url}\n\n\
                 If not, do nothing.\n"
            ),
            Self::NewPassword { url } => format!(
                "Somebody wants a new password for the account with this address. If that was you, open this within an \
                 hour:\n\n{url}\n\nIf not, do nothing; the password stays as it is.\n"
            ),
            Self::PasswordChanged => format!("The password of your account was changed. {NOT_YOU}\n"),
            Self::SecondFactorEnded => format!("Signing in to your account no longer takes a code. {NOT_YOU}\n"),
        }
    }
}
