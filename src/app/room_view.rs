//! Who else is here: the room of the thread that is shown.

use std::time::Duration;

use leptos::prelude::*;
use netra_ws::{
    ThreadId, UserId,
    model::Author,
    payload::RoomHeard,
    room::{Presence, typing_of},
};

use super::store::AppStore;

/// How long someone counts as typing after the last word of it.
const TYPING: Duration = Duration::from_secs(6);

/// The room of a thread, as far as this page is in it. Nobody is in it while the link is down: then nothing is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RoomView {
    /// Whose room.
    pub(crate) thread: Option<ThreadId>,
    /// Everyone there, this page's user included.
    pub(crate) users: Vec<Author>,
    /// Who types, and how often that was said.
    typing: Vec<(Author, u64)>,
}

impl RoomView {
    /// The room of a thread, of which nothing is known yet.
    pub(crate) fn of(thread: ThreadId) -> Self {
        Self { thread: Some(thread), ..Self::default() }
    }

    /// The names of everyone but this user.
    pub(crate) fn others(&self, me: Option<UserId>) -> Vec<String> {
        self.users.iter().filter(|user| Some(user.id) != me).map(|user| user.name.clone()).collect()
    }

    /// The names of those who type, but this user.
    pub(crate) fn typing(&self, me: Option<UserId>) -> Vec<String> {
        self.typing.iter().filter(|(user, _)| Some(user.id) != me).map(|(user, _)| user.name.clone()).collect()
    }

    fn types(&mut self, user: Author) -> u64 {
        match self.typing.iter_mut().find(|(other, _)| other.id == user.id) {
            Some((_, times)) => {
                *times += 1;
                *times
            }
            None => {
                self.typing.push((user, 0));
                0
            }
        }
    }

    fn rests(&mut self, user: UserId, times: Option<u64>) {
        self.typing.retain(|(other, said)| other.id != user || times.is_some_and(|times| times != *said));
    }
}

/// Takes in what was said in a room.
pub(crate) fn hear(store: &AppStore, heard: &RoomHeard) {
    let room = &store.room;
    if room.with_untracked(|room| room.thread.is_none_or(|thread| thread.to_string() != heard.room)) {
        return;
    }
    let from = Author { id: heard.from.id, name: heard.from.name.clone() };
    match (Presence::from_body(&heard.body), typing_of(&heard.body)) {
        (Some(Presence::List { users }), _) => room.update(|room| room.users = users),
        (Some(Presence::Joined), _) => room.update(|room| {
            if room.users.iter().all(|user| user.id != from.id) {
                room.users.push(from);
            }
        }),
        (Some(Presence::Left), _) => room.update(|room| {
            room.users.retain(|user| user.id != from.id);
            room.rests(from.id, None);
        }),
        (None, Some(true)) => {
            let id = from.id;
            let times = room.try_update(|room| room.types(from)).unwrap_or_default();
            let room = room.clone();
            set_timeout(move || room.update(|room| room.rests(id, Some(times))), TYPING);
        }
        (None, Some(false)) => room.update(|room| room.rests(from.id, None)),
        // Another program's word.
        (None, None) => {}
    }
}

/// Names as a sentence has them.
pub(crate) fn enumerated(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [first, second] => format!("{first} and {second}"),
        [first, second, rest @ ..] => format!("{first}, {second} and {} more", rest.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_a_sentence() {
        let names = ["Ada", "Grace", "Mary", "Joan"].map(str::to_owned);
        let sentences: Vec<String> = (0..=4).map(|count| enumerated(&names[..count])).collect();
        assert_eq!(sentences, ["", "Ada", "Ada and Grace", "Ada, Grace and 1 more", "Ada, Grace and 2 more"]);
    }

    #[test]
    fn typing_ends_with_its_last_word() {
        let ada = Author { id: UserId::new(), name: "Ada".to_owned() };
        let mut room = RoomView::default();
        let first = room.types(ada.clone());
        let second = room.types(ada.clone());
        room.rests(ada.id, Some(first));
        assert_eq!(room.typing(None), ["Ada"], "a later word keeps it");
        room.rests(ada.id, Some(second));
        assert!(room.typing(None).is_empty());
        room.types(ada.clone());
        assert!(room.typing(Some(ada.id)).is_empty(), "nobody is told of their own typing");
    }
}
