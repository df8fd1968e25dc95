//! What several states have in common.

use std::{
    ops::{Deref, DerefMut},
    sync::Arc,
};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A value that several states hold. To clone it is to hold it as well; whoever changes it has a copy of its own from then on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Shared<T>(Arc<T>);

impl<T: Clone> Shared<T> {
    /// The value, copied only if others hold it, too.
    pub fn into_inner(self) -> T {
        Arc::unwrap_or_clone(self.0)
    }

    /// Whether both hold the very same, which nobody has changed since.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl<T> From<T> for Shared<T> {
    fn from(value: T) -> Self {
        Self(Arc::new(value))
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Clone> DerefMut for Shared<T> {
    fn deref_mut(&mut self) -> &mut T {
        Arc::make_mut(&mut self.0)
    }
}

impl<T: Serialize> Serialize for Shared<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        T::serialize(self, serializer)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Shared<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_changes_it_has_a_copy() {
        let mut one = Shared::from("a".to_owned());
        let other = one.clone();
        assert!(one.is_same(&other));
        one.push('b');
        assert_eq!((one.as_str(), other.as_str()), ("ab", "a"));
        assert!(!one.is_same(&other));
        // Held alone it is changed where it is.
        let place = one.as_ptr();
        one.clear();
        assert_eq!(one.as_ptr(), place);
        assert_eq!((one.into_inner(), other.into_inner()), (String::new(), "a".to_owned()));
    }

    #[test]
    fn it_is_written_as_what_it_holds() {
        let written = serde_json::to_string(&Shared::from(vec![1, 2])).expect("numbers");
        assert_eq!(written, "[1,2]");
        assert_eq!(serde_json::from_str::<Shared<Vec<u8>>>(&written).expect("numbers").into_inner(), [1, 2]);
    }
}
