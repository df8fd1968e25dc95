//! The proxy does on the wire what a test tells it. Without this, tests about cuts could pass uncut.

use std::{
    io,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};

use crate::proxy::{Fault, Link, Proxy, Trigger, Way};

const SHORT: Duration = Duration::from_millis(200);

/// A proxied connection, both its ends in hand.
struct Ends {
    proxy: Proxy,
    client: TcpStream,
    server: TcpStream,
}

impl Ends {
    async fn new(prepare: impl Fn(&Link) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let proxy = Proxy::start(&listener.local_addr().expect("an address").to_string()).await;
        proxy.prepare(prepare);
        let client = TcpStream::connect(proxy.base.trim_start_matches("http://")).await.expect("a connection");
        let (server, _) = listener.accept().await.expect("a connection");
        Self { proxy, client, server }
    }

    fn link(&self) -> Link {
        self.proxy.newest().expect("a connection")
    }
}

/// Reads until the end, a reset, or silence.
async fn read_all(stream: &mut TcpStream) -> (String, Result<bool, io::ErrorKind>) {
    let mut read = Vec::new();
    let mut buffer = [0; 1024];
    let end = loop {
        match timeout(SHORT, stream.read(&mut buffer)).await {
            Err(_) => break Ok(false),
            Ok(Ok(0)) => break Ok(true),
            Ok(Ok(n)) => read.extend_from_slice(&buffer[..n]),
            Ok(Err(error)) => break Err(error.kind()),
        }
    };
    (String::from_utf8(read).expect("text"), end)
}

#[tokio::test]
async fn bytes_and_ends_pass_both_ways() {
    let mut ends = Ends::new(|_| {}).await;
    ends.client.write_all(b"question").await.expect("written");
    ends.client.shutdown().await.expect("shut down");
    assert_eq!(read_all(&mut ends.server).await, ("question".into(), Ok(true)));
    ends.server.write_all(b"answer").await.expect("written");
    assert_eq!(read_all(&mut ends.client).await, ("answer".into(), Ok(false)), "one way may outlive the other");
    assert_eq!((ends.link().passed(Way::Up), ends.link().passed(Way::Down)), (8, 6));
    drop(ends.server);
    assert_eq!(read_all(&mut ends.client).await, (String::new(), Ok(true)));
}

#[tokio::test]
async fn a_close_a_reset_and_silence_differ() {
    for (fault, end) in
        [(Fault::Close, Ok(true)), (Fault::Reset, Err(io::ErrorKind::ConnectionReset)), (Fault::Silence, Ok(false))]
    {
        let mut ends = Ends::new(|_| {}).await;
        ends.link().strike(fault);
        assert_eq!(read_all(&mut ends.client).await, (String::new(), end), "{fault:?}");
        assert_eq!(read_all(&mut ends.server).await, (String::new(), end), "{fault:?}");
    }
}

#[tokio::test]
async fn a_silent_connection_hides_that_the_other_side_left() {
    let mut ends = Ends::new(|_| {}).await;
    let link = ends.link();
    link.strike(Fault::Silence);
    drop(ends.client);
    ends.server.write_all(b"hello?").await.expect("the kernel takes it");
    assert_eq!(read_all(&mut ends.server).await, (String::new(), Ok(false)));
    assert!(link.is_open() && link.is_broken());
}

#[tokio::test]
async fn a_hole_holds_one_way_until_it_heals() {
    let mut ends = Ends::new(|_| {}).await;
    ends.link().hole(Way::Down, true);
    ends.server.write_all(b"late").await.expect("written");
    ends.client.write_all(b"in time").await.expect("written");
    assert_eq!(read_all(&mut ends.server).await, ("in time".into(), Ok(false)));
    assert_eq!(read_all(&mut ends.client).await, (String::new(), Ok(false)));
    ends.link().hole(Way::Down, false);
    assert_eq!(read_all(&mut ends.client).await, ("late".into(), Ok(false)));
}

#[tokio::test]
async fn a_connection_breaks_at_its_byte() {
    for bytes in [1, 4, 9] {
        let mut ends = Ends::new(move |link| link.strike_at(Way::Up, Trigger::After(bytes), Fault::Close)).await;
        ends.client.write_all(b"0123").await.expect("written");
        ends.client.write_all(b"456789").await.expect("written");
        let (text, end) = read_all(&mut ends.server).await;
        assert_eq!((text.as_str(), end), (&"0123456789"[..usize::try_from(bytes).expect("small")], Ok(true)));
    }
}

#[tokio::test]
async fn a_connection_breaks_before_its_word() {
    let mut ends = Ends::new(|link| link.strike_at(Way::Down, Trigger::Before("end"), Fault::Close)).await;
    ends.server.write_all(b"this en").await.expect("written");
    assert_eq!(read_all(&mut ends.client).await.0, "this en", "a word may be cut in its middle");
    ends.server.write_all(b"d is the end").await.expect("written");
    assert_eq!(read_all(&mut ends.client).await, (String::new(), Ok(true)));
}

#[tokio::test]
async fn a_throttled_lane_is_slow() {
    let mut ends = Ends::new(|link| link.throttle(Way::Up, Some(10_000))).await;
    let start = Instant::now();
    ends.client.write_all(&[b'x'; 5_000]).await.expect("written");
    ends.server.read_exact(&mut [0; 5_000]).await.expect("all of it");
    let took = start.elapsed();
    assert!(took > Duration::from_millis(400), "5,000 bytes at 10,000 a second in {took:?}");
}

#[tokio::test]
async fn refused_connections_are_reset() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let proxy = Proxy::start(&listener.local_addr().expect("an address").to_string()).await;
    proxy.refuse(true);
    let mut client = TcpStream::connect(proxy.base.trim_start_matches("http://")).await.expect("the kernel accepts");
    assert_eq!(read_all(&mut client).await, (String::new(), Err(io::ErrorKind::ConnectionReset)));
    proxy.heal();
    let client = TcpStream::connect(proxy.base.trim_start_matches("http://")).await.expect("a connection");
    listener.accept().await.expect("a connection");
    drop(client);
}
