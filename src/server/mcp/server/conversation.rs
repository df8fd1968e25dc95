//! A conversation as text.

use std::fmt::Write as _;

use netra_ws::{ThreadId, UserId, model::MessageRole};

use crate::server::{error::ApiError, thread_service::ThreadService};

/// Messages of a conversation, the newest; those before them are left out, which is said.
const MESSAGES: usize = 200;

/// What was said, oldest first, as Markdown.
pub(super) async fn text(threads: &ThreadService, user: UserId, id: ThreadId) -> Result<String, ApiError> {
    let thread = threads.get(user, id).await?;
    let history = threads.history(user, id, None, MESSAGES).await?;
    let mut text = format!("# {}\n", if thread.title.is_empty() { "New conversation" } else { &thread.title });
    if history.earlier {
        text.push_str("\n(Earlier messages are left out.)\n");
    }
    for message in &history.messages {
        let run = history.runs.iter().find(|run| Some(run.run_id) == message.run_id);
        let who = match message.role {
            MessageRole::Assistant => run.map_or("Agent", |run| run.agent.as_str()),
            _ => message.author.as_ref().map_or("Person", |author| author.name.as_str()),
        };
        // Writing to a string does not fail.
        let _ = write!(text, "\n## {who}\n\n{}\n", message.content);
        for file in &message.attachments {
            let _ = writeln!(text, "\n(File: {})", file.name);
        }
    }
    Ok(text)
}
