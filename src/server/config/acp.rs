//! `kind = "acp"`: agents by the Agent Client Protocol, which are programs of this machine.

use std::{
    collections::BTreeMap,
    env,
    path::{Path, PathBuf, absolute},
    time::Duration,
};

use crate::server::agent::model::Takes;

/// An agent's program, and what it may.
#[derive(Clone)]
pub struct AcpConfig {
    /// The agent's name.
    pub name: String,
    /// The program and its arguments.
    pub command: Vec<String>,
    /// All that it gets of an environment, beside `PATH` and a home of its own.
    pub env: BTreeMap<String, String>,
    /// Where the folders of its conversations are.
    pub workspace: PathBuf,
    /// What it may read and run beside its folder and the system's.
    pub readable: Vec<PathBuf>,
    /// Bytes that one conversation's folder may take.
    pub disk: u64,
    /// Bytes of memory that one program may hold, with all that it starts.
    pub memory: u64,
    /// Processes that one program may be, with all that it starts.
    pub processes: usize,
    /// Programs at a time, one a conversation.
    pub programs: usize,
    /// How long a program stays that nobody uses.
    pub idle: Duration,
    /// Silence after which it counts as gone.
    pub silence: Duration,
    /// What it is given beside text.
    pub takes: Takes,
}

impl std::fmt::Debug for AcpConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Without arguments and environment: each may hold a secret.
        write!(f, "acp({})", self.command.first().map_or("", String::as_str))
    }
}

/// What an entry of `[[agents]]` has for them.
#[derive(Debug, Default)]
pub(super) struct AcpFields {
    pub(super) command: Option<Vec<String>>,
    pub(super) env: Option<BTreeMap<String, String>>,
    pub(super) pass_env: Option<Vec<String>>,
    pub(super) workspace: Option<PathBuf>,
    pub(super) readable: Option<Vec<PathBuf>>,
    pub(super) disk_mb: Option<u64>,
    pub(super) memory_mb: Option<u64>,
    pub(super) max_processes: Option<usize>,
    pub(super) max_conversations: Option<usize>,
    pub(super) idle_s: Option<u64>,
}

impl AcpFields {
    /// The first that is given.
    pub(super) fn given(&self) -> Option<&'static str> {
        let fields = [
            ("command", self.command.is_some()),
            ("env", self.env.is_some()),
            ("pass_env", self.pass_env.is_some()),
            ("workspace", self.workspace.is_some()),
            ("readable", self.readable.is_some()),
            ("disk_mb", self.disk_mb.is_some()),
            ("memory_mb", self.memory_mb.is_some()),
            ("max_processes", self.max_processes.is_some()),
            ("max_conversations", self.max_conversations.is_some()),
            ("idle_s", self.idle_s.is_some()),
        ];
        fields.iter().find(|(_, is_given)| *is_given).map(|(name, _)| *name)
    }

    /// The agent of these fields.
    pub(super) fn agent(
        &self,
        name: &str,
        data_dir: &Path,
        silence_s: Option<u64>,
        takes: Takes,
    ) -> Result<AcpConfig, String> {
        let command = self.command.clone().unwrap_or_default();
        if command.first().is_none_or(|program| program.trim().is_empty()) {
            return Err("needs command, the program and its arguments".to_owned());
        }
        let mut own = self.env.clone().unwrap_or_default();
        for variable in self.pass_env.iter().flatten() {
            let value = env::var(variable).map_err(|_| format!("pass_env names {variable}, which is not set"))?;
            own.insert(variable.clone(), value);
        }
        let bad = |name: &str| name.is_empty() || name.contains(['=', '\0']);
        if let Some((name, _)) = own.iter().find(|(name, value)| bad(name) || value.contains('\0')) {
            return Err(format!("env: {name:?} is no variable"));
        }
        for path in self.readable.iter().flatten() {
            if !path.is_absolute() {
                return Err(format!("readable: {} does not begin with /", path.display()));
            }
        }
        let workspace = self.workspace.clone().unwrap_or_else(|| data_dir.join("workspaces"));
        let between = |field: &str, given: Option<u64>, default: u64, most: u64| match given.unwrap_or(default) {
            value if (1..=most).contains(&value) => Ok(value),
            other => Err(format!("{field} is {other}; it is from 1 to {most}")),
        };
        let count = |field: &str, given: Option<usize>, default: u64, most: u64| {
            let value = between(field, given.map(|given| given as u64), default, most)?;
            usize::try_from(value).map_err(|_| format!("{field} is too large"))
        };
        Ok(AcpConfig {
            name: name.to_owned(),
            command,
            env: own,
            workspace: absolute(&workspace).map_err(|error| format!("workspace: {error}"))?,
            readable: self.readable.clone().unwrap_or_default(),
            disk: between("disk_mb", self.disk_mb, 1_024, 1 << 20)? << 20,
            memory: between("memory_mb", self.memory_mb, 4_096, 1 << 20)? << 20,
            processes: count("max_processes", self.max_processes, 256, 10_000)?,
            programs: count("max_conversations", self.max_conversations, 8, 1_000)?,
            idle: Duration::from_secs(between("idle_s", self.idle_s, 600, 86_400)?),
            silence: Duration::from_secs(between("silence_s", silence_s, 300, 3_600)?),
            takes,
        })
    }
}
