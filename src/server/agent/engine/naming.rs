//! The name that an agent gives a conversation.

use std::{sync::Arc, time::Duration};

use netra_ws::model::MessageRole;

use super::super::{Listed, RunHandle, model::ChatMessage, title};
use super::Shared;
use crate::server::store::ClaimedRun;

/// How many messages a conversation may have when its name comes: the first of them is looked for.
const FIRST_MESSAGES: usize = 20;

/// How long an agent may take to name a conversation.
const TITLE_PATIENCE: Duration = Duration::from_secs(30);

impl Shared {
    /// Has the agent name a conversation that is named after its first message. Nobody waits for that.
    pub(super) fn title_later(&self, run: &ClaimedRun, listed: &Arc<Listed>, handle: &RunHandle<'_>) {
        let [ChatMessage::User { text: question, .. }] = handle.conversation() else { return };
        if run.nested.is_some() {
            return;
        }
        let (question, answer, thread) = (question.clone(), handle.text().to_owned(), run.thread_id);
        let (store, announcer, listed) = (self.store.clone(), self.announcer.clone(), listed.clone());
        let closing = self.closing.clone();
        self.tasks.spawn(async move {
            let titled = tokio::time::timeout(TITLE_PATIENCE, listed.agent.title(&question, &answer));
            // A process that ends waits for runs, and not for a title.
            let Some(Ok(Some(title))) = closing.run_until_cancelled(titled).await else { return };
            let first = match store.messages(thread, None, FIRST_MESSAGES).await {
                Ok(messages) => messages.into_iter().find(|message| message.role == MessageRole::User),
                Err(error) => return tracing::warn!(%error, thread_id = %thread, "the title could not be stored"),
            };
            // The model was told more than stands there: what is in its files.
            let Some(first) = first else { return };
            let file = first.attachments.first().map(|file| file.name.as_str());
            match store.retitle(thread, &title::made_title(title::first_words(&first.content, file)), &title).await {
                Ok(true) => announcer.thread_as_stored(thread).await,
                // A person gave it a name.
                Ok(false) => {}
                Err(error) => tracing::warn!(%error, thread_id = %thread, "the title could not be stored"),
            }
        });
    }
}
