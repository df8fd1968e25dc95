//! Who may have an agent work, and how much: asked before each message is taken.

use std::sync::Arc;

use netra_ws::{ErrorCode, ThreadId, Timestamp, UserId, model::Role};

use super::{
    auth::KeyedLimit,
    config::{Quota, Quotas},
    error::ApiError,
    metrics::metrics,
    store::{SharedStore, taking_part::Standing},
};

/// How many threads' worth of unfinished runs a user has in all threads together.
const THREADS_WORTH: u64 = 10;

/// When to ask again where runs must end first, in milliseconds.
const RUNS_PAUSE: u64 = 2_000;

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

/// What is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Met {
    RunsHere(u64),
    Runs(u64),
    Tokens(u64),
    Cost,
}

impl Met {
    const fn as_str(self) -> &'static str {
        match self {
            Self::RunsHere(_) | Self::Runs(_) => "runs",
            Self::Tokens(_) => "tokens",
            Self::Cost => "cost",
        }
    }

    fn sentence(self) -> String {
        match self {
            Self::RunsHere(most) => {
                format!("{most} messages of yours wait for an answer in this conversation; let some be answered first")
            }
            Self::Runs(most) => format!("{most} messages of yours wait for an answer; let some be answered first"),
            Self::Tokens(most) => {
                format!("your {most} tokens of today are used up; there are new ones at midnight (UTC)")
            }
            Self::Cost => "what your answers may cost today is used up; it begins anew at midnight (UTC)".to_owned(),
        }
    }
}

/// Lets messages in.
#[derive(Clone)]
pub struct Admissions {
    store: SharedStore,
    quotas: Arc<Quotas>,
    /// Whether an address has an account is told to who invites it: a list of addresses is not to be gone through.
    named: Arc<KeyedLimit<UserId>>,
}

impl Admissions {
    /// Admissions by these quotas, with half as many addresses to name in an hour as there are commands in a minute.
    pub fn new(store: SharedStore, quotas: Quotas, commands_per_minute: u32) -> Self {
        let named = Arc::new(KeyedLimit::per_hour(commands_per_minute / 2));
        Self { store, quotas: Arc::new(quotas), named }
    }

    /// Whether the user may name one more address to invite somebody.
    pub(crate) fn may_name(&self, user: UserId) -> Result<(), ApiError> {
        let Some(wait) = self.named.spend(&user) else { return Ok(()) };
        let error = ApiError::new(ErrorCode::RateLimited, "you invited many people; try again later");
        Err(error.retry_after_ms(wait))
    }

    /// What the user may use.
    pub(crate) async fn quota_of(&self, user: UserId) -> Result<Quota, ApiError> {
        let standing = self.store.standing(user, None).await?.ok_or_else(ApiError::not_found)?;
        Ok(*self.quotas.of(standing.role))
    }

    /// Whether the user may begin a conversation.
    pub(crate) async fn may_begin(&self, user: UserId) -> Result<(), ApiError> {
        let standing = self.store.standing(user, None).await?.ok_or_else(ApiError::not_found)?;
        may_begin(standing.role)
    }

    /// What the user is in the thread, if a message of theirs may go there now. Two messages at the same moment may both be the
    /// last.
    pub(crate) async fn admit(&self, user: UserId, thread: Option<ThreadId>) -> Result<Standing, ApiError> {
        let standing = self.store.standing(user, thread).await?.ok_or_else(ApiError::not_found)?;
        if thread.is_none() {
            may_begin(standing.role)?;
        } else if !standing.may_write() {
            return Err(ApiError::new(ErrorCode::Forbidden, "you may read this conversation and not write in it"));
        }
        if standing.address_due {
            let problem = "show first that your e-mail address is yours: open the link that was sent there; /account sends another";
            return Err(ApiError::new(ErrorCode::Forbidden, problem));
        }
        let quota = self.quotas.of(standing.role);
        match self.met(user, &standing, quota).await? {
            None => Ok(standing),
            Some(met) => {
                metrics().quota_met(met.as_str());
                tracing::info!(user_id = %user, quota = met.as_str(), "a quota is used up");
                let wait = match met {
                    Met::RunsHere(_) | Met::Runs(_) => RUNS_PAUSE,
                    Met::Tokens(_) | Met::Cost => DAY_MS - Timestamp::now().as_millis() % DAY_MS,
                };
                Err(ApiError::new(ErrorCode::RateLimited, met.sentence()).retry_after_ms(wait))
            }
        }
    }

    async fn met(&self, user: UserId, standing: &Standing, quota: &Quota) -> Result<Option<Met>, ApiError> {
        if standing.unfinished_here >= quota.queued_runs {
            return Ok(Some(Met::RunsHere(quota.queued_runs)));
        }
        let in_all = quota.queued_runs.saturating_mul(THREADS_WORTH);
        if standing.unfinished >= in_all {
            return Ok(Some(Met::Runs(in_all)));
        }
        if quota.tokens_a_day.is_none() && quota.cost_a_day.is_none() {
            return Ok(None);
        }
        let spent = self.store.spent(user, today()).await?;
        if let Some(most) = quota.tokens_a_day
            && spent.tokens >= most
        {
            return Ok(Some(Met::Tokens(most)));
        }
        let over = quota.cost_a_day.is_some_and(|most| spent.cost >= most);
        Ok(over.then_some(Met::Cost))
    }
}

/// When the day began, in UTC.
pub(crate) fn today() -> Timestamp {
    Timestamp::from_millis(Timestamp::now().as_millis() / DAY_MS * DAY_MS)
}

/// Guests take part where they were invited, and begin nothing of their own.
pub(crate) fn may_begin(role: Role) -> Result<(), ApiError> {
    match role {
        Role::User | Role::Admin => Ok(()),
        Role::Guest | Role::Unknown(_) => Err(ApiError::new(
            ErrorCode::Forbidden,
            "guests read what is shared with them; an administrator can make you a member",
        )),
    }
}
