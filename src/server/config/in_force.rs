//! Settings as they count, and where each came from: for who runs the server.

use schemars::JsonSchema;
use serde::Serialize;

/// Settings that are secrets, by their names inside the program.
const SECRETS: &[&str] = &["jwt_secret", "metrics_token", "llm_api_key", "oidc_client_secret", "smtp_password"];

/// A setting in force.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize)]
pub struct Setting {
    /// Its variable.
    pub name: &'static str,
    /// Its value; absent where there is none, and for secrets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Where it came from: the variable, the flag, or the place in the file; `default` when it was not given.
    pub source: String,
    /// Whether it is a secret, whose value is not shown.
    pub secret: bool,
}

impl Setting {
    pub(super) fn new(key: &str, name: &'static str, value: Option<String>, source: Option<String>) -> Self {
        let secret = SECRETS.contains(&key);
        let value = value.filter(|value| !secret && !value.is_empty()).map(|value| without_password(&value));
        Self { name, value, source: source.unwrap_or_else(|| "default".to_owned()), secret }
    }
}

/// An address without what signs in there.
fn without_password(value: &str) -> String {
    match url::Url::parse(value) {
        Ok(mut url) if url.has_host() && (!url.username().is_empty() || url.password().is_some()) => {
            // Addresses with a host take both.
            let _ = url.set_password(None);
            let _ = url.set_username("");
            url.into()
        }
        _ => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_is_shown() {
        let of = |key, value: &str| Setting::new(key, "X", Some(value.to_owned()), Some("X".to_owned())).value;
        assert_eq!(of("jwt_secret", "very secret"), None);
        assert_eq!(of("llm_base_url", "https://me:secret@host/v1").as_deref(), Some("https://host/v1"));
        assert_eq!(of("addr", "127.0.0.1:3000").as_deref(), Some("127.0.0.1:3000"));
        assert_eq!(of("database_url", "sqlite:").as_deref(), Some("sqlite:"));
    }
}
