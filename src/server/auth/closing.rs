//! Accounts as a whole: their owner closes them, administrators disable them and give them roles.

use std::time::Duration;

use netra_ws::{ErrorCode, Timestamp, UserId, model::Role};

use super::{Identity, SecurityService, Visitor};
use crate::server::{
    error::ApiError,
    store::closing::{AccountChange, AccountInfo, Changed},
};

fn told(changed: Changed) -> Result<(), ApiError> {
    match changed {
        Changed::Done => Ok(()),
        Changed::Unknown => Err(ApiError::not_found()),
        Changed::LastAdministrator => Err(ApiError::new(
            ErrorCode::Conflict,
            "nobody else administers this server; make somebody an administrator first",
        )),
    }
}

impl SecurityService {
    /// Accounts by address, after this one.
    pub async fn accounts(
        &self,
        text: Option<&str>,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<AccountInfo>, ApiError> {
        Ok(self.store.accounts(text, after, limit).await?)
    }

    /// One account.
    pub async fn account(&self, user: UserId) -> Result<AccountInfo, ApiError> {
        self.store.account(user).await?.ok_or_else(ApiError::not_found)
    }

    /// Changes an account's role, disables it, or takes that back.
    pub async fn change_account(
        &self,
        by: Option<UserId>,
        user: UserId,
        change: AccountChange,
    ) -> Result<AccountInfo, ApiError> {
        if let Some(Role::Unknown(word)) = change.role {
            return Err(ApiError::new(ErrorCode::InvalidPayload, format!("`role` has no value \"{word}\"")));
        }
        told(self.store.change_account(user, change).await?)?;
        if let Some(disabled) = change.disabled {
            let action = if disabled { "account.disabled" } else { "account.enabled" };
            tracing::info!(user_id = %user, disabled, "account changed");
            self.note(by, action, Some(user.to_string()), None).await;
        }
        if let Some(role) = change.role {
            tracing::info!(user_id = %user, %role, "account changed");
            self.note(by, "account.role_changed", Some(format!("{user} {role}")), None).await;
        }
        self.account(user).await
    }

    /// Ends all sign-ins of somebody, on the word of an administrator.
    pub async fn end_sign_ins_of(&self, by: Option<UserId>, user: UserId) -> Result<(), ApiError> {
        self.account(user).await?;
        self.store.end_sign_ins(user, None).await?;
        self.note(by, "sign_in.all_ended", Some(user.to_string()), None).await;
        Ok(())
    }

    /// Adds what an administrator did to the audit log.
    pub async fn note_administration(&self, by: Option<UserId>, action: &'static str, subject: String) {
        self.note(by, action, Some(subject), None).await;
    }

    /// Closes an account for its owner, who knows the password. It is gone for good after a while; signing in before keeps it.
    pub async fn close_account(
        &self,
        identity: &Identity,
        visitor: &Visitor,
        password: &str,
        grace: Duration,
    ) -> Result<Timestamp, ApiError> {
        self.confirm_password(identity, visitor, password).await?;
        let at = Timestamp::now().plus(grace);
        told(self.store.set_deletion(identity.user.id, Some(at)).await?)?;
        tracing::info!(user_id = %identity.user.id, "account closed by its owner");
        self.note(Some(identity.user.id), "account.closed", None, Some(visitor)).await;
        Ok(at)
    }

    /// Whoever signs in keeps the account, unless it is disabled.
    pub(super) async fn reopen(&self, user: UserId, visitor: &Visitor) -> Result<(), ApiError> {
        let account = self.account(user).await?;
        if account.disabled_at.is_some() {
            tracing::warn!(user_id = %user, address = %visitor.address, "sign-in refused: the account is disabled");
            self.note_failure("sign_in.refused", user, visitor);
            return Err(ApiError::new(ErrorCode::Forbidden, "this account is disabled; ask whoever runs the server"));
        }
        if account.delete_at.is_some() {
            told(self.store.set_deletion(user, None).await?)?;
            self.note(Some(user), "account.kept", None, Some(visitor)).await;
        }
        Ok(())
    }
}
