// Made by generate.mjs from schema/messages.schema.json. Do not edit; run `npm run generate`.

/** A command was carried out. */
export interface Ack {
  /** The thread it went to. */
  thread_id?: ThreadId;
  /** The run that answers. */
  run_id?: RunId;
  /** The event that it became. */
  seq?: number;
  /** Whether the command had been carried out before. */
  duplicate: boolean;
  /** The message it added. */
  message_id?: MessageId;
}

/** The run ended; nothing of it follows. */
export interface AgentCompleted {
  /** Who. */
  agent: string;
  /** How long it worked, in milliseconds. */
  duration_ms: number;
  /** How. */
  status: CompletedStatus;
  /** Tokens used. */
  usage?: Usage;
}

/** The run failed; nothing of it follows. */
export interface AgentError {
  /** Who. */
  agent: string;
  /** For programs. */
  code: ErrorCode;
  /** For people. */
  message: string;
  /** Whether asking again may help. */
  retryable: boolean;
}

/** How far the agent is, in its own words. */
export interface AgentProgress {
  /** Who. */
  agent: string;
  /** How far, from 0 to 1. */
  fraction?: number;
  /** What it does. */
  message: string;
}

/** The whole answer, once. */
export interface AgentResponse {
  /** The text, Markdown. */
  content: string;
  /** The message it is. */
  message_id: MessageId;
  /** Tokens used. */
  usage?: Usage;
}

/** An agent began to work: the first event of a run. */
export interface AgentStarted {
  /** Who. */
  agent: string;
  /** The message it answers. */
  answers?: MessageId;
  /** 1 for the first attempt, one more after each recovery. */
  iteration: number;
  /** With which model. */
  model?: string;
  /** The run that started it, for a sub-agent. */
  parent_run_id?: RunId;
  /** The call of that run that this one is. */
  tool_call_id?: string;
}

/** The agent thought a little further. */
export interface AgentThinking {
  /** Who. */
  agent: string;
  /** Which turn of the agent this is, from 1. */
  step?: number;
  /** The words added. */
  thought: string;
  /** How many turns it may take. */
  total_steps?: number;
}

/** A file that goes with a message. */
export interface Attachment {
  /** Which; absent only in messages of servers that kept no files. */
  id?: AttachmentId;
  /** How long it is. */
  bytes?: number;
  /** Its media type (RFC 6838), as its content tells it. */
  media_type: string;
  /** The file's name. */
  name: string;
  /** Where the server keeps it, as a path on this server. */
  url: string;
}

/** One file that goes with a message. */
export type AttachmentId = string;

/** A fresh token for the open connection. */
export interface Authenticate {
  /** A JWT with audience `netra:ws`. */
  token: string;
}

/** The new end of the connection's token. */
export interface Authenticated {
  /** When the new token's life ends. */
  token_expires_at: Timestamp;
}

/** Who said something, as others see it. */
export interface Author {
  /** Who. */
  id: UserId;
  /** The name at that time. */
  name: string;
}

/** Something that can be chosen where a person is asked. */
export interface Choice {
  /** What choosing it means. */
  kind: ChoiceKind;
  /** Which. */
  id: string;
  /** The words on it. */
  label: string;
}

/** What choosing an option means. */
export type ChoiceKind = "allow_once" | "allow_always" | "reject_once" | "reject_always" | (string & {});

/** What a client may send. */
export type ClientFrame =
  | ClientUserMessage
  | ClientStartAgent
  | ClientRegenerate
  | ClientStopAgent
  | ClientToolApproval
  | ClientSubscribe
  | ClientUnsubscribe
  | ClientAuthenticate
  | ClientHeartbeatAck
  | ClientPing
  | ClientJoinRoom
  | ClientLeaveRoom
  | ClientRoomMessage
  | ClientJsonrpcRequest
  | ClientJsonrpcNotification;

/** How a run ended well. */
export type CompletedStatus = "completed" | "stopped" | (string & {});

/** The first frame of a connection. */
export interface Connect {
  /** How many frames a client may send in a minute. */
  commands_per_minute: number;
  /** This connection. */
  connection_id: ConnectionId;
  /** How often the server sends `heartbeat`, in milliseconds, give or take a fifth. */
  heartbeat_interval_ms: number;
  /** How long it waits for `heartbeat_ack`, in milliseconds. */
  heartbeat_timeout_ms: number;
  /** The largest frame it reads, in bytes. */
  max_frame_bytes: number;
  /** How many threads a connection may watch. */
  max_subscriptions: number;
  /** The server's version. */
  server_version: string;
  /** When the token's life ends. */
  token_expires_at: Timestamp;
  /** Who is connected. */
  user: User;
}

/** One open socket. */
export type ConnectionId = string;

/** What a person decided on a tool call. */
export type Decision = "approve" | "deny";

