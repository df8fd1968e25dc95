//! Connections with little room in the kernel. On loopback the kernel takes megabytes before a writer waits, because a
//! segment there is 64 KiB; with the segments and buffers of a small device a slow reader is felt at once.

use std::net::SocketAddr;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpSocket, TcpStream};

/// Bytes in a segment.
const SEGMENT: u32 = 1_000;

/// Connects with small segments and a receive buffer of about this many bytes.
pub(crate) async fn connect(server: SocketAddr, receive_buffer: usize) -> std::io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(server), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_tcp_mss(SEGMENT)?;
    socket.set_recv_buffer_size(receive_buffer)?;
    socket.set_nonblocking(true)?;
    TcpSocket::from_std_stream(socket.into()).connect(server).await
}
