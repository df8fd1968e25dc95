//! Questions and decisions.

use async_trait::async_trait;
use netra_ws::{
    ErrorCode, RunId, ThreadId, UserId,
    frame::StoredEvent,
    log::LogError,
    model::{Author, ChoiceKind, Object, Question},
    payload::{Ack, Decision, ToolApproval, ToolApprovalRequired},
};
use sqlx::{Arguments as _, AssertSqlSafe, Row, SqliteConnection, query, query_as, query_scalar, sqlite::SqliteRow};
use uuid::Uuid;

use super::{
    super::{
        Recorded, StoreError,
        questions::{Child, Decided, KeptQuestion, Questions, Verdict},
    },
    SqliteStore,
    bulk::Bulk,
    commands,
    failure::store,
    millis, now,
    rows::READABLE,
};
use crate::server::form;

/// A question as the event tells of it.
pub(super) struct NewQuestion {
    run: RunId,
    thread: ThreadId,
    call: String,
    tool: String,
    /// JSON.
    question: String,
    asked_at: i64,
    expires_at: i64,
}

impl NewQuestion {
    pub(super) fn new(run: RunId, stored: &StoredEvent, asked: &ToolApprovalRequired) -> Result<Self, LogError> {
        Ok(Self {
            run,
            thread: stored.thread_id,
            call: asked.tool_call_id.clone(),
            tool: asked.tool.clone(),
            question: serde_json::to_string(&asked.question().unwrap_or_default()).map_err(LogError::store)?,
            asked_at: millis(stored.ts),
            expires_at: millis(asked.expires_at),
        })
    }
}

pub(super) const QUESTIONS: Bulk<NewQuestion> = Bulk {
    before: "INSERT INTO questions (run_id, tool_call_id, thread_id, tool, question, asked_at, expires_at)",
    after: "",
    columns: 7,
    bind: |values, asked| {
        values.add(asked.run.uuid())?;
        values.add(&asked.call)?;
        values.add(asked.thread.uuid())?;
        values.add(&asked.tool)?;
        values.add(&asked.question)?;
        values.add(asked.asked_at)?;
        values.add(asked.expires_at)
    },
};

/// The run's events tell what became of these calls' questions.
pub(super) const TAKEN: Bulk<(RunId, String)> = Bulk {
    before: "WITH given (run, call) AS (",
    after: ") UPDATE questions SET taken = 1 FROM given
        WHERE questions.run_id = given.run AND questions.tool_call_id = given.call",
    columns: 2,
    bind: |values, (run, call)| {
        values.add(run.uuid())?;
        values.add(call)
    },
};

/// The run's events tell what became of these calls, which other runs may have worked on.
pub(super) const JOINED: Bulk<(RunId, String)> = Bulk {
    before: "WITH given (run, call) AS (",
    after: ") UPDATE runs SET joined = 1 FROM given
        WHERE runs.parent_run_id = given.run AND runs.parent_call_id = given.call",
    columns: 2,
    bind: |values, (run, call)| {
        values.add(run.uuid())?;
        values.add(call)
    },
};

