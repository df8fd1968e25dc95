//! `[[mcp]]` and the file of `NETRA_MCP_CONFIG`: servers of the Model Context Protocol, whose tools agents may use.

use std::{collections::BTreeMap, env, fs, path::Path, time::Duration};

use reqwest::header::{HeaderName, HeaderValue};
use serde::Deserialize;

use super::source::{ConfigError, Source};

/// Servers that one configuration may have.
const MOST: usize = 64;

/// The longest name of a server.
const LONGEST_NAME: usize = 32;

/// A server of the Model Context Protocol.
#[derive(Clone, Debug)]
pub struct McpConfig {
    /// Its name, in the names of its tools.
    pub name: String,
    /// Where it is.
    pub place: McpPlace,
    /// How long one call may take without a word of progress.
    pub timeout: Duration,
}

impl McpConfig {
    /// Whether a person signs in at it.
    pub fn is_signed_in_to(&self) -> bool {
        match &self.place {
            McpPlace::Address { oauth: Some(oauth), .. } => matches!(**oauth, McpOAuth::SignIn(_)),
            McpPlace::Address { oauth: None, .. } | McpPlace::Program { .. } => false,
        }
    }
}

/// Where a server of the Model Context Protocol is.
#[derive(Clone)]
pub enum McpPlace {
    /// A program that is started, and spoken to over its standard input and output.
    Program {
        /// The program and its arguments.
        command: Vec<String>,
        /// All that it gets of an environment, beside `PATH`.
        env: BTreeMap<String, String>,
    },
    /// An address, spoken to over streamable HTTP.
    Address {
        /// The address.
        url: url::Url,
        /// Headers of every request.
        headers: Vec<(HeaderName, HeaderValue)>,
        /// How tokens for it are got, when it wants some.
        oauth: Option<Box<McpOAuth>>,
    },
}

/// How tokens for a server are got.
#[derive(Clone)]
pub enum McpOAuth {
    /// Netra asks for them with credentials of its own.
    Credentials(McpCredentials),
    /// An administrator signs in, once for all who use the server.
    SignIn(McpSignIn),
}

/// How a person signs in at an MCP server: OAuth's authorization code.
#[derive(Clone)]
pub struct McpSignIn {
    /// The client's name at the authorization server; absent when Netra registers itself there.
    pub client_id: Option<String>,
    /// Its secret, where it has one.
    pub client_secret: Option<String>,
    /// What the tokens are to allow; what the server itself asks for when none are named.
    pub scopes: Vec<String>,
    /// The authorization server; absent when the server's own metadata names it.
    pub issuer: Option<url::Url>,
}

/// Who asks an authorization server for tokens: OAuth's `client_credentials`.
#[derive(Clone)]
pub struct McpCredentials {
    /// The client's name there.
    pub client_id: String,
    /// Its secret.
    pub client_secret: String,
    /// What the tokens are to allow.
    pub scopes: Vec<String>,
    /// The authorization server; absent when it is where the server itself is.
    pub issuer: Option<url::Url>,
}

impl McpPlace {
    /// The kind, in one word.
    pub const fn transport(&self) -> &'static str {
        match self {
            Self::Program { .. } => "stdio",
            Self::Address { .. } => "http",
        }
    }
}

