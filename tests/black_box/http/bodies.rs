//! A body that comes late is read all the same: a kept-alive connection is never cut between two requests (§9).

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{sleep, timeout},
};

use crate::support::{PATIENCE, server::Setup, user::User};

/// Reads one answer, as long as its `Content-Length` says; nothing when the connection ended.
async fn answer(stream: &mut TcpStream) -> Option<String> {
    let mut read = Vec::new();
    let mut part = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&read).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = |line: &str| line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse().ok();
            let length: usize = head.lines().find_map(length).unwrap_or(0);
            let no_body = head.starts_with("HTTP/1.1 204");
            if no_body || body.len() >= length {
                return Some(text);
            }
        }
        match timeout(PATIENCE, stream.read(&mut part)).await.expect("an answer in time") {
            Ok(0) | Err(_) => return None,
            Ok(count) => read.extend_from_slice(&part[..count]),
        }
    }
}

#[tokio::test]
async fn a_body_in_a_second_packet_costs_no_connection() {
    let server = Setup::new().start().await;
    let user = User::register(&server).await;
    let thread = user.thread("A thread").await["id"].as_str().expect("an id").to_owned();
    let body = r#"{"x":"not what anyone asks for"}"#;
    let mut writes = vec![
        "POST /api/auth/ws-token".to_owned(),
        "POST /api/auth/dev".to_owned(),
        "POST /api/auth/register".to_owned(),
        "POST /api/auth/login".to_owned(),
        "POST /api/threads".to_owned(),
        "POST /api/tokens".to_owned(),
        "POST /api/admin/broadcast".to_owned(),
        "POST /api/no-such-thing".to_owned(),
        "POST /api/config".to_owned(),
        format!("PATCH /api/threads/{thread}"),
        format!("POST /api/threads/{thread}/members"),
        format!("DELETE /api/threads/{thread}/members"),
        format!("DELETE /api/tokens/{thread}"),
        format!("DELETE /api/threads/{thread}"),
    ];
    // Ends the sign-in, so it is the last.
    writes.push("POST /api/auth/logout".to_owned());
    for origin in ["", "Origin: https://elsewhere.example\r\n"] {
        for write in &writes {
            let mut stream = TcpStream::connect(server.host()).await.expect("a connection");
            let head = format!(
                "{write} HTTP/1.1\r\nHost: {}\r\nCookie: {}\r\n{origin}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
                server.host(),
                user.cookies(),
                body.len()
            );
            stream.write_all(head.as_bytes()).await.expect("sent");
            sleep(Duration::from_millis(40)).await;
            stream.write_all(body.as_bytes()).await.unwrap_or_else(|error| panic!("{write}: {error}"));
            let first = answer(&mut stream).await.unwrap_or_else(|| panic!("{write}: no answer"));
            assert!(first.starts_with("HTTP/1.1 "), "{write}: {first}");
            let again = format!("GET /healthz HTTP/1.1\r\nHost: {}\r\n\r\n", server.host());
            let sent = stream.write_all(again.as_bytes()).await;
            assert!(sent.is_ok(), "{write}: cut after {first}");
            let second = answer(&mut stream).await.unwrap_or_else(|| panic!("{write}: cut after {first}"));
            assert!(second.starts_with("HTTP/1.1 200"), "{write}: {second}");
        }
    }
}

#[tokio::test]
async fn a_body_without_end_ends_with_its_connection_alone() {
    let server = Setup::new().start().await;
    let user = User::register(&server).await;
    let mut stream = TcpStream::connect(server.host()).await.expect("a connection");
    let head = format!(
        "POST /api/auth/ws-token HTTP/1.1\r\nHost: {}\r\nCookie: {}\r\nContent-Length: 1000000000\r\n\r\n",
        server.host(),
        user.cookies()
    );
    stream.write_all(head.as_bytes()).await.expect("sent");
    let block = vec![b'x'; 64 * 1024];
    // Three megabytes are more than is read for the connection's sake.
    for _ in 0..48 {
        if stream.write_all(&block).await.is_err() {
            break;
        }
    }
    drop(stream);
    assert_eq!(user.get("/healthz").await.status, 200);
}
