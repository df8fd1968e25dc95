//! Settings: flags beat `NETRA_*` beats `netra.toml` beats defaults. Every mistake is one line that names the setting.

mod acp;
mod agents;
mod attachments;
mod audience;
mod in_force;
mod mail;
mod mcp;
mod oidc;
mod policy;
mod quotas;
mod registration;
mod remote;
mod source;

use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use netra_ws::payload::Limits;

use super::{store::Durability, tool::ToolPolicy};

pub use acp::AcpConfig;
pub use agents::{AgentConfig, AgentKind, ModelConfig, Protocol};
pub use attachments::{AttachmentsConfig, AttachmentsPlace};
pub use audience::Audience;
pub use in_force::Setting;
pub use mail::MailConfig;
pub use mcp::{McpConfig, McpCredentials, McpOAuth, McpPlace, McpSignIn};
pub use oidc::OidcConfig;
pub use quotas::{Quota, Quotas};
pub use registration::RegistrationPolicy;
pub use remote::{RemoteConfig, RemoteProtocol, THREAD};
use source::Source;
pub use source::{ConfigError, Flags};

/// Everything the server can be told.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where it listens.
    pub addr: SocketAddr,
    /// Where the SQLite file and generated secrets live.
    pub data_dir: PathBuf,
    /// `sqlite:` for the file in `data_dir`, or `sqlite:<path>`.
    pub database_url: String,
    /// What was shown or acknowledged survives: a power cut, or a crash of the process.
    pub durability: Durability,
    /// Ways to sign in.
    pub auth: Vec<AuthMode>,
    /// The provider of identities, where people sign in with one.
    pub oidc: Option<OidcConfig>,
    /// Where mail goes, where it is sent.
    pub mail: Option<MailConfig>,
    /// The address that browsers use, when it is not `http://<addr>`.
    pub public_url: Option<url::Url>,
    /// Further origins whose pages may connect and write.
    pub allowed_origins: Vec<String>,
    /// Proxies whose word on where a request comes from is taken.
    pub trusted_proxies: Vec<ipnet::IpNet>,
    /// Who may make an account.
    pub registration: RegistrationPolicy,
    /// Accounts that one network may make in an hour.
    pub registrations_per_hour: u32,
    /// Signs tokens; made and kept in `data_dir` when absent.
    pub jwt_secret: Option<String>,
    /// Whether this is a developer's machine, where dev login may be open to the network.
    pub development: bool,
    /// Whether administrators administer only with a second factor.
    pub administrators_need_second_factor: bool,
    /// How long after signing in, or confirming it, people may make tokens and administer.
    pub confirmation_life: Duration,
    /// How long an account that its owner closed can be kept.
    pub account_grace: Duration,
    /// What clients may do.
    pub limits: Limits,
    /// Handshakes a user may make in a minute.
    pub handshakes_per_minute: u32,
    /// What the people of each role may use.
    pub quotas: Quotas,
    /// Which tools are called without asking.
    pub tool_policy: ToolPolicy,
    /// Life of a token for the socket.
    pub ws_token_ttl: Duration,
    /// How long a connection outlives its token.
    pub ws_token_grace: Duration,
    /// How long a run's lease lasts without renewal.
    pub run_lease: Duration,
    /// How long after a run its deltas stay in the log; zero keeps them for good.
    pub trim_after: Duration,
    /// How long stopping may take.
    pub drain: Duration,
    /// Who shows this token may read `/metrics`.
    pub metrics_token: Option<String>,
    /// Where `/metrics` is served besides, to whoever reaches it.
    pub metrics_addr: Option<SocketAddr>,
    /// What is logged: a level or `tracing` directives.
    pub log: String,
    /// How it is logged.
    pub log_format: LogFormat,
    /// The agents, the default first.
    pub agents: Vec<AgentConfig>,
    /// Servers of the Model Context Protocol, whose tools agents may use.
    pub mcp: Vec<McpConfig>,
    /// Files that go with messages.
    pub attachments: AttachmentsConfig,
    /// Settings as they count, and where each came from.
    pub in_force: Vec<Setting>,
    /// Settings that were given and have no effect in this version, by the names under which they were given.
    pub unused: Vec<String>,
}

/// A way to sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthMode {
    /// Everyone is the developer.
    Dev,
    /// E-mail and password.
    Password,
    /// A provider of identities.
    Oidc,
}

impl AuthMode {
    /// The name in settings and in discovery.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dev => "dev",
            Self::Password => "password",
            Self::Oidc => "oidc",
        }
    }
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For programs, one object a line.
    Json,
}

