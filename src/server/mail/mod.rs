//! Mail that the server sends: one after the other, tried a few times, and never in the way of a request.

mod words;

use std::time::Duration;

use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{Mailbox, header::ContentType},
    transport::smtp::authentication::Credentials,
};
use tokio::{
    sync::mpsc,
    time::{sleep, timeout},
};

use super::config::MailConfig;
pub use words::Letter;

/// Letters that wait to be sent.
const WAITING: usize = 256;

/// How often a letter is tried, how long one try may take, and the first pause after one that failed.
const TRIES: u32 = 3;
const PATIENCE: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_secs(2);

/// Mail cannot be sent with these settings.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// The server's address cannot be used.
    #[error("the mail server's address: {0}")]
    Server(#[from] lettre::transport::smtp::Error),
    /// The sender's address cannot be used.
    #[error("the sender's address: {0}")]
    Sender(#[from] lettre::address::AddressError),
    /// The letter cannot be written.
    #[error("the letter: {0}")]
    Letter(#[from] lettre::error::Error),
    /// The mail server takes too long.
    #[error("the mail server takes too long")]
    TooSlow,
}

/// Takes letters, and sends them in a task of its own.
pub struct Mailer {
    letters: mpsc::Sender<(String, Letter)>,
}

impl Mailer {
    /// A mailer over this server. Nothing is asked of it yet: a mail server that is away keeps nothing else from working.
    pub fn start(config: &MailConfig) -> Result<Self, MailError> {
        let mut transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(&config.url)?.timeout(Some(PATIENCE));
        let user = url::Url::parse(&config.url).ok().map(|url| url.username().to_owned()).unwrap_or_default();
        if let Some(password) = config.password.clone().filter(|_| !user.is_empty()) {
            transport = transport.credentials(Credentials::new(user, password));
        }
        let (letters, waiting) = mpsc::channel(WAITING);
        tokio::spawn(send_all(transport.build(), config.from.parse()?, waiting));
        Ok(Self { letters })
    }

    /// Sends a letter some time. One too many is dropped, with a line in the log.
    pub fn send(&self, to: String, letter: Letter) {
        if self.letters.try_send((to, letter)).is_err() {
            tracing::error!("a letter is not sent: too many wait for the mail server");
        }
    }
}

async fn send_all(
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    mut waiting: mpsc::Receiver<(String, Letter)>,
) {
    while let Some((to, letter)) = waiting.recv().await {
        let kind = letter.kind();
        let mut pause = PAUSE;
        for left in (0..TRIES).rev() {
            match send(&transport, &from, &to, &letter).await {
                Ok(()) => {
                    tracing::info!(kind, "letter sent");
                    break;
                }
                Err(error) if left > 0 => {
                    tracing::warn!(%error, kind, "a letter was not taken; it is tried again");
                    sleep(pause).await;
                    pause *= 4;
                }
                Err(error) => tracing::error!(%error, kind, "a letter could not be sent"),
            }
        }
    }
}

async fn send(
    transport: &AsyncSmtpTransport<Tokio1Executor>,
    from: &Mailbox,
    to: &str,
    letter: &Letter,
) -> Result<(), MailError> {
    let message = Message::builder()
        .from(from.clone())
        .to(Mailbox::new(None, to.parse()?))
        .subject(letter.subject())
        .header(ContentType::TEXT_PLAIN)
        .body(letter.text())?;
    timeout(PATIENCE, transport.send(message)).await.map_err(|_| MailError::TooSlow)??;
    Ok(())
}
