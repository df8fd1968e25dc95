//! `[quotas.<role>]`: how much the people of each role may use.

use std::collections::BTreeMap;

use netra_ws::model::Role;
use serde::Deserialize;

use super::source::{ConfigError, Source};

/// What one person of a role may use.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quota {
    /// Runs that are worked on at a time; others wait.
    pub runs_at_once: usize,
    /// Runs that have not ended, those that wait among them, in one thread.
    pub queued_runs: u64,
    /// Connections at a time; one more takes the place of the oldest.
    pub connections: usize,
    /// Tokens of models in a day, counted from midnight UTC.
    pub tokens_a_day: Option<u64>,
    /// What models may cost in a day, in US dollars.
    pub cost_a_day: Option<f64>,
    /// Bytes of one file; `attachments.max_bytes` without.
    pub file_bytes: Option<u64>,
    /// Bytes of all files; `attachments.max_user_bytes` without.
    pub storage_bytes: Option<u64>,
}

/// The quotas of all roles.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quotas {
    administrator: Quota,
    member: Quota,
    guest: Quota,
}

impl Quotas {
    /// What a person of this role may use. A role of a later version may use what a guest may.
    pub const fn of(&self, role: Role) -> &Quota {
        match role {
            Role::Admin => &self.administrator,
            Role::User => &self.member,
            Role::Guest | Role::Unknown(_) => &self.guest,
        }
    }
}

/// What differs for a role.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    runs_at_once: Option<usize>,
    queued_runs: Option<u64>,
    connections: Option<usize>,
    tokens_a_day: Option<u64>,
    cost_a_day: Option<f64>,
    file_bytes: Option<u64>,
    storage_bytes: Option<u64>,
}

/// The role's name in settings.
const fn name(role: Role) -> &'static str {
    match role {
        Role::Admin => "administrator",
        Role::User => "member",
        Role::Guest | Role::Unknown(_) => "guest",
    }
}

/// The quotas of the file over those of all roles.
pub(super) fn quotas(source: &Source) -> Result<Quotas, ConfigError> {
    let base = Quota {
        runs_at_once: source.positive("runs_at_once", 32)?,
        queued_runs: source.positive("queued_runs", 100)?,
        connections: source.positive("connections_per_user", 64)?,
        tokens_a_day: None,
        cost_a_day: None,
        file_bytes: None,
        storage_bytes: None,
    };
    let given: BTreeMap<String, Entry> = match source.file.get("quotas") {
        Some(table) => table
            .clone()
            .try_into()
            .map_err(|error| ConfigError::new("quotas", error.message().lines().next().unwrap_or_default()))?,
        None => BTreeMap::new(),
    };
    let roles = [Role::Admin, Role::User, Role::Guest];
    if let Some(other) = given.keys().find(|given| roles.iter().all(|role| name(*role) != **given)) {
        let problem = format!("{other:?} is no role; there are administrator, member and guest");
        return Err(ConfigError::new("quotas", problem));
    }
    let of = |role: Role| {
        let setting = format!("quotas.{}", name(role));
        let entry = given.get(name(role)).copied().unwrap_or_default();
        if entry.runs_at_once == Some(0) || entry.connections == Some(0) {
            return Err(ConfigError::new(setting, "runs_at_once and connections are at least 1"));
        }
        if entry.cost_a_day.is_some_and(|cost| !cost.is_finite() || cost < 0.0) {
            return Err(ConfigError::new(setting, "cost_a_day is 0 or more"));
        }
        Ok(Quota {
            runs_at_once: entry.runs_at_once.unwrap_or(base.runs_at_once),
            queued_runs: entry.queued_runs.unwrap_or(base.queued_runs),
            connections: entry.connections.unwrap_or(base.connections),
            tokens_a_day: entry.tokens_a_day,
            cost_a_day: entry.cost_a_day,
            file_bytes: entry.file_bytes,
            storage_bytes: entry.storage_bytes,
        })
    };
    Ok(Quotas { administrator: of(Role::Admin)?, member: of(Role::User)?, guest: of(Role::Guest)? })
}
