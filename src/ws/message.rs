//! The one enum each way. A row of the table below is a message: its variant, payload and name on the wire.
//!
//! Handlers match these enums without `_ =>`, so a type that one side forgets does not compile.

use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use crate::{
    error::ErrorCode,
    model::{MessageRole, Object, Thread, ToolStatus},
    payload as p,
};

/// What is known of a message type without looking at a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TypeInfo {
    /// The name on the wire.
    pub name: &'static str,
    /// Whether it stands in the thread's log and carries `seq`.
    pub durable: bool,
    /// What it is for.
    pub description: &'static str,
    /// The type that answers it, if one does.
    pub answer: Option<&'static str>,
}

/// A message that travels in a frame.
pub trait FrameMessage: Sized {
    /// Every type, in the order of the table.
    const TYPES: &'static [TypeInfo];

    /// The type of this message.
    fn info(&self) -> TypeInfo;

    /// The payload as JSON.
    fn payload(&self) -> Result<Value, serde_json::Error>;

    /// The payload as JSON text, written once.
    fn payload_text(&self) -> Result<Box<RawValue>, serde_json::Error>;

    /// The payloads' schemas, in the order of the table.
    #[cfg(feature = "schema")]
    fn schemas(generator: &mut schemars::SchemaGenerator) -> Vec<schemars::Schema>;

    /// Reads the payload of the named type; `None` when there is no such type.
    fn read(name: &str, payload: Object) -> Option<Result<Self, serde_json::Error>>;
}