/** The last frame before a close that the server chose. */
export interface Disconnect {
  /** The close code that follows. */
  code: number;
  /** Why, for people. */
  reason: string;
  /** How long to wait before the next attempt, in milliseconds. */
  retry_after_ms?: number;
}

/** `{}`. */
export type Empty = Record<string, never>;

/** What went wrong, in one word that a program can act on. */
export type ErrorCode =
  | "malformed_json"
  | "double_encoded"
  | "payload_not_object"
  | "unsupported_version"
  | "unsupported_frame"
  | "unknown_type"
  | "invalid_payload"
  | "frame_too_large"
  | "unsupported_protocol"
  | "token_in_query"
  | "unauthenticated"
  | "token_expired"
  | "wrong_audience"
  | "forbidden"
  | "origin_not_allowed"
  | "not_found"
  | "conflict"
  | "id_conflict"
  | "rate_limited"
  | "too_many_subscriptions"
  | "server_busy"
  | "draining"
  | "agent_unknown"
  | "agent_failed"
  | "run_interrupted"
  | "tool_failed"
  | "approval_expired"
  | "upstream_unavailable"
  | "upstream_protocol"
  | "internal"
  | (string & {});

/** A frame was not acted on. */
export interface ErrorMessage {
  /** For programs. */
  code: ErrorCode;
  /** For people. */
  message: string;
  /** When, in milliseconds from now. */
  retry_after_ms?: number;
  /** Whether the same frame may succeed later. */
  retryable: boolean;
}

/** How much a notice matters. */
export type Level = "info" | "warn" | "danger" | (string & {});

/** A finished message of a thread. */
export interface Message {
  /** The run that wrote it; absent for a person's message. */
  run_id?: RunId;
  /** The event that added it. */
  seq: number;
  /** Files. */
  attachments?: Attachment[];
  /** The person who wrote it. */
  author?: Author;
  /** The text; Markdown when an agent speaks. */
  content: string;
  /** When it was added. */
  created_at: Timestamp;
  /** Which. */
  message_id: MessageId;
  /** The message that it follows; absent: the newest before it. The nil UUID: none, it begins the conversation. */
  parent_id?: MessageId;
  /** Who speaks. */
  role: MessageRole;
}

/** One message inside a thread. A user's message has the id of the command that sent it. */
export type MessageId = string;

/** Who speaks in a message. */
export type MessageRole = "user" | "assistant" | (string & {});

/** `system_message` and `broadcast`. */
export interface Notice {
  /** How much it matters. */
  level: Level;
  /** The text. */
  message: string;
}

/** A piece of the answer. */
export interface PartialResult {
  /** The piece. */
  delta: string;
  /** The message that the answer becomes. */
  message_id: MessageId;
  /** Where the piece goes: the byte offset in the answer, which is its length so far. */
  pos: number;
  /** Discard what came before; `pos` is 0. */
  reset?: boolean;
}

/** `ping` and `pong`. */
export interface Ping {
  /** Comes back as it was sent. */
  nonce?: string;
}

/** What a person is asked, beside whether a tool may be called. */
export interface Question {
  /** What is to be filled in: the JSON Schema of a flat object. */
  form?: Record<string, unknown>;
  /** The question in words. */
  message?: string;
  /** What can be chosen. */
  options?: Choice[];
}

/** Asks for one more answer to a person's message. */
export interface Regenerate {
  /** Who should answer; who answered first when absent. */
  agent?: string;
  /** Which message. */
  message_id: MessageId;
}

/** What a user may do. */
export type Role = "user" | "admin" | "guest" | (string & {});

/** `join_room` and `leave_room`. */
export interface Room {
  /** The room's name. */
  room: string;
}

/** What someone said in a room. */
export interface RoomHeard {
  /** What. */
  body: Record<string, unknown>;
  /** Who. */
  from: User;
  /** The room's name. */
  room: string;
}

/** Something to say in a room. */
export interface RoomSay {
  /** Anything, as long as it is an object. */
  body: Record<string, unknown>;
  /** The room's name. */
  room: string;
}

/** A run as far as its events tell. */
export interface Run {
  /** Which. */
  run_id: RunId;
  /** Who works. */
  agent: string;
  /** The message it answers. */
  answers?: MessageId;
  /** How long it worked, in milliseconds; present once it ended. */
  duration_ms?: number;
  /** Why it failed. */
  error?: RunError;
  /** The message that the answer becomes. */
  message_id?: MessageId;
  /** With which model. */
  model?: string;
  /** The call of that run that this one is. */
  parent_call_id?: string;
  /** The run that started it, for a sub-agent. */
  parent_run_id?: RunId;
  /** When it started; absent while it waits. */
  started_at?: Timestamp;
  /** How far it is. */
  status: RunStatus;
  /** Thoughts, tools and progress, in order. */
  steps: Step[];
  /** The answer's text so far. */
  text: string;
  /** Tokens used; present when the model counts them. */
  usage?: Usage;
}

