//! One example of each message. The chain is an exhaustive match: a variant without an example does not compile.

use serde_json::json;

use crate::{
    error::ErrorCode,
    id::{AttachmentId, ConnectionId, MessageId, RunId, ThreadId, UserId},
    message::{ClientMessage as C, Event as E, ServerMessage as S},
    model::{
        Attachment, AttachmentRef, Author, Choice, ChoiceKind, Message, MessageRole, Object, Question, Role, Run,
        RunError, RunStatus, Step, Thread, ToolCall, ToolStatus, Usage, User,
    },
    payload as p,
    time::Timestamp,
};

/// Every client message, with all that can be absent or without.
pub(super) fn client(full: bool) -> Vec<C> {
    std::iter::successors(Some(after_client(None, full)), |last| {
        last.as_ref().map(|last| after_client(Some(last), full))
    })
    .map_while(|message| message)
    .collect()
}

/// Every server message, with all that can be absent or without.
pub(super) fn server(full: bool) -> Vec<S> {
    std::iter::successors(Some(after_server(None, full)), |last| {
        last.as_ref().map(|last| after_server(Some(last), full))
    })
    .map_while(|message| message)
    .collect()
}

fn text(full: bool) -> Option<String> {
    full.then(|| "äöü \"quoted\" \u{1f980}\n\u{0}".to_owned())
}

fn object() -> Object {
    let object = json!({ "city": "Zürich", "deep": [{ "n": 1 }, "x", true], "empty": {} });
    object.as_object().cloned().unwrap_or_default()
}

fn at(full: bool) -> Timestamp {
    Timestamp::from_millis(if full { 1_763_632_800_123 } else { 0 })
}

fn attachments(full: bool) -> Vec<Attachment> {
    let attachment = || {
        let id = AttachmentId::new();
        let (name, media_type) = ("a.txt".into(), "text/plain".into());
        Attachment { id: Some(id), name, media_type, bytes: Some(17), url: Attachment::path(id) }
    };
    (0..u8::from(full)).map(|_| attachment()).collect()
}

fn attached(full: bool) -> Vec<AttachmentRef> {
    let told = attachments(full).into_iter().map(AttachmentRef::Told);
    told.chain(full.then(|| AttachmentRef::Id(AttachmentId::new()))).collect()
}

fn usage(full: bool) -> Option<Usage> {
    full.then_some(Usage {
        prompt_tokens: 1,
        completion_tokens: 2,
        total_tokens: u64::MAX,
        cost_usd_micros: Some(u64::MAX),
    })
}

fn user(full: bool) -> User {
    User { id: UserId::new(), name: "Ada".into(), role: if full { Role::Admin } else { Role::User }, email: text(full) }
}

fn author(full: bool) -> Option<Author> {
    full.then(|| Author { id: UserId::new(), name: "Ada".into() })
}

fn thread(full: bool) -> Thread {
    Thread {
        id: ThreadId::new(),
        title: text(full).unwrap_or_default(),
        agent: "guide".into(),
        owner_id: UserId::new(),
        shared: full,
        pinned: full,
        archived: full,
        running: full,
        waiting: full,
        head_seq: 17,
        created_at: at(full),
        version: 17,
        updated_at: at(full),
    }
}

fn after_client(last: Option<&C>, full: bool) -> Option<C> {
    let content = "hi".to_owned();
    Some(match last {
        None => C::UserMessage(p::UserMessage {
            content,
            agent: text(full),
            parent_id: full.then(MessageId::new),
            attachments: attached(full),
        }),
        Some(C::UserMessage(_)) => {
            C::StartAgent(p::StartAgent { agent: text(full), content, title: text(full), attachments: attached(full) })
        }
        Some(C::StartAgent(_)) => C::Regenerate(p::Regenerate { message_id: MessageId::new(), agent: text(full) }),
        Some(C::Regenerate(_)) => C::StopAgent(p::StopAgent { run_id: RunId::new() }),
        Some(C::StopAgent(_)) => C::ToolApproval(p::ToolApproval {
            tool_call_id: "call".into(),
            decision: if full { p::Decision::Approve } else { p::Decision::Deny },
            reason: text(full),
            option: text(full),
            answer: full.then(object),
        }),
        Some(C::ToolApproval(_)) => {
            C::Subscribe(p::Subscribe { after_seq: full.then_some(i64::MAX), epoch: text(full) })
        }
        Some(C::Subscribe(_)) => C::Unsubscribe(p::Empty {}),
        Some(C::Unsubscribe(_)) => C::Authenticate(p::Authenticate { token: "a.b.c".into() }),
        Some(C::Authenticate(_)) => C::HeartbeatAck(p::Empty {}),
        Some(C::HeartbeatAck(_)) => C::Ping(p::Ping { nonce: text(full) }),
        Some(C::Ping(_)) => C::JoinRoom(p::Room { room: "lobby".into() }),
        Some(C::JoinRoom(_)) => C::LeaveRoom(p::Room { room: "lobby".into() }),
        Some(C::LeaveRoom(_)) => C::RoomMessage(p::RoomSay { room: "lobby".into(), body: object() }),
        Some(C::RoomMessage(_)) => C::JsonrpcRequest(object()),
        Some(C::JsonrpcRequest(_)) => C::JsonrpcNotification(Object::new()),
        Some(C::JsonrpcNotification(_)) => return None,
    })
}

