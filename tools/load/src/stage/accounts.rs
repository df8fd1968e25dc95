//! Users and threads, made over HTTP as anyone makes them.

use futures::{StreamExt, TryStreamExt, stream};
use netra_ws::{ThreadId, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Owned, Stage};
use crate::{Failure, delays::now_us, job::Account};

/// Requests under way at once.
const AT_ONCE: usize = 8;

/// The answer of `POST /api/auth/ws-token`.
#[derive(Deserialize)]
pub(crate) struct TokenAnswer {
    /// The JWT.
    pub(crate) token: String,
    expires_at: Timestamp,
}

impl TokenAnswer {
    /// What is left of its life, in milliseconds. Client and server have one clock.
    pub(crate) fn lives_ms(&self) -> u64 {
        self.expires_at.as_millis().saturating_sub(now_us() / 1_000)
    }
}

impl Stage {
    /// This many users, each signed in and with a token. On a server that is not this tool's, all are the one whose API
    /// token was given.
    pub(crate) async fn accounts(&self, count: usize) -> Result<Vec<Account>, Failure> {
        if let Some(token) = &self.token {
            let proof = ("authorization".to_owned(), format!("Bearer {token}"));
            return Ok(vec![self.account(proof).await?]);
        }
        let made = stream::iter(0..count).map(|number| self.sign_up(number)).buffered(AT_ONCE);
        made.try_collect().await
    }

    async fn sign_up(&self, number: usize) -> Result<Account, Failure> {
        let (path, body) = match number {
            0 => ("dev", json!({})),
            _ => {
                let email = format!("person{number}@example.org");
                ("register", json!({ "email": email, "password": "a long password", "name": "Load" }))
            }
        };
        let answer = self.http.post(format!("{}/api/auth/{path}", self.base)).json(&body).send().await?;
        let answer = answer.error_for_status()?;
        let cookies = answer.headers().get_all("set-cookie").iter().filter_map(|cookie| cookie.to_str().ok());
        let cookies: Vec<_> = cookies.filter_map(|cookie| cookie.split(';').next()).collect();
        self.account(("cookie".to_owned(), cookies.join("; "))).await
    }

    async fn account(&self, proof: (String, String)) -> Result<Account, Failure> {
        let me = self.http.get(format!("{}/api/me", self.base)).header(&proof.0, &proof.1).send().await?;
        let me: Value = me.error_for_status()?.json().await?;
        let id = me["user"]["id"].as_str().unwrap_or_default().to_owned();
        let mut account = Account { id, proof, token: String::new(), lives_ms: 0 };
        self.renew(&mut account).await?;
        Ok(account)
    }

    /// Gets a fresh token.
    pub(crate) async fn renew(&self, account: &mut Account) -> Result<(), Failure> {
        let url = format!("{}/api/auth/ws-token", self.base);
        let answer = self.http.post(url).header(&account.proof.0, &account.proof.1).json(&json!({})).send().await?;
        let answer: TokenAnswer = answer.error_for_status()?.json().await?;
        account.lives_ms = answer.lives_ms();
        account.token = answer.token;
        Ok(())
    }

    /// This many threads, dealt out to the accounts in turn.
    pub(crate) async fn threads(&self, count: usize, accounts: &[Account]) -> Result<Vec<Owned>, Failure> {
        let made =
            stream::iter(0..count).map(|number| self.thread(number % accounts.len(), accounts)).buffered(AT_ONCE);
        made.try_collect().await
    }

    async fn thread(&self, account: usize, accounts: &[Account]) -> Result<Owned, Failure> {
        let (name, value) = &accounts[account].proof;
        let request = self.http.post(format!("{}/api/threads", self.base)).header(name, value);
        let answer: Value = request.json(&json!({ "title": "Load" })).send().await?.error_for_status()?.json().await?;
        let id: ThreadId = answer["id"].as_str().unwrap_or_default().parse()?;
        Ok(Owned { id, account })
    }
}
