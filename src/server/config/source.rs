//! Where a setting's text comes from, and what is said when it is wrong.

use std::{cell::RefCell, collections::BTreeMap, env, fmt::Display, fs, path::PathBuf, str::FromStr};

use super::in_force::Setting;

/// Command-line settings.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Flags {
    /// Address to listen on.
    #[arg(long)]
    pub addr: Option<String>,
    /// Settings file; ./netra.toml when present.
    #[arg(long, env = "NETRA_CONFIG")]
    pub config: Option<PathBuf>,
    /// Folder of the SQLite file and generated secrets.
    #[arg(long)]
    pub data_dir: Option<String>,
}

impl Flags {
    /// These flags, and `others` where these say nothing.
    #[must_use]
    pub fn or(self, others: Self) -> Self {
        Self {
            addr: self.addr.or(others.addr),
            config: self.config.or(others.config),
            data_dir: self.data_dir.or(others.data_dir),
        }
    }
}

/// A setting is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{setting}: {problem}")]
pub struct ConfigError {
    /// The setting, as it was given.
    pub setting: String,
    /// What is wrong with it, and what would be right.
    pub problem: String,
}

impl ConfigError {
    pub(super) fn new(setting: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { setting: setting.into(), problem: problem.into() }
    }
}

/// A setting's name inside the program, its variable, and its place in the file.
struct Key {
    name: &'static str,
    variable: &'static str,
    path: &'static str,
}

macro_rules! keys {
    ($($name:literal $variable:literal $path:literal;)*) => {
        const KEYS: &[Key] = &[$(Key { name: $name, variable: $variable, path: $path },)*];
    };
}

keys! {
    "addr" "NETRA_ADDR" "addr";
    "data_dir" "NETRA_DATA_DIR" "data_dir";
    "database_url" "NETRA_DATABASE_URL" "database_url";
    "durability" "NETRA_DURABILITY" "durability";
    "nats_url" "NETRA_NATS_URL" "nats_url";
    "mcp_config" "NETRA_MCP_CONFIG" "";
    "agents_config" "NETRA_AGENTS_CONFIG" "";
    "auth" "NETRA_AUTH" "auth.modes";
    "oidc_issuer" "NETRA_OIDC_ISSUER" "oidc.issuer";
    "oidc_client_id" "NETRA_OIDC_CLIENT_ID" "oidc.client_id";
    "oidc_client_secret" "NETRA_OIDC_CLIENT_SECRET" "";
    "oidc_scopes" "NETRA_OIDC_SCOPES" "oidc.scopes";
    "oidc_groups_claim" "NETRA_OIDC_GROUPS_CLAIM" "oidc.groups_claim";
    "oidc_admin_groups" "NETRA_OIDC_ADMIN_GROUPS" "oidc.admin_groups";
    "oidc_member_groups" "NETRA_OIDC_MEMBER_GROUPS" "oidc.member_groups";
    "oidc_guest_groups" "NETRA_OIDC_GUEST_GROUPS" "oidc.guest_groups";
    "smtp_url" "NETRA_SMTP_URL" "mail.url";
    "smtp_password" "NETRA_SMTP_PASSWORD" "";
    "mail_from" "NETRA_MAIL_FROM" "mail.from";
    "public_url" "NETRA_PUBLIC_URL" "public_url";
    "allowed_origins" "NETRA_ALLOWED_ORIGINS" "allowed_origins";
    "trusted_proxies" "NETRA_TRUSTED_PROXIES" "trusted_proxies";
    "registration" "NETRA_REGISTRATION" "auth.registration";
    "registrations_per_hour" "NETRA_REGISTRATIONS_PER_HOUR" "limits.registrations_per_hour";
    "administrators_need_second_factor" "NETRA_ADMINISTRATORS_NEED_SECOND_FACTOR" "auth.administrators_need_second_factor";
    "confirmation_s" "NETRA_CONFIRMATION_S" "auth.confirmation_s";
    "account_grace_s" "NETRA_ACCOUNT_GRACE_S" "auth.account_grace_s";
    "jwt_secret" "NETRA_JWT_SECRET" "";
    "env" "NETRA_ENV" "env";
    "heartbeat_interval_ms" "NETRA_HEARTBEAT_INTERVAL_MS" "limits.heartbeat_interval_ms";
    "heartbeat_timeout_ms" "NETRA_HEARTBEAT_TIMEOUT_MS" "limits.heartbeat_timeout_ms";
    "max_frame_bytes" "NETRA_MAX_FRAME_BYTES" "limits.max_frame_bytes";
    "max_subscriptions" "NETRA_MAX_SUBSCRIPTIONS" "limits.max_subscriptions";
    "commands_per_minute" "NETRA_COMMANDS_PER_MINUTE" "limits.commands_per_minute";
    "handshakes_per_minute" "NETRA_HANDSHAKES_PER_MINUTE" "limits.handshakes_per_minute";
    "connections_per_user" "NETRA_CONNECTIONS_PER_USER" "limits.connections_per_user";
    "ws_token_ttl_s" "NETRA_WS_TOKEN_TTL_S" "limits.ws_token_ttl_s";
    "ws_token_grace_s" "NETRA_WS_TOKEN_GRACE_S" "limits.ws_token_grace_s";
    "run_lease_s" "NETRA_RUN_LEASE_S" "limits.run_lease_s";
    "queued_runs" "NETRA_QUEUED_RUNS" "limits.queued_runs";
    "runs_at_once" "NETRA_RUNS_AT_ONCE" "limits.runs_at_once";
    "trim_after_s" "NETRA_TRIM_AFTER_S" "limits.trim_after_s";
    "drain_s" "NETRA_DRAIN_S" "limits.drain_s";
    "attachments_url" "NETRA_ATTACHMENTS_URL" "attachments.url";
    "attachments_endpoint" "NETRA_ATTACHMENTS_ENDPOINT" "attachments.endpoint";
    "attachments_region" "NETRA_ATTACHMENTS_REGION" "attachments.region";
    "attachments_max_bytes" "NETRA_ATTACHMENTS_MAX_BYTES" "attachments.max_bytes";
    "attachments_max_user_bytes" "NETRA_ATTACHMENTS_MAX_USER_BYTES" "attachments.max_user_bytes";
    "metrics_token" "NETRA_METRICS_TOKEN" "";
    "metrics_addr" "NETRA_METRICS_ADDR" "metrics_addr";
    "log" "NETRA_LOG" "log.level";
    "log_format" "NETRA_LOG_FORMAT" "log.format";
    "llm_base_url" "NETRA_LLM_BASE_URL" "";
    "llm_api_key" "NETRA_LLM_API_KEY" "";
    "llm_model" "NETRA_LLM_MODEL" "";
    "llm_stall_s" "NETRA_LLM_STALL_S" "limits.llm_stall_s";
}