/** Why a run failed. */
export interface RunError {
  /** For programs. */
  code: ErrorCode;
  /** For people. */
  message: string;
  /** Whether asking again may help. */
  retryable: boolean;
}

/** One run of an agent inside a thread. */
export type RunId = string;

/** How far a run is. */
export type RunStatus = "queued" | "running" | "waiting" | "completed" | "stopped" | "failed" | (string & {});

/** What the server may send. */
export type ServerFrame =
  | ServerConnect
  | ServerDisconnect
  | ServerHeartbeat
  | ServerPong
  | ServerAuthenticated
  | ServerSubscribed
  | ServerThreadSnapshot
  | ServerAck
  | ServerUnsubscribed
  | ServerErrorMessage
  | ServerThreadCreated
  | ServerThreadUpdate
  | ServerThreadDeleted
  | ServerSystemMessage
  | ServerBroadcast
  | ServerRoomMessage
  | ServerJsonrpcResponse
  | ServerJsonrpcNotification
  | ServerThreadMessage
  | ServerAgentStarted
  | ServerAgentThinking
  | ServerToolExecuting
  | ServerToolApprovalRequired
  | ServerToolCompleted
  | ServerAgentProgress
  | ServerPartialResult
  | ServerAgentResponse
  | ServerAgentCompleted
  | ServerAgentError;

/** Starts an agent; without `thread_id` in the frame it makes a thread for it. */
export interface StartAgent {
  /** Which agent; the first of the registry when absent. */
  agent?: string;
  /** Files: ids from `POST /api/attachments`, 10 at most. */
  attachments?: (AttachmentId | Attachment)[];
  /** What the person asks. */
  content: string;
  /** The new thread's title; made from `content` when absent. */
  title?: string;
}

/** The agent thought. */
export interface ThinkingStep {
  kind: "thinking";
  /** Whether the agent still thinks. */
  active: boolean;
  /** When the newest word came, or, once the agent does something else, when that began. */
  ended_at: Timestamp;
  /** When the first word came. */
  started_at: Timestamp;
  /** The thought so far. */
  text: string;
}

/** The agent called a tool. */
export interface ToolStep extends ToolCall {
  kind: "tool";
}

/** The agent said how far it is. */
export interface ProgressStep {
  kind: "progress";
  /** How far, from 0 to 1. */
  fraction?: number;
  /** What it does. */
  message: string;
}

/** One step of a run, in the order the agent took them. */
export type Step = ThinkingStep | ToolStep | ProgressStep;

/** Stops a run. */
export interface StopAgent {
  /** Which. */
  run_id: RunId;
}

/** Asks for a thread's events, from a cursor on. */
export interface Subscribe {
  /** The epoch that `after_seq` belongs to. */
  epoch?: string;
  /** The last `seq` that the client applied. Absent: a snapshot comes first. 0: the whole log. */
  after_seq?: number;
}

/** How a subscription goes on. */
export type SubscribeMode = "resumed" | "snapshot" | (string & {});

/** Answers `subscribe`. */
export interface Subscribed {
  /** The log's epoch. */
  epoch: string;
  /** The newest event when the subscription began. */
  head_seq: number;
  /** How it goes on. */
  mode: SubscribeMode;
}

/** A thread without its content. */
export interface Thread {
  /** Which. */
  id: ThreadId;
  /** The agent that answers unless a message names another. */
  agent: string;
  /** Whether the user who reads this put it away. */
  archived: boolean;
  /** When it was made. */
  created_at: Timestamp;
  /** The `seq` of the newest event; 0 for an empty thread. */
  head_seq: number;
  /** Whose it is. The owner alone changes settings, adds and removes members, and deletes it. */
  owner_id: UserId;
  /** Whether the user who reads this keeps it on top. */
  pinned: boolean;
  /** Whether a run is queued or running. */
  running: boolean;
  /** Whether it has members besides its owner. */
  shared: boolean;
  /** The title: given, or made from the first message. At most 200 characters. */
  title: string;
  /** When its newest message was added. */
  updated_at: Timestamp;
  /** Grows with every change of what this says: of two, the one with the larger version is newer. 0 from a server that does
not count. */
  version?: number;
  /** Whether a run waits for a person to decide; left out when none does. */
  waiting?: boolean;
}

/** A thread that is gone. */
export interface ThreadDeleted {
  /** Which. */
  id: ThreadId;
}

/** One thread: a conversation and its event log. */
export type ThreadId = string;

/** A message was added to a thread. */
export interface ThreadMessage {
  /** Who should answer. */
  agent?: string;
  /** The run that will answer it. */
  answered_by?: RunId;
  /** Files. */
  attachments: Attachment[];
  /** The person who wrote it. */
  author?: Author;
  /** The text. */
  content: string;
  /** Which. */
  message_id: MessageId;
  /** The message that it follows; absent: the newest before it. The nil UUID: none, it begins the conversation. */
  parent_id?: MessageId;
  /** Who speaks. */
  role: MessageRole;
}

