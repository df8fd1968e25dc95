//! The command line.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use clap::{Parser, Subcommand};
use netra::conform;
use netra::server::{
    self, ServerError,
    auth::WantedToken,
    command,
    config::{Config, Flags},
    confine,
    site::Page,
    specification,
    store::Scope,
    telemetry,
};
use netra_ws::{model::Role, payload::Level};

/// A self-hosted chat for AI agents.
#[derive(Parser)]
#[command(name = "netra", version)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    flags: Flags,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the chat (the default).
    Serve {
        #[command(flatten)]
        flags: Flags,
    },
    /// Tokens for programs.
    Token {
        #[command(subcommand)]
        command: TokenCommand,
    },
    /// The agents of the configuration.
    Agents {
        #[command(subcommand)]
        command: AgentsCommand,
    },
    /// Accounts: links with which people make them, or set a new password.
    User {
        #[command(subcommand)]
        command: UserCommand,
    },
    /// Hold a server to the protocol, from outside, and print what holds and what does not.
    Conform {
        /// Where it is: `ws://host:port/ws`.
        url: String,
        /// An API token; without one the server must allow dev sign-in.
        #[arg(long, env = "NETRA_TOKEN", hide_env_values = true)]
        token: Option<String>,
        /// Who answers; the server's first agent when absent.
        #[arg(long)]
        agent: Option<String>,
        /// Wait for heartbeats, too: about three of the server's intervals.
        #[arg(long)]
        slow: bool,
        /// How long the server may take for one answer, in milliseconds.
        #[arg(long, default_value_t = 10_000)]
        patience_ms: u64,
        /// Print JSON instead of a table.
        #[arg(long)]
        json: bool,
    },
    /// Show a notice on every open page, or on one user's.
    Broadcast {
        /// The text.
        message: String,
        /// How much it matters.
        #[arg(long, value_enum, default_value_t = NoticeLevel::Info)]
        level: NoticeLevel,
        /// The one user who is to see it.
        #[arg(long)]
        email: Option<String>,
        /// Where the server is; its own address when absent.
        #[arg(long)]
        url: Option<String>,
        #[command(flatten)]
        flags: Flags,
    },
    /// Run an agent's program behind a wall; the server starts itself so.
    #[command(hide = true)]
    Confine(confine::Order),
    /// Write the protocol's specification: AsyncAPI, JSON Schema and OpenAPI.
    Schema {
        /// The folder to write to.
        #[arg(long, default_value = "schema")]
        folder: PathBuf,
    },
}

#[derive(Subcommand)]
enum AgentsCommand {
    /// Ask each model one question with one tool, and say in one line what works.
    Check {
        /// Only this agent.
        agent: Option<String>,
        #[command(flatten)]
        flags: Flags,
    },
}

#[derive(Subcommand)]
enum TokenCommand {
    /// Make a token and print it, this once.
    Create {
        /// What it is for.
        #[arg(long)]
        name: String,
        /// Whose it is; the developer when absent.
        #[arg(long)]
        email: Option<String>,
        /// What it may do.
        #[arg(long, value_enum, default_value_t = TokenScope::Chat)]
        scope: TokenScope,
        /// How many days it lives; for good when absent.
        #[arg(long)]
        days: Option<u16>,
        #[command(flatten)]
        flags: Flags,
    },
}

#[derive(Subcommand)]
enum UserCommand {
    /// Print a link, good once and for a week, with which somebody makes an account.
    Add {
        /// The account administers the server.
        #[arg(long)]
        admin: bool,
        /// The account is a guest's: it reads what is shared with it, and begins nothing.
        #[arg(long, conflicts_with = "admin")]
        guest: bool,
        #[command(flatten)]
        flags: Flags,
    },
    /// List the accounts.
    List {
        /// Only those whose name or address holds this.
        text: Option<String>,
        #[command(flatten)]
        flags: Flags,
    },
    /// End an account's sign-ins, and let it sign in no more.
    Disable {
        /// The account's address.
        #[arg(long)]
        email: String,
        #[command(flatten)]
        flags: Flags,
    },
    /// Let a disabled account sign in again.
    Enable {
        /// The account's address.
        #[arg(long)]
        email: String,
        #[command(flatten)]
        flags: Flags,
    },
    /// Print a link, good once and for a day, with which somebody sets a new password.
    Reset {
        /// The account's address.
        #[arg(long)]
        email: String,
        #[command(flatten)]
        flags: Flags,
    },
}

/// What a program's token may do.
#[derive(Clone, Copy, clap::ValueEnum)]
enum TokenScope {
    Read,
    Chat,
    Admin,
}

impl From<TokenScope> for Scope {
    fn from(scope: TokenScope) -> Self {
        match scope {
            TokenScope::Read => Self::Read,
            TokenScope::Chat => Self::Chat,
            TokenScope::Admin => Self::Admin,
        }
    }
}

/// How much a notice matters.
#[derive(Clone, Copy, clap::ValueEnum)]
enum NoticeLevel {
    Info,
    Warn,
    Danger,
}

impl From<NoticeLevel> for Level {
    fn from(level: NoticeLevel) -> Self {
        match level {
            NoticeLevel::Info => Self::Info,
            NoticeLevel::Warn => Self::Warn,
            NoticeLevel::Danger => Self::Danger,
        }
    }
}

