//! The stream of a connection, which notes what comes and goes.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

use super::{
    frames::{Flood, Frames},
    http_connection::HttpConnection,
};

/// Looks for the blank line that ends a head.
#[derive(Default)]
struct Head {
    /// The line under way has nothing in it, and is not the first.
    blank: bool,
    ended: bool,
    /// Bytes came after the end.
    passed: bool,
}

impl Head {
    fn feed(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if self.ended {
                self.passed = true;
                return;
            }
            match byte {
                b'\n' if self.blank => self.ended = true,
                b'\n' => self.blank = true,
                b'\r' => {}
                _ => self.blank = false,
            }
        }
    }
}

/// A TCP stream and the connection that it is.
pub(super) struct Stream {
    tcp: TcpStream,
    connection: Arc<HttpConnection>,
    /// How far the request's head is, whose answer may make it a socket.
    head: Head,
    /// Once it is a socket.
    frames: Option<Box<Frames>>,
}

impl Stream {
    pub(super) fn new(tcp: TcpStream, connection: Arc<HttpConnection>) -> Self {
        Self { tcp, connection, head: Head::default(), frames: None }
    }

    /// Counts what came. A connection that floods is at its end: there is nothing in it that an answer could belong to.
    fn read(&mut self, bytes: &[u8]) -> io::Result<()> {
        if !self.connection.is_socket() {
            if self.connection.read(bytes.len()) {
                self.head = Head::default();
            }
            self.head.feed(bytes);
            return Ok(());
        }
        if self.frames.is_none() && self.head.passed {
            // Counting would begin in the middle of a frame. A client waits for the answer first (RFC 6455, 4.1).
            return Err(io::Error::other("frames before the handshake's answer"));
        }
        let frames = self.frames.get_or_insert_with(|| Box::new(Frames::new()));
        frames.count(bytes).map_err(|Flood| {
            tracing::warn!(address = %self.connection.address, "socket ended: too many frames or bytes");
            io::Error::other("too many frames or bytes")
        })
    }

    fn wrote(&self, result: Poll<io::Result<usize>>, wanted: usize) -> Poll<io::Result<usize>> {
        match &result {
            Poll::Ready(Ok(bytes)) => self.connection.wrote(*bytes, *bytes == wanted),
            Poll::Pending => self.connection.wrote(0, false),
            Poll::Ready(Err(_)) => {}
        }
        result
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.connection.closed();
    }
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.tcp).poll_read(cx, buf))?;
        let came = &buf.filled()[before..];
        Poll::Ready(if came.is_empty() { Ok(()) } else { self.read(came) })
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.tcp).poll_write(cx, buf);
        self.wrote(result, buf.len())
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.tcp).poll_write_vectored(cx, bufs);
        self.wrote(result, bufs.iter().map(|buf| buf.len()).sum())
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_after_a_head_are_seen() {
        let fed = |parts: &[&str]| {
            let mut head = Head::default();
            for part in parts {
                head.feed(part.as_bytes());
            }
            (head.ended, head.passed)
        };
        assert_eq!(fed(&["GET / HTTP/1.1\r\nA: b\r\n"]), (false, false));
        assert_eq!(fed(&["GET / HTTP/1.1\r\nA: b\r\n\r", "\n"]), (true, false));
        assert_eq!(fed(&["GET / HTTP/1.1\nA: b\n\n"]), (true, false));
        assert_eq!(fed(&["GET / HTTP/1.1\r\nA: b\r\n\r\n", "\u{1}\r\n\r\n"]), (true, true));
    }
}
