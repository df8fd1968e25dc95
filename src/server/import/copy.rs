//! The way to a message of a conversation here as the beginning of another: messages with who wrote them, and the answers that
//! the way shows. Sub-agents stay behind: what they came to stands in the calls that asked them.

use netra_ws::{
    MessageId, Timestamp,
    model::{Attachment, Message, Run},
};

use super::{Events, own};

/// A message on the way.
pub(in crate::server) struct Turn {
    /// What a person said.
    pub(in crate::server) message: Message,
    /// Its files, which are the new conversation's own.
    pub(in crate::server) files: Vec<Attachment>,
    /// The answer that is shown, and when it was there.
    pub(in crate::server) answer: Option<(Run, Timestamp)>,
}

/// The way as events, and the last message under its new id.
pub(in crate::server) fn copied(title: String, way: Vec<Turn>) -> (Events, Option<MessageId>) {
    let mut events = Events::new(title, way.first().map(|turn| turn.message.created_at));
    let mut last = None;
    for Turn { message, files, answer } in way {
        let asked = events.said(message.content, last, Some(message.created_at), message.author, files);
        last = Some(asked);
        if let Some((mut run, at)) = answer {
            let content = std::mem::take(&mut run.text);
            last = Some(own::answer(&mut events, asked, run, content, Some(at)));
        }
    }
    (events, last)
}
