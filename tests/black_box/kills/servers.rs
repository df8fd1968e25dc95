//! Tools of others, over standard input and output and over HTTP: servers made with the protocol's own SDK, which note each call.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Instant,
};

use super::{Place, Table, kill_netra, kill_peer, kills};
use crate::{
    mcp::{agent, becomes, calls, program, script},
    support::{
        PATIENCE, port,
        provider::{API_KEY, Provider},
        server::Setup,
        user::User,
    },
};

const PLACES: [Place; 4] = [
    Place::question("mcp over stdio", "caller", "near__seal {}"),
    Place::tool("mcp over stdio", "caller", "near__stamp {}"),
    Place::question("mcp over http", "caller", "far__seal {}"),
    Place::tool("mcp over http", "caller", "far__stamp {}"),
];

/// The server over HTTP; killed when dropped.
struct Far {
    child: Child,
    port: u16,
    notes: PathBuf,
}

impl Far {
    async fn start(port: u16, notes: &Path) -> Self {
        let child = Command::new("node")
            .arg(script("mcp_stamps.mjs"))
            .arg(notes)
            .arg(port.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("node starts");
        let end = Instant::now() + PATIENCE;
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < end, "the server does not listen");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        Self { child, port, notes: notes.to_owned() }
    }

    async fn restart(&mut self) {
        // It fails only when the process is gone, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
        *self = Self::start(self.port, &self.notes.clone()).await;
    }
}

impl Drop for Far {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn noted(file: &Path) -> usize {
    std::fs::read_to_string(file).unwrap_or_default().lines().count()
}

/// Kills the program that was started with this file.
fn kill_near(file: &Path) {
    let pids = crate::acp::running(&["mcp_stamps.mjs", &file.display().to_string()]);
    assert_eq!(pids.len(), 1, "{pids:?}");
    let killed = Command::new("kill").args(["-KILL", &pids[0].to_string()]).status().expect("kill");
    assert!(killed.success());
}

async fn ready(user: &User) {
    becomes(user, "near", "ready").await;
    becomes(user, "far", "ready").await;
}

#[tokio::test]
async fn tools_of_others() {
    let provider = Provider::start(calls).await;
    let folder = tempfile::tempdir().expect("a folder");
    let (near, far) = (folder.path().join("near"), folder.path().join("far"));
    let mut remote = Far::start(port::free(), &far).await;
    let policy = "policy = { \"mcp:*\" = \"allow\", \"mcp:near/seal\" = \"ask\", \"mcp:far/seal\" = \"ask\" }";
    let caller =
        agent(&provider, "\"mcp:near/*\", \"mcp:far/*\"").replace("policy = { \"mcp:*\" = \"allow\" }", policy);
    let command = ["node", &script("mcp_stamps.mjs").display().to_string(), &near.display().to_string()];
    let toml = format!(
        "{caller}{}[[mcp]]\nname = \"far\"\nurl = \"http://127.0.0.1:{}/mcp\"\n",
        program("near", &command),
        remote.port
    );
    let setup = Setup::new().toml(&toml).set("CALLER_KEY", API_KEY).set("NETRA_RUN_LEASE_S", 1);
    let server = setup.start().await;
    let user = User::dev(&server).await;
    ready(&user).await;
    let (mut table, mut side) = (Table::of(&PLACES), (server, user));
    for at in 0..2 * kills() {
        let before = (noted(&near), noted(&far));
        if at % 2 == 0 {
            side = kill_netra(side, &PLACES, &mut table, ready).await;
        } else {
            let remote = &mut remote;
            let kill = async || {
                kill_near(&near);
                remote.restart().await;
            };
            kill_peer(&side.1, &PLACES, &mut table, kill).await;
            ready(&side.1).await;
        }
        table.line("mcp over stdio").twice += (noted(&near) - before.0).saturating_sub(2);
        table.line("mcp over http").twice += (noted(&far) - before.1).saturating_sub(2);
    }
    table.tell();
}
