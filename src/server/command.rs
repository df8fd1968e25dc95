//! What the command line does beside serving. A server may be running meanwhile, over the same data.

use std::{net::Ipv4Addr, sync::Arc, time::Duration};

use netra_ws::{model::Role, payload::Level};
use serde_json::{Value, json};

use super::{
    ServerError, agent,
    auth::{OneTimeLink, SecurityService, WantedToken},
    config::{AuthMode, Config, McpConfig},
    disk,
    mcp::{
        self,
        client::{McpServices, Vault},
    },
    open_database,
    store::{Deed, SharedStore, closing::AccountChange, sqlite::SqliteStore},
    tool::names,
};

/// How long the server may take to answer a command.
const PATIENCE: Duration = Duration::from_secs(10);

/// The services that commands need.
async fn open(config: &Config) -> Result<(SqliteStore, SharedStore, SecurityService), ServerError> {
    let data_dir = config.data_dir.clone();
    let in_data_dir = |error| ServerError::DataDir(data_dir.display().to_string(), error);
    disk::create_folder(&data_dir).map_err(in_data_dir)?;
    let database = open_database(config).await?;
    let store: SharedStore = Arc::new(database.clone());
    let security = SecurityService::new(store.clone(), config, &data_dir).map_err(in_data_dir)?;
    Ok((database, store, security))
}

/// Makes an API token in the store, for the user with this address or the developer.
pub async fn create_token(config: Config, wanted: WantedToken<'_>, email: Option<&str>) -> Result<String, ServerError> {
    let (database, store, security) = open(&config).await?;
    let user = match email {
        Some(email) => store.user_by_address(&email.trim().to_lowercase()).await?,
        None if config.auth.contains(&AuthMode::Dev) => Some(store.dev_user().await?),
        None => None,
    };
    let user = user.ok_or_else(|| ServerError::NoSuchUser(email.unwrap_or("no --email was given").to_owned()))?;
    let made = security.make_api_token_for(user.id, wanted).await.map_err(|error| ServerError::Token(error.message))?;
    let subject = Some(format!("{} {}", made.kept.id, user.id));
    store.note(Deed { actor: None, action: "token.made", subject, address: None }).await?;
    database.close().await;
    Ok(made.token)
}

/// Asks each agent's model, or the agent where others run it, one question, or one agent alone, and prints what works as soon as that
/// is known; then what each MCP server has.
pub async fn check_agents(config: Config, name: Option<&str>) -> Result<(), ServerError> {
    let http = agent::model::client()?;
    let asked = config.agents.iter().filter(|listed| listed.kind.is_elsewhere());
    let chosen: Vec<_> = asked.filter(|listed| name.is_none_or(|name| name == listed.name)).collect();
    let named =
        |server: &&McpConfig| name.is_none_or(|name| name.strip_prefix(names::MCP).unwrap_or(name) == server.name);
    let servers: Vec<&McpConfig> = config.mcp.iter().filter(named).collect();
    let of = chosen.len() + servers.len();
    let what = if servers.is_empty() { "agents" } else { "agents and MCP servers" };
    if of == 0 {
        return Err(ServerError::NoModels(name.map(str::to_owned)));
    }
    let mut failed = 0;
    for listed in &chosen {
        let (line, is_fine) = agent::check_kind(&listed.name, &listed.kind, &http).await;
        println!("{line}");
        failed += usize::from(!is_fine);
    }
    let mut services = McpServices { http, base: config.base(), vault: None };
    // Nothing else of this command needs the database.
    if servers.iter().any(|server| server.is_signed_in_to()) {
        let (_, store, security) = open(&config).await?;
        services.vault = Some(Vault { store, sealer: security.connection_sealer() });
    }
    for server in servers {
        let found = mcp::client::check(server, &services).await;
        failed += usize::from(found.is_err());
        let transport = server.place.transport();
        match found {
            Ok(said) => println!("{}{} ({transport}): {said}", names::MCP, server.name),
            Err(why) => println!("{}{} ({transport}): FAILED: {why}", names::MCP, server.name),
        }
    }
    if failed > 0 { Err(ServerError::ModelsFailed { failed, of, what }) } else { Ok(()) }
}

/// A link with which somebody makes an account.
pub async fn invite(config: Config, role: Role) -> Result<OneTimeLink, ServerError> {
    let (database, _, security) = open(&config).await?;
    let link = security.invite(None, role).await.map_err(|error| ServerError::Refused(error.message))?;
    database.close().await;
    Ok(link)
}