impl Config {
    /// Reads every source, and checks what can be checked before the port is bound.
    pub fn load(flags: &Flags) -> Result<Self, ConfigError> {
        let source = Source::read(flags)?;
        let addr = source.parse("addr", "127.0.0.1:3000", "an address like 127.0.0.1:3000")?;
        let limits = Limits {
            heartbeat_interval_ms: source.positive("heartbeat_interval_ms", 25_000)?,
            heartbeat_timeout_ms: source.positive("heartbeat_timeout_ms", 10_000)?,
            max_frame_bytes: source.at_least("max_frame_bytes", 65_536, 1_024)?,
            max_subscriptions: source.positive("max_subscriptions", 200)?,
            commands_per_minute: source.positive("commands_per_minute", 600)?,
        };
        let auth = auth_modes(&source)?;
        let mcp = mcp::servers(&source)?;
        let agents = agents::agents(&source, &mcp)?;
        let mut config = Self {
            addr,
            data_dir: source.text("data_dir").unwrap_or_else(|| "./data".to_owned()).into(),
            database_url: database_url(&source)?,
            durability: source.parse("durability", Durability::default().as_str(), "power or process")?,
            oidc: oidc::oidc(&source, auth.contains(&AuthMode::Oidc))?,
            auth,
            mail: mail::mail(&source)?,
            public_url: public_url(&source)?,
            allowed_origins: origins(&source)?,
            trusted_proxies: trusted_proxies(&source)?,
            registration: registration(&source)?,
            registrations_per_hour: source.positive("registrations_per_hour", 1_200)?,
            administrators_need_second_factor: source.parse(
                "administrators_need_second_factor",
                "false",
                "true or false",
            )?,
            confirmation_life: Duration::from_secs(source.between("confirmation_s", 600, 1, 86_400)?),
            account_grace: Duration::from_secs(source.between("account_grace_s", 7 * 86_400, 1, 365 * 86_400)?),
            jwt_secret: jwt_secret(&source)?,
            development: is_development(&source)?,
            limits,
            handshakes_per_minute: source.positive("handshakes_per_minute", 600)?,
            ws_token_ttl: Duration::from_secs(source.between("ws_token_ttl_s", 300, 1, 300)?),
            ws_token_grace: Duration::from_secs(source.between("ws_token_grace_s", 30, 0, 3_600)?),
            run_lease: Duration::from_secs(source.between("run_lease_s", 15, 1, 3_600)?),
            quotas: quotas::quotas(&source)?,
            trim_after: Duration::from_secs(source.between("trim_after_s", 86_400, 0, 10 * 365 * 86_400)?),
            drain: Duration::from_secs(source.between("drain_s", 20, 0, 3_600)?),
            metrics_token: secret(&source, "metrics_token", 16)?,
            metrics_addr: metrics_addr(&source)?,
            log: source.text("log").unwrap_or_else(|| "info".to_owned()),
            log_format: log_format(&source)?,
            tool_policy: policy::policy(&source, &agents.iter().map(|agent| agent.name.as_str()).collect::<Vec<_>>())?,
            agents,
            mcp,
            attachments: attachments::attachments(&source)?,
            unused: source.unused(),
            in_force: Vec::new(),
        };
        config.in_force = source.in_force();
        config.check(&source)?;
        Ok(config)
    }

    fn check(&self, source: &Source) -> Result<(), ConfigError> {
        let loopback = self.addr.ip().is_loopback();
        if self.auth.contains(&AuthMode::Dev) && !loopback && !self.development {
            return Err(ConfigError::new(
                source.given("auth"),
                format!(
                    "dev login is refused on {}, where others can reach it; use auth = \"password\", or NETRA_ENV=development",
                    self.addr
                ),
            ));
        }
        if self.auth.contains(&AuthMode::Dev)
            && let Some(url) = &self.public_url
        {
            return Err(ConfigError::new(
                source.given("auth"),
                format!(
                    "dev login makes every visitor of {} the developer; set auth = \"password\" (NETRA_AUTH=password) beside {}",
                    url.origin().ascii_serialization(),
                    source.given("public_url")
                ),
            ));
        }
        tracing_subscriber::EnvFilter::try_new(&self.log)
            .map_err(|error| ConfigError::new(source.given("log"), format!("{:?}: {error}", self.log)))?;
        // A word alone is a level; the filter would take a mistyped one for a module's name, and log nothing else.
        let words = self.log.split(',').map(str::trim).filter(|word| !word.is_empty());
        for word in words.filter(|word| word.chars().all(char::is_alphanumeric)) {
            word.parse::<tracing_subscriber::filter::LevelFilter>().map_err(|_| {
                let problem = format!("{word:?} is no level; use trace, debug, info, warn, error or off");
                ConfigError::new(source.given("log"), problem)
            })?;
        }
        Ok(())
    }

