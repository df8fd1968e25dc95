//! Where a reader turned off the newest, kept in this browser over reloads: losing it costs a press.

use leptos::prelude::*;
use netra_ws::{ThreadId, branch::Choices};
use serde_json::Value;

use crate::app::{
    remembered::{recall, remember},
    store::use_store,
    view::effect,
};

/// Conversations whose turns are kept, the newest last.
const MOST: usize = 50;

/// Turns of one conversation; where there are more, none are kept.
const MOST_TURNS: usize = 200;

/// Brings back what was chosen, and keeps what is. A way that is gone is not shown, whatever was chosen.
pub(super) fn keep(thread: ThreadId, choices: RwSignal<Choices>) {
    let Some(user) = use_store().user().map(|user| user.id) else { return };
    let key = format!("netra.ways.{user}");
    let mut begun = false;
    effect(move || {
        let now = choices.get();
        if !std::mem::replace(&mut begun, true) {
            if let Some(kept) = kept(&key, thread).filter(|_| now == Choices::default()) {
                choices.set(kept);
            }
            return;
        }
        let all = with(all(&key), thread, &now);
        remember(&key, &Value::Array(all).to_string());
    });
}

/// Pairs of a conversation and what was chosen there.
fn all(key: &str) -> Vec<Value> {
    let text = recall(key).unwrap_or_default();
    serde_json::from_str::<Value>(&text).ok().and_then(|kept| kept.as_array().cloned()).unwrap_or_default()
}

fn kept(key: &str, thread: ThreadId) -> Option<Choices> {
    let mut pair = all(key).into_iter().find(|pair| pair[0] == thread.to_string())?;
    serde_json::from_value(pair[1].take()).ok()
}

/// The same with what is chosen now in one of them.
fn with(mut all: Vec<Value>, thread: ThreadId, now: &Choices) -> Vec<Value> {
    all.retain(|pair| pair[0] != thread.to_string());
    let turns = now.branches.len() + now.answers.len();
    if (1..=MOST_TURNS).contains(&turns)
        && let Ok(now) = serde_json::to_value(now)
    {
        all.push(Value::Array(vec![thread.to_string().into(), now]));
    }
    let over = all.len().saturating_sub(MOST);
    all.drain(..over);
    all
}

#[cfg(test)]
mod tests {
    use netra_ws::MessageId;

    use super::*;

    #[test]
    fn what_is_chosen_is_kept_for_the_newest_conversations() {
        let mut choices = Choices::default();
        choices.branches.insert(MessageId::beginning(), MessageId::new());
        let first = ThreadId::new();
        let mut all = with(Vec::new(), first, &choices);
        assert_eq!(serde_json::from_value::<Choices>(all[0][1].clone()).expect("choices"), choices);
        // Turned back to the newest: there is nothing to keep.
        assert_eq!(with(all.clone(), first, &Choices::default()), Vec::<Value>::new());
        for _ in 0..MOST {
            all = with(all, ThreadId::new(), &choices);
        }
        assert_eq!(all.len(), MOST);
        assert!(all.iter().all(|pair| pair[0] != first.to_string()));
        for _ in 0..=MOST_TURNS {
            choices.branches.insert(MessageId::new(), MessageId::new());
        }
        assert_eq!(with(Vec::new(), first, &choices), Vec::<Value>::new());
    }
}