/** A thread as it stands after the event `as_of_seq`. */
export interface ThreadSnapshot {
  /** The log's epoch. */
  epoch: string;
  /** The last event that the snapshot holds. */
  as_of_seq: number;
  /** Where `/messages` goes on with older ones; absent when there are none. */
  earlier_cursor?: string;
  /** The newest 200 messages, oldest first. */
  messages: Message[];
  /** The runs of those messages, and the active ones. */
  runs: Run[];
  /** The thread. */
  thread: Thread;
}

/** A moment on the server's clock, in milliseconds since the Unix epoch. */
export type Timestamp = string;

/** A decision on a tool call that waits for one. */
export interface ToolApproval {
  /** What was filled in, when a form was asked for. */
  answer?: Record<string, unknown>;
  /** Yes or no. */
  decision: Decision;
  /** Which of the offered options, by its id. */
  option?: string;
  /** Why, for the model. */
  reason?: string;
  /** Which call. */
  tool_call_id: string;
}

/** A tool call waits for a person. */
export interface ToolApprovalRequired {
  /** Who asks. */
  agent: string;
  /** What it would be given. */
  arguments: Record<string, unknown>;
  /** Until when a person may decide. */
  expires_at: Timestamp;
  /** What is to be filled in: the JSON Schema of a flat object. */
  form?: Record<string, unknown>;
  /** The question in words. */
  message?: string;
  /** What can be chosen. */
  options?: Choice[];
  /** Which tool; for a question of the agent's own, what it calls that. */
  tool: string;
  /** Which call. */
  tool_call_id: string;
}

/** A tool call and, once it ended, its result. In snapshots and pages of messages, arguments and a result of more than 4 KiB are
cut: `{ "cut": true, "bytes": n, "start": "…" }`. */
export interface ToolCall {
  /** Until when a person may decide; present while the call waits for approval. */
  approval_expires_at?: Timestamp;
  /** What it was given. */
  arguments: Record<string, unknown>;
  /** Who decided, when somebody was asked. */
  decided_by?: Author;
  /** How long it took, in milliseconds. */
  duration_ms?: number;
  /** What is asked, while the call waits for approval. */
  question?: Question;
  /** What it returned. */
  result?: unknown;
  /** How it ended; absent while it works. */
  status?: ToolStatus;
  /** Which tool: `calculate`, or `mcp:<server>/<tool>`. */
  tool: string;
  /** Which call. */
  tool_call_id: string;
}

/** A tool ended. */
export interface ToolCompleted {
  /** Who refused it, or answered, when somebody was asked. */
  decided_by?: Author;
  /** How long it took, in milliseconds. */
  duration_ms: number;
  /** What it returned; `{ "error": "…" }` when it failed. */
  result: unknown;
  /** How it ended. */
  status: ToolStatus;
  /** Which tool. */
  tool: string;
  /** Which call. */
  tool_call_id: string;
}

/** A tool began to work. */
export interface ToolExecuting {
  /** Who called it. */
  agent: string;
  /** What it was given. */
  arguments: Record<string, unknown>;
  /** Who allowed it, when somebody was asked. */
  decided_by?: Author;
  /** Which tool. */
  tool: string;
  /** Which call. */
  tool_call_id: string;
}

/** How a tool call ended. */
export type ToolStatus = "ok" | "error" | "denied" | "interrupted" | (string & {});

/** Tokens that a model counted. */
export interface Usage {
  /** Tokens written, reasoning included. */
  completion_tokens: number;
  /** What they cost, in millionths of a US dollar; absent where the agent's prices are not known. */
  cost_usd_micros?: number;
  /** Tokens read. */
  prompt_tokens: number;
  /** Both. */
  total_tokens: number;
}

/** A user as others and the user's own page see it. */
export interface User {
  /** Who. */
  id: UserId;
  /** The sign-in address; absent for the development user. */
  email?: string;
  /** The name shown. */
  name: string;
  /** What the user may do. */
  role: Role;
}

/** One user. */
export type UserId = string;

/** A person's message to a thread. */
export interface UserMessage {
  /** Who should answer; the thread's agent when absent. */
  agent?: string;
  /** Files: ids from `POST /api/attachments`, 10 at most. */
  attachments?: (AttachmentId | Attachment)[];
  /** The text; empty only where files say it all. */
  content: string;
  /** The message this one follows, when it is not the newest: a person's or an answer. The nil UUID: none, it begins the
conversation anew. */
  parent_id?: MessageId;
}