    /// The origins whose pages may open sockets and write with cookies: the server's own and those allowed.
    pub fn origins(&self, bound: SocketAddr) -> Vec<String> {
        let mut origins = self.allowed_origins.clone();
        match &self.public_url {
            Some(url) => origins.push(url.origin().ascii_serialization()),
            None => origins.extend(own_origins(bound)),
        }
        origins
    }

    /// Where a browser finds the socket: relative, or absolute when the public address is known.
    pub fn socket_url(&self) -> String {
        self.public_url.as_ref().map_or_else(
            || "/ws".to_owned(),
            |url| {
                let scheme = if url.scheme() == "https" { "wss" } else { "ws" };
                let authority = &url[url::Position::BeforeHost..url::Position::AfterPort];
                format!("{scheme}://{authority}/ws")
            },
        )
    }

    /// Whether the first account with a password administers the server: only while nobody else can reach it.
    pub fn first_administers(&self) -> bool {
        self.registration == RegistrationPolicy::Open && self.public_url.is_none() && self.addr.ip().is_loopback()
    }

    /// Where people find the server.
    pub fn base(&self) -> String {
        let own = || format!("http://{}", self.addr);
        self.public_url.as_ref().map_or_else(own, |url| url.origin().ascii_serialization())
    }

    /// Whether cookies must only travel over TLS.
    pub fn secure_cookies(&self) -> bool {
        self.public_url.as_ref().is_some_and(|url| url.scheme() == "https")
    }
}

/// The origins of a server that nothing stands in front of.
fn own_origins(bound: SocketAddr) -> Vec<String> {
    // Browsers leave out the port that goes with the scheme.
    let port = if bound.port() == 80 { String::new() } else { format!(":{}", bound.port()) };
    let mut hosts = vec!["127.0.0.1".to_owned(), "localhost".to_owned(), "[::1]".to_owned()];
    match bound.ip() {
        ip if ip.is_loopback() || ip.is_unspecified() => {}
        IpAddr::V4(ip) => hosts.push(ip.to_string()),
        IpAddr::V6(ip) => hosts.push(format!("[{ip}]")),
    }
    hosts.into_iter().map(|host| format!("http://{host}{port}")).collect()
}

fn database_url(source: &Source) -> Result<String, ConfigError> {
    let url = source.text("database_url").unwrap_or_else(|| "sqlite:".to_owned());
    if url.starts_with("sqlite:") {
        return Ok(url);
    }
    // The whole URL may hold a password, so only its scheme is repeated.
    let scheme = url.split(':').next().unwrap_or_default();
    Err(ConfigError::new(
        source.given("database_url"),
        format!("{scheme:?} is not a database this build can use; it takes sqlite:"),
    ))
}

fn auth_modes(source: &Source) -> Result<Vec<AuthMode>, ConfigError> {
    let text = source.list("auth").unwrap_or_else(|| vec!["dev".to_owned()]);
    let mut modes = Vec::new();
    for name in &text {
        let mode = match name.as_str() {
            "dev" => AuthMode::Dev,
            "password" => AuthMode::Password,
            "oidc" => AuthMode::Oidc,
            other => {
                return Err(ConfigError::new(
                    source.given("auth"),
                    format!("{other:?} is no way to sign in; there are dev, password and oidc"),
                ));
            }
        };
        if !modes.contains(&mode) {
            modes.push(mode);
        }
    }
    if modes.is_empty() {
        return Err(ConfigError::new(source.given("auth"), "name at least one of dev, password and oidc"));
    }
    Ok(modes)
}

fn is_development(source: &Source) -> Result<bool, ConfigError> {
    match source.text("env").as_deref() {
        None | Some("production") => Ok(false),
        Some("development") => Ok(true),
        Some(other) => {
            let problem = format!("{other:?} is neither development nor production");
            Err(ConfigError::new(source.given("env"), problem))
        }
    }
}