/// Tables of the file that are read as a whole elsewhere.
const TABLES: &[&str] = &["agents", "mcp", "quotas", "tools"];

/// Settings that a later version has a use for.
const UNUSED: &[&str] = &["nats_url", "agents_config"];

/// All sources, in order.
pub(super) struct Source {
    flags: Vec<(&'static str, String)>,
    pub(super) file: toml::Table,
    /// Defaults of settings that were asked for and not given.
    defaults: RefCell<BTreeMap<&'static str, String>>,
}

impl Source {
    pub(super) fn read(flags: &Flags) -> Result<Self, ConfigError> {
        let file = read_file(flags.config.as_ref())?;
        for (path, value) in leaves("", &file) {
            let known = KEYS.iter().map(|key| key.path).filter(|path| !path.is_empty());
            if known.clone().any(|known| known == path)
                || value.is_table() && known.clone().any(|known| known.starts_with(&path))
            {
                continue;
            }
            let nearest = known
                .chain(TABLES.iter().copied())
                .max_by(|a, b| strsim::jaro_winkler(a, &path).total_cmp(&strsim::jaro_winkler(b, &path)));
            return Err(ConfigError::new(
                path,
                format!("unknown setting in the file; did you mean {:?}?", nearest.unwrap_or_default()),
            ));
        }
        let flags = [("addr", &flags.addr), ("data_dir", &flags.data_dir)];
        let flags = flags.into_iter().filter_map(|(name, value)| value.clone().map(|value| (name, value))).collect();
        Ok(Self { flags, file, defaults: RefCell::default() })
    }

    fn key(name: &str) -> &'static Key {
        KEYS.iter().find(|key| key.name == name).unwrap_or(&KEYS[0])
    }

