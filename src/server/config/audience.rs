//! `users` of an agent: who may use it.

use netra_ws::model::Role;

/// Roles and addresses; everyone when nothing is named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audience(Option<Named>);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Named {
    roles: Vec<Role>,
    addresses: Vec<String>,
}

impl Audience {
    /// Those that are named: `admin`, `member`, `guest`, or an e-mail address.
    pub(in crate::server) fn of(names: &[String]) -> Result<Self, String> {
        let mut named = Named::default();
        for name in names.iter().map(|name| name.trim().to_lowercase()) {
            match name.as_str() {
                "admin" | "administrator" => named.roles.push(Role::Admin),
                "member" | "user" => named.roles.push(Role::User),
                "guest" => named.roles.push(Role::Guest),
                address if address.contains('@') => named.addresses.push(address.to_owned()),
                other => {
                    return Err(format!("users: {other:?} is neither admin, member, guest nor an e-mail address"));
                }
            }
        }
        Ok(Self(Some(named)))
    }

    /// Whether somebody of this role and with this address is among them.
    pub fn holds(&self, role: Role, address: Option<&str>) -> bool {
        self.0.as_ref().is_none_or(|named| {
            named.roles.contains(&role)
                || address.is_some_and(|address| named.addresses.iter().any(|one| one.eq_ignore_ascii_case(address)))
        })
    }

    /// Roles and addresses as settings name them; none for everyone.
    pub fn names(&self) -> Vec<String> {
        let named = self.0.iter();
        let role = |role: &Role| match role {
            Role::Admin => "admin",
            Role::User => "member",
            Role::Guest | Role::Unknown(_) => "guest",
        };
        named
            .flat_map(|named| named.roles.iter().map(|one| role(one).to_owned()).chain(named.addresses.clone()))
            .collect()
    }

    /// Whether addresses are named.
    pub fn names_addresses(&self) -> bool {
        self.0.as_ref().is_some_and(|named| !named.addresses.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_and_addresses() {
        let of = |names: &[&str]| Audience::of(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        assert!(Audience::default().holds(Role::Guest, None));
        let some = of(&["admin", "Ada@example.org"]).expect("an audience");
        assert!(some.holds(Role::Admin, None) && some.holds(Role::User, Some("ada@EXAMPLE.org")));
        assert!(!some.holds(Role::User, Some("eve@example.org")) && !some.holds(Role::Guest, None));
        assert!(!of(&[]).expect("nobody").holds(Role::Admin, None));
        assert!(of(&["admins"]).is_err());
    }
}