/** Gives the connection a fresh token. */
export interface ClientAuthenticate {
  /** The protocol's version. */
  v: 1;
  type: "authenticate";
  /** This frame. A client makes it (UUID v7); for a command it is the idempotency key. */
  id: string;
  /** The thread. */
  thread_id?: string;
  payload: Authenticate;
}

/** Answers a heartbeat. */
export interface ClientHeartbeatAck {
  /** The protocol's version. */
  v: 1;
  type: "heartbeat_ack";
  /** This frame. A client makes it (UUID v7); for a command it is the idempotency key. */
  id: string;
  /** The thread. */
  thread_id?: string;
  /** The frame that this one answers. */
  reply_to: string;
  payload: Empty;
}

/** Enters a room. */
export interface ClientJoinRoom {
  /** The protocol's version. */
  v: 1;
  type: "join_room";
  /** This frame. A client makes it (UUID v7); for a command it is the idempotency key. */
  id: string;
  /** The thread. */
  thread_id?: string;
  payload: Room;
}

/** A JSON-RPC 2.0 notification. */
export interface ClientJsonrpcNotification {
  /** The protocol's version. */
  v: 1;
  type: "jsonrpc_notification";
  /** This frame. A client makes it (UUID v7); for a command it is the idempotency key. */
  id: string;
  /** The thread. */
  thread_id?: string;
  payload: Record<string, unknown>;
}

/** A JSON-RPC 2.0 request. */
export interface ClientJsonrpcRequest {
  /** The protocol's version. */
  v: 1;
  type: "jsonrpc_request";
  /** This frame. A client makes it (UUID v7); for a command it is the idempotency key. */
  id: string;
  /** The thread. */
  thread_id?: string;
  payload: Record<string, unknown>;
}

/** Leaves a room. */
export interface ClientLeaveRoom {
  /** The protocol's version. */
  v: 1;
  type: "leave_room";
  /** This frame. A client makes it (UUID v7); for a command it is the idempotency key. */
  id: string;
  /** The thread. */
  thread_id?: string;
  payload: Room;
}

/** Asks for a sign of life. */
export interface ClientPing {
  /** The protocol's version. */
  v: 1;
  type: "ping";
  /** This frame. A client makes it (UUID v7); for a command it is the idempotency key. */
  id: string;
  /** The thread. */
  thread_id?: string;
  payload: Ping;
}

/** Has a person's message answered once more. */
export interface ClientRegenerate {
  /** The protocol's version. */
  v: 1;
  type: "regenerate";
  /** This frame. A client makes it (UUID v7); for a command it is the idempotency key. */
  id: string;
  /** The thread. */
  thread_id?: string;
  payload: Regenerate;
}

/** Says something to everyone in a room. */
export interface ClientRoomMessage {
  /** The protocol's version. */
  v: 1;
  type: "room_message";
  /** This frame. A client makes it (UUID v7); for a command it is the idempotency key. */
  id: string;
  /** The thread. */
  thread_id?: string;
  payload: RoomSay;
}

/** Starts an agent, in a new thread unless the frame names one. */
export interface ClientStartAgent {
  /** The protocol's version. */
  v: 1;
  type: "start_agent";
  /** This frame. A client makes it (UUID v7); for a command it is the idempotency key. */
  id: string;
  /** The thread. */
  thread_id?: string;
  payload: StartAgent;
}

/** Stops a run. */
export interface ClientStopAgent {
  /** The protocol's version. */
  v: 1;
  type: "stop_agent";
  /** This frame. A client makes it (UUID v7); for a command it is the idempotency key. */
  id: string;
  /** The thread. */
  thread_id?: string;
  payload: StopAgent;
}

/** Asks for a thread's events from a cursor on. */
export interface ClientSubscribe {
  /** The protocol's version. */
  v: 1;
  type: "subscribe";
  /** This frame. A client makes it (UUID v7); for a command it is the idempotency key. */
  id: string;
  /** The thread. */
  thread_id: string;
  payload: Subscribe;
}

/** Decides on a tool call that waits for approval. */
export interface ClientToolApproval {
  /** The protocol's version. */
  v: 1;
  type: "tool_approval";
  /** This frame. A client makes it (UUID v7); for a command it is the idempotency key. */
  id: string;
  /** The thread. */
  thread_id?: string;
  payload: ToolApproval;
}

/** Asks for no more of a thread's events. */
export interface ClientUnsubscribe {
  /** The protocol's version. */
  v: 1;
  type: "unsubscribe";
  /** This frame. A client makes it (UUID v7); for a command it is the idempotency key. */
  id: string;
  /** The thread. */
  thread_id: string;
  payload: Empty;
}

/** Adds a person's message to the thread and has an agent answer it. */
export interface ClientUserMessage {
  /** The protocol's version. */
  v: 1;
  type: "user_message";
  /** This frame. A client makes it (UUID v7); for a command it is the idempotency key. */
  id: string;
  /** The thread. */
  thread_id: string;
  payload: UserMessage;
}

