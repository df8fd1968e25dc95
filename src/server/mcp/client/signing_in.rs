//! An administrator's sign-in at a server, and what the server's state makes of it.

use std::{sync::Arc, time::Duration};

use tokio::time::timeout;

use super::{Answer, McpServer, Refused, SignIn};
use crate::server::auth::SessionId;

/// How long whoever comes back waits for the server's first word, so that the page that they come to has it.
const FIRST_WORD: Duration = Duration::from_secs(5);

impl McpServer {
    /// The sign-in at it, where a person signs in.
    pub fn sign_in(&self) -> Option<&Arc<SignIn>> {
        self.requests.sign_in()
    }

    /// Ends a round with what the browser came back with, and connects to the server.
    pub async fn finish_sign_in(&self, sign_in: &SignIn, session: &SessionId, answer: &Answer) -> Result<(), Refused> {
        sign_in.finish(session, answer).await?;
        self.connecting();
        sign_in.changed.notify_one();
        // Whatever it is then, the page tells.
        let _ = timeout(FIRST_WORD, self.heard_of()).await;
        Ok(())
    }
}