impl SqliteStore {
    /// What stands against the decision, if anything does.
    async fn refusal(
        tx: &mut SqliteConnection,
        user: UserId,
        asked: &SqliteRow,
        decision: &ToolApproval,
    ) -> Result<Option<(ErrorCode, String)>, LogError> {
        let refused = |code, why: &str| Ok(Some((code, why.to_owned())));
        let for_whom: Option<Uuid> = asked.try_get("asked_by").map_err(store)?;
        let owner: Uuid = asked.try_get("owner").map_err(store)?;
        if for_whom.is_some_and(|whom| whom != user.uuid()) && owner != user.uuid() {
            return refused(ErrorCode::Forbidden, "the person that the agent works for decides, or the owner");
        }
        if let Some(approved) = asked.try_get::<Option<bool>, _>("approved").map_err(store)? {
            let name: Option<String> = asked.try_get("decided_name").map_err(store)?;
            let (what, who) = (if approved { "allowed" } else { "refused" }, name.unwrap_or_default());
            return Ok(Some((ErrorCode::Conflict, format!("{who} {what} this already").trim_start().to_owned())));
        }
        if asked.try_get("taken").map_err(store)? {
            return refused(ErrorCode::Conflict, "nobody is asked any more");
        }
        if asked.try_get::<i64, _>("expires_at").map_err(store)? <= now() {
            return refused(ErrorCode::ApprovalExpired, "this was to be decided earlier");
        }
        let thread: Uuid = asked.try_get("thread_id").map_err(store)?;
        let role: Option<String> = query_scalar("SELECT role FROM members WHERE thread_id = ? AND user_id = ?")
            .bind(thread)
            .bind(user.uuid())
            .fetch_optional(tx)
            .await
            .map_err(store)?;
        if role.as_deref() == Some("viewer") {
            return refused(ErrorCode::Forbidden, "you may read this conversation and not decide in it");
        }
        let question = read_question(asked).map_err(store)?;
        let approve = decision.decision == Decision::Approve;
        if let Some(chosen) = &decision.option {
            let Some(option) = question.options.iter().find(|option| option.id == *chosen) else {
                return refused(ErrorCode::InvalidPayload, "`option` is none of those that were offered");
            };
            if option.kind.allows().is_some_and(|allows| allows != approve) {
                return refused(ErrorCode::InvalidPayload, "`option` says the opposite of `decision`");
            }
        }
        match (&question.form, &decision.answer) {
            (None, Some(_)) => refused(ErrorCode::InvalidPayload, "`answer` fills in a form, and there is none"),
            (Some(form), answer) if approve => {
                let empty = Object::new();
                let wrong = form::check(form, answer.as_ref().unwrap_or(&empty)).err();
                Ok(wrong.map(|wrong| (ErrorCode::InvalidPayload, format!("`answer`: {wrong}"))))
            }
            _ => Ok(None),
        }
    }
}

fn read_question(row: &SqliteRow) -> Result<Question, StoreError> {
    serde_json::from_str(row.try_get("question")?).map_err(StoreError::corrupt)
}

fn kept(row: &SqliteRow) -> Result<KeptQuestion, StoreError> {
    let answer: Option<&str> = row.try_get("answer")?;
    let verdict = match row.try_get::<Option<bool>, _>("approved")? {
        Some(true) => Verdict::Approved {
            option: row.try_get("option")?,
            answer: answer.map(serde_json::from_str).transpose().map_err(StoreError::corrupt)?,
        },
        Some(false) => Verdict::Denied { reason: row.try_get("reason")? },
        None if row.try_get::<i64, _>("expires_at")? <= now() => Verdict::Expired,
        None => Verdict::Open,
    };
    let by: Option<Uuid> = row.try_get("decided_by")?;
    let name: Option<String> = row.try_get("decided_name")?;
    Ok(KeptQuestion {
        tool_call_id: row.try_get("tool_call_id")?,
        question: read_question(row)?,
        verdict,
        decided_by: by.map(|id| Author { id: id.into(), name: name.unwrap_or_default() }),
    })
}