fn public_url(source: &Source) -> Result<Option<url::Url>, ConfigError> {
    let Some(text) = source.text("public_url") else { return Ok(None) };
    let wrong = |problem: &str| Err(ConfigError::new(source.given("public_url"), format!("{text:?} {problem}")));
    match url::Url::parse(&text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => {
            // The page, the socket and the API stand at the root of the address.
            let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
            if !bare || !url.username().is_empty() || url.password().is_some() {
                return wrong("is more than scheme, host and port; Netra has an address to itself, without a path");
            }
            Ok(Some(url))
        }
        _ => wrong("is not an http or https address"),
    }
}

fn origins(source: &Source) -> Result<Vec<String>, ConfigError> {
    let list = source.list("allowed_origins").unwrap_or_default();
    for origin in &list {
        let exact =
            url::Url::parse(origin).ok().filter(url::Url::has_host).map(|url| url.origin().ascii_serialization());
        if exact.as_deref() != Some(origin) {
            return Err(ConfigError::new(
                source.given("allowed_origins"),
                format!("{origin:?} is not an origin like https://chat.example.org (no path, no slash at the end)"),
            ));
        }
    }
    Ok(list)
}

fn registration(source: &Source) -> Result<RegistrationPolicy, ConfigError> {
    match source.text("registration") {
        // A public address is reached by everyone.
        None if source.text("public_url").is_some() => Ok(RegistrationPolicy::Invitation),
        None => Ok(RegistrationPolicy::Open),
        Some(text) => RegistrationPolicy::named(&text).ok_or_else(|| {
            let problem = format!("{text:?} is no way to make accounts; there are closed, invitation and open");
            ConfigError::new(source.given("registration"), problem)
        }),
    }
}

fn trusted_proxies(source: &Source) -> Result<Vec<ipnet::IpNet>, ConfigError> {
    let list = source.list("trusted_proxies").unwrap_or_default();
    let network = |text: &String| {
        let net = text.parse().or_else(|_| text.parse::<IpAddr>().map(ipnet::IpNet::from));
        net.map_err(|_| {
            let problem = format!("{text:?} is no address or network like 127.0.0.1 or 10.0.0.0/8");
            ConfigError::new(source.given("trusted_proxies"), problem)
        })
    };
    list.iter().map(network).collect()
}

fn secret(source: &Source, name: &str, least: usize) -> Result<Option<String>, ConfigError> {
    let secret = source.text(name);
    if secret.as_ref().is_some_and(|secret| secret.len() < least) {
        return Err(ConfigError::new(source.given(name), format!("needs {least} bytes or more")));
    }
    Ok(secret)
}

/// Different bytes in a secret, at least. Random text has more; `aaaa…` or a word written again and again has not.
const DIFFERENT_BYTES: usize = 10;

fn jwt_secret(source: &Source) -> Result<Option<String>, ConfigError> {
    let secret = secret(source, "jwt_secret", 32)?;
    let weak = |secret: &String| secret.bytes().collect::<BTreeSet<_>>().len() < DIFFERENT_BYTES;
    if secret.as_ref().is_some_and(weak) {
        let problem = "is easy to guess; use random text, such as that of `openssl rand -base64 32`";
        return Err(ConfigError::new(source.given("jwt_secret"), problem));
    }
    Ok(secret)
}

fn metrics_addr(source: &Source) -> Result<Option<SocketAddr>, ConfigError> {
    let given = source.text("metrics_addr").is_some();
    given.then(|| source.parse("metrics_addr", "127.0.0.1:9464", "an address like 127.0.0.1:9464")).transpose()
}

fn log_format(source: &Source) -> Result<LogFormat, ConfigError> {
    match source.text("log_format").as_deref() {
        None | Some("text") => Ok(LogFormat::Text),
        Some("json") => Ok(LogFormat::Json),
        Some(other) => Err(ConfigError::new(source.given("log_format"), format!("{other:?} is neither text nor json"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_as_browsers_write_them() {
        let check = |bound: &str, own: &str, count: usize| {
            let origins = own_origins(bound.parse().expect("an address"));
            assert!(origins.iter().any(|origin| origin == own), "{bound}: {origins:?}");
            assert_eq!(origins.len(), count, "{bound}: {origins:?}");
        };
        check("127.0.0.1:3000", "http://localhost:3000", 3);
        check("127.0.0.1:80", "http://localhost", 3);
        check("0.0.0.0:3000", "http://127.0.0.1:3000", 3);
        check("192.168.1.2:8080", "http://192.168.1.2:8080", 4);
        check("[fd00::1]:80", "http://[fd00::1]", 4);
    }
}
