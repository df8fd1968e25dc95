//! What is said in rooms. Every thread is a room for those who may read it; nothing said there is kept.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::model::{Author, Object};

/// The key under which the server itself speaks. A client's body must not have it.
pub const PRESENCE: &str = "presence";

/// Who is in a room: the body of a `room_message` that the server sends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "presence", rename_all = "snake_case")]
pub enum Presence {
    /// `from` came in, with the first of the user's connections.
    Joined,
    /// `from` left, with the last of the user's connections.
    Left,
    /// Said to a connection that joins: everyone who is there, itself included.
    List {
        /// Who.
        users: Vec<Author>,
    },
}

impl Presence {
    /// As a body.
    pub fn to_body(&self) -> Object {
        match serde_json::to_value(self) {
            Ok(Value::Object(body)) => body,
            // Neither happens to a tagged enum of structs.
            Ok(_) | Err(_) => Object::new(),
        }
    }

    /// Reads a body; nothing when it is about something else.
    pub fn from_body(body: &Object) -> Option<Self> {
        body.contains_key(PRESENCE).then(|| serde_json::from_value(Value::Object(body.clone())).ok()).flatten()
    }
}

/// `{ "typing": true }`: someone writes, or no longer does.
pub fn typing_body(typing: bool) -> Object {
    Object::from_iter([("typing".to_owned(), Value::Bool(typing))])
}

/// Whether `from` types; nothing when the body is about something else.
pub fn typing_of(body: &Object) -> Option<bool> {
    body.get("typing").and_then(Value::as_bool)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::id::UserId;

    #[test]
    fn presence_has_one_shape_on_the_wire() {
        let ada = Author { id: UserId::new(), name: "Ada".to_owned() };
        let list = Presence::List { users: vec![ada.clone()] };
        assert_eq!(Value::Object(Presence::Joined.to_body()), json!({ "presence": "joined" }));
        assert_eq!(
            Value::Object(list.to_body()),
            json!({ "presence": "list", "users": [{ "id": ada.id, "name": "Ada" }] })
        );
        for presence in [Presence::Joined, Presence::Left, list] {
            assert_eq!(Presence::from_body(&presence.to_body()), Some(presence));
        }
    }

    #[test]
    fn other_bodies_are_about_something_else() {
        assert_eq!(Presence::from_body(&typing_body(true)), None);
        assert_eq!(typing_of(&typing_body(false)), Some(false));
        assert_eq!(typing_of(&Presence::Left.to_body()), None);
        let Value::Object(odd) = json!({ "presence": "elsewhere" }) else { unreachable!("an object") };
        assert_eq!(Presence::from_body(&odd), None);
    }
}
