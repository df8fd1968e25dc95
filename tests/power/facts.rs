//! What the server's clients were told, and from which step on it must outlive a power cut.

use std::collections::{HashMap, HashSet};

use serde_json::Value;
use uuid::Uuid;

use crate::heard::{Heard, id};

/// Something that a client was shown or that it got an answer for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Fact {
    /// The thread's log goes as far as this event.
    Event { thread: Uuid, seq: u64 },
    /// The account exists.
    User(Uuid),
    /// The account is signed in somewhere.
    SignedIn(Uuid),
    /// The account is signed in nowhere.
    SignedOut(Uuid),
    /// The thread exists.
    Thread(Uuid),
    /// The thread is gone.
    ThreadGone(Uuid),
    /// The thread has this title.
    Title(Uuid, String),
    /// The user takes part in the thread.
    Member { thread: Uuid, user: Uuid },
    /// The API token opens something.
    ApiToken(Uuid),
    /// The API token opens nothing any more.
    ApiTokenGone(Uuid),
    /// The message is stored, and sending it again stores nothing: its command is known.
    Message(Uuid),
    /// The run exists.
    Run(Uuid),
    /// Nobody works on the run any more.
    RunOver(Uuid),
    /// The run is to stop, or over.
    RunStopped(Uuid),
    /// Tokens are signed with the same key as ever.
    Key,
    /// A file was taken in, and is whole.
    File { id: Uuid, bytes: Vec<u8> },
    /// The file went with a message.
    Sent { file: Uuid, message: Uuid },
}

/// A fact, and a text that whoever was told it has read.
pub(crate) type Claim = (String, Fact);

/// Facts by the step from which on they are known.
pub(crate) struct Facts(Vec<(usize, Fact)>);

impl Facts {
    /// The facts in the frames that left, and those that the clients claim.
    pub(crate) fn new(heard: &Heard, claims: &[Claim]) -> Self {
        let mut facts: Vec<(usize, Fact)> = Vec::new();
        for (step, frame) in &heard.frames {
            facts.extend(in_frame(frame).into_iter().map(|fact| (*step, fact)));
        }
        for (text, fact) in claims {
            let step = heard.said(text).unwrap_or_else(|| panic!("{text:?} was told to a client and not recorded"));
            facts.push((step, fact.clone()));
        }
        // What is taken away later may be gone as soon as somebody asks for it, which is not recorded.
        let gone: HashSet<Fact> = facts
            .iter()
            .filter_map(|(_, fact)| match fact {
                Fact::ThreadGone(id) => Some(Fact::Thread(*id)),
                Fact::ApiTokenGone(id) => Some(Fact::ApiToken(*id)),
                Fact::SignedOut(user) => Some(Fact::SignedIn(*user)),
                _ => None,
            })
            .collect();
        facts.retain(|(_, fact)| !gone.contains(fact));
        facts.sort_by_key(|(step, _)| *step);
        Self(facts)
    }

    /// Nobody knows anything.
    pub(crate) fn none() -> Self {
        Self(Vec::new())
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// What is known at a step: the heads of threads, and the rest.
    pub(crate) fn at(&self, step: usize) -> (HashMap<Uuid, u64>, HashSet<&Fact>) {
        let known = self.0.partition_point(|(from, _)| *from <= step);
        let (mut heads, mut rest) = (HashMap::new(), HashSet::new());
        for (_, fact) in &self.0[..known] {
            if let Fact::Event { thread, seq } = fact {
                let head = heads.entry(*thread).or_insert(0);
                *head = (*seq).max(*head);
            } else {
                rest.insert(fact);
            }
        }
        (heads, rest)
    }
}

/// What a frame says.
fn in_frame(frame: &Value) -> Vec<Fact> {
    let payload = &frame["payload"];
    let event = |thread: &Value, seq: &Value| Some(Fact::Event { thread: id(thread)?, seq: seq.as_u64()? });
    let run = id(&frame["run_id"]);
    let facts = match frame["type"].as_str().unwrap_or_default() {
        "ack" => {
            let message = id(&payload["message_id"]).map(Fact::Message);
            let stopped = id(&payload["run_id"]).filter(|_| message.is_none()).map(Fact::RunStopped);
            let run = id(&payload["run_id"]).map(Fact::Run);
            vec![message, run, stopped, event(&payload["thread_id"], &payload["seq"])]
        }
        "agent_completed" | "agent_error" => vec![run.map(Fact::RunOver), event(&frame["thread_id"], &frame["seq"])],
        "thread_snapshot" => vec![event(&frame["thread_id"], &payload["as_of_seq"])],
        "thread_created" => vec![id(&payload["id"]).map(Fact::Thread)],
        "thread_deleted" => vec![id(&payload["id"]).map(Fact::ThreadGone)],
        _ => vec![event(&frame["thread_id"], &frame["seq"])],
    };
    facts.into_iter().flatten().collect()
}