/** The command was carried out. */
export interface ServerAck {
  /** The protocol's version. */
  v: 1;
  type: "ack";
  /** This frame. A client makes it (UUID v7); for a command it is the idempotency key. */
  id: string;
  /** The server's clock. */
  ts: string;
  /** The thread. */
  thread_id?: string;
  /** The frame that this one answers. */
  reply_to: string;
  payload: Ack;
}

/** The run ended. */
export interface ServerAgentCompleted {
  /** The protocol's version. */
  v: 1;
  type: "agent_completed";
  /** This frame. A client makes it (UUID v7); for a command it is the idempotency key. */
  id: string;
  /** The server's clock. */
  ts: string;
  /** The thread. */
  thread_id: string;
  /** The run. */
  run_id: string;
  /** The log's epoch: another one means another log. */
  epoch: string;
  /** The event's place in its thread's log, dense from 1. */
  seq: number;
  /** The frame that this one answers. */
  reply_to?: string;
  payload: AgentCompleted;
}

/** The run failed. */
export interface ServerAgentError {
  /** The protocol's version. */
  v: 1;
  type: "agent_error";
  /** This frame. A client makes it (UUID v7); for a command it is the idempotency key. */
  id: string;
  /** The server's clock. */
  ts: string;
  /** The thread. */
  thread_id: string;
  /** The run. */
  run_id: string;
  /** The log's epoch: another one means another log. */
  epoch: string;
  /** The event's place in its thread's log, dense from 1. */
  seq: number;
  /** The frame that this one answers. */
  reply_to?: string;
  payload: AgentError;
}

/** The agent says how far it is. */
export interface ServerAgentProgress {
  /** The protocol's version. */
  v: 1;
  type: "agent_progress";
  /** This frame. A client makes it (UUID v7); for a command it is the idempotency key. */
  id: string;
  /** The server's clock. */
  ts: string;
  /** The thread. */
  thread_id: string;
  /** The run. */
  run_id: string;
  /** The log's epoch: another one means another log. */
  epoch: string;
  /** The event's place in its thread's log, dense from 1. */
  seq: number;
  /** The frame that this one answers. */
  reply_to?: string;
  payload: AgentProgress;
}

/** The whole answer, once. */
export interface ServerAgentResponse {
  /** The protocol's version. */
  v: 1;
  type: "agent_response";
  /** This frame. A client makes it (UUID v7); for a command it is the idempotency key. */
  id: string;
  /** The server's clock. */
  ts: string;
  /** The thread. */
  thread_id: string;
  /** The run. */
  run_id: string;
  /** The log's epoch: another one means another log. */
  epoch: string;
  /** The event's place in its thread's log, dense from 1. */
  seq: number;
  /** The frame that this one answers. */
  reply_to?: string;
  payload: AgentResponse;
}

/** An agent began to work. */
export interface ServerAgentStarted {
  /** The protocol's version. */
  v: 1;
  type: "agent_started";
  /** This frame. A client makes it (UUID v7); for a command it is the idempotency key. */
  id: string;
  /** The server's clock. */
  ts: string;
  /** The thread. */
  thread_id: string;
  /** The run. */
  run_id: string;
  /** The log's epoch: another one means another log. */
  epoch: string;
  /** The event's place in its thread's log, dense from 1. */
  seq: number;
  /** The frame that this one answers. */
  reply_to?: string;
  payload: AgentStarted;
}

/** The agent thought a little further. */
export interface ServerAgentThinking {
  /** The protocol's version. */
  v: 1;
  type: "agent_thinking";
  /** This frame. A client makes it (UUID v7); for a command it is the idempotency key. */
  id: string;
  /** The server's clock. */
  ts: string;
  /** The thread. */
  thread_id: string;
  /** The run. */
  run_id: string;
  /** The log's epoch: another one means another log. */
  epoch: string;
  /** The event's place in its thread's log, dense from 1. */
  seq: number;
  /** The frame that this one answers. */
  reply_to?: string;
  payload: AgentThinking;
}

/** The fresh token was taken. */
export interface ServerAuthenticated {
  /** The protocol's version. */
  v: 1;
  type: "authenticated";
  /** This frame. A client makes it (UUID v7); for a command it is the idempotency key. */
  id: string;
  /** The server's clock. */
  ts: string;
  /** The thread. */
  thread_id?: string;
  /** The frame that this one answers. */
  reply_to: string;
  payload: Authenticated;
}

/** An administrator's notice to everyone. */
export interface ServerBroadcast {
  /** The protocol's version. */
  v: 1;
  type: "broadcast";
  /** This frame. A client makes it (UUID v7); for a command it is the idempotency key. */
  id: string;
  /** The server's clock. */
  ts: string;
  /** The thread. */
  thread_id?: string;
  /** The frame that this one answers. */
  reply_to?: string;
  payload: Notice;
}

