//! What a sign-in gave, kept over restarts: sealed in the store, and opened once.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use rmcp::transport::auth::{AuthError, CredentialStore, StoredCredentials};
use serde::{Deserialize, Serialize};

use crate::server::{auth::Sealer, store::SharedStore};

/// What is kept of a sign-in.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Connection {
    /// The tokens, and whom they are from.
    pub(super) credentials: StoredCredentials,
    /// The secret of a client that registered itself and was given one.
    pub(super) client_secret: Option<String>,
}

/// What is known of the connection.
#[derive(Clone)]
enum Known {
    /// It was not looked for yet.
    Nothing,
    /// There is none, and why.
    Missing(String),
    /// There is one.
    Made(Box<Connection>),
}

/// Where connections are kept.
#[derive(Clone)]
pub struct Vault {
    /// The database.
    pub(crate) store: SharedStore,
    /// What seals them.
    pub(crate) sealer: Arc<Sealer>,
}

/// The connection of one server.
pub(super) struct Kept {
    server: String,
    /// Whom it is sealed for: a connection is good for this address alone, whatever the settings name so later.
    owner: String,
    vault: Option<Vault>,
    known: Mutex<Known>,
}

impl Kept {
    pub(super) fn new(server: &str, address: &str, vault: Option<Vault>) -> Arc<Self> {
        let owner = format!("{server}\n{address}");
        Arc::new(Self { server: server.to_owned(), owner, vault, known: Mutex::new(Known::Nothing) })
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why there is no connection; nothing while there is one, or none was looked for.
    pub(super) fn missing(&self) -> Option<String> {
        match &*self.known() {
            Known::Missing(why) => Some(why.clone()),
            Known::Nothing | Known::Made(_) => None,
        }
    }

    /// The connection, from the store when it was not looked for yet.
    pub(super) async fn connection(&self) -> Result<Option<Connection>, String> {
        match &*self.known() {
            Known::Missing(_) => return Ok(None),
            Known::Made(connection) => return Ok(Some((**connection).clone())),
            Known::Nothing => {}
        }
        let Some(vault) = &self.vault else { return Ok(None) };
        let sealed = vault.store.mcp_connection(&self.server).await.map_err(|error| error.to_string())?;
        let opened = sealed.map(|sealed| vault.sealer.open(self.owner.as_bytes(), &sealed));
        let found = match opened {
            None => Known::Missing(String::new()),
            Some(Ok(opened)) => match serde_json::from_slice(&opened) {
                Ok(connection) => Known::Made(Box::new(connection)),
                Err(_) => Known::Missing("what is kept of the connection cannot be read".to_owned()),
            },
            Some(Err(_)) => Known::Missing(
                "the connection was made for another address, or with another secret of Netra's (jwt.key, NETRA_JWT_SECRET)"
                    .to_owned(),
            ),
        };
        let mut known = self.known();
        // Somebody may have connected it meanwhile.
        if matches!(*known, Known::Nothing) {
            *known = found;
        }
        match &*known {
            Known::Made(connection) => Ok(Some((**connection).clone())),
            Known::Nothing | Known::Missing(_) => Ok(None),
        }
    }

    /// Keeps a connection instead of the one before.
    pub(super) async fn keep(&self, connection: Connection) -> Result<(), String> {
        if let Some(vault) = &self.vault {
            let text = serde_json::to_vec(&connection).map_err(|_| "tokens that cannot be kept".to_owned())?;
            let sealed = vault.sealer.seal(self.owner.as_bytes(), &text).map_err(|error| error.to_string())?;
            vault.store.keep_mcp_connection(&self.server, &sealed).await.map_err(|error| error.to_string())?;
        }
        *self.known() = Known::Made(Box::new(connection));
        Ok(())
    }

    /// Ends the connection. What stays in the store when that fails is not used by this process any more.
    pub(super) async fn end(&self, why: String) -> Result<(), String> {
        *self.known() = Known::Missing(why);
        match &self.vault {
            Some(vault) => vault.store.forget_mcp_connection(&self.server).await.map_err(|error| error.to_string()),
            None => Ok(()),
        }
    }

    /// Says why there is still no connection.
    pub(super) fn explain(&self, why: String) {
        let mut known = self.known();
        if let Known::Missing(said) = &mut *known {
            *said = why;
        }
    }
}

/// The same as the protocol's library wants it, with the secret of the client that it is used with.
pub(super) struct Keeper {
    pub(super) kept: Arc<Kept>,
    pub(super) client_secret: Option<String>,
}

#[async_trait]
impl CredentialStore for Keeper {
    async fn load(&self) -> Result<Option<StoredCredentials>, AuthError> {
        let found = self.kept.connection().await.map_err(AuthError::CredentialStoreError)?;
        Ok(found.map(|connection| connection.credentials))
    }

    async fn save(&self, credentials: StoredCredentials) -> Result<(), AuthError> {
        let connection = Connection { credentials, client_secret: self.client_secret.clone() };
        self.kept.keep(connection).await.map_err(AuthError::CredentialStoreError)
    }

    async fn clear(&self) -> Result<(), AuthError> {
        let why = "its authorization server is another one now".to_owned();
        self.kept.end(why).await.map_err(AuthError::CredentialStoreError)
    }
}