    /// The setting's text, trimmed, and the name under which the user gave it. An empty variable counts as unset.
    fn raw(&self, name: &str) -> Option<(String, String)> {
        if let Some((_, value)) = self.flags.iter().find(|(flag, _)| *flag == name) {
            return Some((value.trim().to_owned(), format!("--{}", name.replace('_', "-"))));
        }
        let key = Self::key(name);
        let variable = env::var(key.variable).ok().map(|value| value.trim().to_owned());
        if let Some(value) = variable.filter(|value| !value.is_empty()) {
            return Some((value, key.variable.to_owned()));
        }
        if key.path.is_empty() {
            return None;
        }
        let value = key.path.split('.').try_fold(None, |at: Option<&toml::Value>, part| {
            Some(Some(match at {
                None => self.file.get(part)?,
                Some(value) => value.get(part)?,
            }))
        })??;
        let text = match value {
            toml::Value::String(text) => text.trim().to_owned(),
            toml::Value::Array(items) => items
                .iter()
                .map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned))
                .collect::<Vec<_>>()
                .join(","),
            other => other.to_string(),
        };
        Some((text, key.path.to_owned()))
    }

    /// The name under which the user gave the setting, for what is said about it.
    pub(super) fn given(&self, name: &str) -> String {
        self.raw(name).map_or_else(|| name.to_owned(), |(_, given)| given)
    }

    /// Every setting as it counts.
    pub(super) fn in_force(&self) -> Vec<Setting> {
        let defaults = self.defaults.borrow();
        let setting = |key: &Key| {
            let (value, source) = self.raw(key.name).unzip();
            Setting::new(key.name, key.variable, value.or_else(|| defaults.get(key.name).cloned()), source)
        };
        KEYS.iter().map(setting).collect()
    }

    /// What was given and has no effect, by the name under which it was given.
    pub(super) fn unused(&self) -> Vec<String> {
        UNUSED.iter().filter_map(|name| self.raw(name)).map(|(_, given)| given).collect()
    }

    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.raw(name).map(|(value, _)| value)
    }

    pub(super) fn list(&self, name: &str) -> Option<Vec<String>> {
        let text = self.text(name)?;
        Some(text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect())
    }

    pub(super) fn parse<T: FromStr>(&self, name: &str, default: &str, wanted: &str) -> Result<T, ConfigError> {
        let (text, given) = self.raw(name).unwrap_or_else(|| {
            self.defaults.borrow_mut().insert(Self::key(name).name, default.to_owned());
            (default.to_owned(), name.to_owned())
        });
        text.parse().map_err(|_| ConfigError::new(given, format!("{text:?} is not {wanted}")))
    }

    pub(super) fn between<T>(&self, name: &str, default: T, least: T, most: T) -> Result<T, ConfigError>
    where
        T: FromStr + Display + PartialOrd,
    {
        let wanted = format!("a whole number from {least} to {most}");
        let value: T = self.parse(name, &default.to_string(), &wanted)?;
        if value < least || value > most {
            return Err(ConfigError::new(self.given(name), format!("{value} is not {wanted}")));
        }
        Ok(value)
    }

    pub(super) fn at_least<T>(&self, name: &str, default: T, least: T) -> Result<T, ConfigError>
    where
        T: FromStr + Display + PartialOrd + TryFrom<u32>,
    {
        let most = T::try_from(1 << 30).unwrap_or_else(|_| unreachable!("the limits are at least 32 bits wide"));
        self.between(name, default, least, most)
    }

    pub(super) fn positive<T>(&self, name: &str, default: T) -> Result<T, ConfigError>
    where
        T: FromStr + Display + PartialOrd + TryFrom<u32> + From<u8>,
    {
        self.at_least(name, default, T::from(1))
    }
}

fn read_file(path: Option<&PathBuf>) -> Result<toml::Table, ConfigError> {
    let default = PathBuf::from("netra.toml");
    let path = match path {
        Some(path) => path,
        None if default.exists() => &default,
        None => return Ok(toml::Table::new()),
    };
    let name = path.display().to_string();
    let text = fs::read_to_string(path).map_err(|error| ConfigError::new(&name, error.to_string()))?;
    text.parse().map_err(|error: toml::de::Error| {
        ConfigError::new(&name, format!("not TOML: {}", error.message().lines().next().unwrap_or_default()))
    })
}

/// Every setting of the file with its dotted path; tables that belong to others are left out.
fn leaves<'a>(prefix: &str, table: &'a toml::Table) -> Vec<(String, &'a toml::Value)> {
    let mut found = Vec::new();
    for (name, value) in table {
        let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        if TABLES.contains(&path.as_str()) {
            continue;
        }
        match value {
            toml::Value::Table(inner) if !inner.is_empty() => found.extend(leaves(&path, inner)),
            value => found.push((path, value)),
        }
    }
    found
}
