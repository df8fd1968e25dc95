//! A TCP proxy on loopback that breaks connections the ways networks do: with FIN, with RST, in silence, slowly, and at
//! a chosen byte.

mod lane;
mod link;

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::{
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};

use crate::narrow;

pub(crate) use lane::{Fault, Trigger, Way};
pub(crate) use link::Link;

type Prepare = dyn Fn(&Link) + Send + Sync;

struct Shared {
    server: SocketAddr,
    /// Bytes that the kernel takes from the server ahead of the proxy, when those shall be few.
    receive_buffer: Option<usize>,
    refuses: AtomicBool,
    links: Mutex<Vec<Link>>,
    prepare: Mutex<Option<Box<Prepare>>>,
}

/// A running proxy; its connections end with it.
pub(crate) struct Proxy {
    /// `http://127.0.0.1:<port>`.
    pub(crate) base: String,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// A proxy in front of `host`, such as `127.0.0.1:3000`.
    pub(crate) async fn start(host: &str) -> Self {
        Self::with(host, None).await
    }

    /// The same with little room in the kernel, so that the server feels a slow lane soon.
    pub(crate) async fn narrow(host: &str) -> Self {
        Self::with(host, Some(64 * 1024)).await
    }

    async fn with(host: &str, receive_buffer: Option<usize>) -> Self {
        let server = host.parse().expect("an address");
        let shared = Arc::new(Shared {
            server,
            receive_buffer,
            refuses: AtomicBool::new(false),
            links: Mutex::default(),
            prepare: Mutex::default(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        let task = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Self { base, shared, task }
    }

    /// The connections that are open, oldest first.
    pub(crate) fn links(&self) -> Vec<Link> {
        let mut links = self.shared.links();
        links.retain(Link::is_open);
        links.clone()
    }

    /// The newest open connection.
    pub(crate) fn newest(&self) -> Option<Link> {
        self.links().pop()
    }

    /// What happens to each connection made from now on, before its first byte.
    pub(crate) fn prepare(&self, prepare: impl Fn(&Link) + Send + Sync + 'static) {
        *self.shared.prepare.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(prepare));
    }

    /// Connections made from now on pass.
    pub(crate) fn heal(&self) {
        *self.shared.prepare.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.refuse(false);
    }

    /// Whether new connections are reset at once.
    pub(crate) fn refuse(&self, refuses: bool) {
        self.shared.refuses.store(refuses, Ordering::Relaxed);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Shared {
    fn links(&self) -> MutexGuard<'_, Vec<Link>> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn connect(&self) -> std::io::Result<TcpStream> {
        let stream = match self.receive_buffer {
            Some(bytes) => narrow::connect(self.server, bytes).await?,
            None => TcpStream::connect(self.server).await?,
        };
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    // Dropped with this task, and with it every connection.
    let mut running = JoinSet::new();
    loop {
        let Ok((client, _)) = listener.accept().await else { continue };
        while running.try_join_next().is_some() {}
        if shared.refuses.load(Ordering::Relaxed) {
            // Fails only when the client is gone already.
            let _ = client.set_zero_linger();
            continue;
        }
        let link = Link::new();
        if let Some(prepare) = &*shared.prepare.lock().unwrap_or_else(PoisonError::into_inner) {
            prepare(&link);
        }
        {
            let mut links = shared.links();
            links.retain(Link::is_open);
            links.push(link.clone());
        }
        let shared = Arc::clone(&shared);
        running.spawn(async move {
            match shared.connect().await {
                Ok(server) => link.carry(client, server).await,
                Err(_) => link.over(),
            }
        });
    }
}
