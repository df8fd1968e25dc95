//! The one enum each way. A row of the table below is a message: its variant, payload and name on the wire.
//!
//! Handlers match these enums without `_ =>`, so a type that one side forgets does not compile.

use serde::Deserialize;
use serde_json::Value;

use crate::{
    model::{Object, Thread},
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
pub trait Message: Sized {
    /// Every type, in the order of the table.
    const TYPES: &'static [TypeInfo];

    /// The type of this message.
    fn info(&self) -> TypeInfo;

    /// The payload as JSON.
    fn payload(&self) -> Result<Value, serde_json::Error>;

    /// The payloads' schemas, in the order of the table.
    #[cfg(feature = "schema")]
    fn schemas(generator: &mut schemars::SchemaGenerator) -> Vec<schemars::Schema>;

    /// Reads the payload of the named type; `None` when there is no such type.
    fn read(name: &str, payload: Object) -> Option<Result<Self, serde_json::Error>>;
}

macro_rules! messages {
    ($(#[$meta:meta])* $enum:ident { $($(#[doc = $doc:literal])* $variant:ident($payload:ty) = $wire:literal $durable:ident $(-> $answer:literal)?;)* }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq)]
        pub enum $enum { $($(#[doc = $doc])* $variant($payload),)* }

        impl Message for $enum {
            const TYPES: &'static [TypeInfo] = &[$(TypeInfo {
                name: $wire,
                durable: messages!(@durable $durable),
                description: messages!(@words $($doc)*),
                answer: messages!(@answer $($answer)?),
            },)*];

            fn info(&self) -> TypeInfo {
                match self { $(Self::$variant(_) => TypeInfo {
                    name: $wire,
                    durable: messages!(@durable $durable),
                    description: messages!(@words $($doc)*),
                    answer: messages!(@answer $($answer)?),
                },)* }
            }

            #[cfg(feature = "schema")]
            fn schemas(generator: &mut schemars::SchemaGenerator) -> Vec<schemars::Schema> {
                vec![$(generator.subschema_for::<$payload>(),)*]
            }

            fn payload(&self) -> Result<Value, serde_json::Error> {
                match self { $(Self::$variant(payload) => serde_json::to_value(payload),)* }
            }

            fn read(name: &str, payload: Object) -> Option<Result<Self, serde_json::Error>> {
                match name {
                    $($wire => Some(<$payload>::deserialize(payload).map(Self::$variant)),)*
                    _ => None,
                }
            }
        }
    };
    (@durable durable) => { true };
    (@durable ephemeral) => { false };
    (@answer) => { None };
    (@answer $answer:literal) => { Some($answer) };
    (@words $($doc:literal)*) => { concat!($($doc),*) };
}

messages! {
    /// What a client may say.
    ClientMessage {
        /// Adds a person's message to the thread and has an agent answer it.
        UserMessage(p::UserMessage) = "user_message" ephemeral -> "ack";
        /// Starts an agent, in a new thread unless the frame names one.
        StartAgent(p::StartAgent) = "start_agent" ephemeral -> "ack";
        /// Stops a run.
        StopAgent(p::StopAgent) = "stop_agent" ephemeral -> "ack";
        /// Decides on a tool call that waits for approval.
        ToolApproval(p::ToolApproval) = "tool_approval" ephemeral -> "ack";
        /// Asks for a thread's events from a cursor on.
        Subscribe(p::Subscribe) = "subscribe" ephemeral -> "subscribed";
        /// Asks for no more of a thread's events.
        Unsubscribe(p::Empty) = "unsubscribe" ephemeral -> "unsubscribed";
        /// Gives the connection a fresh token.
        Authenticate(p::Authenticate) = "authenticate" ephemeral -> "authenticated";
        /// Answers a heartbeat.
        HeartbeatAck(p::Empty) = "heartbeat_ack" ephemeral;
        /// Asks for a sign of life.
        Ping(p::Ping) = "ping" ephemeral -> "pong";
        /// Enters a room.
        JoinRoom(p::Room) = "join_room" ephemeral -> "ack";
        /// Leaves a room.
        LeaveRoom(p::Room) = "leave_room" ephemeral -> "ack";
        /// Says something to everyone in a room.
        RoomMessage(p::RoomSay) = "room_message" ephemeral;
        /// A JSON-RPC 2.0 request.
        JsonrpcRequest(Object) = "jsonrpc_request" ephemeral -> "jsonrpc_response";
        /// A JSON-RPC 2.0 notification.
        JsonrpcNotification(Object) = "jsonrpc_notification" ephemeral;
    }
}

messages! {
    /// What the server may say.
    ServerMessage {
        /// The first frame: who is connected and what the connection may do.
        Connect(p::Connect) = "connect" ephemeral;
        /// The last frame before a close that the server chose.
        Disconnect(p::Disconnect) = "disconnect" ephemeral;
        /// Asks the client for a sign of life.
        Heartbeat(p::Empty) = "heartbeat" ephemeral;
        /// Answers `ping`.
        Pong(p::Ping) = "pong" ephemeral;
        /// The fresh token was taken.
        Authenticated(p::Authenticated) = "authenticated" ephemeral;
        /// The subscription began.
        Subscribed(p::Subscribed) = "subscribed" ephemeral;
        /// The thread as it stands.
        ThreadSnapshot(p::ThreadSnapshot) = "thread_snapshot" ephemeral;
        /// The command was carried out.
        Ack(p::Ack) = "ack" ephemeral;
        /// The subscription ended.
        Unsubscribed(p::Empty) = "unsubscribed" ephemeral;
        /// The frame was not acted on.
        ErrorMessage(p::ErrorMessage) = "error_message" ephemeral;
        /// A thread was made; sent to all of the user's connections.
        ThreadCreated(Thread) = "thread_created" ephemeral;
        /// A thread changed; sent to all of the user's connections.
        ThreadUpdate(Thread) = "thread_update" ephemeral;
        /// A thread is gone; sent to all of the user's connections.
        ThreadDeleted(p::ThreadDeleted) = "thread_deleted" ephemeral;
        /// A message was added to the thread.
        ThreadMessage(p::ThreadMessage) = "thread_message" durable;
        /// An agent began to work.
        AgentStarted(p::AgentStarted) = "agent_started" durable;
        /// The agent thought a little further.
        AgentThinking(p::AgentThinking) = "agent_thinking" durable;
        /// A tool began to work.
        ToolExecuting(p::ToolExecuting) = "tool_executing" durable;
        /// A tool call waits for a person's approval.
        ToolApprovalRequired(p::ToolApprovalRequired) = "tool_approval_required" durable;
        /// A tool ended.
        ToolCompleted(p::ToolCompleted) = "tool_completed" durable;
        /// The agent says how far it is.
        AgentProgress(p::AgentProgress) = "agent_progress" durable;
        /// A piece of the answer.
        PartialResult(p::PartialResult) = "partial_result" durable;
        /// The whole answer, once.
        AgentResponse(p::AgentResponse) = "agent_response" durable;
        /// The run ended.
        AgentCompleted(p::AgentCompleted) = "agent_completed" durable;
        /// The run failed.
        AgentError(p::AgentError) = "agent_error" durable;
        /// The server's notice to one user.
        SystemMessage(p::Notice) = "system_message" ephemeral;
        /// An administrator's notice to everyone.
        Broadcast(p::Notice) = "broadcast" ephemeral;
        /// Someone said something in a room.
        RoomMessage(p::RoomHeard) = "room_message" ephemeral;
        /// A JSON-RPC 2.0 response.
        JsonrpcResponse(Object) = "jsonrpc_response" ephemeral;
        /// A JSON-RPC 2.0 notification.
        JsonrpcNotification(Object) = "jsonrpc_notification" ephemeral;
    }
}

impl ServerMessage {
    /// Whether the event ends its run.
    pub fn is_terminal(&self) -> bool {
        matches!(self, Self::AgentCompleted(_) | Self::AgentError(_))
    }
}