/** The first frame: who is connected and what the connection may do. */
export interface ServerConnect {
  /** The protocol's version. */
  v: 1;
  type: "connect";
  /** This frame. A client makes it (UUID v7); for a command it is the idempotency key. */
  id: string;
  /** The server's clock. */
  ts: string;
  /** The thread. */
  thread_id?: string;
  /** The frame that this one answers. */
  reply_to?: string;
  payload: Connect;
}

/** The last frame before a close that the server chose. */
export interface ServerDisconnect {
  /** The protocol's version. */
  v: 1;
  type: "disconnect";
  /** This frame. A client makes it (UUID v7); for a command it is the idempotency key. */
  id: string;
  /** The server's clock. */
  ts: string;
  /** The thread. */
  thread_id?: string;
  /** The frame that this one answers. */
  reply_to?: string;
  payload: Disconnect;
}

/** The frame was not acted on. */
export interface ServerErrorMessage {
  /** The protocol's version. */
  v: 1;
  type: "error_message";
  /** This frame. A client makes it (UUID v7); for a command it is the idempotency key. */
  id: string;
  /** The server's clock. */
  ts: string;
  /** The thread. */
  thread_id?: string;
  /** The frame that this one answers. */
  reply_to?: string;
  payload: ErrorMessage;
}

/** Asks the client for a sign of life. */
export interface ServerHeartbeat {
  /** The protocol's version. */
  v: 1;
  type: "heartbeat";
  /** This frame. A client makes it (UUID v7); for a command it is the idempotency key. */
  id: string;
  /** The server's clock. */
  ts: string;
  /** The thread. */
  thread_id?: string;
  /** The frame that this one answers. */
  reply_to?: string;
  payload: Empty;
}

/** A JSON-RPC 2.0 notification. */
export interface ServerJsonrpcNotification {
  /** The protocol's version. */
  v: 1;
  type: "jsonrpc_notification";
  /** This frame. A client makes it (UUID v7); for a command it is the idempotency key. */
  id: string;
  /** The server's clock. */
  ts: string;
  /** The thread. */
  thread_id?: string;
  /** The frame that this one answers. */
  reply_to?: string;
  payload: Record<string, unknown>;
}

/** A JSON-RPC 2.0 response. */
export interface ServerJsonrpcResponse {
  /** The protocol's version. */
  v: 1;
  type: "jsonrpc_response";
  /** This frame. A client makes it (UUID v7); for a command it is the idempotency key. */
  id: string;
  /** The server's clock. */
  ts: string;
  /** The thread. */
  thread_id?: string;
  /** The frame that this one answers. */
  reply_to: string;
  payload: Record<string, unknown>;
}

/** A piece of the answer. */
export interface ServerPartialResult {
  /** The protocol's version. */
  v: 1;
  type: "partial_result";
  /** This frame. A client makes it (UUID v7); for a command it is the idempotency key. */
  id: string;
  /** The server's clock. */
  ts: string;
  /** The thread. */
  thread_id: string;
  /** The run. */
  run_id: string;
  /** The log's epoch: another one means another log. */
  epoch: string;
  /** The event's place in its thread's log, dense from 1. */
  seq: number;
  /** The frame that this one answers. */
  reply_to?: string;
  payload: PartialResult;
}

/** Answers `ping`. */
export interface ServerPong {
  /** The protocol's version. */
  v: 1;
  type: "pong";
  /** This frame. A client makes it (UUID v7); for a command it is the idempotency key. */
  id: string;
  /** The server's clock. */
  ts: string;
  /** The thread. */
  thread_id?: string;
  /** The frame that this one answers. */
  reply_to: string;
  payload: Ping;
}

/** Someone said something in a room. */
export interface ServerRoomMessage {
  /** The protocol's version. */
  v: 1;
  type: "room_message";
  /** This frame. A client makes it (UUID v7); for a command it is the idempotency key. */
  id: string;
  /** The server's clock. */
  ts: string;
  /** The thread. */
  thread_id?: string;
  /** The frame that this one answers. */
  reply_to?: string;
  payload: RoomHeard;
}

/** The subscription began. */
export interface ServerSubscribed {
  /** The protocol's version. */
  v: 1;
  type: "subscribed";
  /** This frame. A client makes it (UUID v7); for a command it is the idempotency key. */
  id: string;
  /** The server's clock. */
  ts: string;
  /** The thread. */
  thread_id: string;
  /** The frame that this one answers. */
  reply_to: string;
  payload: Subscribed;
}

/** The server's notice to one user. */
export interface ServerSystemMessage {
  /** The protocol's version. */
  v: 1;
  type: "system_message";
  /** This frame. A client makes it (UUID v7); for a command it is the idempotency key. */
  id: string;
  /** The server's clock. */
  ts: string;
  /** The thread. */
  thread_id?: string;
  /** The frame that this one answers. */
  reply_to?: string;
  payload: Notice;
}