impl std::fmt::Debug for McpPlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Without arguments, environment, headers and query: each may hold a secret.
        match self {
            Self::Program { command, .. } => write!(f, "stdio({})", command.first().map_or("", String::as_str)),
            Self::Address { url, .. } => write!(f, "http({})", url.origin().ascii_serialization()),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OAuthEntry {
    #[serde(default)]
    sign_in: bool,
    client_id: Option<String>,
    client_secret_env: Option<String>,
    #[serde(default)]
    scopes: Vec<String>,
    issuer: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct McpEntry {
    name: String,
    command: Option<Vec<String>>,
    #[serde(default)]
    env: BTreeMap<String, String>,
    #[serde(default)]
    pass_env: Vec<String>,
    url: Option<String>,
    #[serde(default)]
    headers_env: BTreeMap<String, String>,
    oauth: Option<OAuthEntry>,
    timeout_s: Option<u64>,
}

/// A server as other programs' files have it: `{"mcpServers": {"name": {"command": "npx", "args": ["…"]}}}`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct JsonEntry {
    /// Others say whether it is `stdio` or `http`; what is there says that, too.
    #[serde(default, rename = "type")]
    _kind: Option<String>,
    command: Option<String>,
    #[serde(default)]
    args: Vec<String>,
    #[serde(default)]
    env: BTreeMap<String, String>,
    #[serde(default)]
    pass_env: Vec<String>,
    url: Option<String>,
    #[serde(default)]
    headers_env: BTreeMap<String, String>,
    oauth: Option<OAuthEntry>,
    timeout_s: Option<u64>,
}

/// What is wrong in a file of servers.
enum Wrong {
    File(String),
    Entry(ConfigError),
}

fn read_json(text: &str) -> Result<Vec<McpConfig>, Wrong> {
    #[derive(Deserialize)]
    struct File {
        #[serde(rename = "mcpServers")]
        servers: BTreeMap<String, JsonEntry>,
    }
    let file: File =
        serde_json::from_str(text).map_err(|error| Wrong::File(format!("not a file of servers: {error}")))?;
    let entries = file.servers.into_iter().map(|(name, entry)| McpEntry {
        name,
        command: entry.command.map(|program| std::iter::once(program).chain(entry.args).collect()),
        env: entry.env,
        pass_env: entry.pass_env,
        url: entry.url,
        headers_env: entry.headers_env,
        oauth: entry.oauth,
        timeout_s: entry.timeout_s,
    });
    entries.map(|entry| from_entry(entry).map_err(Wrong::Entry)).collect()
}

/// The servers of the file, then those of the file that `NETRA_MCP_CONFIG` names.
pub(super) fn servers(source: &Source) -> Result<Vec<McpConfig>, ConfigError> {
    let mut servers = Vec::new();
    if let Some(entries) = source.file.get("mcp") {
        servers.extend(read("mcp", entries)?);
    }
    if let Some(path) = source.text("mcp_config") {
        let setting = source.given("mcp_config");
        let wrong = |problem: String| ConfigError::new(&setting, format!("{path}: {problem}"));
        let text = fs::read_to_string(Path::new(&path)).map_err(|error| wrong(error.to_string()))?;
        if text.trim_start().starts_with('{') {
            servers.extend(read_json(&text).map_err(|error| match error {
                Wrong::File(problem) => wrong(problem),
                Wrong::Entry(error) => error,
            })?);
        } else {
            let table: toml::Table = text
                .parse()
                .map_err(|error: toml::de::Error| wrong(format!("not TOML: {}", first_line(error.message()))))?;
            if let Some(other) = table.keys().find(|key| *key != "mcp") {
                return Err(wrong(format!("{other:?} has no place in it; it is made of [[mcp]]")));
            }
            if let Some(entries) = table.get("mcp") {
                servers.extend(read(&setting, entries)?);
            }
        }
    }
    for (at, server) in servers.iter().enumerate() {
        if servers[..at].iter().any(|earlier| earlier.name == server.name) {
            return Err(ConfigError::new("mcp", format!("two servers are called {:?}", server.name)));
        }
    }
    if servers.len() > MOST {
        return Err(ConfigError::new("mcp", format!("{} servers are more than {MOST}", servers.len())));
    }
    Ok(servers)
}

fn read(setting: &str, entries: &toml::Value) -> Result<Vec<McpConfig>, ConfigError> {
    let entries = entries
        .clone()
        .try_into::<Vec<McpEntry>>()
        .map_err(|error| ConfigError::new(setting, first_line(error.message())))?;
    entries.into_iter().map(from_entry).collect()
}

fn oauth(entry: OAuthEntry) -> Result<McpOAuth, String> {
    let secret =
        |name: String| env::var(&name).map_err(|_| format!("oauth: client_secret_env names {name}, which is not set"));
    let client_secret = entry.client_secret_env.map(secret).transpose()?;
    let wrong_scope =
        |scope: &&String| scope.is_empty() || scope.contains(|c: char| c.is_whitespace() || c.is_control());
    if let Some(scope) = entry.scopes.iter().find(wrong_scope) {
        return Err(format!("oauth: {scope:?} is no scope; each is a word of its own"));
    }
    let given = [&entry.client_id, &client_secret];
    if given.into_iter().flatten().any(|text| text.trim().is_empty()) {
        return Err("oauth: client_id and the client's secret are not empty".to_owned());
    }
    let issuer = match entry.issuer {
        None => None,
        Some(text) => {
            let issuer = url::Url::parse(text.trim()).ok();
            let issuer = issuer.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
            Some(issuer.ok_or_else(|| format!("oauth: issuer {text:?} is not an http address"))?)
        }
    };
    let trimmed = |text: Option<String>| text.map(|text| text.trim().to_owned());
    let scopes = entry.scopes;
    match (entry.sign_in, trimmed(entry.client_id), trimmed(client_secret)) {
        (true, None, Some(_)) => {
            Err("oauth: client_secret_env holds the secret of a client_id, which is missing".to_owned())
        }
        (true, client_id, client_secret) => {
            Ok(McpOAuth::SignIn(McpSignIn { client_id, client_secret, scopes, issuer }))
        }
        (false, Some(client_id), Some(client_secret)) => {
            Ok(McpOAuth::Credentials(McpCredentials { client_id, client_secret, scopes, issuer }))
        }
        (false, _, _) => {
            Err("oauth needs client_id and client_secret_env for Netra's own credentials, or sign_in = true \
             for an administrator to sign in"
                .to_owned())
        }
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

fn from_entry(entry: McpEntry) -> Result<McpConfig, ConfigError> {
    let setting = format!("mcp.{}", entry.name);
    let wrong = |problem: String| ConfigError::new(&setting, problem);
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    let fits = !entry.name.is_empty() && entry.name.len() <= LONGEST_NAME && entry.name.chars().all(plain);
    // Models are given `<server>__<tool>`.
    if !fits || entry.name.contains("__") {
        return Err(wrong(format!("a name is made of a-z, 0-9, - and _, without __, at most {LONGEST_NAME} of them")));
    }
    let timeout = entry.timeout_s.unwrap_or(60);
    if !(1..=3_600).contains(&timeout) {
        return Err(wrong(format!("timeout_s is {timeout}; it is from 1 to 3600")));
    }
    let place = match (entry.command, entry.url) {
        (Some(_), Some(_)) => return Err(wrong("has both a command and a url; it is one server".to_owned())),
        (None, None) => return Err(wrong("needs a command or a url".to_owned())),
        (Some(_), None) if entry.oauth.is_some() => {
            return Err(wrong("oauth is for a url; a command has env and pass_env".to_owned()));
        }
        (Some(command), None) => {
            if command.first().is_none_or(|program| program.trim().is_empty()) {
                return Err(wrong(
                    "command is empty; it is a program and its arguments, like [\"npx\", \"…\"]".to_owned(),
                ));
            }
            if !entry.headers_env.is_empty() {
                return Err(wrong("headers_env is for a url; a command has env and pass_env".to_owned()));
            }
            let mut env = entry.env;
            for name in entry.pass_env {
                let value = env::var(&name).map_err(|_| wrong(format!("pass_env names {name}, which is not set")))?;
                env.insert(name, value);
            }
            if let Some(name) = env.keys().find(|name| name.is_empty() || name.contains(['=', '\0'])) {
                return Err(wrong(format!("env: {name:?} is no name of a variable")));
            }
            if command.iter().chain(env.values()).any(|text| text.contains('\0')) {
                return Err(wrong("command and env hold no zero characters".to_owned()));
            }
            McpPlace::Program { command, env }
        }
        (None, Some(text)) => {
            let oauth = entry.oauth.map(|entry| oauth(entry).map(Box::new).map_err(&wrong)).transpose()?;
            if oauth.is_some() && entry.headers_env.keys().any(|name| name.eq_ignore_ascii_case("authorization")) {
                return Err(wrong("has both oauth and an Authorization header; it is sent one".to_owned()));
            }
            if !entry.env.is_empty() || !entry.pass_env.is_empty() {
                return Err(wrong("env and pass_env are for a command; a url has headers_env".to_owned()));
            }
            let url = url::Url::parse(text.trim()).ok();
            let url = url.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
            let url = url.ok_or_else(|| wrong(format!("url {text:?} is not an http address")))?;
            let mut headers = Vec::new();
            for (header, name) in &entry.headers_env {
                let value = env::var(name).map_err(|_| wrong(format!("headers_env names {name}, which is not set")))?;
                let header = HeaderName::from_bytes(header.as_bytes())
                    .map_err(|_| wrong(format!("headers_env: {header:?} is no name of a header")))?;
                let mut value = HeaderValue::from_str(value.trim())
                    .map_err(|_| wrong(format!("headers_env: {name} holds no value of a header")))?;
                value.set_sensitive(true);
                headers.push((header, value));
            }
            McpPlace::Address { url, headers, oauth }
        }
    };
    Ok(McpConfig { name: entry.name, place, timeout: Duration::from_secs(timeout) })
}
