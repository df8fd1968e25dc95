//! What a server asks of us and tells us. It is given as little as can be: no roots, no sampling, no files; people
//! are asked for it.

// Logging and sampling leave the protocol with 2026-07-28; servers in the field still use them.
#![allow(deprecated)]

use std::{
    future::{Future, ready},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use rmcp::{
    ClientHandler, ErrorData,
    model::{
        ClientCapabilities, ClientConfig, CreateMessageRequestParams, CreateMessageResult, ElicitRequestParams,
        ElicitResult, ElicitationAction, ElicitationCapability, ErrorCode, FormElicitationCapability, Implementation,
        LoggingLevel, LoggingMessageNotificationParam, ProgressNotificationParam, ProgressToken,
    },
    service::{NotificationContext, RequestContext, RoleClient},
};
use tokio::sync::Notify;

use super::elicitation;
use crate::server::{
    VERSION,
    tool::{Note, Notes},
};

/// The longest line that a server logs through us, in bytes.
const LONGEST_LINE: usize = 2_000;

/// Hears a server.
#[derive(Clone)]
pub(super) struct Handler {
    server: Arc<str>,
    heard: Arc<Heard>,
}

/// What was heard, for those who wait for it.
#[derive(Default)]
pub(super) struct Heard {
    /// What it has changed.
    pub(super) changed: Notify,
    /// Who wants to know how far a call is.
    /// The oldest first.
    calls: Mutex<Vec<(ProgressToken, Arc<Notes>)>>,
}

impl Heard {
    fn calls(&self) -> MutexGuard<'_, Vec<(ProgressToken, Arc<Notes>)>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells `notes` how far the call with this token is, until [`forget`](Self::forget).
    pub(super) fn follow(&self, token: ProgressToken, notes: Arc<Notes>) {
        self.calls().push((token, notes));
    }

    fn call(&self, token: &ProgressToken) -> Option<Arc<Notes>> {
        self.calls().iter().find(|(of, _)| of == token).map(|(_, notes)| notes.clone())
    }

    /// The call for which a server asks: the one that its request names by the call's token. Most name none; then it is the oldest
    /// that is open, if all of them are of one run, so that there is no doubt who is asked.
    fn asking_call(&self, named: Option<&ProgressToken>) -> Option<Arc<Notes>> {
        if let Some(named) = named {
            return self.call(named);
        }
        let calls = self.calls();
        let ((_, oldest), others) = calls.split_first()?;
        others.iter().all(|(_, notes)| notes.is_of_the_run_of(oldest)).then(|| oldest.clone())
    }

    /// The call has ended.
    pub(super) fn forget(&self, token: &ProgressToken) {
        self.calls().retain(|(of, _)| of != token);
    }
}

impl Handler {
    pub(super) fn new(server: &str, heard: Arc<Heard>) -> Self {
        Self { server: server.into(), heard }
    }

    fn changed(&self, what: &'static str) -> impl Future<Output = ()> + Send + use<> {
        tracing::info!(server = &*self.server, what, "an MCP server has something else now");
        self.heard.changed.notify_one();
        ready(())
    }
}

impl ClientHandler for Handler {
    /// Sampling costs tokens and money that nobody here has granted the server.
    fn create_message(
        &self,
        _params: CreateMessageRequestParams,
        _context: RequestContext<RoleClient>,
    ) -> impl Future<Output = Result<CreateMessageResult, ErrorData>> + Send + '_ {
        tracing::warn!(server = &*self.server, "an MCP server asked for sampling, which is refused");
        let message = "sampling is refused: this client lends its models to no server";
        ready(Err(ErrorData::new(ErrorCode::METHOD_NOT_FOUND, message, None)))
    }

    /// Asks the person for whom the server works. One who asks for none, or for one of several people's, is declined.
    async fn create_elicitation(
        &self,
        request: ElicitRequestParams,
        context: RequestContext<RoleClient>,
    ) -> Result<ElicitResult, ErrorData> {
        let Some(notes) = self.heard.asking_call(context.meta.get_progress_token().as_ref()) else {
            tracing::warn!(server = &*self.server, "an MCP server asks a person, and it is not known for which call");
            return Ok(ElicitResult::new(ElicitationAction::Decline));
        };
        tokio::select! {
            // What the server took back, nobody answers.
            () = context.ct.cancelled() => Ok(ElicitResult::new(ElicitationAction::Cancel)),
            answer = elicitation::ask(&self.server, &notes, request) => Ok(answer),
        }
    }

    fn on_progress(
        &self,
        params: ProgressNotificationParam,
        _context: NotificationContext<RoleClient>,
    ) -> impl Future<Output = ()> + Send + '_ {
        if let Some(notes) = self.heard.call(&params.progress_token) {
            let total = params.total.filter(|total| *total > 0.0);
            let fraction = total.map(|total| params.progress / total);
            let message = params.message.filter(|message| !message.trim().is_empty()).unwrap_or_else(|| match total {
                Some(total) => format!("{} of {total}", params.progress),
                None => format!("step {}", params.progress),
            });
            notes.say(Note { message, fraction });
        }
        ready(())
    }

    fn on_logging_message(
        &self,
        params: LoggingMessageNotificationParam,
        _context: NotificationContext<RoleClient>,
    ) -> impl Future<Output = ()> + Send + '_ {
        let mut text = params.data.as_str().map_or_else(|| params.data.to_string(), str::to_owned);
        text.truncate(text.floor_char_boundary(LONGEST_LINE));
        let (server, logger) = (&*self.server, params.logger);
        match params.level {
            LoggingLevel::Debug => tracing::debug!(server, logger, text, "an MCP server logs"),
            LoggingLevel::Info | LoggingLevel::Notice => tracing::info!(server, logger, text, "an MCP server logs"),
            _ => tracing::warn!(server, logger, text, "an MCP server logs"),
        }
        ready(())
    }

    fn on_tool_list_changed(&self, _: NotificationContext<RoleClient>) -> impl Future<Output = ()> + Send + '_ {
        self.changed("tools")
    }

    fn on_prompt_list_changed(&self, _: NotificationContext<RoleClient>) -> impl Future<Output = ()> + Send + '_ {
        self.changed("prompts")
    }

    fn on_resource_list_changed(&self, _: NotificationContext<RoleClient>) -> impl Future<Output = ()> + Send + '_ {
        // What there is, is asked for when it is read.
        ready(())
    }

    fn get_info(&self) -> ClientConfig {
        let asks = ElicitationCapability::new().with_form(FormElicitationCapability::new());
        let mut capabilities = ClientCapabilities::default();
        capabilities.elicitation = Some(asks);
        ClientConfig::new(capabilities, Implementation::new("netra", VERSION).with_title("Netra"))
    }
}
