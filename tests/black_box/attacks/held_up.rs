//! What one user or one network holds up, and that others notice nothing of it.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
};

use reqwest::Method;
use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt as _, net::TcpSocket};

use crate::support::{
    PATIENCE,
    answer::{Answer, http},
    frame::on,
    server::{Server, Setup},
    user::{PASSWORD, User},
};

/// A request from an address that a proxy tells.
async fn from(server: &Server, address: &str, path: &str, form: Value) -> Answer {
    User::visitor(server).send(Method::POST, path, Some(form.to_string()), &[("x-forwarded-for", address)]).await
}

/// Passwords of one network are looked at a few at a time, and links that are good for nothing cost none of that.
#[tokio::test]
async fn one_network_holds_up_no_sign_in_elsewhere() {
    let server = Setup::new().set("NETRA_AUTH", "password").set("NETRA_TRUSTED_PROXIES", "127.0.0.1").start().await;
    let ada = User::register(&server).await;
    let names: Vec<String> = (0..200).map(|number| format!("nobody{number}@example.org")).collect();
    let guesses = names
        .iter()
        .map(|name| from(&server, "203.0.113.9", "/api/auth/login", json!({ "email": name, "password": PASSWORD })));
    let own = json!({ "email": ada.email, "password": PASSWORD });
    let owner = from(&server, "198.51.100.7", "/api/auth/login", own);
    let (guesses, owner) = tokio::join!(futures::future::join_all(guesses), owner);
    owner.ok();
    let looked_at = guesses.iter().filter(|answer| answer.status == 401).count();
    assert!((1..150).contains(&looked_at), "{looked_at} of 200 at once");
    for refused in guesses.iter().filter(|answer| answer.status != 401) {
        assert!(matches!(refused.status, 429 | 503), "{} {}", refused.status, refused.body);
        assert!(!refused.header("retry-after").is_empty());
    }
    let resets = (0..100).map(|number| {
        let form = json!({ "link": format!("made up {number}"), "password": PASSWORD });
        from(&server, "203.0.113.10", "/api/auth/reset", form)
    });
    let statuses: Vec<u16> = futures::future::join_all(resets).await.into_iter().map(|answer| answer.status).collect();
    assert!(statuses.contains(&404) && statuses.contains(&429), "{statuses:?}");
}

/// Files that come slowly are the matter of who sends them.
#[tokio::test]
async fn slow_files_hold_up_nobody_else() {
    let server = Setup::new().start().await;
    let (ada, bob) = (User::register(&server).await, User::register(&server).await);
    let head = format!(
        "POST /api/attachments?name=slow.txt HTTP/1.1\r\nhost: x\r\ncookie: {}\r\ncontent-length: 100000\r\n\r\nhalf",
        ada.cookies()
    );
    let _held: Vec<TcpStream> = (0..16)
        .map(|_| {
            let mut stream = TcpStream::connect(server.host()).expect("a connection");
            stream.write_all(head.as_bytes()).expect("written");
            stream
        })
        .collect();
    for number in 0..5 {
        let request = http()
            .post(format!("{}/api/attachments?name=small{number}.txt", server.base))
            .header("cookie", bob.cookies())
            .header("content-type", "text/plain")
            .body("small");
        let answer = Answer::of(request).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
    }
}

/// An export is read in parts, and one at a time: what nobody reads is bounded.
#[tokio::test]
async fn one_export_at_a_time() {
    let server = Setup::new().set("NETRA_COMMANDS_PER_MINUTE", 100_000).start().await;
    let ada = User::register(&server).await;
    let thread = ada.thread("Large").await["id"].as_str().expect("an id").to_owned();
    let socket = ada.connect().await;
    for _ in 0..60 {
        let said = socket.call(on(&thread, "user_message", json!({ "content": "x".repeat(60_000) }))).await;
        assert_eq!(said["type"], "ack", "{said}");
    }
    let unread = TcpSocket::new_v4().expect("a socket");
    unread.set_recv_buffer_size(4_096).expect("an option");
    let mut unread = unread.connect(server.host().parse().expect("an address")).await.expect("a connection");
    let request = format!("GET /api/account/export HTTP/1.1\r\nhost: x\r\ncookie: {}\r\n\r\n", ada.cookies());
    unread.write_all(request.as_bytes()).await.expect("written");
    unread.readable().await.expect("an answer");
    let second = ada.get("/api/account/export").await;
    assert_eq!(second.error(), (429, "rate_limited".into()));
    assert!(!second.header("retry-after").is_empty());
    drop(unread);
    let whole = async {
        loop {
            let answer = ada.get("/api/account/export").await;
            if answer.status == 200 {
                break answer;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    let whole = tokio::time::timeout(PATIENCE, whole).await.expect("the next one begins");
    let lines: Vec<Value> = whole.body.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let said = lines.iter().filter(|line| line["kind"] == "message" && line["message"]["role"] == "user").count();
    assert_eq!((said, lines.last().expect("a line")["kind"].as_str()), (60, Some("end")));
}

/// What one takes part in, and whom one blocks, is in the export.
#[tokio::test]
async fn memberships_and_blocks_are_exported() {
    let server = Setup::new().start().await;
    let (ada, bob) = (User::register(&server).await, User::register(&server).await);
    let eve = User::register(&server).await;
    let thread = ada.thread("Ours").await["id"].as_str().expect("an id").to_owned();
    assert_eq!(ada.post(&format!("/api/threads/{thread}/members"), json!({ "email": bob.email })).await.status, 201);
    bob.post(&format!("/api/invitations/{thread}"), json!({})).await.ok();
    assert_eq!(bob.post("/api/blocks", json!({ "user_id": eve.id })).await.status, 204);
    let answer = bob.get("/api/account/export").await;
    let lines: Vec<Value> = answer.body.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let of = |kind: &str| lines.iter().find(|line| line["kind"] == kind).unwrap_or_else(|| panic!("no {kind}"));
    assert_eq!(of("membership")["membership"]["thread_id"], thread.as_str());
    assert_eq!(of("block")["block"]["id"], eve.id.as_str());
    assert!(!lines.iter().any(|line| line["kind"] == "thread"), "another's conversation is another's");
}

/// A sign-in is no way to keep everybody out: half a request of somebody who is known makes room, too.
#[tokio::test]
async fn one_user_leaves_places_for_others() {
    let server = Setup::new().files_at_most(256).start().await;
    let eve = User::register(&server).await;
    let request = format!("GET /api/me HTTP/1.1\r\nhost: x\r\ncookie: {}\r\n\r\n", eve.cookies());
    let (mut held, mut answered) = (Vec::new(), 0);
    for _ in 0..150 {
        let mut stream = TcpStream::connect(server.host()).expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("an option");
        // A server without a place closes the connection: then nothing comes.
        let _ = stream.write_all(request.as_bytes());
        answered += usize::from(stream.read(&mut [0; 4_096]).is_ok_and(|bytes| bytes > 0));
        let _ = stream.write_all(b"GET /api/me HTTP/1.1\r\nhost: ");
        held.push(stream);
    }
    assert!(answered >= 64, "{answered}");
    let ada = User::register(&server).await;
    ada.get("/api/me").await.ok();
    ada.connect().await.alive().await;
}
