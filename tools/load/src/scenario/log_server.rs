//! durable-streams-server, the log server of the crate `durable-streams`: an append is answered once it is synced. As many writers
//! as Netra has threads append to a stream each, one after another.

use std::{
    path::PathBuf,
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Barrier,
    time::timeout,
};

use crate::{
    Failure,
    delays::{Delays, float},
    rows::Written,
    stage::child::{self, Server},
};

/// The release that is compared with.
const VERSION: &str = "0.1.5";

/// Bytes of an append: what an event of a streamed answer is on the wire.
const APPEND: usize = 345;

/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Appends for so long; what was answered.
pub(super) async fn measure(writers: usize, seconds: u64) -> Result<Written, Failure> {
    let binary = installed()?;
    let (home, port) = (tempfile::tempdir()?, child::free_port()?);
    let mut command = Command::new(binary);
    command.args(["--port", &port.to_string()]).arg("--data-dir").arg(home.path().join("data"));
    let server = Server::start(command, port, &home.path().join("server.log")).await?;
    // All streams are made before the first append is measured.
    let ready = Arc::new(Barrier::new(writers + 1));
    let writing: Vec<_> = (0..writers)
        .map(|number| tokio::spawn(write(server.host.clone(), number, seconds, Arc::clone(&ready))))
        .collect();
    timeout(PATIENCE, ready.wait()).await.map_err(|_| "not all writers of durable-streams-server are ready")?;
    let (begin, cpu) = (Instant::now(), server.cpu_us());
    let mut delays = Delays::default();
    for writer in writing {
        delays.add(&writer.await??.pairs());
    }
    let (took, cpu) = (begin.elapsed().as_secs_f64(), float(server.cpu_us() - cpu));
    let count = float(delays.count().max(1));
    Ok(Written { per_second: count / took, p99_ms: delays.quantile_ms(0.99), cpu_us: cpu / count })
}

/// One writer on a connection of its own, with the least a client can do: its requests are bytes that were made once.
async fn write(host: String, number: usize, seconds: u64, ready: Arc<Barrier>) -> Result<Delays, Failure> {
    let mut socket = TcpStream::connect(&host).await?;
    socket.set_nodelay(true)?;
    let head = format!("/stream-{number} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/octet-stream\r\n");
    let made = ask(&mut socket, format!("PUT {head}content-length: 0\r\n\r\n").as_bytes()).await;
    // Whoever failed must not keep the others waiting.
    ready.wait().await;
    made?;
    let append = format!("POST {head}content-length: {APPEND}\r\n\r\n{}", "x".repeat(APPEND));
    let (begin, mut delays) = (Instant::now(), Delays::default());
    while begin.elapsed().as_secs() < seconds {
        let asked = Instant::now();
        ask(&mut socket, append.as_bytes()).await?;
        delays.record(u64::try_from(asked.elapsed().as_micros())?);
    }
    Ok(delays)
}

/// Sends a request and reads its answer, which has no body.
async fn ask(socket: &mut TcpStream, request: &[u8]) -> Result<(), Failure> {
    socket.write_all(request).await?;
    let (mut answer, mut length) = ([0; 4_096], 0);
    while !answer[..length].ends_with(b"\r\n\r\n") {
        let more = timeout(PATIENCE, socket.read(&mut answer[length..])).await??;
        if more == 0 {
            break;
        }
        length += more;
    }
    if answer[..length].starts_with(b"HTTP/1.1 20") {
        return Ok(());
    }
    Err(format!("durable-streams-server answered {:?}", String::from_utf8_lossy(&answer[..length])).into())
}

/// The server's binary, beside this build: installed from the registry where it is missing, for this comparison alone.
fn installed() -> Result<PathBuf, Failure> {
    let program = std::env::current_exe()?;
    let target = program.ancestors().find(|folder| folder.ends_with("target")).ok_or("no target folder")?;
    let root = target.join(format!("durable-streams-{VERSION}"));
    let binary = root.join("bin/durable-streams-server");
    if !binary.exists() {
        eprintln!("netra-load: installing durable-streams {VERSION} to compare with; about 2 minutes");
        let version = format!("durable-streams@{VERSION}");
        let install = ["install", &version, "--locked", "--quiet", "--target-dir"];
        let status = Command::new("cargo")
            .args(install)
            .arg(root.join("build"))
            .arg("--root")
            .arg(&root)
            // Outside the workspace, whose settings are not for it.
            .current_dir(std::env::temp_dir())
            .status()?;
        if !status.success() {
            return Err("durable-streams could not be installed; `--alone` measures without it".into());
        }
        // What was built on the way is of no use any more.
        std::fs::remove_dir_all(root.join("build"))?;
    }
    Ok(binary)
}
