//! Opens a client's socket, from the address and with the buffers that it is told.

use netra_ws::{PROTOCOL, TOKEN_PREFIX};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{client::IntoClientRequest, protocol::WebSocketConfig},
};

use super::Shared;
use crate::Failure;

/// A client's socket.
pub(super) type Socket = WebSocketStream<TcpStream>;

/// Bytes of the buffers on either side; the library's default would be 2 GB for 15,000 clients.
const BUFFER: usize = 4 * 1024;

/// What the kernel keeps for a reader that will stall, so that it is the server that feels it.
const NARROW: u32 = 4 * 1024;

/// A TCP connection to the server.
pub(super) async fn connect(shared: &Shared, number: usize) -> Result<TcpStream, Failure> {
    let job = &shared.job;
    let address = tokio::net::lookup_host(&job.host).await?.next().ok_or("the server has no address")?;
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if let Some(source) = &job.source {
        socket.bind(std::net::SocketAddr::new(source.parse()?, 0))?;
    }
    if job.clients[number].stalls {
        socket.set_recv_buffer_size(NARROW)?;
    }
    let stream = socket.connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// A socket with its handshake done.
pub(super) async fn open(shared: &Shared, number: usize, token: &str) -> Result<Socket, Failure> {
    let stream = connect(shared, number).await?;
    let mut request = format!("ws://{}{}", shared.job.host, shared.job.path).into_client_request()?;
    request.headers_mut().insert("sec-websocket-protocol", format!("{PROTOCOL}, {TOKEN_PREFIX}{token}").parse()?);
    let config = WebSocketConfig::default().read_buffer_size(BUFFER).write_buffer_size(0);
    Ok(client_async_with_config(request, stream, Some(config)).await?.0)
}