/** A thread was made; sent to all of the user's connections. */
export interface ServerThreadCreated {
  /** The protocol's version. */
  v: 1;
  type: "thread_created";
  /** This frame. A client makes it (UUID v7); for a command it is the idempotency key. */
  id: string;
  /** The server's clock. */
  ts: string;
  /** The thread. */
  thread_id?: string;
  /** The frame that this one answers. */
  reply_to?: string;
  payload: Thread;
}

/** A thread is gone; sent to all of the user's connections. */
export interface ServerThreadDeleted {
  /** The protocol's version. */
  v: 1;
  type: "thread_deleted";
  /** This frame. A client makes it (UUID v7); for a command it is the idempotency key. */
  id: string;
  /** The server's clock. */
  ts: string;
  /** The thread. */
  thread_id?: string;
  /** The frame that this one answers. */
  reply_to?: string;
  payload: ThreadDeleted;
}

/** A message was added to the thread. */
export interface ServerThreadMessage {
  /** The protocol's version. */
  v: 1;
  type: "thread_message";
  /** This frame. A client makes it (UUID v7); for a command it is the idempotency key. */
  id: string;
  /** The server's clock. */
  ts: string;
  /** The thread. */
  thread_id: string;
  /** The run. */
  run_id?: string;
  /** The log's epoch: another one means another log. */
  epoch: string;
  /** The event's place in its thread's log, dense from 1. */
  seq: number;
  /** The frame that this one answers. */
  reply_to?: string;
  payload: ThreadMessage;
}

/** The thread as it stands. */
export interface ServerThreadSnapshot {
  /** The protocol's version. */
  v: 1;
  type: "thread_snapshot";
  /** This frame. A client makes it (UUID v7); for a command it is the idempotency key. */
  id: string;
  /** The server's clock. */
  ts: string;
  /** The thread. */
  thread_id: string;
  /** The frame that this one answers. */
  reply_to?: string;
  payload: ThreadSnapshot;
}

/** A thread changed; sent to all of the user's connections. */
export interface ServerThreadUpdate {
  /** The protocol's version. */
  v: 1;
  type: "thread_update";
  /** This frame. A client makes it (UUID v7); for a command it is the idempotency key. */
  id: string;
  /** The server's clock. */
  ts: string;
  /** The thread. */
  thread_id?: string;
  /** The frame that this one answers. */
  reply_to?: string;
  payload: Thread;
}

/** A tool call waits for a person's approval. */
export interface ServerToolApprovalRequired {
  /** The protocol's version. */
  v: 1;
  type: "tool_approval_required";
  /** This frame. A client makes it (UUID v7); for a command it is the idempotency key. */
  id: string;
  /** The server's clock. */
  ts: string;
  /** The thread. */
  thread_id: string;
  /** The run. */
  run_id: string;
  /** The log's epoch: another one means another log. */
  epoch: string;
  /** The event's place in its thread's log, dense from 1. */
  seq: number;
  /** The frame that this one answers. */
  reply_to?: string;
  payload: ToolApprovalRequired;
}

/** A tool ended. */
export interface ServerToolCompleted {
  /** The protocol's version. */
  v: 1;
  type: "tool_completed";
  /** This frame. A client makes it (UUID v7); for a command it is the idempotency key. */
  id: string;
  /** The server's clock. */
  ts: string;
  /** The thread. */
  thread_id: string;
  /** The run. */
  run_id: string;
  /** The log's epoch: another one means another log. */
  epoch: string;
  /** The event's place in its thread's log, dense from 1. */
  seq: number;
  /** The frame that this one answers. */
  reply_to?: string;
  payload: ToolCompleted;
}

/** A tool began to work. */
export interface ServerToolExecuting {
  /** The protocol's version. */
  v: 1;
  type: "tool_executing";
  /** This frame. A client makes it (UUID v7); for a command it is the idempotency key. */
  id: string;
  /** The server's clock. */
  ts: string;
  /** The thread. */
  thread_id: string;
  /** The run. */
  run_id: string;
  /** The log's epoch: another one means another log. */
  epoch: string;
  /** The event's place in its thread's log, dense from 1. */
  seq: number;
  /** The frame that this one answers. */
  reply_to?: string;
  payload: ToolExecuting;
}

/** The subscription ended. */
export interface ServerUnsubscribed {
  /** The protocol's version. */
  v: 1;
  type: "unsubscribed";
  /** This frame. A client makes it (UUID v7); for a command it is the idempotency key. */
  id: string;
  /** The server's clock. */
  ts: string;
  /** The thread. */
  thread_id?: string;
  /** The frame that this one answers. */
  reply_to: string;
  payload: Empty;
}
