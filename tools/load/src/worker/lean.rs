//! A lean client for the comparison: it reads WebSocket frames (RFC 6455 §5) itself and looks only at each message's number
//! and time, so that the server is what is measured. It does not come back when its socket ends.

use std::sync::Arc;

use netra_ws::{PROTOCOL, TOKEN_PREFIX, frame::Frame, message::ClientMessage, payload as p};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{Shared, wire::connect};
use crate::{Failure, delays::now_us, job::Speech};
use speech::{Heard, hear};

#[path = "speech.rs"]
mod speech;

/// Bytes that are read at a time.
const READ: usize = 16 * 1024;

/// WebSocket opcodes.
const TEXT: u8 = 1;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// Runs until the socket or the worker ends.
pub(super) async fn run(shared: Arc<Shared>, number: usize) {
    if serve(&shared, number).await.is_err() {
        shared.board.book(number).faults.bad += 1;
    }
    shared.board.lost(number);
}

async fn serve(shared: &Shared, number: usize) -> Result<(), Failure> {
    let turn = shared.opening.acquire().await?;
    let mut stream = connect(shared, number).await?;
    let mut buffer = shake_hands(shared, number, &mut stream).await?;
    drop(turn);
    let mut lean = Lean::new(shared, number);
    lean.begin(&mut stream).await?;
    loop {
        let used = lean.take(&buffer, &mut stream).await?;
        buffer.drain(..used);
        if stream.read_buf(&mut buffer).await? == 0 {
            return Ok(());
        }
    }
}

/// The opening handshake; gives back what came behind it.
async fn shake_hands(shared: &Shared, number: usize, stream: &mut TcpStream) -> Result<Vec<u8>, Failure> {
    let job = &shared.job;
    let protocols = match job.speech {
        Speech::LeanNetra => {
            let token = &job.accounts[job.clients[number].account].token;
            format!("Sec-WebSocket-Protocol: {PROTOCOL}, {TOKEN_PREFIX}{token}\r\n")
        }
        Speech::Session | Speech::LeanPlain | Speech::LeanSocketIo => String::new(),
    };
    let request = format!(
        "GET {} HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n{protocols}\r\n",
        job.path, job.host
    );
    stream.write_all(request.as_bytes()).await?;
    let mut buffer = Vec::with_capacity(READ);
    loop {
        if let Some(end) = memchr::memmem::find(&buffer, b"\r\n\r\n") {
            if !buffer.starts_with(b"HTTP/1.1 101") {
                return Err(String::from_utf8_lossy(&buffer[..end]).into());
            }
            return Ok(buffer.split_off(end + 4));
        }
        if stream.read_buf(&mut buffer).await? == 0 {
            return Err("closed within the handshake".into());
        }
    }
}

struct Lean<'a> {
    shared: &'a Shared,
    number: usize,
    /// The threads that it watches, as they stand in frames.
    threads: Vec<String>,
    /// Answers that it waits for before it is ready.
    unanswered: usize,
}

impl<'a> Lean<'a> {
    fn new(shared: &'a Shared, number: usize) -> Self {
        let plan = &shared.job.clients[number];
        let threads: Vec<_> = plan.threads.iter().map(|thread| shared.job.threads[*thread].to_string()).collect();
        let unanswered = match shared.job.speech {
            Speech::LeanNetra => threads.len(),
            Speech::LeanSocketIo => 1,
            Speech::Session | Speech::LeanPlain => 0,
        };
        Self { shared, number, threads, unanswered }
    }

    async fn begin(&mut self, stream: &mut TcpStream) -> Result<(), Failure> {
        if self.shared.job.speech == Speech::LeanNetra {
            for thread in &self.shared.job.clients[self.number].threads {
                let ask = ClientMessage::Subscribe(p::Subscribe { after_seq: Some(0), epoch: None });
                let frame = Frame::new(ask).in_thread(self.shared.job.threads[*thread]);
                send(stream, TEXT, frame.encode()?.as_bytes()).await?;
            }
        }
        if self.unanswered == 0 {
            self.shared.board.ready(self.number);
        }
        Ok(())
    }

    /// Takes the whole frames at the front of the buffer; how many bytes they were.
    async fn take(&mut self, buffer: &[u8], stream: &mut TcpStream) -> Result<usize, Failure> {
        let (mut used, mut events, mut bytes, mut delays) = (0, 0, 0, Vec::new());
        let now = now_us();
        while let Some((opcode, start, end)) = split(&buffer[used..]) {
            let text = &buffer[used + start..used + end];
            used += end;
            match opcode {
                TEXT => match hear(self.shared.job.speech, text, &self.threads, now) {
                    Heard::Event { thread, seq, delay } => {
                        events += 1;
                        bytes += text.len();
                        delays.push(delay);
                        self.note(thread, seq);
                    }
                    Heard::Answer(answer) => send(stream, TEXT, answer.as_bytes()).await?,
                    Heard::Ready => {
                        self.unanswered = self.unanswered.saturating_sub(1);
                        if self.unanswered == 0 {
                            self.shared.board.ready(self.number);
                        }
                    }
                    Heard::Other => {}
                },
                PING => send(stream, PONG, text).await?,
                CLOSE => return Err("the server closed".into()),
                _ => {}
            }
        }
        if events > 0 {
            self.shared.board.count(events, bytes);
            self.shared.board.delays(&delays);
        }
        Ok(used)
    }

    fn note(&self, thread: usize, seq: u64) {
        let mut book = self.shared.board.book(self.number);
        let last = book.last[thread];
        if seq <= last {
            book.faults.duplicated += 1;
            return;
        }
        // Nobody brings these back.
        book.faults.gaps += seq - last - 1;
        book.last[thread] = seq;
    }
}

/// The first frame's opcode, and where its payload begins and ends; none when it is not whole yet. Servers do not mask.
fn split(buffer: &[u8]) -> Option<(u8, usize, usize)> {
    let (first, second) = (*buffer.first()?, *buffer.get(1)?);
    let (start, length) = match second & 0x7f {
        126 => (4, u64::from(u16::from_be_bytes(buffer.get(2..4)?.try_into().ok()?))),
        127 => (10, u64::from_be_bytes(buffer.get(2..10)?.try_into().ok()?)),
        short => (2, u64::from(short)),
    };
    let end = start + usize::try_from(length).ok()?;
    (buffer.len() >= end).then_some((first & 0x0f, start, end))
}

/// Sends a frame. The mask is zero, which the protocol allows and which leaves the bytes as they are.
async fn send(stream: &mut TcpStream, opcode: u8, payload: &[u8]) -> Result<(), Failure> {
    let mut frame = vec![0x80 | opcode];
    match u16::try_from(payload.len()) {
        Ok(short) if short < 126 => frame.push(0x80 | u8::try_from(short)?),
        Ok(long) => {
            frame.push(0x80 | 0x7e);
            frame.extend(long.to_be_bytes());
        }
        Err(_) => return Err("a message of this tool is short".into()),
    }
    frame.extend([0; 4]);
    frame.extend(payload);
    stream.write_all(&frame).await?;
    Ok(())
}
