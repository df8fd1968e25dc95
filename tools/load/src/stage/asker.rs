//! Asks the agent a question in each of many threads, as their owners.

use std::{collections::HashSet, time::Duration};

use futures::{SinkExt, StreamExt, TryStreamExt, stream};
use netra_ws::{
    FrameId, Incoming, PROTOCOL, ServerMessage, TOKEN_PREFIX, frame::Frame, message::ClientMessage, payload as p,
};
use tokio::time::timeout;
use tokio_tungstenite::{
    connect_async,
    tungstenite::{Message, client::IntoClientRequest},
};

use super::{Owned, Stage};
use crate::{Failure, job::Account};

/// How long all answers to one user's commands may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// Users that ask at once.
const AT_ONCE: usize = 8;

impl Stage {
    /// Says `word` in every thread, where it starts a run; returns when all were taken in.
    pub(crate) async fn ask(
        &self,
        threads: &[Owned],
        accounts: &[Account],
        word: impl Fn(usize) -> String,
    ) -> Result<(), Failure> {
        let mut by_account = vec![Vec::new(); accounts.len()];
        for (number, thread) in threads.iter().enumerate() {
            by_account[thread.account].push((thread.id, word(number)));
        }
        let asked = by_account.into_iter().zip(accounts).filter(|(questions, _)| !questions.is_empty());
        stream::iter(asked)
            .map(|(questions, account)| async move {
                let frames = questions.into_iter().map(|(thread, content)| {
                    let message = p::UserMessage { content, ..p::UserMessage::default() };
                    Frame::new(ClientMessage::UserMessage(message)).in_thread(thread)
                });
                match timeout(PATIENCE, self.tell(account, frames.collect())).await {
                    Ok(outcome) => outcome,
                    Err(_) => Err("commands were not answered".into()),
                }
            })
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await
    }

    /// Sends commands on a socket of their own and waits for their answers.
    async fn tell(&self, account: &Account, frames: Vec<netra_ws::ClientFrame>) -> Result<(), Failure> {
        let mut request = format!("ws://{}/ws", self.host).into_client_request()?;
        let protocols = format!("{PROTOCOL}, {TOKEN_PREFIX}{}", account.token);
        request.headers_mut().insert("sec-websocket-protocol", protocols.parse()?);
        let (mut socket, _) = connect_async(request).await?;
        let mut waiting: HashSet<FrameId> = frames.iter().map(|frame| frame.id).collect();
        for frame in frames {
            socket.send(Message::text(frame.encode()?)).await?;
        }
        while !waiting.is_empty() {
            let Some(message) = socket.next().await.transpose()? else { return Err("the socket closed".into()) };
            let Message::Text(text) = message else { continue };
            let Ok(Incoming::Frame(frame)) = serde_json::from_str(&text) else { continue };
            match (&frame.message, frame.reply_to) {
                (ServerMessage::Ack(_), Some(id)) => _ = waiting.remove(&id),
                (ServerMessage::ErrorMessage(error), _) => return Err(error.message.clone().into()),
                _ => {}
            }
        }
        // The answers are in; nothing is lost with the socket.
        let _ = socket.close(None).await;
        Ok(())
    }
}
