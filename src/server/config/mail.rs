//! `[mail]`: the server that takes mail.

use super::source::{ConfigError, Source};

/// Where mail goes.
#[derive(Clone, PartialEq, Eq)]
pub struct MailConfig {
    /// `smtps://user@host`, or `smtp://user@host:587?tls=required`.
    pub url: String,
    /// The password of the user in it.
    pub password: Option<String>,
    /// Who mail is from.
    pub from: String,
}

impl std::fmt::Debug for MailConfig {
    /// Without the password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MailConfig").field("from", &self.from).finish_non_exhaustive()
    }
}

pub(super) fn mail(source: &Source) -> Result<Option<MailConfig>, ConfigError> {
    let Some(url) = source.text("smtp_url") else { return Ok(None) };
    let wrong = |problem: &str| Err(ConfigError::new(source.given("smtp_url"), problem.to_owned()));
    match url::Url::parse(&url) {
        Ok(parsed) if matches!(parsed.scheme(), "smtp" | "smtps") && parsed.has_host() => {
            if parsed.password().is_some() {
                return wrong("a password does not belong into an address; NETRA_SMTP_PASSWORD takes it");
            }
            let local = matches!(parsed.host_str(), Some("127.0.0.1" | "localhost" | "::1"));
            let sealed = parsed.scheme() == "smtps" || parsed.query() == Some("tls=required");
            if !sealed && !local {
                return wrong(
                    "mail to another machine is sealed: smtps://host, or smtp://host:587?tls=required (STARTTLS)",
                );
            }
        }
        _ => return wrong("is no address like smtps://user@mail.example.org"),
    }
    let Some(from) = source.text("mail_from") else {
        let problem = "mail needs an address that it is from; set NETRA_MAIL_FROM";
        return Err(ConfigError::new(source.given("smtp_url"), problem));
    };
    if from.parse::<lettre::message::Mailbox>().is_err() {
        let problem = format!("{from:?} is no address like Netra <netra@example.org>");
        return Err(ConfigError::new(source.given("mail_from"), problem));
    }
    Ok(Some(MailConfig { url, password: source.text("smtp_password"), from }))
}