#[async_trait]
impl Questions for SqliteStore {
    async fn decide(&self, command: Recorded<'_>, decision: &ToolApproval) -> Result<Decided, LogError> {
        let mut tx = self.write().await.map_err(store)?;
        let of_rooms = self.room_commands.write(&mut tx).await.map_err(store)?;
        if let Some(ack) = commands::earlier(&mut tx, command.user_id, command.command_id, command.digest).await? {
            return Ok(Decided::Done(ack));
        }
        let sql = format!(
            "SELECT q.*, r.asked_by, t.user_id AS owner FROM questions AS q
             JOIN runs AS r ON r.id = q.run_id JOIN threads AS t ON t.id = q.thread_id
             WHERE q.tool_call_id = ?2 AND {READABLE}"
        );
        let asked = query(AssertSqlSafe(sql))
            .bind(command.user_id.uuid())
            .bind(&decision.tool_call_id)
            .fetch_optional(&mut *tx)
            .await
            .map_err(store)?
            .ok_or(LogError::NotFound)?;
        if let Some((code, why)) = Self::refusal(&mut tx, command.user_id, &asked, decision).await? {
            return Ok(Decided::Refused(code, why));
        }
        let approved = decision.decision == Decision::Approve;
        let answer = decision.answer.as_ref().map(serde_json::to_string).transpose().map_err(LogError::store)?;
        query(
            "UPDATE questions SET approved = ?2, option = ?3, answer = ?4, reason = ?5, decided_by = ?6, decided_at = ?7,
                 decided_name = (SELECT name FROM users WHERE id = ?6)
             WHERE tool_call_id = ?1",
        )
        .bind(&decision.tool_call_id)
        .bind(approved)
        .bind(&decision.option)
        .bind(answer)
        .bind(&decision.reason)
        .bind(command.user_id.uuid())
        .bind(now())
        .execute(&mut *tx)
        .await
        .map_err(store)?;
        let options = read_question(&asked).map_err(store)?.options;
        let chosen = options.iter().find(|option| Some(&option.id) == decision.option.as_ref());
        if chosen.is_some_and(|option| matches!(option.kind, ChoiceKind::AllowAlways | ChoiceKind::RejectAlways)) {
            // For the person that the run works for, whoever decided: their later runs ask the same.
            query(
                "INSERT OR REPLACE INTO consents (thread_id, user_id, tool, approved, created_at)
                 SELECT q.thread_id, COALESCE(r.asked_by, ?2), q.tool, ?3, ?4 FROM questions AS q
                 JOIN runs AS r ON r.id = q.run_id WHERE q.tool_call_id = ?1",
            )
            .bind(&decision.tool_call_id)
            .bind(command.user_id.uuid())
            .bind(approved)
            .bind(now())
            .execute(&mut *tx)
            .await
            .map_err(store)?;
        }
        query("UPDATE runs SET status = 'queued', wake_at = NULL WHERE id = ? AND status = 'waiting'")
            .bind(asked.try_get::<Uuid, _>("run_id").map_err(store)?)
            .execute(&mut *tx)
            .await
            .map_err(store)?;
        commands::insert(&mut tx, command).await?;
        tx.commit().await.map_err(store)?;
        self.room_commands.written(&of_rooms);
        Ok(Decided::Done(Ack::clone(command.ack)))
    }

    async fn find_question(&self, user: UserId, tool_call_id: &str) -> Result<Option<(ThreadId, RunId)>, StoreError> {
        let sql = format!(
            "SELECT q.thread_id, q.run_id FROM questions AS q JOIN threads AS t ON t.id = q.thread_id
             WHERE q.tool_call_id = ?2 AND {READABLE}"
        );
        let found: Option<(Uuid, Uuid)> =
            query_as(AssertSqlSafe(sql)).bind(user.uuid()).bind(tool_call_id).fetch_optional(&self.readers).await?;
        Ok(found.map(|(thread, run)| (thread.into(), run.into())))
    }

    async fn questions_of(&self, run: RunId) -> Result<Vec<KeptQuestion>, StoreError> {
        let rows = query("SELECT * FROM questions WHERE run_id = ?").bind(run.uuid()).fetch_all(&self.readers).await?;
        rows.iter().map(kept).collect()
    }

    async fn consent(&self, thread: ThreadId, user: UserId, tool: &str) -> Result<Option<bool>, StoreError> {
        Ok(query_scalar("SELECT approved FROM consents WHERE thread_id = ? AND user_id = ? AND tool = ?")
            .bind(thread.uuid())
            .bind(user.uuid())
            .bind(tool)
            .fetch_optional(&self.readers)
            .await?)
    }

    async fn children_of(&self, run: RunId) -> Result<Vec<Child>, StoreError> {
        let rows: Vec<(Uuid, Option<String>, Option<String>)> =
            query_as("SELECT id, parent_call_id, state FROM runs WHERE parent_run_id = ?")
                .bind(run.uuid())
                .fetch_all(&self.readers)
                .await?;
        let child = |(id, call, state): (Uuid, Option<String>, Option<String>)| {
            let ended = state.map(|state| serde_json::from_str(&state).map_err(StoreError::corrupt)).transpose()?;
            Ok(Child { run_id: id.into(), tool_call_id: call.unwrap_or_default(), ended })
        };
        rows.into_iter().map(child).collect()
    }
}
