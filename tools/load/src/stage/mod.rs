//! What a scenario stands on: a Netra of its own with a scripted model, its users and threads.

mod accounts;
mod asker;
pub(crate) mod child;
mod model;

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use netra_ws::{ThreadId, discovery::Discovery};
use serde_json::Value;
use tempfile::TempDir;
use tokio::time::sleep;

use crate::{
    Failure,
    cli::{Signal, Target},
    job::{Account, Head},
};
pub(crate) use accounts::TokenAnswer;
use child::Server;
use model::Model;

/// A Netra to measure.
pub(crate) struct Stage {
    server: Option<Server>,
    port: u16,
    binary: PathBuf,
    durability: String,
    home: TempDir,
    http: reqwest::Client,
    token: Option<String>,
    /// `http://host:port`.
    pub(crate) base: String,
    /// `host:port`.
    pub(crate) host: String,
    /// What discovery says.
    pub(crate) discovery: Discovery,
    /// The model behind the server's agent, when it is this tool's own.
    pub(crate) model: Model,
}

/// A thread and the account that it belongs to, by its index.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Owned {
    /// The thread.
    pub(crate) id: ThreadId,
    /// The account.
    pub(crate) account: usize,
}

impl Stage {
    /// Starts a server, or finds the one that is running.
    pub(crate) async fn open(target: &Target) -> Result<Self, Failure> {
        let (home, model, port) = (tempfile::tempdir()?, Model::start().await?, child::free_port()?);
        let http = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(256).build()?;
        let binary = target.binary()?;
        let durability = target.durability.clone().unwrap_or_else(|| "power".to_owned());
        let (server, base) = match &target.url {
            Some(url) => (None, url.trim_end_matches('/').to_owned()),
            None => {
                let server = start(&binary, port, home.path(), &model, &durability).await?;
                (Some(server), format!("http://127.0.0.1:{port}"))
            }
        };
        let host = base.split_once("://").map_or(base.as_str(), |(_, host)| host).to_owned();
        let discovery = http.get(format!("{base}/api/config")).send().await?.error_for_status()?.json().await?;
        Ok(Self {
            server,
            port,
            binary,
            durability,
            home,
            http,
            token: target.token.clone(),
            base,
            host,
            discovery,
            model,
        })
    }

    /// How long this tool's server took until its port was open.
    pub(crate) fn ready(&self) -> Option<Duration> {
        self.server.as_ref().map(|server| server.ready)
    }

    /// The size of the server's file, in bytes.
    pub(crate) fn binary_size(&self) -> Result<u64, Failure> {
        Ok(std::fs::metadata(&self.binary)?.len())
    }

    /// The server's memory in kilobytes; 0 when it is not this tool's.
    pub(crate) fn rss_kb(&self) -> u64 {
        self.server.as_ref().map_or(0, Server::rss_kb)
    }

    /// The server's CPU time so far, in microseconds; 0 when it is not this tool's.
    pub(crate) fn cpu_us(&self) -> u64 {
        self.server.as_ref().map_or(0, Server::cpu_us)
    }

    /// Ends the server with a signal and starts it again at the same address; how long it took to end, and to come back.
    pub(crate) async fn restart(&mut self, signal: Signal) -> Result<(Duration, Duration), Failure> {
        let server = self.server.as_mut().ok_or("only a server of this tool's own is restarted")?;
        let begin = Instant::now();
        server.end(signal).await?;
        let ended = begin.elapsed();
        let server = start(&self.binary, self.port, self.home.path(), &self.model, &self.durability).await?;
        self.server = Some(server);
        Ok((ended, begin.elapsed().saturating_sub(ended)))
    }

    /// The sum of a metric's samples whose line holds `label`.
    pub(crate) async fn metric(&self, name: &str, label: &str) -> Result<f64, Failure> {
        let text = self.http.get(format!("{}/metrics", self.base)).send().await?.text().await?;
        let lines = text.lines().filter(|line| line.starts_with(name) && line.contains(label));
        Ok(lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum())
    }

    /// Where the threads are.
    pub(crate) async fn heads(&self, threads: &[Owned], accounts: &[Account]) -> Result<Vec<Head>, Failure> {
        let mut heads = Vec::with_capacity(threads.len());
        for (thread, owned) in threads.iter().enumerate() {
            let (name, value) = &accounts[owned.account].proof;
            let url = format!("{}/api/threads/{}/events?after_seq=0&limit=1", self.base, owned.id);
            let answer: Value = self.http.get(url).header(name, value).send().await?.error_for_status()?.json().await?;
            let epoch = answer["epoch"].as_str().unwrap_or_default().to_owned();
            heads.push(Head { thread, epoch, seq: answer["head_seq"].as_u64().unwrap_or(0) });
        }
        Ok(heads)
    }

    /// Waits until this many answers of the model are under way.
    pub(crate) async fn answering(&self, count: usize) -> Result<(), Failure> {
        let end = Instant::now() + Duration::from_mins(1);
        while self.model.open() != count {
            if Instant::now() > end {
                return Err(format!("{} answers under way, not {count}", self.model.open()).into());
            }
            sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }
}

/// A server on this port and folder, with its limits out of the way.
async fn start(binary: &Path, port: u16, home: &Path, model: &Model, durability: &str) -> Result<Server, Failure> {
    let config = home.join("netra.toml");
    std::fs::write(&config, "")?;
    let mut command = Command::new(binary);
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("NETRA_")) {
        command.env_remove(name);
    }
    command
        .arg("serve")
        .current_dir(home)
        .env("NETRA_ADDR", format!("127.0.0.1:{port}"))
        .env("NETRA_DATA_DIR", home.join("data"))
        .env("NETRA_CONFIG", &config)
        .env("NETRA_AUTH", "dev,password")
        .env("NETRA_DURABILITY", durability)
        .env("NETRA_HANDSHAKES_PER_MINUTE", "1000000")
        .env("NETRA_CONNECTIONS_PER_USER", "1000000")
        .env("NETRA_COMMANDS_PER_MINUTE", "1000000")
        .env("NETRA_REGISTRATIONS_PER_HOUR", "1000000")
        .env("NETRA_RUNS_AT_ONCE", "1000000")
        .env("NETRA_QUEUED_RUNS", "1000000")
        .env("NETRA_LLM_BASE_URL", &model.base)
        .env("NETRA_LLM_MODEL", "load")
        .env("NO_COLOR", "1")
        .env("NO_PROXY", "127.0.0.1");
    Server::start(command, port, &home.join("server.log")).await
}
