//! What a provider says of a person, once it was found to be the provider's word.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::Value;

use crate::server::store::identities::Subject;

/// Groups of one person that are looked at.
const MOST_GROUPS: usize = 1_000;

/// A person.
#[derive(Clone, Debug)]
pub(super) struct Person {
    pub(super) subject: Subject,
    /// The address, if the provider has verified it.
    pub(super) verified_email: Option<String>,
    pub(super) name: Option<String>,
    pub(super) groups: Vec<String>,
    /// The provider's own session.
    pub(super) sid: Option<String>,
    pub(super) id_token: String,
}

/// The claims of a token whose signature was verified before.
pub(super) fn of_verified(token: &str) -> Option<Value> {
    let payload = token.split('.').nth(1)?;
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(payload).ok()?).ok()
}

/// Adds what another answer of the provider says, where this one says nothing.
pub(super) fn complete(claims: &mut Value, more: &Value) {
    if let (Value::Object(claims), Value::Object(more)) = (claims, more) {
        for (name, value) in more {
            claims.entry(name.clone()).or_insert_with(|| value.clone());
        }
    }
}

impl Person {
    /// From claims; `groups` is the claim that holds them.
    pub(super) fn new(subject: Subject, claims: &Value, groups: &str, id_token: String) -> Self {
        let text = |name: &str| claims.get(name).and_then(Value::as_str).map(str::to_owned);
        // A provider that says nothing of it has verified nothing.
        let verified = claims.get("email_verified") == Some(&Value::Bool(true));
        let groups = match claims.get(groups) {
            Some(Value::Array(groups)) => {
                groups.iter().filter_map(Value::as_str).take(MOST_GROUPS).map(str::to_owned).collect()
            }
            Some(Value::String(group)) => vec![group.clone()],
            _ => Vec::new(),
        };
        Self {
            subject,
            verified_email: text("email").filter(|_| verified),
            name: text("name").or_else(|| text("preferred_username")),
            groups,
            sid: text("sid"),
            id_token,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn person(claims: &Value) -> Person {
        let subject = Subject { issuer: "https://id.example".into(), subject: "7".into() };
        Person::new(subject, claims, "groups", String::new())
    }

    #[test]
    fn only_a_verified_address_counts() {
        let of =
            |verified: Value| person(&json!({ "email": "ada@example.org", "email_verified": verified })).verified_email;
        assert_eq!(of(json!(true)).as_deref(), Some("ada@example.org"));
        for other in [json!(false), json!("true"), json!(1), json!(null)] {
            assert_eq!(of(other.clone()), None, "{other}");
        }
        assert_eq!(person(&json!({ "email": "ada@example.org" })).verified_email, None);
    }

    #[test]
    fn groups_come_as_a_list_or_as_one() {
        assert_eq!(person(&json!({ "groups": ["a", 7, "b"] })).groups, ["a", "b"]);
        assert_eq!(person(&json!({ "groups": "a" })).groups, ["a"]);
        assert!(person(&json!({ "groups": { "a": 1 } })).groups.is_empty());
    }
}
