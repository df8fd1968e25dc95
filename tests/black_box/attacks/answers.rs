//! Answers that are large, and answers that nobody reads.

use std::{io::Write, net::TcpStream};

use serde_json::{Value, json};

use crate::support::{frame::on, server::Setup, user::User};

/// Bytes of text in each of the messages below.
const SIZE: usize = 60_000;

async fn fill(user: &User, messages: usize) -> String {
    let thread = user.thread("Large").await["id"].as_str().expect("an id").to_owned();
    let socket = user.connect().await;
    for _ in 0..messages {
        let said = socket.call(on(&thread, "user_message", json!({ "content": "<".repeat(SIZE) }))).await;
        assert_eq!(said["type"], "ack", "{said}");
    }
    thread
}

/// Pages are bounded in bytes, and lead through all that there is.
#[tokio::test]
async fn a_large_thread_is_answered_in_parts() {
    let server = Setup::new().start().await;
    let ada = User::register(&server).await;
    let thread = fill(&ada, 30).await;
    let (mut cursor, mut seen, mut pages) = (String::new(), 0, 0);
    loop {
        let answer = ada.get(&format!("/api/threads/{thread}/messages?limit=500{cursor}")).await;
        assert!(answer.body.len() < (1 << 20) + 2 * SIZE, "{} bytes", answer.body.len());
        let page = answer.ok();
        pages += 1;
        let messages = page["messages"].as_array().expect("messages");
        seen += messages.iter().filter(|message| message["role"] == "user").count();
        match &page["next_cursor"] {
            Value::String(next) => cursor = format!("&cursor={next}"),
            _ => break,
        }
    }
    assert_eq!((seen, pages > 1), (30, true));
    let events = ada.get(&format!("/api/threads/{thread}/events?limit=1000")).await;
    assert!(events.body.len() < (1 << 20) + 2 * SIZE, "{} bytes", events.body.len());

    let page = ada.browse(&format!("/t/{thread}")).await;
    assert!(page.status == 200 && page.body.len() < 3 << 20, "{}: {} bytes", page.status, page.body.len());
}

/// A user's requests are counted until their answers were taken, so that what nobody reads is bounded.
#[tokio::test]
async fn answers_that_nobody_reads_are_few() {
    let server = Setup::new().start().await;
    let (ada, eve) = (User::register(&server).await, User::register(&server).await);
    let thread = fill(&eve, 20).await;
    let before = server.resident_kb();
    let request = format!(
        "GET /api/threads/{thread}/messages?limit=500 HTTP/1.1\r\nHost: x\r\nCookie: {}\r\n\r\n",
        eve.cookies()
    );
    // Several requests on each connection, so that one answer fills the socket's buffers and the next waits.
    let streams: Vec<TcpStream> = (0..100)
        .map(|_| {
            let mut stream = TcpStream::connect(server.host()).expect("a connection");
            stream.write_all(request.repeat(8).as_bytes()).expect("written");
            stream
        })
        .collect();
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    ada.get("/api/me").await.ok();
    let grown = server.resident_kb().saturating_sub(before) / 1_024;
    assert!(grown < 150, "{grown} MB for answers that nobody reads");
    drop(streams);
    let again = async {
        while eve.get("/api/me").await.status != 200 {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(crate::support::PATIENCE, again).await.expect("the user is served again");
}
