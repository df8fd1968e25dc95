//! A conversation's folder: the files that its agent works on, a home for what the agent keeps, and beside them, out of the agent's
//! reach, which session it is.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use netra_ws::ThreadId;
use serde::{Deserialize, Serialize};

use crate::server::{
    confine::{FILES, HOME},
    disk,
};

/// What is kept of a session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Kept {
    /// The agent's id of it.
    pub(super) session: String,
    /// The digest of what the agent was told and has said.
    pub(super) told: String,
}

/// A conversation's folder.
#[derive(Clone, Debug)]
pub(super) struct Place {
    folder: PathBuf,
}

impl Place {
    /// The folder of this conversation with an agent, whose folders are all in `workspace`.
    pub(super) fn new(workspace: &Path, agent: &str, thread: ThreadId) -> Self {
        Self { folder: workspace.join(agent).join(thread.to_string()) }
    }

    /// A folder for a moment.
    pub(super) fn for_a_check(workspace: &Path, agent: &str) -> Self {
        Self { folder: workspace.join(agent).join(format!("check-{}", uuid::Uuid::now_v7())) }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn files(&self) -> PathBuf {
        self.folder.join(FILES)
    }

    pub(super) fn home(&self) -> PathBuf {
        self.folder.join(HOME)
    }

    /// Makes what is missing.
    pub(super) fn make(&self) -> io::Result<()> {
        use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
        for folder in [self.files(), self.home().join("tmp")] {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        fs::set_permissions(&self.folder, fs::Permissions::from_mode(0o700))
    }

    /// What was kept; nothing where that cannot be read.
    pub(super) fn kept(&self) -> Option<Kept> {
        serde_json::from_slice(&fs::read(self.folder.join("session.json")).ok()?).ok()
    }

    /// Keeps which session it is, and how far.
    pub(super) fn keep(&self, kept: &Kept) -> io::Result<()> {
        disk::write_whole(&self.folder.join("session.json"), &serde_json::to_vec(kept)?, 0o600)
    }

    /// Removes all of it.
    pub(super) fn remove(&self) -> io::Result<()> {
        match fs::remove_dir_all(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            done => done,
        }
    }
}

/// The conversations that have a folder with this agent.
pub(super) fn threads(workspace: &Path, agent: &str) -> Vec<ThreadId> {
    let entries = fs::read_dir(workspace.join(agent)).into_iter().flatten().filter_map(Result::ok);
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}
