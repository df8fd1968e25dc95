//! What the command line does beside serving. A server may be running meanwhile, over the same data.

use std::{net::Ipv4Addr, sync::Arc, time::Duration};

use netra_ws::payload::Level;
use serde_json::{Value, json};

use super::{
    RunError,
    auth::SecurityService,
    config::{AuthMode, Config},
    store::{SharedStore, sqlite::SqliteStore},
};

/// How long the server may take to answer a command.
const PATIENCE: Duration = Duration::from_secs(10);

/// The services that commands need.
async fn open(config: &Config) -> Result<(SqliteStore, SharedStore, SecurityService), RunError> {
    let data_dir = config.data_dir.clone();
    let in_data_dir = |error| RunError::DataDir(data_dir.display().to_string(), error);
    tokio::fs::create_dir_all(&data_dir).await.map_err(in_data_dir)?;
    let database = SqliteStore::open(&config.database_url, &data_dir).await?;
    let store: SharedStore = Arc::new(database.clone());
    let security = SecurityService::new(store.clone(), config, &data_dir).map_err(in_data_dir)?;
    Ok((database, store, security))
}

/// Makes an API token in the store, for the user with this address or the developer.
pub async fn create_token(config: Config, name: &str, email: Option<&str>) -> Result<String, RunError> {
    let (database, store, security) = open(&config).await?;
    let user = match email {
        Some(email) => store.user_by_address(&email.trim().to_lowercase()).await?,
        None if config.auth.contains(&AuthMode::Dev) => Some(store.dev_user().await?),
        None => None,
    };
    let user = user.ok_or_else(|| RunError::NoSuchUser(email.unwrap_or("no --email was given").to_owned()))?;
    let made = security.make_api_token_for(user.id, name).await.map_err(|error| RunError::Token(error.message))?;
    database.close().await;
    Ok(made.token)
}

/// A notice for open pages.
pub struct Announcement {
    /// The text.
    pub message: String,
    /// How much it matters.
    pub level: Level,
    /// The address of the one user who is to see it.
    pub email: Option<String>,
    /// Where the server is; its own address when absent.
    pub url: Option<String>,
}

/// Has the running server show a notice.
pub async fn broadcast(config: Config, announcement: Announcement) -> Result<(), RunError> {
    let (database, _, security) = open(&config).await?;
    let token = security.issue_operator_token().map_err(|error| RunError::Token(error.message))?;
    database.close().await;
    let mut address = config.addr;
    if address.ip().is_unspecified() {
        address.set_ip(Ipv4Addr::LOCALHOST.into());
    }
    let base = announcement.url.unwrap_or_else(|| format!("http://{address}"));
    let body = json!({ "message": announcement.message, "level": announcement.level, "email": announcement.email });
    let answer = reqwest::Client::builder()
        .timeout(PATIENCE)
        .build()?
        .post(format!("{}/api/admin/broadcast", base.trim_end_matches('/')))
        .bearer_auth(token)
        .json(&body)
        .send()
        .await?;
    if answer.status().is_success() {
        return Ok(());
    }
    let status = answer.status();
    let body: Value = answer.json().await.unwrap_or_default();
    let reason = body["error"]["message"].as_str().map_or_else(|| status.to_string(), str::to_owned);
    Err(RunError::Refused(reason))
}