macro_rules! messages {
    ($(#[$meta:meta])* $kind:ident $enum:ident {
        $($(#[doc = $doc:literal])* $variant:ident($payload:ty) = $wire:literal $(-> $answer:literal)?;)*
        $(.. #[doc = $nested_doc:literal] $nested:ident;)?
    }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq)]
        pub enum $enum {
            $($(#[doc = $doc])* $variant($payload),)*
            $(#[doc = $nested_doc] $nested($nested),)?
        }

        impl FrameMessage for $enum {
            const TYPES: &'static [TypeInfo] = {
                const OWN: &[TypeInfo] = &[$(TypeInfo {
                    name: $wire,
                    durable: messages!(@durable $kind),
                    description: messages!(@words $($doc)*),
                    answer: messages!(@answer $($answer)?),
                },)*];
                messages!(@types OWN $($nested)?)
            };

            fn info(&self) -> TypeInfo {
                match self {
                    $(Self::$variant(_) => TypeInfo {
                        name: $wire,
                        durable: messages!(@durable $kind),
                        description: messages!(@words $($doc)*),
                        answer: messages!(@answer $($answer)?),
                    },)*
                    $(Self::$nested(message) => message.info(),)?
                }
            }

            #[cfg(feature = "schema")]
            fn schemas(generator: &mut schemars::SchemaGenerator) -> Vec<schemars::Schema> {
                let own = [$(generator.subschema_for::<$payload>(),)*];
                own.into_iter()$(.chain(<$nested as FrameMessage>::schemas(generator)))?.collect()
            }

            fn payload(&self) -> Result<Value, serde_json::Error> {
                match self {
                    $(Self::$variant(payload) => serde_json::to_value(payload),)*
                    $(Self::$nested(message) => message.payload(),)?
                }
            }

            fn payload_text(&self) -> Result<Box<RawValue>, serde_json::Error> {
                match self {
                    $(Self::$variant(payload) => serde_json::value::to_raw_value(payload),)*
                    $(Self::$nested(message) => message.payload_text(),)?
                }
            }

            fn read(name: &str, payload: Object) -> Option<Result<Self, serde_json::Error>> {
                match name {
                    $($wire => Some(<$payload>::deserialize(payload).map(Self::$variant)),)*
                    _ => messages!(@read name, payload $(, $nested)?),
                }
            }
        }
    };
    (@durable event) => { true };
    (@durable ephemeral) => { false };
    (@answer) => { None };
    (@answer $answer:literal) => { Some($answer) };
    (@words $($doc:literal)*) => { concat!($($doc),*) };
    (@types $own:ident) => { $own };
    (@types $own:ident $nested:ident) => {
        &concat_types::<{ $own.len() + <$nested as FrameMessage>::TYPES.len() }>($own, <$nested as FrameMessage>::TYPES)
    };
    (@read $name:ident, $payload:ident) => {{
        drop($payload);
        None
    }};
    (@read $name:ident, $payload:ident, $nested:ident) => {
        <$nested as FrameMessage>::read($name, $payload).map(|read| read.map(Self::$nested))
    };
}

/// One table after the other; `N` is the length of both.
const fn concat_types<const N: usize>(first: &[TypeInfo], second: &[TypeInfo]) -> [TypeInfo; N] {
    let mut all = [first[0]; N];
    let mut at = 0;
    while at < N {
        all[at] = if at < first.len() { first[at] } else { second[at - first.len()] };
        at += 1;
    }
    all
}

messages! {
    /// What a client may say.
    ephemeral ClientMessage {
        /// Adds a person's message to the thread and has an agent answer it.
        UserMessage(p::UserMessage) = "user_message" -> "ack";
        /// Starts an agent, in a new thread unless the frame names one.
        StartAgent(p::StartAgent) = "start_agent" -> "ack";
        /// Has a person's message answered once more.
        Regenerate(p::Regenerate) = "regenerate" -> "ack";
        /// Stops a run.
        StopAgent(p::StopAgent) = "stop_agent" -> "ack";
        /// Decides on a tool call that waits for approval.
        ToolApproval(p::ToolApproval) = "tool_approval" -> "ack";
        /// Asks for a thread's events from a cursor on.
        Subscribe(p::Subscribe) = "subscribe" -> "subscribed";
        /// Asks for no more of a thread's events.
        Unsubscribe(p::Empty) = "unsubscribe" -> "unsubscribed";
        /// Gives the connection a fresh token.
        Authenticate(p::Authenticate) = "authenticate" -> "authenticated";
        /// Answers a heartbeat.
        HeartbeatAck(p::Empty) = "heartbeat_ack";
        /// Asks for a sign of life.
        Ping(p::Ping) = "ping" -> "pong";
        /// Enters a room.
        JoinRoom(p::Room) = "join_room" -> "ack";
        /// Leaves a room.
        LeaveRoom(p::Room) = "leave_room" -> "ack";
        /// Says something to everyone in a room.
        RoomMessage(p::RoomSay) = "room_message";
        /// A JSON-RPC 2.0 request.
        JsonrpcRequest(Object) = "jsonrpc_request" -> "jsonrpc_response";
        /// A JSON-RPC 2.0 notification.
        JsonrpcNotification(Object) = "jsonrpc_notification";
    }
}

messages! {
    /// What the server may say.
    ephemeral ServerMessage {
        /// The first frame: who is connected and what the connection may do.
        Connect(p::Connect) = "connect";
        /// The last frame before a close that the server chose.
        Disconnect(p::Disconnect) = "disconnect";
        /// Asks the client for a sign of life.
        Heartbeat(p::Empty) = "heartbeat";
        /// Answers `ping`.
        Pong(p::Ping) = "pong";
        /// The fresh token was taken.
        Authenticated(p::Authenticated) = "authenticated";
        /// The subscription began.
        Subscribed(p::Subscribed) = "subscribed";
        /// The thread as it stands.
        ThreadSnapshot(p::ThreadSnapshot) = "thread_snapshot";
        /// The command was carried out.
        Ack(p::Ack) = "ack";
        /// The subscription ended.
        Unsubscribed(p::Empty) = "unsubscribed";
        /// The frame was not acted on.
        ErrorMessage(p::ErrorMessage) = "error_message";
        /// A thread was made; sent to all of the user's connections.
        ThreadCreated(Thread) = "thread_created";
        /// A thread changed; sent to all of the user's connections.
        ThreadUpdate(Thread) = "thread_update";
        /// A thread is gone; sent to all of the user's connections.
        ThreadDeleted(p::ThreadDeleted) = "thread_deleted";
        /// The server's notice to one user.
        SystemMessage(p::Notice) = "system_message";
        /// An administrator's notice to everyone.
        Broadcast(p::Notice) = "broadcast";
        /// Someone said something in a room.
        RoomMessage(p::RoomHeard) = "room_message";
        /// A JSON-RPC 2.0 response.
        JsonrpcResponse(Object) = "jsonrpc_response";
        /// A JSON-RPC 2.0 notification.
        JsonrpcNotification(Object) = "jsonrpc_notification";
        .. /// What happened in a thread.
        Event;
    }
}

messages! {
    /// What happened in a thread: an entry of its log. Nothing else is durable, and these are nothing else: they come with
    /// `(epoch, seq)`, and what makes, stores, folds or projects them takes this type.
    event Event {
        /// A message was added to the thread.
        ThreadMessage(p::ThreadMessage) = "thread_message";
        /// An agent began to work.
        AgentStarted(p::AgentStarted) = "agent_started";
        /// The agent thought a little further.
        AgentThinking(p::AgentThinking) = "agent_thinking";
        /// A tool began to work.
        ToolExecuting(p::ToolExecuting) = "tool_executing";
        /// A tool call waits for a person's approval.
        ToolApprovalRequired(p::ToolApprovalRequired) = "tool_approval_required";
        /// A tool ended.
        ToolCompleted(p::ToolCompleted) = "tool_completed";
        /// The agent says how far it is.
        AgentProgress(p::AgentProgress) = "agent_progress";
        /// A piece of the answer.
        PartialResult(p::PartialResult) = "partial_result";
        /// The whole answer, once.
        AgentResponse(p::AgentResponse) = "agent_response";
        /// The run ended.
        AgentCompleted(p::AgentCompleted) = "agent_completed";
        /// The run failed.
        AgentError(p::AgentError) = "agent_error";
    }
}

impl Event {
    /// Whether the event ends its run.
    pub const fn is_terminal(&self) -> bool {
        matches!(self, Self::AgentCompleted(_) | Self::AgentError(_))
    }

    fn says_unknown(&self) -> bool {
        matches!(
            self,
            Self::ToolCompleted(p::ToolCompleted { status: ToolStatus::Unknown(_), .. })
                | Self::AgentCompleted(p::AgentCompleted { status: p::CompletedStatus::Unknown(_), .. })
                | Self::AgentError(p::AgentError { code: ErrorCode::Unknown(_), .. })
                | Self::ThreadMessage(p::ThreadMessage { role: MessageRole::Unknown(_), .. })
        )
    }
}

impl ServerMessage {
    /// The event, if it is one.
    pub const fn event(&self) -> Option<&Event> {
        match self {
            Self::Event(event) => Some(event),
            _ => None,
        }
    }

    /// Whether a later server sent it: it holds a status, role, level or code that this version does not know.
    pub fn says_unknown(&self) -> bool {
        match self {
            Self::Event(event) => event.says_unknown(),
            Self::ErrorMessage(error) => matches!(error.code, ErrorCode::Unknown(_)),
            Self::Subscribed(subscribed) => matches!(subscribed.mode, p::SubscribeMode::Unknown(_)),
            Self::SystemMessage(notice) | Self::Broadcast(notice) => matches!(notice.level, p::Level::Unknown(_)),
            _ => false,
        }
    }
}

impl From<Event> for ServerMessage {
    fn from(event: Event) -> Self {
        Self::Event(event)
    }
}
