//! Who may do what over the socket: every type that a client may send, for every kind of caller. A type without a row fails.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::{
    roles::join,
    support::{
        PATIENCE,
        answer::{Answer, http},
        frame::frame,
        rules::{ended, start_run},
        server::{Server, Setup},
        socket::Socket,
        user::User,
    },
};

/// Callers, in the order of the rows' answers. All but the stranger and the administrator are in the thread.
const CALLERS: [&str; 6] = ["stranger", "administrator", "owner", "member", "viewer", "guest"];

/// A type, its payload, and what each caller is answered with: another type, or the code of a refusal.
struct Row(&'static str, &'static str, [&'static str; 6]);

fn rows() -> Vec<Row> {
    let all = |answer| [answer; 6];
    let gone = "not_found";
    let writers = [gone, gone, "ack", "ack", "forbidden", "forbidden"];
    let readers = |answer| [gone, gone, answer, answer, answer, answer];
    vec![
        Row("user_message", r#"{"content":"What is 1 + 1?"}"#, writers),
        Row("start_agent", r#"{"content":"What is 1 + 1?"}"#, writers),
        Row("regenerate", r#"{"message_id":"{message}"}"#, writers),
        Row("stop_agent", r#"{"run_id":"{run}"}"#, writers),
        Row("subscribe", "{}", readers("subscribed")),
        Row("unsubscribe", "{}", all("unsubscribed")),
        // The call that is named waits for nobody.
        Row("tool_approval", r#"{"tool_call_id":"{run}-1","decision":"approve"}"#, all(gone)),
        Row("join_room", r#"{"room":"{thread}"}"#, readers("ack")),
        // Whoever is in no room has left it.
        Row("leave_room", r#"{"room":"{thread}"}"#, all("ack")),
        Row(
            "room_message",
            r#"{"room":"{thread}","body":{"kind":"typing"}}"#,
            [gone, gone, "room_message", "room_message", "forbidden", "forbidden"],
        ),
        Row("authenticate", r#"{"token":"nothing"}"#, all("unauthenticated")),
        Row("ping", "{}", all("pong")),
        Row("jsonrpc_request", r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#, all("jsonrpc_response")),
        // Nobody answers these.
        Row("heartbeat_ack", "{}", all("")),
        Row("jsonrpc_notification", r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#, all("")),
    ]
}

struct World {
    server: Server,
    people: Vec<User>,
    thread: String,
    run: String,
    message: String,
}

impl World {
    async fn new() -> Self {
        let server = Setup::new().set("NETRA_AUTH", "password").set("NETRA_COMMANDS_PER_MINUTE", 100_000).start().await;
        // On loopback without a public address the first account administers.
        let administrator = User::register(&server).await;
        let (stranger, owner) = (User::register(&server).await, User::register(&server).await);
        let (member, viewer) = (User::register(&server).await, User::register(&server).await);
        let guest = join(&server, &administrator, json!({ "guest": true })).await;
        let socket = owner.connect().await;
        let run = start_run(&socket, "guide", "What is 6 times 7?").await;
        ended(&socket, &run).await;
        for (user, role) in [(&member, "writer"), (&viewer, "viewer"), (&guest, "writer")] {
            let invited = json!({ "email": user.email, "role": role });
            let added = owner.post(&format!("/api/threads/{}/members", run.thread), invited).await;
            assert_eq!(added.status, 201, "{}", added.body);
            user.post(&format!("/api/invitations/{}", run.thread), json!({})).await.ok();
        }
        let page = owner.get(&format!("/api/threads/{}/messages", run.thread)).await.ok();
        let message = page["messages"][0]["message_id"].as_str().expect("a message").to_owned();
        let people = vec![stranger, administrator, owner, member, viewer, guest];
        Self { server, people, thread: run.thread, run: run.id, message }
    }

    /// What a caller is answered with.
    async fn ask(&self, socket: &Socket, kind: &str, payload: &str) -> Value {
        let payload = payload.replace("{thread}", &self.thread).replace("{run}", &self.run);
        let payload = payload.replace("{message}", &self.message);
        let mut frame = frame(kind, serde_json::from_str(&payload).expect("JSON"));
        if matches!(kind, "user_message" | "start_agent" | "subscribe" | "unsubscribe") {
            frame["thread_id"] = json!(self.thread);
        }
        if kind != "room_message" {
            return socket.call(frame).await;
        }
        // It comes back like everybody's, and names nothing that it answers.
        let from = socket.count();
        socket.send(&frame).await;
        let answers =
            |heard: &Value| heard["reply_to"] == frame["id"] || heard["payload"]["body"] == frame["payload"]["body"];
        socket.wait_for(from, PATIENCE, "the message or a refusal", answers).await
    }
}

#[tokio::test]
async fn every_frame_lets_in_whom_it_should() {
    let world = World::new().await;
    let document = Answer::of(http().get(format!("{}/asyncapi.json", world.server.base))).await.ok();
    let messages = document["components"]["messages"].as_object().expect("messages");
    let types: BTreeSet<&str> = messages.keys().filter_map(|name| name.strip_prefix("client_")).collect();
    let rows = rows();
    assert_eq!(types, rows.iter().map(|row| row.0).collect(), "a type has no row, or a row no type");
    let mut wrong = Vec::new();
    for Row(kind, payload, answers) in rows {
        for ((caller, user), wanted) in CALLERS.iter().zip(&world.people).zip(answers) {
            let socket = user.connect().await;
            if wanted.is_empty() {
                let before = socket.count();
                socket.send(&frame(kind, serde_json::from_str(payload).expect("JSON"))).await;
                socket.alive().await;
                let refused = socket.frames()[before..].iter().any(|frame| frame["type"] == "error_message");
                if refused {
                    wrong.push(format!("{kind} by {caller}: refused"));
                }
                continue;
            }
            if matches!(kind, "leave_room" | "room_message") {
                // Whoever may is in the room first.
                world.ask(&socket, "join_room", r#"{"room":"{thread}"}"#).await;
            }
            let answer = world.ask(&socket, kind, payload).await;
            let got = answer["payload"]["code"].as_str().or(answer["type"].as_str()).unwrap_or_default();
            if got != wanted {
                wrong.push(format!("{kind} by {caller}: {got} instead of {wanted}: {answer}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