/// A link with which the user with this address sets a new password.
pub async fn password_link(config: Config, email: &str) -> Result<OneTimeLink, ServerError> {
    let (database, store, security) = open(&config).await?;
    let user = store.user_by_address(&email.trim().to_lowercase()).await?;
    let user = user.ok_or_else(|| ServerError::NoSuchUser(email.to_owned()))?;
    let link = security.password_link(None, user.id).await.map_err(|error| ServerError::Refused(error.message))?;
    database.close().await;
    Ok(link)
}

/// Accounts that are listed at a time.
const ACCOUNTS: usize = 500;

/// Prints the accounts, one a line.
pub async fn list_users(config: Config, text: Option<&str>) -> Result<(), ServerError> {
    let (database, store, _) = open(&config).await?;
    let mut after = None;
    loop {
        let accounts = store.accounts(text, after.as_deref(), ACCOUNTS).await?;
        for account in &accounts {
            let email = account.email.as_deref().unwrap_or_default();
            let state = match (account.disabled_at, account.delete_at) {
                (Some(_), _) => "disabled",
                (None, Some(_)) => "closed",
                (None, None) => "open",
            };
            let factor = if account.second_factor { "second factor" } else { "password" };
            println!("{email}\t{}\t{}\t{state}\t{factor}", account.name, account.role);
        }
        match accounts.last() {
            Some(last) if accounts.len() == ACCOUNTS => after.clone_from(&last.email),
            Some(_) | None => break,
        }
    }
    database.close().await;
    Ok(())
}

/// Disables an account or enables it: through the server when one runs, which closes the sockets, too.
pub async fn set_disabled(config: Config, email: &str, disabled: bool) -> Result<(), ServerError> {
    let (database, store, security) = open(&config).await?;
    let user = store.user_by_address(&email.trim().to_lowercase()).await?;
    let user = user.ok_or_else(|| ServerError::NoSuchUser(email.to_owned()))?;
    let token = security.issue_operator_token().map_err(|error| ServerError::Token(error.message))?;
    let sent = reqwest::Client::builder()
        .no_proxy()
        .timeout(PATIENCE)
        .build()?
        .patch(format!("{}/api/admin/users/{}", own_address(&config), user.id))
        .bearer_auth(token)
        .json(&json!({ "disabled": disabled }))
        .send()
        .await;
    let done = match sent {
        Ok(answer) => took(answer).await,
        Err(error) if error.is_connect() => {
            let change = AccountChange { disabled: Some(disabled), ..AccountChange::default() };
            let changed = security.change_account(None, user.id, change).await;
            changed.map(drop).map_err(|error| ServerError::Refused(error.message))
        }
        Err(error) => Err(error.into()),
    };
    database.close().await;
    done
}

/// A notice for open pages.
pub struct BroadcastOrder {
    /// The text.
    pub message: String,
    /// How much it matters.
    pub level: Level,
    /// The address of the one user who is to see it.
    pub email: Option<String>,
    /// Where the server is; its own address when absent.
    pub url: Option<String>,
}

/// Has the running server show a notice. The token goes to the server alone, through no proxy.
pub async fn broadcast(config: Config, announcement: BroadcastOrder) -> Result<(), ServerError> {
    let (database, _, security) = open(&config).await?;
    let token = security.issue_operator_token().map_err(|error| ServerError::Token(error.message))?;
    database.close().await;
    let base = announcement.url.unwrap_or_else(|| own_address(&config));
    let body = json!({ "message": announcement.message, "level": announcement.level, "email": announcement.email });
    let answer = reqwest::Client::builder()
        .no_proxy()
        .timeout(PATIENCE)
        .build()?
        .post(format!("{}/api/admin/broadcast", base.trim_end_matches('/')))
        .bearer_auth(token)
        .json(&body)
        .send()
        .await?;
    took(answer).await
}

/// Where a server of this machine with these settings is.
fn own_address(config: &Config) -> String {
    let mut address = config.addr;
    if address.ip().is_unspecified() {
        address.set_ip(Ipv4Addr::LOCALHOST.into());
    }
    format!("http://{address}")
}

/// What the server said.
async fn took(answer: reqwest::Response) -> Result<(), ServerError> {
    if answer.status().is_success() {
        return Ok(());
    }
    let status = answer.status();
    let body: Value = answer.json().await.unwrap_or_default();
    let reason = body["error"]["message"].as_str().map_or_else(|| status.to_string(), str::to_owned);
    Err(ServerError::Refused(reason))
}
