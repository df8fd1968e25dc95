//! The listener: HTTP/1.1 with clocks. Every connection is counted, every wait of it has an end, and strangers who hold places
//! make room for those who come.

mod body;
mod frames;
mod http_connection;
mod http_connections;
mod stream;

use std::{convert::Infallible, io, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use axum::{Router, body::Body, extract::ConnectInfo, http::StatusCode};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    time::{MissedTickBehavior, interval, sleep},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::Service as _;

use super::turns::TurnPermit;
use body::{AnswerBody, Request};
#[cfg(any(test, fuzzing))]
pub(super) use frames::Frames;
pub(crate) use http_connection::HttpConnection;
pub(crate) use http_connections::{ConnectionLimits, HttpConnections};
use stream::Stream;

/// How often clocks are looked at.
const SWEEP: Duration = Duration::from_secs(1);

/// The pause after the system could not accept a connection.
const PAUSE: Duration = Duration::from_millis(100);

/// The largest head of a request, and what is kept of an answer that the socket has not taken.
const BUFFER: usize = 64 * 1024;

/// Serves until told to stop, and then until all requests under way are answered.
pub(crate) async fn serve(listener: TcpListener, router: Router, limits: ConnectionLimits, stop: CancellationToken) {
    let connections = HttpConnections::new(limits);
    let tasks = TaskTracker::new();
    let mut sweep = interval(SWEEP);
    sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            _ = sweep.tick() => connections.sweep(),
            accepted = listener.accept() => match accepted {
                Ok((tcp, peer)) => match connections.admit(peer.ip()) {
                    Some(connection) => drop(tasks.spawn(converse(tcp, peer, connection, router.clone(), stop.clone()))),
                    None => tracing::debug!(%peer, "no place for another connection"),
                },
                // It was gone before it was accepted.
                Err(error) if is_gone(&error) => {}
                Err(error) => {
                    tracing::error!(%error, "no connection can be accepted");
                    sleep(PAUSE).await;
                }
            },
        }
    }
    drop(listener);
    tasks.close();
    tasks.wait().await;
}

fn is_gone(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionRefused | ConnectionAborted | ConnectionReset)
}

/// Answers the requests of one connection.
async fn converse(
    tcp: TcpStream,
    peer: SocketAddr,
    connection: Arc<HttpConnection>,
    router: Router,
    stop: CancellationToken,
) {
    // A frame must not wait until the reader acknowledges the one before it (Nagle's algorithm).
    if let Err(error) = tcp.set_nodelay(true) {
        tracing::debug!(%error, "a connection was gone before it began");
    }
    let service = service_fn(|request| answer(request, peer, connection.clone(), router.clone()));
    let stream = TokioIo::new(Stream::new(tcp, connection.clone()));
    let http = http1::Builder::new().max_buf_size(BUFFER).serve_connection(stream, service).with_upgrades();
    let mut http = pin!(http);
    let mut stopping = false;
    loop {
        tokio::select! {
            ended = http.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(%peer, %error, "connection ended");
                }
                return;
            }
            () = connection.end.notified() => return,
            () = stop.cancelled(), if !stopping => {
                stopping = true;
                http.as_mut().graceful_shutdown();
            }
        }
    }
}

async fn answer(
    request: axum::http::Request<Incoming>,
    peer: SocketAddr,
    connection: Arc<HttpConnection>,
    mut router: Router,
) -> Result<axum::http::Response<AnswerBody>, Infallible> {
    connection.begin_request();
    let mut request = request.map(|body| Body::new(Request::new(body, connection.clone())));
    request.extensions_mut().insert(ConnectInfo(peer));
    request.extensions_mut().insert(connection.clone());
    let mut response = router.call(request).await?;
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        connection.become_socket();
    }
    let turn = response.extensions_mut().remove::<TurnPermit>();
    Ok(response.map(|body| AnswerBody::new(body, connection, turn)))
}
