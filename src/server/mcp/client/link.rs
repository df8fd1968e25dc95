//! One connection to a server.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use rmcp::{
    Peer, RoleClient,
    model::ProtocolVersion,
    service::{
        ClientInitializeError, ClientLifecycleMode, ClientServiceExt as _, RunningService,
        RunningServiceCancellationToken,
    },
    transport::{
        StreamableHttpClientTransport,
        async_rw::AsyncRwTransport,
        streamable_http_client::{StreamableHttpClientTransportConfig, StreamableHttpError},
    },
};
use tokio::{
    process::{ChildStdin, ChildStdout},
    task::JoinHandle,
    time::timeout,
};

use super::{
    McpServer,
    handler::{Handler, Heard},
};
use crate::server::{
    config::McpPlace,
    program::{self, Owner, Program},
};

/// How long connecting may take: a program may have to be fetched first.
const CONNECTING: Duration = Duration::from_mins(1);

/// The longest message that is read, in bytes: a result may carry a picture.
const LONGEST_MESSAGE: usize = 8 << 20;

/// How long a program whose input was closed may take to end by itself.
const GOING: Duration = Duration::from_secs(1);

/// How long a connection may take to close.
const CLOSING: Duration = Duration::from_secs(1);

/// A connection that stands.
pub(super) struct Link {
    pub(super) peer: Peer<RoleClient>,
    pub(super) heard: Arc<Heard>,
    /// Ends the work on it.
    cancel: RunningServiceCancellationToken,
    /// That work.
    work: JoinHandle<()>,
    program: Option<Program>,
}

impl Link {
    fn new(running: RunningService<RoleClient, Handler>, heard: Arc<Heard>, program: Option<Program>) -> Self {
        let (peer, cancel) = (running.peer().clone(), running.cancellation_token());
        let work = tokio::spawn(async move {
            // How it ended, its program says better.
            let _ = running.waiting().await;
        });
        Self { peer, heard, cancel, work, program }
    }

    /// Waits until the connection is no more; says why.
    pub(super) async fn broken(&mut self) -> String {
        // Whoever waited before may have been told that it is, and not have waited for the rest.
        if !self.work.is_finished() {
            let _ = (&mut self.work).await;
        }
        let Some(program) = &mut self.program else { return "it closed the connection".to_owned() };
        match program.over().await {
            Some(status) => format!("its program ended: {status}"),
            None => "its program closed its output".to_owned(),
        }
    }

    /// Ends the connection, and the program.
    pub(super) async fn end(self) {
        self.cancel.cancel();
        if !self.work.is_finished() {
            let _ = timeout(CLOSING, self.work).await;
        }
        if let Some(program) = self.program {
            program.end().await;
        }
    }
}

/// Connects: in the newest way, or else in the one that most servers know.
pub(super) async fn connect(server: &McpServer) -> Result<Link, String> {
    let newest = ClientLifecycleMode::Auto {
        preferred_versions: vec![ProtocolVersion::V_2026_07_28],
        legacy_version: Some(ProtocolVersion::LATEST_WITH_INITIALIZE),
    };
    let attempt = timeout(CONNECTING, async {
        match connect_in(server, newest).await {
            Ok(link) => Ok(link),
            Err(Failed::Unable(why)) => Err(why),
            // Some know nothing but the older beginning, and leave at anything else.
            Err(Failed::Refused(_)) => {
                connect_in(server, ClientLifecycleMode::Initialize).await.map_err(Failed::into_why)
            }
        }
    });
    attempt.await.unwrap_or_else(|_| Err(format!("no answer within {} s", CONNECTING.as_secs())))
}

/// Starts a server that is a program.
fn start(
    server: &str,
    command: &[String],
    env: &BTreeMap<String, String>,
) -> Result<(Program, ChildStdout, ChildStdin), String> {
    let (name, arguments) = command.split_first().ok_or("no command")?;
    let mut command = program::command(name, env);
    command.args(arguments);
    Program::start(Owner { kind: "an MCP server", name: server.to_owned(), is_keeper: false }, command, GOING)
}

/// Why a connection does not stand.
enum Failed {
    /// It could not even be tried.
    Unable(String),
    /// The server wants none like this.
    Refused(String),
}

impl Failed {
    fn into_why(self) -> String {
        match self {
            Self::Unable(why) | Self::Refused(why) => why,
        }
    }
}

async fn connect_in(server: &McpServer, mode: ClientLifecycleMode) -> Result<Link, Failed> {
    let heard = Arc::new(Heard::default());
    let handler = Handler::new(server.name(), heard.clone());
    match &server.config.place {
        McpPlace::Program { command, env } => {
            let (mut program, stdout, stdin) = start(server.name(), command, env).map_err(Failed::Unable)?;
            let transport = AsyncRwTransport::new_client(stdout, stdin).with_max_line_length(LONGEST_MESSAGE);
            match handler.serve_with_lifecycle(transport, mode).await {
                Ok(running) => Ok(Link::new(running, heard, Some(program))),
                Err(error) => {
                    let why = match program.over().await {
                        Some(status) => format!("its program ended: {status}"),
                        None => why(&error),
                    };
                    program.end().await;
                    Err(Failed::Refused(why))
                }
            }
        }
        McpPlace::Address { url, headers, .. } => {
            let config = StreamableHttpClientTransportConfig::with_uri(url.as_str())
                .custom_headers(headers.iter().cloned().collect::<HashMap<_, _>>())
                .max_sse_event_size(LONGEST_MESSAGE)
                .max_json_response_size(LONGEST_MESSAGE);
            let transport = StreamableHttpClientTransport::with_client(server.requests.clone(), config);
            match handler.serve_with_lifecycle(transport, mode).await {
                Ok(running) => Ok(Link::new(running, heard, None)),
                Err(error) => Err(Failed::Refused(why(&error))),
            }
        }
    }
}

/// Why a connection failed, in one line. Its sources say what happened; what is around them, where in a library.
fn why(error: &ClientInitializeError) -> String {
    match error {
        ClientInitializeError::JsonRpcError(error) => format!("it refused: {}", error.message),
        ClientInitializeError::ConnectionClosed(_) => "it closed the connection".to_owned(),
        ClientInitializeError::NoCompatibleProtocolVersion { .. } => {
            "it speaks no version of the protocol that Netra knows".to_owned()
        }
        ClientInitializeError::LegacyFallbackFailed { fallback, .. } => why(fallback),
        ClientInitializeError::TransportError { error, .. } => innermost(error),
        other => {
            let mut said = other.to_string();
            said.truncate(said.floor_char_boundary(300));
            said
        }
    }
}

/// What an error comes down to. The library's own says what it is of, and its request names the address, which may hold a secret.
pub(super) fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut error = error;
    loop {
        let next: Option<&(dyn std::error::Error + 'static)> = match error.downcast_ref() {
            Some(StreamableHttpError::<reqwest::Error>::Client(inner)) => Some(inner),
            _ => error.source(),
        };
        match next {
            Some(next) => error = next,
            None => break,
        }
    }
    let mut said = match error.downcast_ref::<reqwest::Error>() {
        Some(request) if request.url().is_some() => "the request failed".to_owned(),
        Some(_) | None => error.to_string(),
    };
    said.truncate(said.floor_char_boundary(300));
    said
}