/// The page's files, which `make build` puts into the binary: `tools/page.mjs` writes the list. A build without them serves a
/// folder.
#[cfg(netra_page)]
const PAGE: Page = {
    use netra::server::site::{Asset, AssetBytes};
    include!(concat!(env!("CARGO_MANIFEST_DIR"), "/target/site.rs"))
};
#[cfg(not(netra_page))]
const PAGE: Page = Page::NONE;

/// Exit code for settings that are wrong.
const BAD_CONFIGURATION: u8 = 2;

fn main() -> ExitCode {
    let cli = Cli::parse();
    // Flags stand before the subcommand or behind it.
    let flags = match cli.command {
        Some(Command::Serve { flags }) => flags.or(cli.flags),
        Some(Command::Schema { folder }) => return schema(&folder),
        Some(Command::Confine(order)) => return confine::run(&order),
        Some(Command::Token { command: TokenCommand::Create { name, email, scope, days, flags } }) => {
            let wanted = WantedToken { name: &name, scope: scope.into(), days };
            return create_token(&flags.or(cli.flags), wanted, email.as_deref());
        }
        Some(Command::User { command }) => return user(command, cli.flags),
        Some(Command::Agents { command: AgentsCommand::Check { agent, flags } }) => {
            let check = |config| async move { command::check_agents(config, agent.as_deref()).await };
            return with_config(&flags.or(cli.flags), check);
        }
        Some(Command::Conform { url, token, agent, slow, patience_ms, json }) => {
            let patience = Duration::from_millis(patience_ms);
            return conform(conform::Options { url, token, agent, slow, patience }, json);
        }
        Some(Command::Broadcast { message, level, email, url, flags }) => {
            let announcement = command::BroadcastOrder { message, level: level.into(), email, url };
            return with_config(&flags.or(cli.flags), |config| command::broadcast(config, announcement));
        }
        None => cli.flags,
    };
    serve(&flags)
}

/// What is done about accounts.
fn user(command: UserCommand, others: Flags) -> ExitCode {
    match command {
        UserCommand::Add { admin, guest, flags } => with_config(&flags.or(others), |config| async move {
            let role = match (admin, guest) {
                (true, _) => Role::Admin,
                (false, true) => Role::Guest,
                (false, false) => Role::User,
            };
            println!("{}", command::invite(config, role).await?.url);
            Ok(())
        }),
        UserCommand::List { text, flags } => {
            with_config(&flags.or(others), |config| async move { command::list_users(config, text.as_deref()).await })
        }
        UserCommand::Disable { email, flags } => {
            with_config(&flags.or(others), |config| async move { command::set_disabled(config, &email, true).await })
        }
        UserCommand::Enable { email, flags } => {
            with_config(&flags.or(others), |config| async move { command::set_disabled(config, &email, false).await })
        }
        UserCommand::Reset { email, flags } => with_config(&flags.or(others), |config| async move {
            println!("{}", command::password_link(config, &email).await?.url);
            Ok(())
        }),
    }
}

fn schema(folder: &Path) -> ExitCode {
    match specification::write(folder) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("netra: {}: {error}", folder.display());
            ExitCode::FAILURE
        }
    }
}

/// Runs a command with the settings, or says what is wrong with them.
fn with_config<F>(flags: &Flags, run: impl FnOnce(Config) -> F) -> ExitCode
where
    F: Future<Output = Result<(), ServerError>>,
{
    let config = match Config::load(flags) {
        Ok(config) => config,
        Err(error) => {
            eprintln!("netra: {error}");
            return ExitCode::from(BAD_CONFIGURATION);
        }
    };
    use_tls();
    let telemetry = match telemetry::init(&config) {
        Ok(telemetry) => telemetry,
        Err(error) => {
            eprintln!("netra: {error}");
            return ExitCode::from(BAD_CONFIGURATION);
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("netra: the runtime could not be started: {error}");
            return ExitCode::FAILURE;
        }
    };
    let ran = runtime.block_on(run(config));
    telemetry.shutdown();
    match ran {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("netra: {error}");
            if error.is_setting() { ExitCode::from(BAD_CONFIGURATION) } else { ExitCode::FAILURE }
        }
    }
}

fn conform(options: conform::Options, json: bool) -> ExitCode {
    use_tls();
    let held = async {
        let target = conform::Target::find(options).await?;
        let tell = |outcome: &conform::Outcome| {
            if !json {
                println!("{}", outcome.row());
            }
        };
        Ok::<_, String>(conform::run(&target, tell).await)
    };
    let report = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(held),
        Err(error) => Err(format!("the runtime could not be started: {error}")),
    };
    match report {
        Ok(report) => {
            if json {
                println!("{:#}", report.to_json());
            } else {
                println!("{} hold, {} do not", report.held(), report.outcomes.len() - report.held());
            }
            if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("netra: {error}");
            ExitCode::from(BAD_CONFIGURATION)
        }
    }
}

fn create_token(flags: &Flags, wanted: WantedToken<'_>, email: Option<&str>) -> ExitCode {
    with_config(flags, |config| async move {
        let token = command::create_token(config, wanted, email).await?;
        println!("{token}");
        Ok(())
    })
}

fn serve(flags: &Flags) -> ExitCode {
    with_config(flags, |config| server::run(config, PAGE))
}

/// TLS for outgoing requests: one provider for the process.
fn use_tls() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}
