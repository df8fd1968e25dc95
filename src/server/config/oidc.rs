//! `[oidc]`: the provider of identities that people sign in with.

use netra_ws::model::Role;

use super::source::{ConfigError, Source};

/// A provider of identities.
#[derive(Clone, PartialEq, Eq)]
pub struct OidcConfig {
    /// Its address, as its tokens name it.
    pub issuer: String,
    /// What it calls this server.
    pub client_id: String,
    /// What this server shows it; absent for a public client.
    pub client_secret: Option<String>,
    /// What it is asked for besides `openid email profile`.
    pub scopes: Vec<String>,
    /// The claim that holds the person's groups.
    pub groups_claim: String,
    /// Groups whose people administer.
    pub admin_groups: Vec<String>,
    /// Groups whose people are members; everybody when none is named.
    pub member_groups: Vec<String>,
    /// Groups whose people are guests.
    pub guest_groups: Vec<String>,
}

impl std::fmt::Debug for OidcConfig {
    /// Without the secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OidcConfig").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

impl OidcConfig {
    /// Whether groups decide roles.
    pub fn decides_roles(&self) -> bool {
        !(self.admin_groups.is_empty() && self.member_groups.is_empty() && self.guest_groups.is_empty())
    }

    /// What somebody of these groups may do: the most that one of them gives; `None` for nobody of ours.
    pub fn role_of(&self, groups: &[String]) -> Option<Role> {
        let holds = |wanted: &[String]| groups.iter().any(|group| wanted.contains(group));
        if holds(&self.admin_groups) {
            Some(Role::Admin)
        } else if holds(&self.member_groups) {
            Some(Role::User)
        } else if holds(&self.guest_groups) {
            Some(Role::Guest)
        } else {
            self.member_groups.is_empty().then_some(Role::User)
        }
    }
}

pub(super) fn oidc(source: &Source, wanted: bool) -> Result<Option<OidcConfig>, ConfigError> {
    if !wanted {
        return Ok(None);
    }
    let needed = |name: &str, what: &str| {
        source.text(name).ok_or_else(|| {
            ConfigError::new(source.given("auth"), format!("oidc sign-in needs {what}; see docs/single-sign-on.md"))
        })
    };
    let issuer = needed("oidc_issuer", "NETRA_OIDC_ISSUER")?;
    let local = |url: &url::Url| matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
    let good =
        url::Url::parse(&issuer).is_ok_and(|url| url.scheme() == "https" || url.scheme() == "http" && local(&url));
    if !good {
        let problem = format!("{issuer:?} is no https address; a provider of identities needs one");
        return Err(ConfigError::new(source.given("oidc_issuer"), problem));
    }
    let list = |name: &str| source.list(name).unwrap_or_default();
    Ok(Some(OidcConfig {
        issuer,
        client_id: needed("oidc_client_id", "NETRA_OIDC_CLIENT_ID")?,
        client_secret: source.text("oidc_client_secret"),
        scopes: list("oidc_scopes"),
        groups_claim: source.text("oidc_groups_claim").unwrap_or_else(|| "groups".to_owned()),
        admin_groups: list("oidc_admin_groups"),
        member_groups: list("oidc_member_groups"),
        guest_groups: list("oidc_guest_groups"),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_give_roles() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let config = |admin: &[&str], member: &[&str], guest: &[&str]| OidcConfig {
            issuer: String::new(),
            client_id: String::new(),
            client_secret: Some("very secret".to_owned()),
            scopes: Vec::new(),
            groups_claim: "groups".to_owned(),
            admin_groups: names(admin),
            member_groups: names(member),
            guest_groups: names(guest),
        };
        let all = config(&["ops"], &["staff"], &["friends"]);
        assert_eq!(all.role_of(&names(&["friends", "ops"])), Some(Role::Admin), "the most counts");
        assert_eq!(all.role_of(&names(&["staff"])), Some(Role::User));
        assert_eq!(all.role_of(&names(&["friends"])), Some(Role::Guest));
        assert_eq!(all.role_of(&names(&["others"])), None);
        assert_eq!(config(&["ops"], &[], &[]).role_of(&[]), Some(Role::User));
        assert!(all.decides_roles() && !config(&[], &[], &[]).decides_roles());
        assert!(!format!("{all:?}").contains("very secret"));
    }
}
