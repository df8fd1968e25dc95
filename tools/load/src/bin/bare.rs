//! The least that a fan-out costs in Rust: axum, one broadcast channel, no log, no identity, no limits.
//!
//! `/publish` takes messages and `/ws` shows them. The port is the one argument; "ready" on standard output says that it
//! listens.

use axum::{
    Router,
    extract::{
        State, WebSocketUpgrade,
        ws::{Message, Utf8Bytes, WebSocket},
    },
    response::Response,
    routing::get,
    serve::ListenerExt,
};
use tokio::{net::TcpListener, sync::broadcast};

/// Messages that a reader may be behind before it loses some.
const BACKLOG: usize = 1024;

type Channel = broadcast::Sender<Utf8Bytes>;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let port: u16 = std::env::args().nth(1).ok_or("a port")?.parse()?;
    let (channel, _) = broadcast::channel(BACKLOG);
    let app = Router::new().route("/publish", get(publish)).route("/ws", get(watch)).with_state(channel);
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    println!("ready");
    let listener = listener.tap_io(|socket| {
        // Without it the socket is only slower.
        let _ = socket.set_nodelay(true);
    });
    axum::serve(listener, app).await?;
    Ok(())
}

async fn publish(State(channel): State<Channel>, upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(move |mut socket: WebSocket| async move {
        while let Some(Ok(message)) = socket.recv().await {
            if let Message::Text(text) = message {
                // Fails when nobody watches.
                let _ = channel.send(text);
            }
        }
    })
}

async fn watch(State(channel): State<Channel>, upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(move |mut socket: WebSocket| async move {
        let mut messages = channel.subscribe();
        loop {
            tokio::select! {
                message = messages.recv() => match message {
                    Ok(text) => if socket.send(Message::Text(text)).await.is_err() { return },
                    // The reader sees the hole in the numbers.
                    Err(broadcast::error::RecvError::Lagged(_)) => {}
                    Err(broadcast::error::RecvError::Closed) => return,
                },
                heard = socket.recv() => if !matches!(heard, Some(Ok(_))) { return },
            }
        }
    })
}
