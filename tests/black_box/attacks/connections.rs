//! Connections that never finish what they began, and more of them than there is room for.

use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use crate::support::{
    server::{Server, Setup},
    user::User,
};

fn begin(server: &Server, bytes: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server.host()).expect("a connection");
    stream.write_all(bytes.as_bytes()).expect("written");
    stream.set_nonblocking(true).expect("an option");
    stream
}

fn is_closed(stream: &mut TcpStream) -> bool {
    match stream.read(&mut [0; 1_024]) {
        Ok(bytes) => bytes == 0,
        Err(error) => error.kind() != ErrorKind::WouldBlock,
    }
}

/// A head, a body and a handshake without end are given up within half a minute; what trickles in meanwhile gives no more time.
#[tokio::test]
async fn a_request_without_end_is_ended() {
    let server = Setup::new().start().await;
    let mut connections = [
        ("half a line", begin(&server, "GET /hea")),
        ("endless headers", begin(&server, "GET /healthz HTTP/1.1\r\nHost: x\r\n")),
        ("half a handshake", begin(&server, "GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n")),
        (
            "half a body",
            begin(
                &server,
                "POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{",
            ),
        ),
    ];
    let end = Instant::now() + Duration::from_mins(1);
    let mut open: Vec<&str> = connections.iter().map(|(name, _)| *name).collect();
    while !open.is_empty() && Instant::now() < end {
        tokio::time::sleep(Duration::from_millis(500)).await;
        for (name, stream) in &mut connections {
            if *name == "endless headers" {
                // Fails once it is closed, which is seen below.
                let _ = stream.write_all(b"X: y\r\n");
            }
            if open.contains(name) && is_closed(stream) {
                open.retain(|other| other != name);
            }
        }
    }
    assert!(open.is_empty(), "still open: {open:?}");
}

#[tokio::test]
async fn strangers_make_room_for_those_who_come() {
    let server = Setup::new().files_at_most(256).start().await;
    let ada = User::register(&server).await;
    let socket = ada.connect().await;
    let mut held: Vec<TcpStream> = (0..400).map(|_| begin(&server, "G")).collect();
    for _ in 0..5 {
        ada.get("/api/me").await.ok();
    }
    socket.alive().await;
    let open = held.iter_mut().filter_map(|stream| (!is_closed(stream)).then_some(())).count();
    assert!(open <= 64 + 2, "{open} strangers of 256 open files");
    User::register(&server).await;
}