fn after_server(last: Option<&S>, full: bool) -> Option<S> {
    let message = "text".to_owned();
    Some(match last {
        None => S::Connect(p::Connect {
            connection_id: ConnectionId::new(),
            user: user(full),
            token_expires_at: at(full),
            server_version: "0.1.0".into(),
            limits: limits(),
        }),
        Some(S::Connect(_)) => {
            S::Disconnect(p::Disconnect { code: 1012, reason: message, retry_after_ms: full.then_some(1_000) })
        }
        Some(S::Disconnect(_)) => S::Heartbeat(p::Empty {}),
        Some(S::Heartbeat(_)) => S::Pong(p::Ping { nonce: text(full) }),
        Some(S::Pong(_)) => S::Authenticated(p::Authenticated { token_expires_at: at(full) }),
        Some(S::Authenticated(_)) => S::Subscribed(p::Subscribed {
            epoch: "0000aaaa".into(),
            head_seq: 17,
            mode: if full { p::SubscribeMode::Resumed } else { p::SubscribeMode::Snapshot },
        }),
        Some(S::Subscribed(_)) => S::ThreadSnapshot(snapshot(full)),
        Some(S::ThreadSnapshot(_)) => S::Ack(p::Ack {
            thread_id: full.then(ThreadId::new),
            message_id: full.then(MessageId::new),
            run_id: full.then(RunId::new),
            seq: full.then_some(17),
            duplicate: full,
        }),
        Some(S::Ack(_)) => S::Unsubscribed(p::Empty {}),
        Some(S::Unsubscribed(_)) => S::ErrorMessage(p::ErrorMessage {
            retry_after_ms: full.then_some(1_000),
            ..p::ErrorMessage::new(ErrorCode::RateLimited, message)
        }),
        Some(S::ErrorMessage(_)) => S::ThreadCreated(thread(full)),
        Some(S::ThreadCreated(_)) => S::ThreadUpdate(thread(full)),
        Some(S::ThreadUpdate(_)) => S::ThreadDeleted(p::ThreadDeleted { id: ThreadId::new() }),
        Some(S::ThreadDeleted(_)) => S::SystemMessage(p::Notice { level: p::Level::Info, message }),
        Some(S::SystemMessage(_)) => S::Broadcast(p::Notice { level: p::Level::Danger, message }),
        Some(S::Broadcast(_)) => {
            S::RoomMessage(p::RoomHeard { room: "lobby".into(), from: user(full), body: object() })
        }
        Some(S::RoomMessage(_)) => S::JsonrpcResponse(object()),
        Some(S::JsonrpcResponse(_)) => S::JsonrpcNotification(Object::new()),
        Some(S::JsonrpcNotification(_)) => S::Event(after_event(None, full)?),
        Some(S::Event(last)) => S::Event(after_event(Some(last), full)?),
    })
}

fn after_event(last: Option<&E>, full: bool) -> Option<E> {
    let agent = "guide".to_owned();
    let message = "text".to_owned();
    let tool_call_id = "call".to_owned();
    let tool = "mcp:files/read".to_owned();
    Some(match last {
        None => E::ThreadMessage(p::ThreadMessage {
            message_id: MessageId::new(),
            role: if full { MessageRole::User } else { MessageRole::Assistant },
            content: message,
            answered_by: full.then(RunId::new),
            agent: full.then_some(agent),
            author: author(full),
            parent_id: full.then(MessageId::new),
            attachments: attachments(full),
        }),
        Some(E::ThreadMessage(_)) => E::AgentStarted(p::AgentStarted {
            agent,
            answers: full.then(MessageId::new),
            parent_run_id: full.then(RunId::new),
            tool_call_id: text(full),
            model: text(full),
            iteration: 1,
        }),
        Some(E::AgentStarted(_)) => E::AgentThinking(p::AgentThinking {
            agent,
            thought: message,
            step: full.then_some(1),
            total_steps: full.then_some(8),
        }),
        Some(E::AgentThinking(_)) => E::ToolExecuting(p::ToolExecuting {
            tool_call_id,
            tool,
            agent,
            arguments: object(),
            decided_by: author(full),
        }),
        Some(E::ToolExecuting(_)) => E::ToolApprovalRequired(p::ToolApprovalRequired {
            tool_call_id,
            tool,
            agent,
            arguments: object(),
            expires_at: at(full),
            message: text(full),
            options: options(full),
            form: full.then(object),
        }),
        Some(E::ToolApprovalRequired(_)) => E::ToolCompleted(p::ToolCompleted {
            tool_call_id,
            tool,
            status: if full { ToolStatus::Ok } else { ToolStatus::Interrupted },
            result: if full { json!({ "sum": 4 }) } else { json!("text") },
            duration_ms: 12,
            decided_by: author(full),
        }),
        Some(E::ToolCompleted(_)) => {
            E::AgentProgress(p::AgentProgress { agent, message, fraction: full.then_some(0.25) })
        }
        Some(E::AgentProgress(_)) => {
            E::PartialResult(p::PartialResult { message_id: MessageId::new(), pos: 0, delta: message, reset: full })
        }
        Some(E::PartialResult(_)) => {
            E::AgentResponse(p::AgentResponse { message_id: MessageId::new(), content: message, usage: usage(full) })
        }
        Some(E::AgentResponse(_)) => E::AgentCompleted(p::AgentCompleted {
            agent,
            status: if full { p::CompletedStatus::Completed } else { p::CompletedStatus::Stopped },
            duration_ms: 12,
            usage: usage(full),
        }),
        Some(E::AgentCompleted(_)) => {
            E::AgentError(p::AgentError { agent, code: ErrorCode::ToolFailed, message, retryable: full })
        }
        Some(E::AgentError(_)) => return None,
    })
}

fn options(full: bool) -> Vec<Choice> {
    let once = Choice { id: "once".into(), label: "Allow".into(), kind: ChoiceKind::AllowOnce };
    if full { vec![once] } else { Vec::new() }
}

fn limits() -> p::Limits {
    p::Limits {
        heartbeat_interval_ms: 25_000,
        heartbeat_timeout_ms: 10_000,
        max_frame_bytes: 65_536,
        max_subscriptions: 200,
        commands_per_minute: 600,
    }
}

fn snapshot(full: bool) -> p::ThreadSnapshot {
    let call = ToolCall {
        tool_call_id: "call".into(),
        tool: "calculate".into(),
        arguments: object(),
        status: full.then_some(ToolStatus::Denied),
        approval_expires_at: full.then(|| at(full)),
        question: full
            .then(|| Box::new(Question { message: text(full), options: options(full), form: Some(object()) })),
        decided_by: author(full),
        result: if full { json!([1, "x"]) } else { json!(null) },
        duration_ms: full.then_some(12),
    };
    let run = Run {
        answers: full.then(MessageId::new),
        parent_run_id: full.then(RunId::new),
        parent_call_id: text(full),
        model: text(full),
        status: if full { RunStatus::Failed } else { RunStatus::Queued },
        started_at: full.then(|| at(full)),
        steps: vec![
            Step::Thinking { text: "hm".into(), started_at: at(full), ended_at: at(full), active: full },
            Step::Tool(call),
            Step::Progress { message: "half".into(), fraction: full.then_some(0.5) },
        ],
        message_id: full.then(MessageId::new),
        duration_ms: full.then_some(12),
        usage: usage(full),
        error: full.then(|| RunError { code: ErrorCode::AgentFailed, message: "no".into(), retryable: true }),
        ..Run::queued(RunId::new(), "guide".into(), None)
    };
    let message = Message {
        message_id: MessageId::new(),
        role: MessageRole::Assistant,
        content: "hi".into(),
        run_id: full.then(RunId::new),
        seq: 3,
        created_at: at(full),
        author: author(full),
        parent_id: full.then(MessageId::new),
        attachments: attachments(full),
    };
    p::ThreadSnapshot {
        as_of_seq: 17,
        epoch: "0000aaaa".into(),
        thread: thread(full),
        messages: vec![message],
        earlier_cursor: text(full),
        runs: vec![run],
    }
}
